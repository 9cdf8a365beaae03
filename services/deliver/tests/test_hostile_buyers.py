"""Buyers with hostile names: what they are called is text on paper, and nothing else anywhere."""

from __future__ import annotations

import re
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import httpx2
from deliver_orders import SELLER, order_id, paid, told
from deliver_service import OrderSide
from pdf_reading import squeezed, text

from tracemypods.contracts.events import BoughtBy
from tracemypods.kit.clock import utc_now
from tracemypods.kit.operators import new_key
from tracemypods.local.testing.mail import Inbox
from tracemypods.local.testing.waiting import until

NAMES = {
    "html": '<script>alert(1)</script><img src=x onerror="alert(2)">',
    "lines": "Asha\r\nBcc: victim@example.test\r\n\r\n<h1>Pay here</h1>",
    "right to left": "\u202egnp.ecioovni\u202c \u05d0\u05e9\u05d4",
    "emoji": "\U0001f469\u200d\U0001f4bb Asha \U0001f1ee\U0001f1f3",
    "encoded word": "=?utf-8?q?Bcc=3A_victim=40example=2Etest?=",
}
HEADERS = {
    *("from", "to", "subject", "date", "message-id", "auto-submitted", "mime-version"),
    "content-type",
}


def raw_mail(inbox: Inbox, mail: dict[str, Any]) -> bytes:
    status, _, raw = inbox.request("GET", f"/local/inbox/messages/{mail['id']}/source")
    assert status == 200
    return raw


def test_their_names_reach_no_header_and_are_escaped(
    service: httpx2.Client, order: OrderSide, inbox: Inbox, base: int
) -> None:
    # The seller's own name is in the mail, so it tries the same.
    orders = {
        kind: paid(
            base + number,
            buyer=BoughtBy(name=name, country="IN", state="29"),
            seller=SELLER.model_copy(update={"name": name}),
            plan=paid().plan.model_copy(update={"title": name}),
        )
        for number, (kind, name) in enumerate(NAMES.items())
    }
    order.tell(map(told, orders.values()))
    until(lambda: len(inbox.messages()) == len(NAMES))
    for kind, one in orders.items():
        (mail,) = inbox.messages(one.email)
        parsed = message_from_bytes(raw_mail(inbox, mail), policy=policy.default)
        assert {name.lower() for name in parsed} == HEADERS, kind
        assert parsed["to"] == one.email
        assert parsed["subject"] == mail["subject"]
        assert re.fullmatch(r"Your invoice TMP/2627/\d{7}", parsed["subject"])
        assert parsed.defects == []
        body = parsed.get_body(("html",))
        assert body is not None
        page = body.get_content()
        assert "<script" not in page
        assert "<img" not in page
        assert "<h1" not in page
        (attached,) = parsed.iter_attachments()
        assert attached.get_filename() == f"TMP-2627-{parsed['subject'][-7:]}.pdf"
        pdf = attached.get_content()
        assert pdf.startswith(b"%PDF-")
        if kind in ("html", "encoded word"):
            assert squeezed(NAMES[kind]) in text(pdf)


def test_a_name_that_is_too_long_is_a_dead_letter_that_says_so(
    service: httpx2.Client, order: OrderSide, inbox: Inbox, operators_file: Path, base: int
) -> None:
    event = told(paid(base))
    event.body["buyer"]["name"] = "x" * 10_000
    order.tell([event, told(paid(base + 1))])
    until(lambda: inbox.messages())
    key, known = new_key("asha", ("deliveries:read",), utc_now())
    operators_file.write_text(known.model_dump_json() + "\n")
    service.headers["Authorization"] = f"Bearer {key}"

    def letters() -> list[dict[str, Any]]:
        return service.get("/api/deliveries/dead-letters").json()["items"]

    (found,) = until(letters)
    assert "buyer.name" in found["reason"]
    assert "xxx" not in found["reason"]
    assert service.get(f"/deliver/{order_id(base)}").status_code == 404
