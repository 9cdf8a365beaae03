"""A price and the taxes in it. Money is in paise."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

CURRENCY = "INR"


class Tax(BaseModel):
    """One tax: its rate in hundredths of a percent, its amount in paise."""

    model_config = ConfigDict(frozen=True)

    name: str
    rate: int
    amount: int


class Price(BaseModel):
    """A price in paise: `total` is what is paid, `taxable` what is left without the taxes."""

    model_config = ConfigDict(frozen=True)

    total: int
    taxable: int
    taxes: list[Tax]
    currency: str = CURRENCY
