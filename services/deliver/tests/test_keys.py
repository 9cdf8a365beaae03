"""Keys and names of files."""

from __future__ import annotations

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracemypods.deliver.files.disposition import content_disposition
from tracemypods.deliver.files.keys import document_key, require_key
from tracemypods.kit.ids import new_id

ORDER = "ord_0199c0de000070008000000000000001"


def test_a_document_has_its_place() -> None:
    assert document_key("2026-27", ORDER, "TMP/2627/0000123") == (
        f"invoices/2026-27/{ORDER}/TMP-2627-0000123.pdf"
    )
    assert require_key(document_key("2099-00", new_id("ord"), "A")).endswith("/A.pdf")


@pytest.mark.parametrize(
    ("year", "order", "number"),
    [
        ("2026", ORDER, "A/1"),
        ("2026-28", ORDER, "A/1"),
        ("../2026-27", ORDER, "A/1"),
        ("2026-27\n", ORDER, "A/1"),
        ("2026-27", "", "A/1"),
        ("2026-27", "ord_", "A/1"),
        ("2026-27", "ord_1/../2", "A/1"),
        ("2026-27", "inv_1", "A/1"),
        ("2026-27", "ord_1\n", "A/1"),
        ("2026-27", ORDER, ""),
        ("2026-27", ORDER, "../1"),
        ("2026-27", ORDER, "/1"),
        ("2026-27", ORDER, "1/"),
        ("2026-27", ORDER, "A 1"),
        ("2026-27", ORDER, "A1\n"),
        ("2026-27", ORDER, "\u0661"),  # a digit, though not one of ASCII's
        ("2026-27", ORDER, "A" * 17),
    ],
)
def test_what_is_no_document_has_no_place(year: str, order: str, number: str) -> None:
    with pytest.raises(ValueError, match="is no"):
        document_key(year, order, number)


@pytest.mark.parametrize(
    "key", ["", "/a", "a/", "a//b", "a/../b", ".a", "a/.b", "a b", "a\n", "a?b", "ü", "a" * 513]
)
def test_what_is_no_key(key: str) -> None:
    with pytest.raises(ValueError, match="is no key"):
        require_key(key)


@pytest.mark.parametrize(
    ("name", "plain", "shown"),
    [
        ("TMP-1.pdf", "TMP-1.pdf", "TMP-1.pdf"),
        ("Rechnung Nr. 1.pdf", "Rechnung_Nr._1.pdf", "Rechnung Nr. 1.pdf"),
        ("../../etc/passwd", "etc_passwd", "_.._etc_passwd"),
        ("C:\\a.pdf", "C__a.pdf", "C__a.pdf"),
        ("invoice\u202efdp.exe", "invoicefdp.exe", "invoicefdp.exe"),
        ("\r\n\x00", "file", "file"),
        ("x" * 300 + ".pdf", "x" * 96 + ".pdf", "x" * 96 + ".pdf"),
        ("\ud800.pdf", "pdf", "pdf"),
    ],
)
def test_names_of_downloads(name: str, plain: str, shown: str) -> None:
    quoted = shown.replace(" ", "%20")
    assert content_disposition(name) == (
        f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quoted}"
    )


@given(st.text())
def test_no_name_gets_out_of_the_header(name: str) -> None:
    header = content_disposition(name)
    assert header.isascii()
    assert header.isprintable()
    assert header.count('"') == 2
    assert header.count(";") == 2
    shown = unquote(header.partition("''")[2], errors="strict")
    assert shown
    assert shown == shown.strip(" .")
    assert not set(shown) & set('/\\:*?"<>|\r\n')
