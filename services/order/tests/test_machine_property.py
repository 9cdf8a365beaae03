"""Facts shuffled, repeated and late: money and goods always agree."""

from __future__ import annotations

from random import Random

from hypothesis import assume, given
from hypothesis import strategies as st
from order_facts import NOW, TOTAL, dispute, new_order, payment, refund

from tracemypods.contracts.payments import Fact
from tracemypods.order.orders import machine
from tracemypods.order.orders.order import Order

PAYMENTS = ("pay_1", "pay_2", "pay_3")

lives_of_a_payment = st.sampled_from(
    [
        ["created"],
        ["created", "failed"],
        ["created", "authorized", "captured"],
        ["failed", "authorized", "captured"],
        ["authorized"],
    ]
)
lives_of_a_refund = st.sampled_from(
    [["pending"], ["pending", "processed"], ["pending", "failed"], ["processed"]]
)
lives_of_a_dispute = st.sampled_from(
    [["open"], ["open", "under_review", "won"], ["open", "lost"], ["open", "closed"]]
)


@st.composite
def stories(draw: st.DrawFn) -> list[Fact]:
    """What happened at Razorpay, as facts in an order of their own, some of them several times."""
    facts: list[Fact] = []
    for name in PAYMENTS:
        amount = draw(st.sampled_from([TOTAL, TOTAL, TOTAL - 1]))
        life = draw(lives_of_a_payment)
        facts += [payment(name, status, amount) for status in life]
        if life[-1] != "captured":
            continue
        left = amount
        for number in range(draw(st.integers(0, 2))):
            part = draw(st.sampled_from([left, left // 2]))
            if part == 0:
                continue
            states = draw(lives_of_a_refund)
            left -= part if states[-1] != "failed" else 0
            facts += [refund(f"rfnd_{name}_{number}", name, one, part) for one in states]
        if draw(st.booleans()):
            states = draw(lives_of_a_dispute)
            facts += [dispute(f"disp_{name}", name, one) for one in states]
    shuffled = draw(st.permutations(facts))
    repeated = draw(st.lists(st.sampled_from(shuffled), max_size=8)) if shuffled else []
    return [*shuffled, *repeated]


def lived_through(facts: list[Fact], settle_at: frozenset[int]) -> Order:
    """An order that heard of all that; the worker comes by now and then, and at the end."""
    order = new_order()
    for number, fact in enumerate(facts):
        order = machine.apply(order, fact, "webhook", NOW + number) or order
        if number in settle_at:
            order = settle(order)
    return settle(order)


def settle(order: Order) -> Order:
    """What the worker does, with services beside that always answer."""
    while machine.is_owing(order):
        if (step := machine.next_token(order)) is not None:
            order = machine.settled(order.model_copy(update={"token": step}), "t", "order", NOW)
        for name in machine.reserved(order):
            known = order.refunds[name]
            made = f"rfnd_{name}".replace("-", "_")
            fact = refund(made, known.payment_id, "processed", known.amount, name)
            order = machine.apply(order, fact, "reconciler", NOW) or order
    return order


def check(order: Order) -> None:
    came_in = {name for name, one in order.payments.items() if one.came_in}
    exact = {name for name in came_in if machine.is_exact(order, order.payments[name])}
    # Somebody who paid gets the goods, and nobody gets them who did not.
    assert (order.paying is not None) == bool(exact)
    assert order.paying is None or order.paying in exact
    for name in came_in - {order.paying}:
        # Gone, or on its way by a refund that was made on Razorpay's dashboard.
        assert machine.covered(order, name) >= order.payments[name].amount
    if order.paying is None:
        assert order.token == "none"
        return
    kept = order.payments[order.paying].amount - machine.gone_back(order, order.paying)
    disputes = {one.status for one in order.disputes.values() if one.payment_id == order.paying}
    if kept <= 0 or "lost" in disputes:
        assert order.token == "revoked"
    elif disputes & {"open", "under_review"}:
        assert order.token in ("suspended", "none")
    elif machine.covered(order, order.paying) >= order.payments[order.paying].amount:
        assert order.token in ("suspended", "none")  # on its way back
    else:
        assert order.token == "issued"


@given(stories(), st.frozensets(st.integers(0, 40), max_size=10))
def test_money_and_goods_agree(facts: list[Fact], settle_at: frozenset[int]) -> None:
    check(lived_through(facts, settle_at))


@given(stories())
def test_hearing_of_all_again_changes_nothing(facts: list[Fact]) -> None:
    order = lived_through(facts, frozenset())
    assert all(machine.apply(order, fact, "reconciler", NOW) is None for fact in facts)


@given(stories(), st.randoms(use_true_random=False))
def test_the_order_of_facts_makes_no_difference_to_what_they_come_to(
    facts: list[Fact], random: Random
) -> None:
    """But to which of several payments pays, and so to whose refund or dispute matters."""
    paying = {
        fact.id
        for fact in facts
        if fact.kind == "payment" and (fact.status, fact.amount) == ("captured", TOTAL)
    }
    assume(len(paying) < 2)
    other = list(facts)
    random.shuffle(other)
    one, two = lived_through(facts, frozenset()), lived_through(other, frozenset())
    assert machine.status(one) == machine.status(two)
    assert one.token == two.token
