"""The state machine alone: what each fact makes of an order, and what follows from it."""

from __future__ import annotations

import pytest
from order_facts import NOW, TOTAL, dispute, new_order, payment, refund

from tracemypods.contracts.payments import Fact
from tracemypods.order.orders import machine
from tracemypods.order.orders.order import Order
from tracemypods.order.orders.refunds import NotRefundable, refund_id, reserve


def after(order: Order, *facts: Fact) -> Order:
    for fact in facts:
        order = machine.apply(order, fact, "webhook", NOW + 1) or order
    return order


def settled(order: Order) -> Order:
    """As if the token service had been told."""
    while (step := machine.next_token(order)) is not None:
        order = order.model_copy(update={"token": step})
    return order


PAID = settled(after(new_order(), payment("pay_1", "captured")))


def test_a_captured_payment_of_the_price_pays() -> None:
    order = after(new_order(), payment("pay_1", "created"), payment("pay_1", "authorized"))
    assert (machine.status(order), machine.wanted_token(order)) == ("awaiting_payment", "none")
    order = after(order, payment("pay_1", "captured"))
    assert (machine.status(order), machine.next_token(order)) == ("paid", "issued")
    assert (order.paying, order.slot, order.due_at) == ("pay_1", None, NOW + 1)
    assert machine.status(settled(order)) == "fulfilled"


def test_a_fact_that_is_known_changes_nothing() -> None:
    assert machine.apply(PAID, payment("pay_1", "captured"), "callback", NOW) is None
    for status in ("created", "failed", "authorized"):
        assert machine.apply(PAID, payment("pay_1", status), "webhook", NOW) is None


def test_a_failed_payment_may_still_come_in() -> None:
    order = after(new_order(), payment("pay_1", "failed", error_code="GATEWAY_ERROR"))
    assert machine.status(order) == "awaiting_payment"
    assert order.payments["pay_1"].error_code == "GATEWAY_ERROR"
    order = after(order, payment("pay_1", "authorized"), payment("pay_1", "captured"))
    assert machine.status(settled(order)) == "fulfilled"
    assert order.payments["pay_1"].error_code is None


@pytest.mark.parametrize("amount", [TOTAL - 1, TOTAL + 1, 100])
def test_a_wrong_amount_pays_nothing_and_goes_back(amount: int) -> None:
    order = after(new_order(), payment("pay_1", "captured", amount))
    assert machine.wanted_token(order) == "none"
    assert machine.exceptions(order) == ["amount_mismatch pay_1"]
    (back,) = order.refunds.values()
    assert (back.payment_id, back.amount, back.reason) == ("pay_1", amount, "wrong_amount")
    order = settled(after(order, payment("pay_2", "captured")))
    assert (order.paying, machine.status(order), len(order.refunds)) == ("pay_2", "fulfilled", 1)


def test_another_currency_pays_nothing() -> None:
    order = after(new_order(), payment("pay_1", "captured", currency="USD"))
    assert (machine.wanted_token(order), len(order.refunds)) == ("none", 1)


def test_a_second_payment_goes_back_and_takes_nothing_along() -> None:
    order = after(PAID, payment("pay_2", "captured"), payment("pay_2", "captured"))
    assert machine.reserved(order) == ["back-pay_2-0"]
    assert machine.exceptions(order) == ["paid_again pay_2"]
    order = after(order, refund("rfnd_1", "pay_2", "processed", TOTAL, "back-pay_2-0"))
    assert (machine.reserved(order), machine.wanted_token(order)) == ([], "issued")
    assert machine.status(order) == "fulfilled"


def test_a_surplus_that_went_back_at_razorpay_already_is_not_given_back_twice() -> None:
    order = after(PAID, payment("pay_2", "refunded", amount_refunded=TOTAL))
    assert order.refunds == {}
    order = after(PAID, refund("rfnd_1", "pay_2", "processed", TOTAL), payment("pay_2", "captured"))
    assert machine.reserved(order) == []


def test_a_full_refund_ends_the_token() -> None:
    name = refund_id(PAID.id, "operator-key-1")
    order = reserve(PAID, name, None, "asha", NOW)
    assert order is not None
    assert (machine.status(order), machine.wanted_token(order)) == ("refunding", "suspended")
    order = after(settled(order), refund("rfnd_1", "pay_1", "processed", TOTAL, name))
    assert (machine.status(order), machine.next_token(order)) == ("refunded", "revoked")
    assert machine.wanted_token(settled(order)) == "revoked"


def test_a_refund_that_fails_gives_the_token_back() -> None:
    name = refund_id(PAID.id, "operator-key-1")
    order = settled(reserve(PAID, name, None, "asha", NOW) or PAID)
    assert order.token == "suspended"
    order = after(order, refund("rfnd_1", "pay_1", "pending", TOTAL, name))
    assert machine.next_token(order) is None
    order = after(order, refund("rfnd_1", "pay_1", "failed", TOTAL, name))
    assert machine.next_token(order) == "issued"
    assert machine.exceptions(order) == [f"refund_failed {name}"]
    # It may be tried again, under another key.
    again = reserve(settled(order), refund_id(PAID.id, "operator-key-2"), None, "asha", NOW)
    assert again is not None
    assert machine.status(again) == "refunding"


def test_refunds_in_part_leave_the_token_and_never_exceed_the_payment() -> None:
    order = PAID
    for number in range(3):
        order = reserve(order, refund_id(order.id, f"key-{number}-xxx"), 3000, "asha", NOW) or order
        assert machine.wanted_token(order) == "issued"
    assert len(order.refunds) == 3
    with pytest.raises(NotRefundable, match="900 paise"):
        reserve(order, "rfd-other-key", 901, "asha", NOW)
    same = reserve(order, refund_id(order.id, "key-0-xxx"), 3000, "asha", NOW)
    assert same is None
    with pytest.raises(NotRefundable):
        reserve(order, refund_id(order.id, "key-0-xxx"), 1, "asha", NOW)
    order = reserve(order, refund_id(order.id, "key-last"), None, "asha", NOW) or order
    assert machine.wanted_token(order) == "suspended"


@pytest.mark.parametrize("unpaid", [new_order(), after(new_order(), payment("pay_1", "failed"))])
def test_what_was_not_paid_is_not_given_back(unpaid: Order) -> None:
    with pytest.raises(NotRefundable):
        reserve(unpaid, "rfd-some-key-1", None, "asha", NOW)


def test_a_refund_on_razorpays_dashboard_counts_too() -> None:
    order = after(PAID, refund("rfnd_1", "pay_1", "processed", TOTAL))
    assert (machine.status(order), machine.next_token(order)) == ("refunded", "revoked")
    order = after(PAID, payment("pay_1", "refunded", amount_refunded=TOTAL))
    assert machine.status(order) == "refunded"


def test_refunded_before_anybody_heard_of_the_payment() -> None:
    order = after(
        new_order(), refund("rfnd_1", "pay_1", "processed", TOTAL), payment("pay_1", "captured")
    )
    assert machine.next_token(order) == "revoked"  # so that it never gets one
    assert machine.next_token(settled(order)) is None


def test_disputes_suspend_and_end_the_token() -> None:
    order = settled(after(PAID, dispute("disp_1", "pay_1", "open")))
    assert (order.token, machine.status(order)) == ("suspended", "disputed")
    won = settled(after(order, dispute("disp_1", "pay_1", "won")))
    assert (won.token, machine.status(won)) == ("issued", "fulfilled")
    assert settled(after(won, dispute("disp_1", "pay_1", "open"))).token == "issued"
    lost = settled(after(order, dispute("disp_1", "pay_1", "lost")))
    assert (lost.token, machine.status(lost)) == ("revoked", "dispute_lost")
    assert settled(after(lost, dispute("disp_2", "pay_1", "won"))).token == "revoked"


def test_a_dispute_over_a_surplus_payment_does_not_touch_the_token() -> None:
    order = after(PAID, payment("pay_2", "captured"), dispute("disp_1", "pay_2", "lost"))
    assert machine.wanted_token(order) == "issued"


def test_a_dispute_before_the_token_was_issued_waits_with_it() -> None:
    order = after(new_order(), dispute("disp_1", "pay_1", "open"), payment("pay_1", "captured"))
    assert machine.next_token(order) is None
    assert machine.next_token(after(order, dispute("disp_1", "pay_1", "won"))) == "issued"


def test_ten_thousand_failed_attempts_and_then_one_that_comes_in() -> None:
    order = new_order()
    for number in range(10_000):
        order = after(order, payment(f"pay_f{number}", "failed"))
    assert (order.failed_attempts, len(order.payments)) == (10_000, machine.ATTEMPTS_KEPT)
    assert len(order.history) == machine.EVENTS_KEPT
    assert settled(after(order, payment("pay_f3", "captured"))).token == "issued"
