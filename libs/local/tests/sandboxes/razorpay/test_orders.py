"""Orders: what the API says, and what it refuses."""

from __future__ import annotations

import re
from typing import Any

import httpx2
import pytest

from tracemypods.local.testing.razorpay import KEY_ID, KEY_SECRET, RazorpaySandbox

VALID = {"amount": 49900, "currency": "INR"}


def error(response: Any, status: int = 400) -> dict[str, Any]:
    """The error of an answer, which has all documented fields."""
    assert response.status_code == status, response.text
    found = response.json()["error"]
    assert set(found) == {*("code", "description", "field", "source", "step", "reason", "metadata")}
    return found


def test_an_order_has_the_documented_fields(sandbox: RazorpaySandbox) -> None:
    order = sandbox.order(receipt="ord_1", notes={"plan": "pro"})
    assert re.fullmatch(r"order_[A-Za-z0-9]{14}", order.pop("id"))
    assert isinstance(order.pop("created_at"), int)
    assert order == {
        "entity": "order",
        "amount": 49900,
        "amount_paid": 0,
        "amount_due": 49900,
        "currency": "INR",
        "receipt": "ord_1",
        "offer_id": None,
        "status": "created",
        "attempts": 0,
        "notes": {"plan": "pro"},
    }


def test_an_order_without_receipt_and_notes(sandbox: RazorpaySandbox) -> None:
    order = sandbox.order()
    assert order["receipt"] is None
    assert order["notes"] == []
    assert sandbox.get(f"/v1/orders/{order['id']}") == order


@pytest.mark.parametrize(
    ("change", "description", "field", "reason"),
    [
        (
            {"amount": 99},
            "Order amount less than minimum amount allowed",
            "amount",
            "amount_less_than_minimum_amount",
        ),
        (
            {"amount": -100},
            "Order amount less than minimum amount allowed",
            "amount",
            "amount_less_than_minimum_amount",
        ),
        ({"amount": 100.5}, "The amount must be an integer.", "amount", None),
        ({"amount": True}, "The amount must be an integer.", "amount", None),
        ({"amount": "12x"}, "The amount must be an integer.", "amount", None),
        ({"amount": None}, "amount: is required.", "amount", None),
        ({"amount": 10**12}, "Amount exceeds maximum amount allowed.", "amount", None),
        ({"currency": "XYZ"}, "Currency is not supported", "currency", None),
        ({"currency": None}, "currency: is required.", "currency", None),
        ({"currency": 1}, "expected string but provided 1", "currency", None),
        (
            {"receipt": "r" * 41},
            "The receipt may not be greater than 40 characters.",
            "receipt",
            None,
        ),
        ({"receipt": 7}, "The receipt must be a string.", "receipt", None),
        (
            {"notes": {str(number): "x" for number in range(16)}},
            "Number of fields in notes should be less than or equal to 15",
            "notes",
            None,
        ),
        (
            {"notes": {"long": "x" * 257}},
            "Notes may not be greater than 256 characters each.",
            "notes",
            None,
        ),
        ({"notes": "text"}, "The notes must be an array.", "notes", None),
        (
            {"transfers": []},
            "transfers is/are not required and should not be sent",
            "transfers",
            "extra_field_sent",
        ),
        ({"payment": {"capture": "never"}}, "The selected capture is invalid.", None, None),
        ({"payment": 1}, "The payment must be an array.", "payment", None),
        ({"payment_capture": 2}, "The selected payment capture is invalid.", None, None),
    ],
)
def test_what_is_wrong_is_named(
    refusing: RazorpaySandbox,
    change: dict[str, Any],
    description: str,
    field: str | None,
    reason: str | None,
) -> None:
    found = error(refusing.api.post("/v1/orders", json={**VALID, **change}))
    assert found["code"] == "BAD_REQUEST_ERROR"
    assert found["description"] == description
    assert found["field"] == (field or found["field"])
    assert found["reason"] == (reason or "input_validation_failed")
    assert found["source"] == "business"


def test_the_limits_themselves_are_taken(sandbox: RazorpaySandbox) -> None:
    order = sandbox.order(
        100, receipt="r" * 40, notes={str(number): "x" * 256 for number in range(15)}
    )
    assert order["status"] == "created"


def test_a_receipt_is_taken_once(sandbox: RazorpaySandbox) -> None:
    first = sandbox.order(receipt="ord_1")
    found = error(sandbox.api.post("/v1/orders", json={**VALID, "receipt": "ord_1"}))
    assert found["description"] == "Order receipt should be unique."
    assert found["metadata"] == {"order_id": first["id"]}


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b'"text"', b"[" * 30_000])
def test_a_body_that_is_no_object(refusing: RazorpaySandbox, body: bytes) -> None:
    error(refusing.api.post("/v1/orders", content=body))


def test_unknown_and_malformed_ids(refusing: RazorpaySandbox) -> None:
    for path in ("orders/order_", "payments/pay_", "refunds/rfnd_", "disputes/disp_"):
        found = error(refusing.api.get(f"/v1/{path}{'0' * 14}"))
        assert found["description"] == "The id provided does not exist"
        assert "not a valid id" in error(refusing.api.get(f"/v1/{path}x"))["description"]


def test_orders_are_listed_by_receipt_time_and_page(sandbox: RazorpaySandbox) -> None:
    orders = [sandbox.order(receipt=f"ord_{number}") for number in range(12)]

    def listed(query: str) -> list[str]:
        answer = sandbox.get(f"/v1/orders{query}")
        assert answer["entity"] == "collection"
        assert answer["count"] == len(answer["items"])
        return [one["id"] for one in answer["items"]]

    newest_first = [one["id"] for one in reversed(orders)]
    assert listed("") == newest_first[:10]
    assert listed("?count=100") == newest_first
    assert listed("?count=5&skip=10") == newest_first[10:]
    assert listed("?receipt=ord_3") == [orders[3]["id"]]
    assert listed("?receipt=ord_99") == []
    created = orders[0]["created_at"]
    assert listed(f"?to={created - 1}") == []
    assert listed(f"?from={created}&count=100") == newest_first


@pytest.mark.parametrize("query", ["count=101", "count=0", "count=x", "from=x", "skip=-1"])
def test_a_list_that_cannot_be(refusing: RazorpaySandbox, query: str) -> None:
    error(refusing.api.get(f"/v1/orders?{query}"))


@pytest.mark.parametrize(
    ("key", "secret"), [(KEY_ID, "wrong"), ("rzp_test_Unknown0000000", KEY_SECRET), ("", "")]
)
def test_another_key(refusing: RazorpaySandbox, key: str, secret: str) -> None:
    found = error(refusing.api.get("/v1/orders", auth=(key, secret)), 401)
    assert found["code"] == "BAD_REQUEST_ERROR"


@pytest.mark.parametrize("header", ["", "basic cnpwOng=", "Bearer x", "Basic !", "Basic w6k="])
def test_no_basic_authentication(refusing: RazorpaySandbox, header: str) -> None:
    response = httpx2.get(f"{refusing.url}/v1/orders", headers={"Authorization": header})
    error(response, 401)


def test_a_path_that_there_is_none_of(refusing: RazorpaySandbox) -> None:
    for response in (refusing.api.get("/v1/plans"), refusing.api.put("/v1/orders")):
        assert "was not found" in error(response)["description"]
