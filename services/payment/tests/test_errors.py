"""Razorpay's errors keep all of their fields, and say what may be done about them."""

from __future__ import annotations

import json

import pytest

from tracemypods.payment.razorpay.errors import RazorpayError

FIELDS = {
    "code": "BAD_REQUEST_ERROR",
    "description": "Order receipt should be unique.",
    "field": "receipt",
    "source": "business",
    "step": "payment_initiation",
    "reason": "input_validation_failed",
    "metadata": {"order_id": "order_1", "payment_id": "pay_1"},
}


def error(status: int, **fields: object) -> RazorpayError:
    return RazorpayError(status, json.dumps({"error": fields}).encode())


def test_all_seven_fields_are_kept() -> None:
    found = error(400, **FIELDS)
    assert {name: getattr(found, name) for name in FIELDS} == FIELDS
    assert found.receipt_taken
    assert found.refused
    assert not found.may_have_been_done


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b'{"error": "text"}', b'{"error": {"code": {}}}', b"\xff"]
)
def test_what_is_no_error_object_is_an_error_all_the_same(body: bytes) -> None:
    found = RazorpayError(502, body)
    assert (found.status, found.code) == (502, "UNREADABLE_ERROR")
    assert not found.refused


@pytest.mark.parametrize("status", [401, 403, 408, 409, 429, 500, 502, 503, 504])
def test_what_may_be_done_another_time_is_no_refusal(status: int) -> None:
    assert not error(status, code="SERVER_ERROR").refused


@pytest.mark.parametrize(
    ("status", "description", "unknown"),
    [
        (400, "The id provided does not exist", True),
        (400, "pay_1 is not a valid id", True),
        (404, "", True),
        (400, "The amount must be an integer", False),
        (500, "does not exist", False),
    ],
)
def test_unknown_ids(status: int, description: str, unknown: bool) -> None:
    assert error(status, description=description).unknown_id is unknown
