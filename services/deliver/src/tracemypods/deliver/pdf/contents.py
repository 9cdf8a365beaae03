"""Writing a document out: from amounts and times to the words of its sheet."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

from tracemypods.contracts.prices import CURRENCY
from tracemypods.deliver.invoices.document import Document, Party
from tracemypods.deliver.pdf.errors import RenderFailed
from tracemypods.deliver.pdf.money import amount, day, rate
from tracemypods.deliver.pdf.sheet import Block, Fact, Row, Sheet
from tracemypods.deliver.pdf.text import MARK, line, lines
from tracemypods.deliver.pdf.words import rupees_in_words

LARGEST_BYTES = 64 * 1024
"""Of a document as JSON: no sale is so large, and writing it out is not to hold the event loop."""

_NO_SIGNATURE = "This is a computer-generated document; it needs no signature."
_MARKED = f"{MARK} stands for a character that this document has no type for."
_TEST = "Not a tax invoice"


def sheet_of(document: Document) -> Sheet:
    """Write a document out. Raises RenderFailed for one that no page can hold."""
    try:
        attached = document.model_dump_json(indent=1)
    except ValueError as error:
        raise RenderFailed(f"it has no JSON: {type(error).__name__}") from None
    size = len(attached.encode())
    if size > LARGEST_BYTES:
        raise RenderFailed(f"it has {size} bytes, and {LARGEST_BYTES} are the most")
    try:
        return _explained(_written(document, attached))
    except (ValueError, OverflowError, OSError):
        raise RenderFailed("it has a time that is in no calendar") from None


def _written(document: Document, attached: str) -> Sheet:
    taxed = bool(document.taxes)
    return Sheet(
        title=document.title,
        number=line(document.number),
        issued_seconds=document.issued_at // 1000,
        facts=_facts(document),
        seller=_block("Seller", document.seller),
        buyer=_block("Buyer", document.buyer),
        value_heading="Taxable value" if taxed else "Value",
        rows=[
            Row(
                line(one.description),
                line(one.hsn),
                str(one.quantity),
                _money(one.taxable, document),
            )
            for one in document.lines
        ],
        sums=_sums(document),
        total=Fact("Total", _money(document.total, document)),
        words=rupees_in_words(document.total) if document.currency == CURRENCY else "",
        payment=_payment(document),
        notes=[line(one) for one in document.notes],
        watermark=_TEST if document.is_test else "",
        banner=line(document.banner or ""),
        footer=_NO_SIGNATURE,
        document=attached,
    )


def _facts(document: Document) -> list[Fact]:
    credit = document.kind == "credit_note"
    facts = [
        Fact("Credit note number" if credit else "Invoice number", line(document.number)),
        Fact("Date", day(document.issued_at)),
    ]
    if document.refers_to is not None:
        against = document.refers_to
        facts.append(Fact("For invoice", line(against.number)))
        facts.append(Fact("Dated", day(against.issued_at)))
    if document.place_of_supply is not None:
        facts.append(Fact("Place of supply", line(document.place_of_supply)))
    if document.reverse_charge is not None:
        facts.append(Fact("Reverse charge", "Yes" if document.reverse_charge else "No"))
    return facts


def _block(heading: str, party: Party) -> Block:
    found = lines(party.address)
    for label, value in (
        ("", party.state),
        ("", party.country),
        ("GSTIN", party.gstin),
        ("", party.email),
        ("", party.phone),
    ):
        shown = line(value or "")
        if shown:
            found.append(f"{label} {shown}".strip())
    return Block(heading, line(party.name), found)


def _sums(document: Document) -> list[Fact]:
    if not document.taxes:
        return []
    return [
        Fact("Taxable value", _money(document.taxable, document)),
        *(
            Fact(f"{line(tax.name)} at {rate(tax.rate)}", _money(tax.amount, document))
            for tax in document.taxes
        ),
    ]


def _payment(document: Document) -> list[Fact]:
    return [
        Fact("Paid on", day(document.paid_at)),
        Fact("Payment", line(document.payment_id)),
        Fact("Order", line(document.order_id)),
    ]


def _money(paise: int, document: Document) -> str:
    return amount(paise, line(document.currency))


def _explained(sheet: Sheet) -> Sheet:
    """Say what the replacement mark means, on a sheet that has one."""
    shown = asdict(sheet)
    del shown["document"]
    if MARK not in json.dumps(shown, ensure_ascii=False):
        return sheet
    return replace(sheet, notes=[*sheet.notes, _MARKED])
