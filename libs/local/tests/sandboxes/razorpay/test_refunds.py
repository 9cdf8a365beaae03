"""Refunds: in part, in full, twice with one key, pending and failed."""

from __future__ import annotations

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest

from tracemypods.local.testing.razorpay import RazorpaySandbox

KEY = "refund-of-order-1"


@pytest.fixture
def payment_id(sandbox: RazorpaySandbox) -> str:
    """A payment of 499 rupees."""
    payload = sandbox.pay(sandbox.order()["id"])
    assert payload is not None
    return payload["razorpay_payment_id"]


def refund(
    sandbox: RazorpaySandbox, payment_id: str, key: str | None = None, **asked: Any
) -> httpx2.Response:
    """Ask for a refund."""
    headers = {} if key is None else {"X-Refund-Idempotency": key}
    return sandbox.api.post(f"/v1/payments/{payment_id}/refund", json=asked, headers=headers)


def description(response: httpx2.Response, status: int = 400) -> str:
    """What an error says."""
    assert response.status_code == status, response.text
    return response.json()["error"]["description"]


def test_a_refund_has_the_documented_fields(sandbox: RazorpaySandbox, payment_id: str) -> None:
    made = refund(sandbox, payment_id, amount=100, notes={"why": "test"}, receipt="r1").json()
    assert sandbox.get(f"/v1/refunds/{made['id']}") == made
    assert sandbox.get(f"/v1/payments/{payment_id}/refunds/{made['id']}") == made
    assert re.fullmatch(r"rfnd_[A-Za-z0-9]{14}", made.pop("id"))
    assert isinstance(made.pop("created_at"), int)
    assert re.fullmatch(r"[0-9]{12}", made.pop("acquirer_data")["rrn"])
    assert made == {
        "entity": "refund",
        "amount": 100,
        "currency": "INR",
        "payment_id": payment_id,
        "notes": {"why": "test"},
        "receipt": "r1",
        "batch_id": None,
        "status": "processed",
        "speed_requested": "normal",
        "speed_processed": "normal",
    }


def test_in_part_and_then_in_full(sandbox: RazorpaySandbox, payment_id: str) -> None:
    refund(sandbox, payment_id, amount=100)
    payment = sandbox.get(f"/v1/payments/{payment_id}")
    assert (payment["amount_refunded"], payment["refund_status"]) == (100, "partial")
    assert payment["status"] == "captured"
    assert "greater than amount captured" in description(refund(sandbox, payment_id, amount=49900))
    assert refund(sandbox, payment_id, speed="optimum").json()["speed_processed"] == "instant"
    payment = sandbox.get(f"/v1/payments/{payment_id}")
    assert (payment["amount_refunded"], payment["refund_status"]) == (49900, "full")
    assert (payment["status"], payment["captured"]) == ("refunded", True)
    assert sandbox.get(f"/v1/orders/{payment['order_id']}")["status"] == "paid"
    assert "fully refunded already" in description(refund(sandbox, payment_id))
    assert sandbox.get("/v1/refunds")["count"] == 2
    assert sandbox.get(f"/v1/payments/{payment_id}/refunds")["count"] == 2


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"amount": 99}, "The amount must be at least INR 1.00"),
        ({"amount": 1.5}, "The amount must be an integer."),
        ({"speed": "fast"}, "The selected speed is invalid."),
        ({"to": "me"}, "to is/are not required and should not be sent"),
        (
            {"notes": {str(number): "" for number in range(16)}},
            "Number of fields in notes should be less than or equal to 15",
        ),
    ],
)
def test_what_is_wrong_is_named(
    sandbox: RazorpaySandbox, payment_id: str, asked: dict[str, Any], expected: str
) -> None:
    assert description(refund(sandbox, payment_id, **asked)) == expected
    assert sandbox.get("/v1/refunds")["count"] == 0


def test_only_what_was_captured_is_refunded(sandbox: RazorpaySandbox) -> None:
    order = sandbox.order()
    sandbox.pay(order["id"], "failure")
    (payment,) = sandbox.payments(order["id"])
    assert "should be captured" in description(refund(sandbox, payment["id"]))


def test_a_key_gives_the_same_refund_again(sandbox: RazorpaySandbox, payment_id: str) -> None:
    first = refund(sandbox, payment_id, KEY, amount=100).json()
    assert refund(sandbox, payment_id, KEY, amount=100).json() == first
    assert "Different request" in description(refund(sandbox, payment_id, KEY, amount=200), 409)
    assert "Different request" in description(refund(sandbox, payment_id, KEY), 409)
    assert sandbox.get("/v1/refunds")["count"] == 1


def test_a_refusal_does_not_use_a_key_up(sandbox: RazorpaySandbox, payment_id: str) -> None:
    description(refund(sandbox, payment_id, KEY, amount=1))
    assert refund(sandbox, payment_id, KEY, amount=100).status_code == 200


@pytest.mark.parametrize("key", ["short", "with blanks in it", "with/slashes/in/it"])
def test_a_key_of_the_wrong_shape(sandbox: RazorpaySandbox, payment_id: str, key: str) -> None:
    assert "idempotency key must" in description(refund(sandbox, payment_id, key))


def test_a_key_that_is_in_use(sandbox: RazorpaySandbox, payment_id: str) -> None:
    sandbox.command("/faults", {"fault": "refund_slow"})
    with ThreadPoolExecutor() as pool:
        slow = pool.submit(refund, sandbox, payment_id, KEY)
        pause = threading.Event()
        while sandbox.control.get("/faults").json()["items"]:
            pause.wait(0.01)  # until the first call has met it
        assert "still in progress" in description(refund(sandbox, payment_id, KEY), 409)
        sandbox.control.delete("/faults")
        made = slow.result()
    assert made.status_code == 200
    assert refund(sandbox, payment_id, KEY).json() == made.json()


def test_a_pending_refund_is_processed(sandbox: RazorpaySandbox, payment_id: str) -> None:
    sandbox.command("/faults", {"fault": "refund_pending"})
    pending = refund(sandbox, payment_id).json()
    assert (pending["status"], pending["speed_processed"]) == ("pending", None)
    assert sandbox.get(f"/v1/payments/{payment_id}")["status"] == "refunded"
    done = sandbox.command(f"/refunds/{pending['id']}/process")
    assert (done["status"], done["speed_processed"]) == ("processed", "normal")
    again = sandbox.control.post(f"/refunds/{pending['id']}/fail")
    assert again.status_code == 400


def test_a_refund_that_fails_gives_back(sandbox: RazorpaySandbox, payment_id: str) -> None:
    sandbox.command("/faults", {"fault": "refund_pending"})
    refund(sandbox, payment_id, amount=100)
    (pending,) = sandbox.get("/v1/refunds")["items"]
    assert sandbox.command(f"/refunds/{pending['id']}/fail")["status"] == "failed"
    payment = sandbox.get(f"/v1/payments/{payment_id}")
    assert (payment["amount_refunded"], payment["refund_status"]) == (0, None)
    sandbox.command("/faults", {"fault": "refund_fails"})
    assert refund(sandbox, payment_id).json()["status"] == "failed"
    assert sandbox.get(f"/v1/payments/{payment_id}")["status"] == "captured"
    names = [one["event"] for one in sandbox.webhooks()]
    assert names[-4:] == ["refund.created", "refund.failed", "refund.created", "refund.failed"]


def test_a_refund_on_the_dashboard(sandbox: RazorpaySandbox, payment_id: str) -> None:
    made = sandbox.command(f"/payments/{payment_id}/refund", {"amount": 100})
    assert sandbox.get("/v1/refunds")["items"] == [made]
