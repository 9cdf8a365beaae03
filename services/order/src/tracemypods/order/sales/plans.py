"""The plans: `config/plans.toml`, which operators edit."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tracemypods.contracts.premium_tokens import LONGEST_DAYS
from tracemypods.kit.settings import SettingsError

FILE_NAME = "plans.toml"

PlanId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Plan(_Strict):
    """A plan. `price` is in paise, taxes included, `tax` in hundredths of a percent.

    It can be sold while one of its `models` can be asked.
    """

    title: str = Field(min_length=1, max_length=80)
    notes: str = Field(max_length=500)
    price: int = Field(ge=100, le=10**9)
    days: int = Field(ge=1, le=LONGEST_DAYS)
    tax: int = Field(0, ge=0, le=5000)
    hsn: str = Field("998439", pattern=r"^[0-9]{4,8}$")
    limits: dict[str, Annotated[str, Field(max_length=80)]] = Field(max_length=10)
    models: list[str] = Field(min_length=1)


class Plans(_Strict):
    """All plans, by id."""

    plans: dict[PlanId, Plan] = Field(min_length=1)


def load_plans(folder: Path) -> dict[str, Plan]:
    """Read config/plans.toml. Raises SettingsError with every problem, a line each."""
    file = folder / FILE_NAME
    try:
        found = Plans.model_validate(tomllib.loads(file.read_text()))
    except OSError as error:
        raise SettingsError(f"{file}: it cannot be read: {error.strerror}") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{file}: this is not TOML: {error}") from None
    except ValidationError as error:
        lines = (
            f"{file}: {'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()
        )
        raise SettingsError("\n".join(lines)) from None
    return dict(found.plans)
