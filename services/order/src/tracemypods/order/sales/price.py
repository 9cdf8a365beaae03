"""What a buyer pays, and which part of it is tax. Prices include the tax.

Supplies within the seller's state bear CGST and SGST (UTGST in a union territory without a
legislature), all others IGST (Integrated Goods and Services Tax Act, 2017, sections 7, 8 and 12;
the buyer's state is the place of supply, CBIC's circular 242/36/2024). A seller without a GSTIN
adds no tax and names none.
"""

from __future__ import annotations

from tracemypods.contracts.prices import Price, Tax

UNION_TERRITORIES = frozenset({"04", "26", "31", "35", "38"})
"""Chandigarh, Dadra and Nagar Haveli and Daman and Diu, Lakshadweep, Andamans, Ladakh."""


def price(total: int, rate: int, *, seller_state: str | None, buyer_state: str | None) -> Price:
    """Split a price that includes a tax of `rate` hundredths of a percent.

    `seller_state` is None for a seller without a GSTIN. Halves of a paisa are rounded up, and what
    does not divide by two goes to the state, so that the parts always make up the total.
    """
    if seller_state is None or rate == 0:
        return Price(total=total, taxable=total, taxes=[])
    divisor = 10_000 + rate
    taxable = (2 * total * 10_000 + divisor) // (2 * divisor)
    tax = total - taxable
    if buyer_state != seller_state:
        return Price(total=total, taxable=taxable, taxes=[Tax(name="IGST", rate=rate, amount=tax)])
    own = "UTGST" if seller_state in UNION_TERRITORIES else "SGST"
    half = rate // 2
    taxes = [
        Tax(name="CGST", rate=half, amount=tax // 2),
        Tax(name=own, rate=rate - half, amount=tax - tax // 2),
    ]
    return Price(total=total, taxable=taxable, taxes=taxes)
