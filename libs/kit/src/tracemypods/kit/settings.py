"""Settings: typed, read from the environment and from files of secrets, checked all at once."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

SECRETS_DIR = "TRACEMYPODS_SECRETS_DIR"
"""Names a folder with one file per secret, called as the variable that it stands for."""

MINIMUM_SECRET_LENGTH = 32

DEV_ONLY = "dev-only-"
"""How keys begin that are the same wherever the fleet is tried out. They hide nothing."""

Secret = Annotated[SecretStr, Field(min_length=MINIMUM_SECRET_LENGTH)]
"""A key of at least 32 characters that never shows in logs or error messages."""


class Mode(StrEnum):
    """Where the fleet runs, which decides what it refuses."""

    LOCAL = "local"
    """On one machine, started by the launcher: sandboxes and `/local/*` allowed."""
    DEMO = "demo"
    """Sandboxes allowed, with a banner."""
    PRODUCTION = "production"
    """Sandboxes and default secrets stop start-up."""


class SettingsError(Exception):
    """Settings are missing or wrong; the message lists every problem, one a line."""


class ServiceSettings(BaseSettings):
    """What every service reads. A service's own class adds its fields under its own prefix."""

    model_config = SettingsConfigDict(
        extra="ignore",
        populate_by_name=True,
        frozen=True,
        env_ignore_empty=True,
        allow_inf_nan=False,
    )

    mode: Mode = Field(
        Mode.PRODUCTION,
        validation_alias="TRACEMYPODS_MODE",
        description="Where the fleet runs: `local`, `demo` or `production`",
    )
    host: str = Field(
        "127.0.0.1", validation_alias="TRACEMYPODS_HOST", description="Address to listen on"
    )
    port: int = Field(
        8000, ge=0, le=65535, validation_alias="TRACEMYPODS_PORT", description="Port to listen on"
    )
    drain_seconds: float = Field(
        10.0,
        gt=0,
        validation_alias="TRACEMYPODS_DRAIN_SECONDS",
        description="How long open requests may go on after the service was told to stop, seconds",
    )


SettingsT = TypeVar("SettingsT", bound=ServiceSettings)


def load(settings_class: type[SettingsT]) -> SettingsT:
    """Read settings from the environment and from the folder that TRACEMYPODS_SECRETS_DIR names.

    Raises SettingsError with every missing or wrong setting by its name, never with a value. In
    production every secret that anybody may know is one of them, whether the class reads it or not.
    """
    arguments: dict[str, Any] = {}
    directory = os.environ.get(SECRETS_DIR)
    if directory:
        if not Path(directory).is_dir():
            raise SettingsError(f"{SECRETS_DIR}: no such folder: {directory}")
        arguments["_secrets_dir"] = directory
    problems: list[str] = []
    if os.environ.get("TRACEMYPODS_MODE") not in (Mode.LOCAL, Mode.DEMO):
        problems = [
            f"{name}: this is a key of trials, which anybody knows" for name in _dev_only(directory)
        ]
    try:
        settings = settings_class(**arguments)
        if not problems:
            return settings
    except ValidationError as error:
        problems += [
            f"{variable_name(settings_class, str(problem['loc'][0]))}: {problem['msg']}"
            if problem["loc"]
            else problem["msg"]
            for problem in error.errors(include_input=False, include_url=False)
        ]
    raise SettingsError("\n".join(problems))


def _dev_only(directory: str | None) -> list[str]:
    """The variables, and the files that stand for some, in which a DEV_ONLY key is.

    Anywhere in it: a value may be an address with a password, a list, or the operators' names.
    """
    files = [file for file in Path(directory).iterdir() if file.is_file()] if directory else []
    values = [*os.environ.items(), *((one.name, one.read_text(errors="replace")) for one in files)]
    found = {name.upper() for name, value in values if DEV_ONLY in value}
    return sorted(name for name in found if name.startswith("TRACEMYPODS_"))


def variable_name(settings_class: type[ServiceSettings], field_or_alias: str) -> str:
    """The environment variable behind a field's name (an alias is one already)."""
    field = settings_class.model_fields.get(field_or_alias)
    if field is None:
        return field_or_alias
    if isinstance(field.validation_alias, str):
        return field.validation_alias
    prefix = settings_class.model_config.get("env_prefix", "")
    return f"{prefix}{field_or_alias}".upper()
