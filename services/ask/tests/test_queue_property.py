"""The queue under every order of callers who come, are served, leave, give up and are cancelled.

Everything runs on a loop whose clock the test moves, one turn of the loop at a time, so that
callers also go in the midst of being admitted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tracemypods.ask.admission.queue import MOST_PREMIUM_IN_A_ROW, ModelBusy, ModelQueue, Place
from tracemypods.contracts.tokens import Plan

DEADLINE = 30.0
PLANS = st.sampled_from(["free", "premium"])


class SteppedLoop(asyncio.SelectorEventLoop):
    """A loop whose time stands still until the test moves it."""

    now = 0.0

    def time(self) -> float:
        return self.now

    def step(self) -> None:
        """One turn: what is ready runs, what becomes ready through it runs in the next one."""
        self.call_soon(self.stop)
        self.run_forever()


@dataclass
class Caller:
    """Somebody who asks. Knows when it was admitted and served."""

    plan: Plan
    number: int
    go: asyncio.Event = field(default_factory=asyncio.Event)
    admitted: bool = False
    refused: bool = False
    heard: list[int] = field(default_factory=list)


class Callers(RuleBasedStateMachine):
    """Callers of one queue."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = SteppedLoop()
        self.tasks: dict[asyncio.Task[None], Caller] = {}
        self.inside: list[Caller] = []
        self.admissions: list[Caller] = []
        self.passed_over = 0
        self.number = 0

    @initialize(slots=st.integers(1, 3), places=st.integers(0, 6))
    def open_queue(self, slots: int, places: int) -> None:
        self.slots, self.places = slots, places
        self.queue = ModelQueue(slots=slots, places=places, deadline=DEADLINE)

    @rule(plan=PLANS)
    def come(self, plan: Plan) -> None:
        self.number += 1
        caller = Caller(plan, self.number)
        self.tasks[self.loop.create_task(self.ask(caller))] = caller

    @rule()
    def turn(self) -> None:
        self.loop.step()

    @precondition(lambda self: self.tasks)
    @rule(data=st.data())
    def go_away(self, data: st.DataObject) -> None:
        """Cancelled wherever it is: before it began, waiting, just admitted, or being served."""
        data.draw(st.sampled_from(list(self.tasks))).cancel()

    @precondition(lambda self: self.inside)
    @rule(data=st.data())
    def be_served(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from(self.inside)).go.set()

    @rule(seconds=st.sampled_from([1.0, DEADLINE / 2, DEADLINE]))
    def time_passes(self, seconds: float) -> None:
        self.loop.now += seconds

    async def ask(self, caller: Caller) -> None:
        try:
            async with self.queue.slot(caller.plan, caller.heard.append):
                caller.admitted = True
                self.inside.append(caller)
                try:
                    await caller.go.wait()
                finally:
                    self.inside.remove(caller)
        except ModelBusy:
            caller.refused = True

    @invariant()
    def never_too_many(self) -> None:
        if not hasattr(self, "queue"):
            return
        for task in [task for task in self.tasks if task.done()]:
            del self.tasks[task]
        assert len(self.inside) <= self.queue.running <= self.slots
        assert self.queue.waiting <= self.places
        if self.queue.waiting:
            assert self.queue.running == self.slots, "a slot is free while somebody waits"

    def teardown(self) -> None:
        if hasattr(self, "queue"):
            # Nobody starves: served one after the other, everybody gets in or is turned away.
            for _ in range(10 * (self.number + 1)):
                for caller in self.inside:
                    caller.go.set()
                self.loop.step()
            assert all(task.done() for task in self.tasks), "somebody waits for ever"
            assert self.queue.running == 0
            assert self.queue.waiting == 0
        self.loop.close()


Callers.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestCallers = Callers.TestCase


class Order(RuleBasedStateMachine):
    """Who comes next, when everybody who enters stays until served."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = SteppedLoop()

    @initialize()
    def open_queue(self) -> None:
        self.call(self.make)
        self.served = {"free": 0, "premium": 0}
        self.entered = {"free": 0, "premium": 0}
        self.premium_in_a_row = 0

    def make(self) -> None:
        self.queue = ModelQueue(slots=1, places=50, deadline=DEADLINE)
        self.running = self.queue.enter("free")
        self.waiting: list[tuple[Plan, int]] = []
        self.places: dict[tuple[Plan, int], Place] = {}

    def call(self, work: Callable[[], None]) -> None:
        async def main() -> None:
            work()

        self.loop.run_until_complete(main())

    @precondition(lambda self: len(self.waiting) < 50)
    @rule(plan=PLANS)
    def come(self, plan: Plan) -> None:
        self.entered[plan] += 1
        one = (plan, self.entered[plan])

        def enter() -> None:
            self.places[one] = self.queue.enter(plan)

        self.call(enter)
        self.waiting.append(one)

    @precondition(lambda self: self.waiting)
    @rule()
    def next_one(self) -> None:
        free_waits = any(plan == "free" for plan, _ in self.waiting)
        foretold = min(self.waiting, key=lambda one: self.places[one].position)
        self.call(self.running.leave)
        admitted = [one for one in self.waiting if self.places[one].position == 0]
        assert admitted == [foretold], "position 1 is next"
        (plan, number) = one = admitted[0]
        self.waiting.remove(one)
        self.running = self.places.pop(one)
        assert number == self.served[plan] + 1, "within a plan it is first come, first served"
        self.served[plan] = number
        row_before = self.premium_in_a_row
        self.premium_in_a_row = self.premium_in_a_row + 1 if plan == "premium" and free_waits else 0
        assert self.premium_in_a_row <= MOST_PREMIUM_IN_A_ROW
        if plan == "free" and any(one[0] == "premium" for one in self.waiting):
            assert row_before == MOST_PREMIUM_IN_A_ROW, "premium comes first otherwise"

    @invariant()
    def positions_are_one_to_n(self) -> None:
        if hasattr(self, "waiting"):
            positions = sorted(self.places[one].position for one in self.waiting)
            assert positions == list(range(1, len(self.waiting) + 1))

    def teardown(self) -> None:
        self.loop.close()


Order.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestOrder = Order.TestCase
