"""A document for a buyer: an invoice or a credit note, frozen once it has a number.

Everything that is printed is in it, so that it is printed the same whenever that happens. Money is
in paise, rates are in hundredths of a percent, times are Unix times in milliseconds.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from tracemypods.contracts.events import DocumentKind
from tracemypods.contracts.prices import Tax

Title = Literal["Tax invoice", "Bill of supply", "Invoice", "Credit note"]


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Party(_Frozen):
    """Seller or buyer. `state` is a name with its GST code, `country` a name."""

    name: str
    address: str = ""
    gstin: str | None = None
    state: str | None = None
    country: str | None = None
    email: str = ""
    phone: str = ""


class Line(_Frozen):
    """One line: what was sold and how much it costs without taxes."""

    description: str
    hsn: str
    quantity: int = 1
    taxable: int


class Reference(_Frozen):
    """The invoice that a credit note belongs to."""

    number: str
    issued_at: int


class Document(_Frozen):
    """Everything that is printed.

    `place_of_supply` and `reverse_charge` are None where the law asks for neither. `notes` are
    declarations, a sentence each. `is_test` makes a watermark "not a tax invoice"; `banner` is a
    line that says on whose stand-in the money moved, if on one.
    """

    kind: DocumentKind
    title: Title
    number: str
    issued_at: int
    order_id: str
    payment_id: str
    paid_at: int
    seller: Party
    buyer: Party
    lines: list[Line] = Field(min_length=1)
    taxable: int
    taxes: list[Tax]
    total: int
    currency: str
    place_of_supply: str | None = None
    reverse_charge: bool | None = None
    notes: list[str] = Field(default_factory=list[str])
    refers_to: Reference | None = None
    is_test: bool = False
    banner: str | None = None
