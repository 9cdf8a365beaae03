"""Disputes: opened, reviewed, won, lost and closed."""

from __future__ import annotations

import json
import re

import pytest

from tracemypods.local.testing.razorpay import RazorpaySandbox


@pytest.fixture
def payment_id(sandbox: RazorpaySandbox) -> str:
    """A payment of 499 rupees."""
    payload = sandbox.pay(sandbox.order()["id"])
    assert payload is not None
    return payload["razorpay_payment_id"]


def test_a_dispute_has_the_documented_fields(sandbox: RazorpaySandbox, payment_id: str) -> None:
    opened = sandbox.command("/disputes", {"payment_id": payment_id})
    assert re.fullmatch(r"disp_[A-Za-z0-9]{14}", opened["id"])
    assert set(opened) == {
        *("id", "entity", "payment_id", "amount", "currency", "amount_deducted", "reason_code"),
        *("respond_by", "status", "phase", "created_at", "evidence"),
    }
    assert (opened["amount"], opened["amount_deducted"]) == (49900, 0)
    assert (opened["status"], opened["phase"]) == ("open", "chargeback")
    assert sandbox.get(f"/v1/disputes/{opened['id']}") == opened
    assert sandbox.get("/v1/disputes")["items"] == [opened]


@pytest.mark.parametrize(("status", "deducted"), [("won", 0), ("lost", 1000), ("closed", 0)])
@pytest.mark.parametrize("reviewed", [False, True])
def test_a_dispute_ends(
    sandbox: RazorpaySandbox, payment_id: str, status: str, deducted: int, reviewed: bool
) -> None:
    asked = {"payment_id": payment_id, "amount": 1000, "phase": "fraud"}
    path = f"/disputes/{sandbox.command('/disputes', asked)['id']}"
    if reviewed:
        assert sandbox.command(f"{path}/under_review")["status"] == "under_review"
    ended = sandbox.command(f"{path}/{status}")
    assert (ended["status"], ended["amount_deducted"]) == (status, deducted)
    assert sandbox.control.post(f"{path}/won").status_code == 400
    events = sandbox.webhooks()
    assert events[-1]["event"] == f"payment.dispute.{status}"
    body = json.loads(events[-1]["body"])
    assert body["contains"] == ["payment", "dispute"]
    assert body["payload"]["dispute"]["entity"] == ended
    assert sandbox.control.get("/account").json()["balance"]["left"] == 49900 - deducted


def test_what_is_in_dispute_is_not_refunded(sandbox: RazorpaySandbox, payment_id: str) -> None:
    dispute = sandbox.command("/disputes", {"payment_id": payment_id, "amount": 40000})
    refund = f"/v1/payments/{payment_id}/refund"
    assert sandbox.api.post(refund, json={"amount": 9901}).status_code == 400
    assert sandbox.api.post(refund, json={}).json()["amount"] == 9900
    assert sandbox.api.post(refund, json={}).status_code == 400
    too_much = sandbox.control.post("/disputes", json={"payment_id": payment_id})
    assert too_much.status_code == 400
    sandbox.command(f"/disputes/{dispute['id']}/won")
    assert sandbox.api.post(refund, json={}).json()["amount"] == 40000
