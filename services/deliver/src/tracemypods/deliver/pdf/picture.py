"""A picture of an invoice, for the documentation: `make invoice-picture`.

python -m tracemypods.deliver.pdf.picture FILE.png
"""

from __future__ import annotations

import sys
from pathlib import Path

from tracemypods.contracts.prices import Tax
from tracemypods.deliver.invoices.document import Document, Line, Party
from tracemypods.deliver.pdf.contents import sheet_of
from tracemypods.deliver.pdf.typst_engine import TypstEngine

EXAMPLE = Document(
    kind="invoice",
    title="Tax invoice",
    number="TMP/2627/0000123",
    issued_at=1_795_500_000_000,
    order_id="ord_019a7b3c-4d5e-7f60-8a1b-2c3d4e5f6071",
    payment_id="pay_Example0000001",
    paid_at=1_795_500_000_000,
    seller=Party(
        name="Your company's name",
        address="Your street and number\nYour city 400001",
        gstin="27AAPFU0939F1ZV",
        state="Maharashtra (27)",
        country="India",
        email="billing@example.com",
        phone="+91 22 5550 0100",
    ),
    buyer=Party(
        name="Buyer's name", state="Karnataka (29)", country="India", email="buyer@example.com"
    ),
    lines=[Line(description="Premium models for 30 days", hsn="998314", taxable=42_288)],
    taxable=42_288,
    taxes=[Tax(name="IGST", rate=1800, amount=7_612)],
    total=49_900,
    currency="INR",
    place_of_supply="Karnataka (29)",
    reverse_charge=False,
)


def main() -> int:
    Path(sys.argv[1]).write_bytes(TypstEngine().picture(sheet_of(EXAMPLE), 110))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
