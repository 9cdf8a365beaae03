"""To whom the seller sells, and with which tax: it follows from config/seller.toml.

Without a GSTIN everybody may buy, and no tax is named. With one, buyers abroad are refused until
the seller has said how exports are taxed; who is in the composition scheme sells within their own
state and charges no tax (section 10 of the CGST Act).
"""

from __future__ import annotations

from tracemypods.contracts.events import SoldBy
from tracemypods.contracts.gst import STATES
from tracemypods.contracts.prices import Price
from tracemypods.contracts.seller import Seller
from tracemypods.order.sales.price import price

INDIA = "IN"


class Market:
    """What holds for a seller's buyers."""

    def __init__(self, seller: Seller) -> None:
        self._seller = seller

    def problem(self, country: str, state: str | None) -> tuple[str, str] | None:
        """The field and the reason why nothing is sold there; None if something is."""
        taxation = self._seller.tax
        if self._seller.state is None:
            return None
        if country != INDIA:
            if taxation.export == "none":
                return "country", "this shop sells to buyers in India only, for now"
        elif taxation.scheme == "composition" and state != self._seller.state:
            return "state", f"this shop sells within {STATES[self._seller.state]} only"
        return None

    def price(self, total: int, rate: int, country: str, state: str | None) -> Price:
        """Split a price that includes a tax of `rate` hundredths of a percent, for a buyer."""
        if self._charges_none(country):
            rate = 0
        return price(total, rate, seller_state=self._seller.state, buyer_state=state)

    def seller_for(self, country: str) -> SoldBy:
        """The seller, as an order to a buyer keeps it."""
        seller = self._seller
        registered = seller.state is not None
        return SoldBy(
            name=seller.name,
            address=seller.address,
            gstin=seller.gstin if registered else None,
            scheme=seller.tax.scheme,
            lut=seller.tax.lut if registered and country != INDIA else None,
            email=seller.contact.email,
            phone=seller.contact.phone,
        )

    def _charges_none(self, country: str) -> bool:
        taxation = self._seller.tax
        return taxation.scheme == "composition" or (country != INDIA and taxation.export == "lut")
