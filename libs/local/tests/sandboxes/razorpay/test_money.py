"""Money is conserved: what was captured is refunded, lost in disputes, or left; also over restarts.

The books write movements down; the entities say their own sums. Both must agree, whatever happens.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tracemypods.kit.clock import utc_now
from tracemypods.local.sandboxes.razorpay.disputes import amount_in_dispute
from tracemypods.local.sandboxes.razorpay.errors import ApiError
from tracemypods.local.sandboxes.razorpay.faults import PayFault
from tracemypods.local.sandboxes.razorpay.payments import Payer
from tracemypods.local.sandboxes.razorpay.state import State
from tracemypods.local.sandboxes.razorpay.validation import Page
from tracemypods.local.testing.razorpay import sandbox_settings

ALL = Page(None, None, 1_000_000, 0)

PAY_FAULTS = st.sets(
    st.sampled_from([PayFault.DOUBLE_PAYMENT, PayFault.WRONG_AMOUNT, PayFault.REORDER])
)
AMOUNTS = st.integers(0, 2_000)


class Money(RuleBasedStateMachine):
    """Anything that can happen to an account, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = Path(tempfile.mkdtemp())
        self._open()

    def teardown(self) -> None:
        self.state.store.close()
        shutil.rmtree(self._folder)

    def _open(self) -> None:
        self.state = State(sandbox_settings(data_dir=self._folder), utc_now)

    def _one_of(self, items: list[Any], number: int) -> Any:
        """One of what there is; an id that nothing has when there is nothing."""
        return items[number % len(items)]["id"] if items else "none"

    @rule(amount=st.integers(100, 1_500), manual=st.booleans())
    def order(self, amount: int, manual: bool) -> None:
        capture = {"capture": "manual" if manual else "automatic"}
        self.state.orders.create({"amount": amount, "currency": "INR", "payment": capture})

    @rule(number=st.integers(0), succeed=st.booleans(), faults=PAY_FAULTS)
    def pay(self, number: int, succeed: bool, faults: set[PayFault]) -> None:
        order = self._one_of(self.state.orders.page(ALL), number)
        with allowed_to_be_refused():
            self.state.payments.attempt(order, Payer(), succeed=succeed, faults=faults)

    @rule(number=st.integers(0))
    def authorise_late(self, number: int) -> None:
        with allowed_to_be_refused():
            self.state.payments.authorise_late(self._payment(number))

    @rule(number=st.integers(0), amount=AMOUNTS, right=st.booleans())
    def capture(self, number: int, amount: int, right: bool) -> None:
        payments = self.state.payments.page(ALL)
        if right and payments:
            amount = payments[number % len(payments)]["amount"]
        with allowed_to_be_refused():
            asked = {"amount": amount, "currency": "INR"}
            self.state.payments.capture(self._payment(number), asked)

    @rule(
        number=st.integers(0),
        amount=st.none() | AMOUNTS,
        key=st.none() | st.sampled_from(["idempotent-1", "idempotent-2"]),
        status=st.sampled_from(["pending", "processed", "failed"]),
    )
    def refund(self, number: int, amount: int | None, key: str | None, status: Any) -> None:
        given = {} if amount is None else {"amount": amount}
        with allowed_to_be_refused():
            self.state.refunds.create(self._payment(number), given, key=key, status=status)

    @rule(number=st.integers(0), fails=st.booleans())
    def end_refund(self, number: int, fails: bool) -> None:
        refund = self._one_of(self.state.refunds.page(ALL), number)
        with allowed_to_be_refused():
            (self.state.refunds.fail if fails else self.state.refunds.process)(refund)

    @rule(number=st.integers(0), amount=st.none() | AMOUNTS)
    def dispute(self, number: int, amount: int | None) -> None:
        with allowed_to_be_refused():
            self.state.disputes.open(self._payment(number), amount)

    @rule(number=st.integers(0), status=st.sampled_from(["under_review", "won", "lost", "closed"]))
    def end_dispute(self, number: int, status: Any) -> None:
        dispute = self._one_of(self.state.disputes.page(ALL), number)
        with allowed_to_be_refused():
            self.state.disputes.move(dispute, status)

    @rule()
    def restart(self) -> None:
        self.state.store.close()
        self._open()

    def _payment(self, number: int) -> str:
        return self._one_of(self.state.payments.page(ALL), number)

    @invariant()
    def each_payment_adds_up(self) -> None:
        for payment in self.state.payments.page(ALL):
            balance = self.state.books.balance(payment["id"])
            assert balance.captured == (payment["amount"] if payment["captured"] else 0)
            assert balance.refunded == payment["amount_refunded"]
            assert balance.captured == balance.refunded + balance.deducted + balance.left
            disputes: list[Any] = self.state.store.children("dispute", payment["id"])
            assert balance.deducted == sum(one["amount_deducted"] for one in disputes)
            assert balance.refunded + amount_in_dispute(disputes) <= payment["amount"]
            assert min(balance.captured, balance.refunded, balance.deducted, balance.left) >= 0
            refunds: list[Any] = self.state.store.children("refund", payment["id"])
            counted = sum(one["amount"] for one in refunds if one["status"] != "failed")
            assert counted == payment["amount_refunded"]
            full = counted == payment["amount"]
            assert (payment["refund_status"] == "full") == full
            assert (payment["status"] == "refunded") == full

    @invariant()
    def each_order_adds_up(self) -> None:
        for order in self.state.orders.page(ALL):
            payments: list[Any] = self.state.store.children("payment", order["id"])
            captured = [one for one in payments if one["captured"]]
            assert order["amount_paid"] == sum(one["amount"] for one in captured)
            assert order["attempts"] == len(payments)
            status = "paid" if captured else "attempted" if payments else "created"
            assert order["status"] == status


class allowed_to_be_refused:  # noqa: N801 - reads as the statement that it is
    """Whatever the API refuses changes nothing, which the invariants then show."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> bool:
        return isinstance(error, ApiError)


TestMoney = Money.TestCase
TestMoney.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)


_PAY_AND_DIE = """
import os, signal, sys
from pathlib import Path
from tracemypods.kit.clock import utc_now
from tracemypods.local.sandboxes.razorpay.payments import Payer
from tracemypods.local.sandboxes.razorpay.state import State
from tracemypods.local.testing.razorpay import sandbox_settings

state = State(sandbox_settings(data_dir=Path(sys.argv[1])), utc_now)
order = state.orders.create({"amount": 49900, "currency": "INR", "receipt": "ord_1"})
state.payments.attempt(order["id"], Payer(), succeed=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_was_paid_survives_a_kill(tmp_path: Path) -> None:
    died = subprocess.run([sys.executable, "-c", _PAY_AND_DIE, str(tmp_path)], check=False)
    assert died.returncode == -signal.SIGKILL
    state = State(sandbox_settings(data_dir=tmp_path), utc_now)
    (order,) = state.orders.page(ALL)
    assert (order["receipt"], order["status"]) == ("ord_1", "paid")
    assert state.books.balance().left == 49900
    state.store.close()
