"""From an event to the document: titles, parties, taxes and declarations.

Rules 46, 49 and 53 of India's CGST Rules say what has to be on it.
"""

from __future__ import annotations

from tracemypods.contracts.countries import COUNTRIES
from tracemypods.contracts.events import BoughtBy, OrderPaid, OrderRefunded, SoldBy
from tracemypods.contracts.gst import STATES
from tracemypods.contracts.prices import Price, Tax
from tracemypods.deliver.invoices.document import Document, Line, Party, Reference, Title

INDIA = "IN"
ABROAD = "Other country (96)"
"""How the GST portal calls every place outside India."""

UNNAMED = "Seller not named yet"
"""While config/seller.toml is empty: then nothing is sold for real money."""
COMPOSITION = "Composition taxable person, not eligible to collect tax on supplies."
LUT = "Supply meant for export under letter of undertaking {lut} without payment of integrated tax."
TAXED_EXPORT = "Supply meant for export on payment of integrated tax."


def invoice(paid: OrderPaid, number: str, issued_at: int, banner: str | None) -> Document:
    """The invoice of an order."""
    return _document(paid, paid.price, number, issued_at, banner).model_copy(
        update={"title": _title(paid.seller)}
    )


def credit_note(
    refunded: OrderRefunded,
    number: str,
    issued_at: int,
    banner: str | None,
    refers_to: Reference,
) -> Document:
    """The credit note of a refund, for its share of the price and of every tax."""
    paid = refunded.paid
    price = share(paid.price, refunded.refunded_before, refunded.amount)
    made = _document(paid, price, number, issued_at, banner)
    line = made.lines[0].model_copy(update={"description": f"Refund: {paid.plan.title}"})
    return made.model_copy(
        update={
            "kind": "credit_note",
            "title": "Credit note",
            "lines": [line],
            "refers_to": refers_to,
        }
    )


def share(price: Price, before: int, amount: int) -> Price:
    """The part of a price between what went back before and that with `amount` more.

    Shares of all refunds together make up exactly the price, tax by tax, however it is cut.
    """
    first, second = _up_to(price, before), _up_to(price, before + amount)
    parts = [after - earlier for earlier, after in zip(first, second, strict=True)]
    taxes = [
        tax.model_copy(update={"amount": part})
        for tax, part in zip(price.taxes, parts[1:], strict=True)
    ]
    return Price(total=amount, taxable=parts[0], taxes=taxes, currency=price.currency)


def _up_to(price: Price, amount: int) -> list[int]:
    """What of the taxable value, and then of each tax, lies in the first `amount` of a price."""
    taxable = (2 * price.taxable * amount + price.total) // (2 * price.total)
    left, all_taxes = amount - taxable, sum(tax.amount for tax in price.taxes)
    parts = [left * tax.amount // all_taxes if all_taxes else 0 for tax in price.taxes]
    if parts:
        parts[-1] = left - sum(parts[:-1])
    return [taxable, *parts]


def _document(
    paid: OrderPaid, price: Price, number: str, issued_at: int, banner: str | None
) -> Document:
    seller, buyer = paid.seller, paid.buyer
    is_taxed = seller.gstin is not None
    charges = is_taxed and seller.scheme == "regular"
    return Document(
        kind="invoice",
        title="Invoice",
        number=number,
        issued_at=issued_at,
        order_id=paid.order_id,
        payment_id=paid.payment_id,
        paid_at=paid.paid_at,
        seller=_seller(seller),
        buyer=_buyer(buyer, paid.email),
        lines=[
            Line(
                description=paid.plan.title,
                hsn=paid.plan.hsn,
                taxable=price.taxable,
            )
        ],
        taxable=price.taxable,
        taxes=[tax for tax in price.taxes if _is_shown(tax)],
        total=price.total,
        currency=price.currency,
        place_of_supply=_place(buyer) if charges else None,
        reverse_charge=False if charges else None,
        notes=_notes(seller, buyer) if is_taxed else [],
        is_test=not paid.livemode,
        banner=banner,
    )


def _is_shown(tax: Tax) -> bool:
    return tax.rate > 0


def _title(seller: SoldBy) -> Title:
    if seller.gstin is None:
        return "Invoice"
    return "Bill of supply" if seller.scheme == "composition" else "Tax invoice"


def _seller(seller: SoldBy) -> Party:
    code = seller.gstin[:2] if seller.gstin else None
    return Party(
        name=seller.name or UNNAMED,
        address=seller.address,
        gstin=seller.gstin,
        state=_state(code),
        country=COUNTRIES[INDIA] if seller.gstin else None,
        email=seller.email,
        phone=seller.phone,
    )


def _buyer(buyer: BoughtBy, email: str) -> Party:
    return Party(
        name=buyer.name,
        gstin=buyer.gstin,
        state=_state(buyer.state),
        country=COUNTRIES.get(buyer.country, buyer.country),
        email=email,
    )


def _state(code: str | None) -> str | None:
    return f"{STATES[code]} ({code})" if code in STATES else None


def _place(buyer: BoughtBy) -> str | None:
    """The place of supply: for services to consumers, where the buyer says to be."""
    return _state(buyer.state) if buyer.country == INDIA else ABROAD


def _notes(seller: SoldBy, buyer: BoughtBy) -> list[str]:
    if seller.scheme == "composition":
        return [COMPOSITION]
    if buyer.country == INDIA:
        return []
    return [LUT.format(lut=seller.lut)] if seller.lut else [TAXED_EXPORT]
