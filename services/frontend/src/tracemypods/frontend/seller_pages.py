"""Terms, privacy, refunds, contact: texts of ours with the seller's particulars filled in."""

from __future__ import annotations

import hashlib
import re
from html import escape
from pathlib import Path

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from tracemypods.contracts.seller import Seller

PAGES = {
    "terms": "Terms",
    "privacy": "Privacy",
    "refunds": "Refunds",
    "contact": "Contact",
}
"""The pages' titles, by the names of their files."""

_PLACEHOLDER = re.compile(r"\{\{([a-z_.]+)\}\}")
_LABELS = {
    "name": "name",
    "address": "address",
    "gstin": "GSTIN",
    "contact.email": "contact e-mail address",
    "contact.phone": "contact telephone",
    "grievance_officer.name": "grievance officer's name",
    "grievance_officer.designation": "grievance officer's designation",
    "grievance_officer.email": "grievance officer's e-mail address",
    "grievance_officer.phone": "grievance officer's telephone",
}


def render(folder: Path, name: str, seller: Seller) -> str:
    """One page's HTML. `folder` holds `page.html`, the frame, and a file of text for each page.

    Raises KeyError for a placeholder that there is not.
    """
    particulars = {field: _shown(field, text) for field, text in seller.fields().items()}
    content = _fill(_read(folder, name), particulars)
    others = {f"current.{page}": ' aria-current="page"' if page == name else "" for page in PAGES}
    frame = {"title": PAGES[name], "notice": _notice(seller), "content": content, **others}
    return _fill(_read(folder, "page"), frame)


def seller_routes(folder: Path, seller: Seller) -> APIRouter:
    """The pages, rendered once."""
    router = APIRouter()

    def add(name: str) -> None:
        page = render(folder, name, seller).encode()
        tag = f'"{hashlib.sha256(page).hexdigest()[:32]}"'

        async def serve(request: Request) -> Response:
            headers = {"ETag": tag}
            known = request.headers.get("if-none-match", "").removeprefix("W/")
            if known == tag:
                return Response(status_code=304, headers=headers)
            return HTMLResponse(page, headers=headers)

        router.add_route(f"/{name}.html", serve, include_in_schema=False)

    for name in PAGES:
        add(name)
    return router


def _read(folder: Path, name: str) -> str:
    return (folder / f"{name}.html").read_text(encoding="utf-8")


def _fill(text: str, values: dict[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda found: values[found[1]], text)


def _shown(field: str, text: str) -> str:
    """A particular as HTML; of an empty one, that it is."""
    if not text:
        return f'<em class="unfilled">[{_LABELS[field]}: not filled in]</em>'
    safe = escape(text)
    if field.endswith("email"):
        return f'<a href="mailto:{safe}">{safe}</a>'
    return safe.replace("\n", "<br />")


def _notice(seller: Seller) -> str:
    missing = seller.missing()
    if not missing:
        return ""
    named = ", ".join(_LABELS[field] for field in missing)
    return (
        '<div class="notice" role="note">'
        "<strong>This site has not filled in who sells here</strong>"
        f"<p>Missing: {named}. "
        "Until its operator fills them in, nothing is sold for real money.</p></div>"
    )
