"""Who sells: `config/seller.toml`, which operators edit."""

from __future__ import annotations

import tomllib
import unicodedata
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from tracemypods.contracts.gst import gstin_problem
from tracemypods.kit.settings import SettingsError

FILE_NAME = "seller.toml"

LONGEST_TEXT = 200

UNREGISTERED = "unregistered"
"""In place of a GSTIN: the seller says to have none, which is not the same as saying nothing."""


Scheme = Literal["regular", "composition"]
"""Of GST: who is in the composition scheme charges no tax and sells within their own state only."""
Export = Literal["none", "lut", "taxed"]
"""What a seller with a GSTIN sells abroad: nothing; without tax, under a letter of undertaking; or
with integrated tax."""


class SellerError(SettingsError):
    """The file can't be used; the message names it and each thing that is wrong."""


def _printable(text: str, *, allowed: str = "") -> str:
    if any(unicodedata.category(one)[0] == "C" and one not in allowed for one in text):
        raise ValueError("has characters that can't be printed")
    return text


def _line(text: str) -> str:
    text = text.strip()
    if len(text) > LONGEST_TEXT:
        raise ValueError(f"has at most {LONGEST_TEXT} characters")
    return _printable(text)


def _lines(text: str) -> str:
    """What an envelope takes: some lines, none of them empty."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len("\n".join(lines)) > 2 * LONGEST_TEXT:
        raise ValueError(f"has at most {2 * LONGEST_TEXT} characters")
    return _printable("\n".join(lines), allowed="\n")


def _email(text: str) -> str:
    name, at, domain = text.partition("@")
    if text and (not name or not at or not domain or "@" in domain or len(text.split()) != 1):
        raise ValueError("is no e-mail address")
    return text


def _gstin(text: str) -> str:
    if text.lower() == UNREGISTERED:
        return UNREGISTERED
    text = text.upper()
    problem = gstin_problem(text) if text else None
    if problem:
        raise ValueError(problem)
    return text


Line = Annotated[str, AfterValidator(_line)]
Lines = Annotated[str, AfterValidator(_lines)]
Email = Annotated[Line, AfterValidator(_email)]
Gstin = Annotated[Line, AfterValidator(_gstin)]


class _Strict(BaseModel):
    """Refuses misspelt keys, so that a field that is not there cannot be believed filled."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Contact(_Strict):
    """Where buyers' questions go."""

    email: Email = ""
    phone: Line = ""


class GrievanceOfficer(_Strict):
    """Whom buyers complain to: India's E-Commerce Rules of 2020 (rule 4) want one to be named."""

    name: Line = ""
    designation: Line = ""
    email: Email = ""
    phone: Line = ""


class Taxation(_Strict):
    """How a seller with a GSTIN is taxed; `lut` is the number of the letter of undertaking."""

    scheme: Scheme = "regular"
    export: Export = "none"
    lut: Line = ""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.scheme == "composition" and self.export != "none":
            raise ValueError("a seller in the composition scheme sells within their own state only")
        if (self.export == "lut") is not bool(self.lut):
            raise ValueError(
                '`lut` is the number that `export = "lut"` needs, and nothing else does'
            )
        return self


class Seller(_Strict):
    """Who sells. Any of it may be empty; without all of it nothing is sold for real money."""

    name: Line = ""
    address: Lines = ""
    gstin: Gstin = ""
    tax: Taxation = Field(default_factory=Taxation)
    contact: Contact = Field(default_factory=Contact)
    grievance_officer: GrievanceOfficer = Field(default_factory=GrievanceOfficer)

    @property
    def state(self) -> str | None:
        """The GST code of the seller's state; None for a seller without a GSTIN."""
        return None if self.gstin in ("", UNREGISTERED) else self.gstin[:2]

    def fields(self) -> dict[str, str]:
        """Every text that pages show by its name in the file, such as `contact.email`."""
        found: dict[str, str] = {}
        for name, value in self:
            if isinstance(value, Taxation):
                continue
            if isinstance(value, BaseModel):
                found |= {f"{name}.{inner}": str(text) for inner, text in value}
            else:
                found[name] = str(value)
        return found

    def missing(self) -> tuple[str, ...]:
        """The fields that are empty, by their names in the file."""
        return tuple(name for name, text in self.fields().items() if not text)


def load_seller(config_dir: Path) -> Seller:
    """Read `seller.toml` from the folder of operators' files. Raises SellerError."""
    path = config_dir / FILE_NAME
    try:
        return Seller.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise SellerError(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SellerError(f"{path}: {error}") from None
    except ValidationError as error:
        lines = [
            f"{path}: {'.'.join(str(step) for step in problem['loc'])}: {problem['msg']}"
            for problem in error.errors()
        ]
        raise SellerError("\n".join(lines)) from None
