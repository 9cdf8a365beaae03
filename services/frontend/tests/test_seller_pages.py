"""The seller's pages: what operators filled in is shown as text, what they did not is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from tracemypods.contracts.seller import Seller
from tracemypods.frontend.seller_pages import PAGES, render

TEXTS = Path(__file__).parents[3] / "frontend" / "seller"

SELLER = Seller.model_validate(
    {
        "name": "Pods & <b>Sons</b>",
        "address": "1 Harbour Road\nMumbai {{name}}",
        "gstin": "27AAPFU0939F1ZV",
        "contact": {"email": '"x"@example.org', "phone": "+91 22 5550 0100"},
        "grievance_officer": {
            "name": "Asha Rao",
            "designation": "Grievance officer",
            "email": "asha@example.org",
            "phone": "+91 22 5550 0101",
        },
    }
)


@pytest.mark.parametrize("name", PAGES)
def test_every_page_without_a_seller(name: str) -> None:
    page = render(TEXTS, name, Seller())
    assert "{{" not in page
    assert "This site has not filled in who sells here" in page
    assert "Missing: name, address, GSTIN, contact e-mail address" in page
    assert f'href="/{name}.html" aria-current="page"' in page
    assert page.count("aria-current") == 1


@pytest.mark.parametrize("name", PAGES)
def test_every_page_with_a_seller(name: str) -> None:
    page = render(TEXTS, name, SELLER)
    assert "not filled in" not in page
    assert "<b>" not in page


def test_particulars_are_text() -> None:
    page = render(TEXTS, "contact", SELLER)
    assert "Pods &amp; &lt;b&gt;Sons&lt;/b&gt;" in page
    assert "1 Harbour Road<br />Mumbai {{name}}" in page
    assert 'href="mailto:&quot;x&quot;@example.org"' in page


def test_a_single_gap_is_named() -> None:
    page = render(TEXTS, "contact", SELLER.model_copy(update={"gstin": ""}))
    assert "Missing: GSTIN." in page
    assert "[GSTIN: not filled in]" in page
    assert "Asha Rao" in page
