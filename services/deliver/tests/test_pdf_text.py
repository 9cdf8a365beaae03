"""What becomes of people's text, amounts and days before they are printed."""

from __future__ import annotations

import importlib
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pdf_samples import credit_note, invoice, plain

from tracemypods.deliver.pdf import text as text_module
from tracemypods.deliver.pdf.contents import LARGEST_BYTES, sheet_of
from tracemypods.deliver.pdf.errors import RenderFailed
from tracemypods.deliver.pdf.money import amount, day, rate
from tracemypods.deliver.pdf.sheet import Fact, Sheet
from tracemypods.deliver.pdf.text import FONTS, MARK, line, lines
from tracemypods.deliver.pdf.words import number, rupees_in_words


@pytest.mark.parametrize(
    ("paise", "shown"),
    [
        (0, "₹ 0.00"),
        (5, "₹ 0.05"),
        (99_999, "₹ 999.99"),
        (100_000, "₹ 1,000.00"),
        (12_345_678, "₹ 1,23,456.78"),
        (1_000_000_000, "₹ 1,00,00,000.00"),
        (123_456_789_012_345_678_901, "₹ 12,34,56,78,90,12,34,56,789.01"),
        (-12_345_678, "\N{MINUS SIGN}₹ 1,23,456.78"),
    ],
)
def test_amounts_are_grouped_as_in_india(paise: int, shown: str) -> None:
    assert amount(paise).replace("\N{NO-BREAK SPACE}", " ") == shown


@given(st.integers(min_value=0, max_value=10**20))
def test_an_amount_loses_no_paisa(paise: int) -> None:
    digits = "".join(one for one in amount(paise) if one.isdigit())
    assert int(digits) == paise


@pytest.mark.parametrize(
    ("hundredths", "shown"), [(900, "9 %"), (1800, "18 %"), (250, "2.5 %"), (25, "0.25 %")]
)
def test_rates(hundredths: int, shown: str) -> None:
    assert rate(hundredths).replace("\N{NO-BREAK SPACE}", " ") == shown


def test_a_day_is_that_of_india() -> None:
    last = 1_775_000_999_999  # 31 March 2026, 23:49 and 59.999 UTC
    assert day(last) == "1 April 2026"
    assert day(1_774_981_799_999) == "31 March 2026"
    assert day(1_774_981_800_000) == "1 April 2026"


@pytest.mark.parametrize(
    ("paise", "words"),
    [
        (0, "Rupees zero only"),
        (100, "Rupees one only"),
        (1_905, "Rupees nineteen and five paise only"),
        (4_250, "Rupees forty-two and fifty paise only"),
        (10_100, "Rupees one hundred one only"),
        (10_000_000, "Rupees one lakh only"),
        (10_045_678, "Rupees one lakh four hundred fifty-six and seventy-eight paise only"),
        (1_000_000_000, "Rupees one crore only"),
        (12_500_000_000_000, "Rupees twelve thousand five hundred crore only"),
        (-100, "Minus rupees one only"),
    ],
)
def test_amounts_in_words(paise: int, words: str) -> None:
    assert rupees_in_words(paise) == words


_VALUES = {
    **{
        word: value
        for value, word in enumerate(
            ["zero", "one", "two", "three", "four", "five", "six", "seven"]
        )
    },
    "eight": 8,
    "nine": 9,
    "ten": 10,
    "eleven": 11,
    "twelve": 12,
    "thirteen": 13,
    "fourteen": 14,
    "fifteen": 15,
    "sixteen": 16,
    "seventeen": 17,
    "eighteen": 18,
    "nineteen": 19,
    "twenty": 20,
    "thirty": 30,
    "forty": 40,
    "fifty": 50,
    "sixty": 60,
    "seventy": 70,
    "eighty": 80,
    "ninety": 90,
}


@given(st.integers(min_value=0, max_value=10**14))
def test_words_can_be_counted_back(value: int) -> None:
    assert _counted(number(value).replace("-", " ").split()) == value


def _counted(words: list[str]) -> int:
    for unit, size in (("crore", 10**7), ("lakh", 10**5), ("thousand", 1000), ("hundred", 100)):
        if unit in words:
            at = len(words) - 1 - words[::-1].index(unit)
            return _counted(words[:at]) * size + _counted(words[at + 1 :])
    return sum(_VALUES[one] for one in words)


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("  a\t b\r\nc\u2028d ", "a b c d"),
        ("e\u0301", "é"),
        ("a\u202eb\u2066c\u200ed\ufeffe\u200bf", "abcdef"),
        ("a\x00b\x1b[31m", "ab[31m"),
        ("क्\u200dष", "क्\u200dष"),
        ("pay\u200dpal", "paypal"),
        ("اسم", MARK * 3),
        ("買 😀", f"{MARK} {MARK}"),
        ("👩\u200d💻", MARK * 2),
        ("a" + "\u0301" * 50, "á" + "\u0301" * 4),
        ("\ue000\U000f0000", MARK * 2),
        ("₹ 5 — “x” Ω Ж ế", "₹ 5 — “x” Ω Ж ế"),
    ],
)
def test_people_s_text_becomes_harmless(typed: str, shown: str) -> None:
    assert line(typed) == shown


@given(st.text())
def test_nothing_invisible_is_left(typed: str) -> None:
    for one in line(typed):
        assert unicodedata.category(one) not in ("Cc", "Cs", "Co", "Cn", "Zl", "Zp")
        assert unicodedata.category(one) != "Cf" or one in "\u200c\u200d"
    assert line(line(typed)) == line(typed)


def test_an_address_keeps_its_lines() -> None:
    assert lines("one\r\n\n two \u2028three\x85\u202e") == ["one", "two", "three"]


@pytest.mark.parametrize("style", ["Regular", "Bold"])
def test_the_list_of_characters_is_that_of_the_fonts(style: str) -> None:
    pytest.importorskip("fontTools", reason="fontTools comes with the extra `html`")
    fonts: Any = importlib.import_module("fontTools.ttLib")
    characters: set[int] = set()
    for family in ("NotoSans", "NotoSansDevanagari"):
        with fonts.TTFont(FONTS / f"{family}-{style}.ttf") as font:
            characters |= set(font.getBestCmap())
    listed = text_module._characters()
    assert listed <= characters
    assert {ord("₹"), ord(MARK), ord("क")} <= listed


def test_the_fonts_are_small_and_have_their_licence() -> None:
    assert sum(one.stat().st_size for one in FONTS.iterdir()) < 1_000_000
    assert "SIL OPEN FONT LICENSE" in (Path(FONTS) / "OFL.txt").read_text()


def test_a_sheet_says_what_the_law_asks_for() -> None:
    sheet = sheet_of(invoice())
    assert Fact("Place of supply", "Karnataka (29)") in sheet.facts
    assert Fact("Reverse charge", "No") in sheet.facts
    assert "GSTIN 27AAPFU0939F1ZV" in sheet.seller.lines
    assert [one.label for one in sheet.sums] == ["Taxable value", "IGST at 18\N{NO-BREAK SPACE}%"]
    assert Sheet.from_json(sheet.to_json()) == sheet


def test_a_sheet_without_taxes_says_nothing_of_them() -> None:
    shown = sheet_of(plain()).to_json().partition('"document"')[0]
    for word in ("GST", "Taxable", "Reverse", "Place of supply"):
        assert word not in shown


def test_a_credit_note_names_its_invoice() -> None:
    sheet = sheet_of(credit_note())
    assert Fact("For invoice", "TMP/2627/0000123") in sheet.facts
    assert Fact("Dated", "23 November 2026") in sheet.facts


def test_what_is_too_large_is_refused() -> None:
    with pytest.raises(RenderFailed, match="bytes"):
        sheet_of(invoice(notes=["x" * LARGEST_BYTES]))


def test_another_currency_has_its_code_and_no_words() -> None:
    sheet = sheet_of(invoice(currency="USD"))
    assert sheet.total.value.startswith("USD")
    assert sheet.words == ""
