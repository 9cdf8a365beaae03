"""Working at what is due: a few jobs at once, with pauses that grow, and an end.

A job that fails is tried eight times over about an hour and a half, then it is given up: it goes to
the dead letters, order is told, and an operator may have it tried again. What can't get better by
itself (an address that does not exist) is given up at once.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram

from tracemypods.contracts.events import ORDERS
from tracemypods.deliver.invoices.numbers import SeriesFull
from tracemypods.deliver.jobs.delivering import Delivering, NotYet, Publishes
from tracemypods.deliver.jobs.job import Job
from tracemypods.deliver.jobs.store import Jobs
from tracemypods.deliver.pdf.errors import EngineUnusable, NotRendered, RenderFailed
from tracemypods.events.tracing import span
from tracemypods.kit.errors import Problem
from tracemypods.kit.ids import new_id
from tracemypods.kit.tasks import end
from tracemypods.mail.message import InvalidMail
from tracemypods.mail.sending import MailError, PermanentFailure

_log = logging.getLogger("tracemypods.deliver.jobs")

TRIES = 8
GROWTH = 4
AT_ONCE = 8
IDLE_SECONDS = 1.0
WAIT_MILLISECONDS = 2_000
"""Before something is looked at again that waits for something else."""
SECONDS_BUCKETS = (0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 3600)

FINAL = (RenderFailed, PermanentFailure, InvalidMail, SeriesFull)


class Worker:
    """Works at due jobs. `retry` is the first pause and `lease` how long one has a job alone, both
    in milliseconds; `now` tells the time in them."""

    def __init__(
        self,
        jobs: Jobs,
        delivering: Delivering,
        publisher: Publishes,
        now: Callable[[], int],
        registry: CollectorRegistry,
        *,
        retry: int,
        lease: int,
    ) -> None:
        self._jobs = jobs
        self._delivering = delivering
        self._publisher = publisher
        self._now = now
        self._retry = retry
        self._lease = lease
        self._name = new_id("worker")
        self._woken = asyncio.Event()
        self._working: dict[str, asyncio.Task[None]] = {}
        self._ended = Counter(
            "deliver_jobs", "Jobs by how a try of them ended", ["outcome"], registry=registry
        )
        self._seconds = Histogram(
            "deliver_paid_to_mailed_seconds",
            "From a payment to the mail with its document",
            buckets=SECONDS_BUCKETS,
            registry=registry,
        )

    def wake(self) -> None:
        """Look for what is due at once."""
        self._woken.set()

    async def keep_working(self) -> None:
        """Work at whatever is due, for ever."""
        try:
            while True:
                self._woken.clear()
                if not await self._begin_what_is_due():
                    await self._wait()
        finally:
            await end(*self._working.values())

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                await self._woken.wait()
        except TimeoutError:
            pass

    async def _begin_what_is_due(self) -> bool:
        """Begin as many jobs as there is room for; False where there was nothing to begin."""
        room = AT_ONCE - len(self._working)
        if room <= 0:
            return False
        try:
            due = await self._jobs.due(self._now(), room + len(self._working))
        except Problem as problem:
            _log.warning("jobs can't be looked for", extra={"reason": problem.code})
            return False
        new = [job_id for job_id in due if job_id not in self._working][:room]
        for job_id in new:
            task = asyncio.create_task(self._work(job_id), name=job_id)
            self._working[job_id] = task
            task.add_done_callback(self._ended_one)
        return bool(new)

    def _ended_one(self, task: asyncio.Task[None]) -> None:
        job_id = task.get_name()
        self._working.pop(job_id, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            # Nothing foresaw it. The job is begun anew when its lease is over.
            _log.error("job broke off", extra={"job": job_id}, exc_info=error)
        self._woken.set()

    async def _work(self, job_id: str) -> None:
        while True:
            try:
                now = self._now()
                job = await self._jobs.lease(job_id, self._name, now, now + self._lease)
                if job is not None:
                    with span("process", ORDERS, job.envelope.traceparent):
                        await self._work_at(job)
            except Problem as problem:
                # MongoDB is away. Who has the job waits here: others would wait for the lease.
                _log.warning("job waits", extra={"job": job_id, "reason": problem.code})
                await asyncio.sleep(IDLE_SECONDS)
            else:
                return

    async def _work_at(self, job: Job) -> None:
        if job.status == "open":
            try:
                job = await self._delivering.deliver(job)
            except NotYet:
                await self._wait_for(job, WAIT_MILLISECONDS)
                return
            except (Problem, MailError, NotRendered, EngineUnusable, *FINAL) as error:
                job = await self._failed(job, error)
                if job.status == "open":
                    return
            else:
                self._ended.labels("mailed").inc()
                if job.mailed_at is not None and job.mails == 1:
                    self._seconds.observe((job.mailed_at - job.paid.paid_at) / 1000)
        try:
            await self._delivering.tell(job)
        except Problem as problem:
            _log.warning("not told", extra={"job": job.id, "reason": problem.code})
            await self._wait_for(job, WAIT_MILLISECONDS)
            return
        await self._jobs.note(job, due_at=None, leased_until=0)

    async def _failed(self, job: Job, error: Exception) -> Job:
        """Note a failure: when it is tried again, or that it is not."""
        # What may have been done since is read again: only the fields below are changed.
        job = await self._jobs.get(job.id)
        reason = _reason(error)
        tries = job.tries + 1
        is_final = isinstance(error, FINAL) or tries >= TRIES
        _log.warning(
            "job failed",
            extra={"job": job.id, "reason": reason, "tries": tries, "final": is_final},
        )
        self._ended.labels("dead" if is_final else "failed").inc()
        if not is_final:
            wait = self._retry * GROWTH ** (tries - 1) * random.uniform(0.5, 1)  # noqa: S311
            return await self._wait_for(job, int(wait), tries=tries, problem=reason)
        try:
            await self._publisher.publish_dead(ORDERS, job.envelope, reason)
        except Problem as problem:  # it is in the list of the dead besides
            _log.warning("no dead letter", extra={"job": job.id, "reason": problem.code})
        return await self._jobs.note(
            job,
            status="dead",
            tries=tries,
            problem=reason,
            dead=f"{self._now():014d}:{job.id}",
        )

    async def _wait_for(self, job: Job, milliseconds: int, **fields: Any) -> Job:
        """Let go of a job until then, and change these fields."""
        due_at = self._now() + milliseconds
        job = await self._jobs.note(job, due_at=due_at, leased_until=0, **fields)
        asyncio.get_running_loop().call_later(milliseconds / 1000, self.wake)
        return job


def _reason(error: Exception) -> str:
    if isinstance(error, Problem):
        return f"{error.code}: {error.detail}"
    return f"{type(error).__name__}: {error}"
