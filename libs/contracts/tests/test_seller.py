"""Who sells: what operators write is checked, and what they left out is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from tracemypods.contracts.gst import check_character, gstin_problem
from tracemypods.contracts.seller import Seller, SellerError, load_seller

SHIPPED = Path(__file__).parents[3] / "config"

FILLED = '''
name = " Pods & Sons <Pvt> Ltd "
address = """
1 Harbour Road

Mumbai 400001
"""
gstin = "27aapfu0939f1zv"

[contact]
email = "shop@example.org"
phone = "+91 22 5550 0100"

[grievance_officer]
name = "Asha Rao"
designation = "Grievance officer"
email = "asha@example.org"
phone = "+91 22 5550 0101"
'''


def load(folder: Path, text: str) -> Seller:
    (folder / "seller.toml").write_text(text, encoding="utf-8")
    return load_seller(folder)


def test_the_shipped_file_is_empty_and_says_so() -> None:
    seller = load_seller(SHIPPED)
    assert seller.missing() == tuple(seller.fields())
    assert seller.missing() == (
        "name",
        "address",
        "gstin",
        "contact.email",
        "contact.phone",
        "grievance_officer.name",
        "grievance_officer.designation",
        "grievance_officer.email",
        "grievance_officer.phone",
    )
    assert seller.state is None


def test_a_filled_file(tmp_path: Path) -> None:
    seller = load(tmp_path, FILLED)
    assert seller.missing() == ()
    assert seller.name == "Pods & Sons <Pvt> Ltd"
    assert seller.address == "1 Harbour Road\nMumbai 400001"
    assert (seller.gstin, seller.state) == ("27AAPFU0939F1ZV", "27")


def test_what_is_left_out_or_blank_is_missing(tmp_path: Path) -> None:
    text = FILLED.replace('"Asha Rao"', '"  "').replace('phone = "+91 22 5550 0100"', "")
    assert load(tmp_path, text).missing() == ("contact.phone", "grievance_officer.name")


@pytest.mark.parametrize(
    ("written", "instead", "said"),
    [
        ("27aapfu0939f1zv", "27aapfu0939f1zw", "gstin: Value error, its last character"),
        ("27aapfu0939f1zv", "27aapfu0939f1", "gstin: Value error, a GSTIN has 15"),
        ("shop@example.org", "shop", "contact.email: Value error, is no e-mail address"),
        ("shop@example.org", "a@b@c", "contact.email"),
        ("shop@example.org", "a b@c", "contact.email"),
        ("Asha Rao", "Asha\\u0007", "grievance_officer.name: Value error, has characters"),
        ("Asha Rao", "A" * 201, "grievance_officer.name: Value error, has at most 200"),
        ("1 Harbour Road", "1" * 401, "address: Value error, has at most 400"),
        ("designation", "desination", "grievance_officer.desination: Extra inputs"),
        ("[contact]", "[contact", "seller.toml"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, written: str, instead: str, said: str) -> None:
    assert written in FILLED
    with pytest.raises(SellerError, match=r"seller\.toml") as error:
        load(tmp_path, FILLED.replace(written, instead, 1))
    assert said in str(error.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SellerError, match=r"seller\.toml: No such file"):
        load_seller(tmp_path)


@pytest.mark.parametrize("gstin", ["27AAPFU0939F1ZV", "29AAGCB7383J1Z4", "24AAACC1206D1ZM"])
def test_real_gstins_hold(gstin: str) -> None:
    assert gstin_problem(gstin) is None


def test_any_one_mistyped_character_is_found() -> None:
    good = "27AAPFU0939F1ZV"
    for place in range(14):
        for other in "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ":
            bad = good[:place] + other + good[place + 1 :]
            assert (gstin_problem(bad) is None) == (bad == good)
    assert check_character(good[:14]) == "V"


def test_a_state_that_there_is_not() -> None:
    first = "25AAPFU0939F1Z"
    assert "no state" in (gstin_problem(first + check_character(first)) or "")
