"""Documents to render."""

from __future__ import annotations

from typing import Any

from tracemypods.contracts.prices import Tax
from tracemypods.deliver.invoices.document import Document, Line, Party, Reference

NOON = 1_795_500_000_000
"""24 November 2026, 11:30 in India."""


def invoice(**changed: Any) -> Document:
    """An invoice for a buyer in another state."""
    values: dict[str, Any] = {
        "kind": "invoice",
        "title": "Tax invoice",
        "number": "TMP/2627/0000123",
        "issued_at": NOON,
        "order_id": "ord_019abcde-1234-7890-abcd-0123456789ab",
        "payment_id": "pay_OxAmPlE1234567",
        "paid_at": NOON - 90_000,
        "seller": Party(
            name="Your company's name",
            address="Your street and number\nYour city 400001",
            gstin="27AAPFU0939F1ZV",
            state="Maharashtra (27)",
            email="billing@example.com",
            phone="+91 22 5550 0100",
        ),
        "buyer": buyer("Buyer's name"),
        "lines": [Line(description="Pro plan, 30 days", hsn="998314", taxable=8_474_576)],
        "taxable": 8_474_576,
        "taxes": [Tax(name="IGST", rate=1800, amount=1_525_424)],
        "total": 10_000_000,
        "currency": "INR",
        "place_of_supply": "Karnataka (29)",
        "reverse_charge": False,
        "notes": ["A declaration of the seller."],
    }
    return Document(**{**values, **changed})


def buyer(name: str, **more: Any) -> Party:
    return Party(
        name=name, state="Karnataka (29)", country="India", email="buyer@example.com", **more
    )


def credit_note() -> Document:
    """What follows when the whole of it goes back, within one state."""
    return invoice(
        kind="credit_note",
        title="Credit note",
        number="TMC/2627/0000007",
        refers_to=Reference(number="TMP/2627/0000123", issued_at=NOON - 86_400_000),
        taxes=[
            Tax(name="CGST", rate=900, amount=762_712),
            Tax(name="SGST", rate=900, amount=762_712),
        ],
    )


def plain() -> Document:
    """Of a seller without a GSTIN: no tax, and nothing that only taxes need."""
    return invoice(
        title="Invoice",
        seller=Party(name="Your name", address="Your street"),
        taxes=[],
        taxable=10_000_000,
        lines=[Line(description="Pro plan, 30 days", hsn="998314", taxable=10_000_000)],
        place_of_supply=None,
        reverse_charge=None,
        notes=[],
    )
