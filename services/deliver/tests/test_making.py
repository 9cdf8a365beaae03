"""From events to documents: titles, taxes to the paisa, and what the law wants to be said."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime

import pytest
from deliver_orders import GSTIN, INTER, INTRA, NOW, SELLER, paid, price, refunded
from hypothesis import given
from hypothesis import strategies as st

from tracemypods.contracts.events import BoughtBy, OrderPaid, SoldBy
from tracemypods.contracts.prices import Price, Tax
from tracemypods.deliver.invoices.document import Document, Reference
from tracemypods.deliver.invoices.making import (
    COMPOSITION,
    TAXED_EXPORT,
    credit_note,
    invoice,
    share,
)
from tracemypods.deliver.invoices.numbers import SeriesFull, written
from tracemypods.deliver.invoices.years import financial_year, long_form

NUMBER = "TMP/2627/0000001"
OF_INVOICE = Reference(number=NUMBER, issued_at=NOW)


def made(order: OrderPaid) -> Document:
    return invoice(order, NUMBER, NOW, None)


def test_within_another_state() -> None:
    document = made(paid())
    assert document.title == "Tax invoice"
    assert [(tax.name, tax.amount) for tax in document.taxes] == [("IGST", 1510)]
    assert (document.taxable, document.total) == (8390, 9900)
    assert document.place_of_supply == "Karnataka (29)"
    assert document.reverse_charge is False
    assert (document.seller.gstin, document.seller.state) == (GSTIN, "Maharashtra (27)")
    assert (document.buyer.state, document.buyer.country) == ("Karnataka (29)", "India")
    assert (document.notes, document.is_test, document.lines[0].hsn) == ([], False, "998439")


@pytest.mark.parametrize("second", ["SGST", "UTGST"])
def test_within_the_state_or_the_territory(second: str) -> None:
    taxes = [("CGST", 900, 755), (second, 900, 755)]
    document = made(paid(price=price(9900, taxes)))
    assert [tax.name for tax in document.taxes] == ["CGST", second]
    assert document.taxable + sum(tax.amount for tax in document.taxes) == document.total == 9900


def test_a_registered_buyer_is_named_with_the_gstin() -> None:
    buyer = BoughtBy(name="B", country="IN", state="27", gstin=GSTIN)
    document = made(paid(buyer=buyer, price=price(9900, INTRA)))
    assert document.buyer.gstin == GSTIN


def test_a_composition_seller_issues_a_bill_of_supply() -> None:
    seller = SELLER.model_copy(update={"scheme": "composition"})
    buyer = BoughtBy(name="B", country="IN", state="27")
    document = made(paid(seller=seller, buyer=buyer, price=price(9900, [])))
    assert document.title == "Bill of supply"
    assert (document.taxes, document.taxable, document.total) == ([], 9900, 9900)
    assert document.notes == [COMPOSITION]
    assert (document.place_of_supply, document.reverse_charge) == (None, None)


def test_a_seller_without_a_gstin_issues_a_plain_invoice() -> None:
    document = made(paid(seller=SoldBy(name="S"), price=price(9900, [])))
    assert document.title == "Invoice"
    assert (document.taxes, document.notes, document.place_of_supply) == ([], [], None)
    assert (document.reverse_charge, document.seller.gstin) == (None, None)


def test_exports() -> None:
    buyer = BoughtBy(name="B", country="DE")
    under_lut = SELLER.model_copy(update={"lut": "AD270424012345X"})
    document = made(paid(seller=under_lut, buyer=buyer, price=price(9900, [])))
    assert document.title == "Tax invoice"
    assert document.place_of_supply == "Other country (96)"
    assert "AD270424012345X" in document.notes[0]
    assert "without payment of integrated tax" in document.notes[0]
    document = made(paid(seller=SELLER, buyer=buyer, price=price(9900, INTER)))
    assert document.notes == [TAXED_EXPORT]
    assert document.buyer.country == "Germany"


def test_test_orders_say_so() -> None:
    assert made(paid(livemode=False)).is_test


def test_a_refund_of_all_credits_all() -> None:
    order = paid(price=price(9900, INTRA))
    note = credit_note(refunded(order, 9900), "TCN/2627/0000001", NOW, None, OF_INVOICE)
    assert (note.title, note.kind, note.refers_to) == ("Credit note", "credit_note", OF_INVOICE)
    assert (note.total, note.taxable) == (9900, 8390)
    assert [tax.amount for tax in note.taxes] == [755, 755]
    assert "Refund" in note.lines[0].description


@given(
    st.integers(100, 10**9),
    st.integers(0, 5000),
    st.sampled_from([1, 2]),
    st.lists(st.integers(1, 10**9), max_size=8),
)
def test_refunds_together_credit_exactly_what_was_charged(
    total: int, rate: int, heads: int, cuts: list[int]
) -> None:
    taxable = (2 * total * 10_000 + 10_000 + rate) // (2 * (10_000 + rate))
    tax = total - taxable
    parts = [tax] if heads == 1 else [tax // 2, tax - tax // 2]
    charged = Price(
        total=total,
        taxable=taxable,
        taxes=[Tax(name=f"T{n}", rate=rate // heads, amount=part) for n, part in enumerate(parts)],
    )
    stops = sorted({0, total, *(cut % total for cut in cuts)})
    shares = [share(charged, a, b - a) for a, b in itertools.pairwise(stops)]
    for part in shares:
        amounts = [part.taxable, *(one.amount for one in part.taxes)]
        assert min(amounts) >= 0
        assert sum(amounts) == part.total
    assert sum(part.taxable for part in shares) == taxable
    for head, amount in enumerate(parts):
        assert sum(part.taxes[head].amount for part in shares) == amount


def test_one_paisa_goes_back() -> None:
    charged = price(9900, INTRA)
    parts = [share(charged, before, 1) for before in range(9900)]
    assert {part.total for part in parts} == {1}
    assert sum(part.taxable for part in parts) == charged.taxable
    assert sum(part.taxes[0].amount for part in parts) == 755


@pytest.mark.parametrize(
    ("at", "year", "form"),
    [
        (datetime(2027, 3, 31, 18, 29, 59, 999000, UTC), 2026, "2026-27"),
        (datetime(2027, 3, 31, 18, 30, tzinfo=UTC), 2027, "2027-28"),
        (datetime(2026, 12, 31, 23, 59, tzinfo=UTC), 2026, "2026-27"),
        (datetime(2100, 3, 31, 18, 29, tzinfo=UTC), 2099, "2099-00"),
    ],
)
def test_the_financial_year_turns_at_midnight_in_india(at: datetime, year: int, form: str) -> None:
    assert financial_year(int(at.timestamp() * 1000)) == year
    assert long_form(year) == form


def test_numbers_have_sixteen_characters() -> None:
    assert written("TMP", 2026, 123) == "TMP/2627/0000123"
    assert written("TEST", 2099, 1) == "TEST/9900/000001"
    assert written("X", 2026, 999_999_999) == "X/2627/999999999"
    with pytest.raises(SeriesFull):
        written("TEST", 2026, 1_000_000)
