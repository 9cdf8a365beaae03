"""What is sold, to whom, and with which tax."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracemypods.contracts.prices import Price
from tracemypods.contracts.seller import Seller
from tracemypods.kit.errors import InvalidRequest
from tracemypods.kit.settings import SettingsError
from tracemypods.order.sales.buyers import BuyerIn, check_buyer
from tracemypods.order.sales.market import Market
from tracemypods.order.sales.plans import load_plans
from tracemypods.order.sales.price import price

GSTIN = "27AAPFU0939F1ZV"
CONFIG = Path(__file__).parents[3] / "config"


@given(
    st.integers(100, 10**9),
    st.integers(0, 5000),
    st.sampled_from([None, "27", "31"]),
    st.sampled_from(["27", "29", None]),
)
def test_the_parts_make_up_the_price(
    total: int, rate: int, seller: str | None, buyer: str | None
) -> None:
    cost = price(total, rate, seller_state=seller, buyer_state=buyer)
    assert cost.taxable + sum(tax.amount for tax in cost.taxes) == cost.total == total
    assert sum(tax.rate for tax in cost.taxes) == (rate if seller else 0)
    # Not more than half a paisa beside what the rate says.
    if seller and rate:
        assert abs(cost.taxable * (10_000 + rate) - total * 10_000) * 2 <= 10_000 + rate


@pytest.mark.parametrize(
    ("seller", "buyer", "names"),
    [
        ("27", "27", ["CGST", "SGST"]),
        ("27", "29", ["IGST"]),
        ("04", "04", ["CGST", "UTGST"]),
        ("07", "07", ["CGST", "SGST"]),
        (None, "27", []),
    ],
)
def test_which_taxes(seller: str | None, buyer: str, names: list[str]) -> None:
    cost = price(11800, 1800, seller_state=seller, buyer_state=buyer)
    assert [tax.name for tax in cost.taxes] == names
    assert cost.taxable == (10000 if names else 11800)


def test_the_odd_paisa_is_the_states() -> None:
    cost = price(103, 1800, seller_state="27", buyer_state="27")
    assert (cost.taxable, [tax.amount for tax in cost.taxes]) == (87, [8, 8])
    cost = price(101, 1800, seller_state="27", buyer_state="27")
    assert (cost.taxable, [tax.amount for tax in cost.taxes]) == (86, [7, 8])


def test_a_gstin_is_of_the_buyers_state() -> None:
    buyer = BuyerIn(name="A", country="IN", state="29", gstin=GSTIN)
    with pytest.raises(InvalidRequest) as refused:
        check_buyer(buyer, Market(Seller()))
    assert [one.field for one in refused.value.errors] == ["buyer.gstin"]


def seller(**tax: Any) -> Seller:
    return Seller.model_validate({"name": "S", "gstin": GSTIN, "tax": tax})


ABROAD = BuyerIn(name="  Jörg \t Müller ", country="DE")


def test_who_charges_tax_sells_in_india_only() -> None:
    assert check_buyer(ABROAD, Market(Seller(gstin="unregistered"))).name == "Jörg Müller"
    with pytest.raises(InvalidRequest) as refused:
        check_buyer(ABROAD, Market(seller()))
    assert [one.field for one in refused.value.errors] == ["buyer.country"]


@pytest.mark.parametrize(
    ("tax", "names", "lut"),
    [({"export": "lut", "lut": "AD1"}, [], "AD1"), ({"export": "taxed"}, ["IGST"], "")],
)
def test_exports_once_it_is_said_how_they_are_taxed(
    tax: dict[str, str], names: list[str], lut: str
) -> None:
    market = Market(seller(**tax))
    check_buyer(ABROAD, market)
    cost = market.price(11800, 1800, "DE", None)
    assert [one.name for one in cost.taxes] == names
    assert cost.taxable == (10000 if names else 11800)
    assert market.seller_for("DE").lut == lut
    assert market.seller_for("IN").lut is None
    assert [one.name for one in market.price(11800, 1800, "IN", "29").taxes] == ["IGST"]


def test_a_composition_seller_sells_within_the_own_state_without_tax() -> None:
    market = Market(seller(scheme="composition"))
    check_buyer(BuyerIn(name="A", country="IN", state="27"), market)
    assert market.price(11800, 1800, "IN", "27") == Price(total=11800, taxable=11800, taxes=[])
    for buyer, field in (
        (BuyerIn(name="A", country="IN", state="29"), "buyer.state"),
        (ABROAD, "buyer.country"),
    ):
        with pytest.raises(InvalidRequest) as refused:
            check_buyer(buyer, market)
        assert [one.field for one in refused.value.errors] == [field]


@pytest.mark.parametrize(
    "tax",
    [
        {"scheme": "composition", "export": "taxed"},
        {"export": "lut"},
        {"lut": "AD1"},
        {"scheme": "other"},
    ],
)
def test_taxation_that_contradicts_itself(tax: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="tax"):
        seller(**tax)


def test_the_committed_plans_can_be_read() -> None:
    assert list(load_plans(CONFIG)) == ["premium-30", "premium-365"]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "plans"),
        ("plans = 1", "plans"),
        ("[plans", "TOML"),
        ('[plans.a]\ntitle = "A"', "plans.a.price"),
        ('[plans.A]\ntitle = "A"', "plans.A"),
    ],
)
def test_plans_that_can_not(tmp_path: Path, text: str, named: str) -> None:
    (tmp_path / "plans.toml").write_text(text)
    with pytest.raises(SettingsError, match=named):
        load_plans(tmp_path)


def test_no_plans(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"plans\.toml"):
        load_plans(tmp_path)
