"""What operators see and do: deliveries, sending again, what is dead, dead letters."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from deliver_orders import order_id, paid, told
from deliver_service import OrderSide

from tracemypods.kit.clock import utc_now
from tracemypods.kit.operators import new_key
from tracemypods.local.testing.mail import Inbox
from tracemypods.local.testing.waiting import until


@pytest.fixture
def operator(service: httpx2.Client, operators_file: Path) -> httpx2.Client:
    """A caller with an operator's key."""
    key, known = new_key("asha", ("deliveries:read", "deliveries:send"), utc_now())
    operators_file.write_text(known.model_dump_json() + "\n")
    service.headers["Authorization"] = f"Bearer {key}"
    return service


@pytest.fixture
def wait_for(operator: httpx2.Client) -> Callable[[str, str], dict[str, Any]]:
    """Wait until the invoice of an order is in a state, and nothing is to be done for it."""

    def wait(order: str, status: str) -> dict[str, Any]:
        def seen() -> dict[str, Any] | None:
            answer = operator.get(f"/deliver/{order}")
            if answer.status_code == 404:
                return None
            found = answer.json()
            item = found["items"][0]
            return found if item["status"] == status and "due_at" not in item else None

        return until(seen, f"{order} is {status}")

    return wait


Wait = Callable[[str, str], dict[str, Any]]


def test_what_has_been_delivered(
    operator: httpx2.Client, order: OrderSide, wait_for: Wait, base: int
) -> None:
    bought = paid(base)
    order.tell([told(bought)])
    found = wait_for(bought.order_id, "done")
    (item,), (file,) = found["items"], found["files"]
    assert (item["kind"], item["number"], item["mail"]) == ("invoice", "TMP/2627/0000001", "sent")
    assert file["key"] == item["key"] == f"invoices/2026-27/{bought.order_id}/TMP-2627-0000001.pdf"
    fetched = httpx2.get(file["link"])
    assert fetched.content.startswith(b"%PDF-")
    assert len(fetched.content) == file["size"]
    assert "TMP-2627-0000001.pdf" in fetched.headers["content-disposition"]
    listed = operator.get("/api/deliveries").json()["items"]
    assert [one["delivery_id"] for one in listed] == [item["delivery_id"]]


def test_sending_again_is_the_same_file_in_a_new_mail(
    operator: httpx2.Client, order: OrderSide, wait_for: Wait, inbox: Inbox, base: int
) -> None:
    bought = paid(base)
    order.tell([told(bought)])
    wait_for(bought.order_id, "done")
    answer = operator.post("/deliver", json={"order_id": bought.order_id})
    assert answer.status_code == 202, answer.text
    until(lambda: len(inbox.messages()) == 2)
    wait_for(bought.order_id, "done")
    first, second = inbox.messages()
    assert first["message_id"] != second["message_id"]
    assert first["attachments"] == second["attachments"]
    assert first["subject"] == second["subject"]


def test_an_address_that_does_not_exist_is_dead_at_once_and_can_be_replayed(
    operator: httpx2.Client, order: OrderSide, wait_for: Wait, inbox: Inbox, base: int
) -> None:
    inbox.fail("refuse", code=550)
    bought = paid(base)
    order.tell([told(bought)])
    item = wait_for(bought.order_id, "dead")["items"][0]
    assert item["tries"] == 1
    assert "PermanentFailure" in item["problem"]
    dead = operator.get("/api/deliveries/dead").json()["items"]
    assert [one["delivery_id"] for one in dead] == [item["delivery_id"]]
    inbox.work_again()
    replayed = operator.post(f"/api/deliveries/{item['delivery_id']}/replay")
    assert replayed.status_code == 202
    item = wait_for(bought.order_id, "done")["items"][0]
    assert item["number"] == "TMP/2627/0000001"
    assert len(inbox.messages()) == 1
    assert operator.get("/api/deliveries/dead").json()["items"] == []


@pytest.mark.parametrize("service", [{"retry_seconds": 0.001}], indirect=True)
def test_eight_tries_and_no_more(
    operator: httpx2.Client, order: OrderSide, wait_for: Wait, inbox: Inbox, base: int
) -> None:
    inbox.fail("refuse", code=451)
    bought = paid(base)
    order.tell([told(bought)])
    item = wait_for(bought.order_id, "dead")["items"][0]
    assert item["tries"] == 8
    assert "TemporaryFailure" in item["problem"]


def test_poison_and_forged_events_make_no_invoice_and_are_shown(
    operator: httpx2.Client, order: OrderSide, wait_for: Wait, inbox: Inbox, kafka: Any, base: int
) -> None:
    forger = OrderSide(kafka, key="a-key-that-somebody-has-made-up-0123")
    forger.tell([told(paid(base))])
    wrong = paid(base + 1)
    broken = told(wrong).model_copy(update={"body": {"order_id": wrong.order_id}})
    unpaid = told(wrong.model_copy(update={"price": wrong.price.model_copy(update={"total": 1})}))
    order.tell([broken, unpaid, told(paid(base + 2))])
    wait_for(order_id(base + 2), "done")
    letters = until(
        lambda: (
            found
            if len(found := operator.get("/api/deliveries/dead-letters").json()["items"]) == 3
            else None
        )
    )
    reasons = " ".join(one["reason"] for one in letters)
    assert "forged" in reasons
    assert "fields of its body" in reasons
    assert "add up" in reasons
    assert len(inbox.messages()) == 1
    assert operator.get(f"/deliver/{order_id(base)}").status_code == 404


STRANGERS: list[tuple[str, str, Any]] = [
    ("GET", f"/deliver/{order_id()}", None),
    ("POST", "/deliver", {"order_id": order_id()}),
    ("GET", "/api/deliveries", None),
    ("GET", "/api/deliveries/dead", None),
    ("GET", "/api/deliveries/dead-letters", None),
    ("POST", f"/api/deliveries/{order_id()}:paid/replay", None),
]


def test_strangers_see_and_do_nothing(service: httpx2.Client, operators_file: Path) -> None:
    for method, path, json in STRANGERS:
        assert service.request(method, path, json=json).status_code == 401, path
    key, known = new_key("asha", ("orders:read",), utc_now())
    operators_file.write_text(known.model_dump_json() + "\n")
    headers = {"Authorization": f"Bearer {key}"}
    for method, path, json in STRANGERS:
        answer = service.request(method, path, json=json, headers=headers)
        assert answer.status_code == 403, path


BAD: list[tuple[str, str, Any, int]] = [
    ("GET", "/deliver/ord_1", None, 422),
    ("GET", f"/deliver/{order_id(7)}", None, 404),
    ("POST", "/deliver", {"order_id": order_id(7)}, 404),
    ("POST", "/deliver", {"order_id": order_id(7), "more": 1}, 422),
    ("POST", "/deliver", {"order_id": ["x"]}, 422),
    ("POST", "/api/deliveries/x/replay", None, 422),
    ("POST", f"/api/deliveries/{order_id(7)}:paid/replay", None, 404),
    ("GET", "/api/deliveries?limit=0", None, 422),
    ("GET", "/api/deliveries?cursor=$ne", None, 422),
    ("GET", "/api/deliveries/dead?cursor=x", None, 422),
    ("GET", "/api/deliveries/dead-letters?cursor=x", None, 422),
]


def test_bad_input_is_refused(operator: httpx2.Client) -> None:
    for method, path, json, status in BAD:
        answer = operator.request(method, path, json=json)
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
