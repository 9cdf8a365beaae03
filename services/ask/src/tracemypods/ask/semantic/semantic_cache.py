"""The semantic cache: a question is answered with the answer to one that asks the same.

What is near is found by its vector, within the caller's scope; whether it asks the same is the
gate's to say. Looking has a budget: an embedder or a store that is slow or
dead makes a miss, never an error. Entries are written once the answer is delivered.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from tracemypods.ask.cache.personal_data import has_personal_data
from tracemypods.ask.cache.store import StoredAnswer
from tracemypods.ask.semantic.entries import SHARED, Candidate, Entry
from tracemypods.ask.semantic.epochs import Epochs
from tracemypods.ask.semantic.gate import Judge
from tracemypods.ask.semantic.modes import Modes
from tracemypods.ask.semantic.places import LEAST_SIMILARITY, Place, Places
from tracemypods.ask.semantic.report import Report, Shadowed
from tracemypods.ask.semantic.searchable import Searchable
from tracemypods.ask.semantic.secret_patterns import has_secret
from tracemypods.ask.semantic.sharing import Sharing, entry_id
from tracemypods.ask.semantic.vector_entries import VectorEntries
from tracemypods.kit.errors import Problem
from tracemypods.kit.http import DependencyError
from tracemypods.kit.tasks import end

_log = logging.getLogger("tracemypods.ask.semantic")

Outcome = Literal["hit", "shadow", "refused", "nothing", "late", "failed"]

CANDIDATES = 5
SIMILARITY_BUCKETS = (0.7, 0.75, 0.8, 0.85, 0.9, 0.92, 0.94, 0.96, 0.98, 1.0)
SECONDS_BUCKETS = (0.002, 0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.1)


@dataclass(frozen=True)
class Scope:
    """Whose entries, made for which tier and of which weights, a question may meet."""

    owner: str
    tier: str
    weights: str


@dataclass(frozen=True)
class Looked:
    """What a look-up leaves behind: where the question lies, to keep the answer there, and what was
    found: something to be given, or in shadow mode something that would have been."""

    place: Place
    to_be_given: Candidate | None = None
    would_have_been: Candidate | None = None


class SemanticCache:
    """Finds answers and keeps them. `seconds` is how long an entry lasts, `budget` how many seconds
    a look-up may take."""

    def __init__(
        self,
        modes: Modes,
        places: Places,
        entries: VectorEntries,
        judge: Judge,
        registry: CollectorRegistry,
        epochs: Epochs,
        report: Report,
        sharing: Sharing,
        *,
        seconds: int,
        budget: float,
    ) -> None:
        self.modes = modes
        self.report = report
        self.sharing = sharing
        self._places = places
        self._entries = entries
        self._judge = judge
        self._seconds = seconds
        self._budget = budget
        self._epochs = epochs
        self._keeping: set[asyncio.Task[None]] = set()
        self._ended: dict[str, int] = dict.fromkeys(get_args(Outcome), 0)
        self._wrong_answers = 0
        self._outcomes = Counter(
            "ask_semantic_look_ups", "Look-ups by how they ended", ["outcome"], registry=registry
        )
        Gauge(
            "ask_semantic_wrong_answers", "Answers said to be wrong", registry=registry
        ).set_function(lambda: self._wrong_answers)
        self._refused = Counter(
            "ask_semantic_refusals",
            "Nearest candidates that the gate refused, by its reason",
            ["reason"],
            registry=registry,
        )
        self._near_misses = Histogram(
            "ask_semantic_near_miss_similarity",
            "Similarity of the nearest candidate that the gate refused",
            buckets=SIMILARITY_BUCKETS,
            registry=registry,
        )
        self._look_up_seconds = Histogram(
            "ask_semantic_look_up_seconds",
            "How long look-ups took",
            buckets=SECONDS_BUCKETS,
            registry=registry,
        )

    async def close(self) -> None:
        """Finish what is being kept, for a moment, and end the rest."""
        if self._keeping:
            await asyncio.wait(set(self._keeping), timeout=1)
        await end(*self._keeping)
        await self._places.close()
        await self._entries.close()

    async def look_up(self, asked: Searchable, scope: Scope) -> Looked | None:
        """Find the answer to a question that asks the same. None where there is no telling."""
        if self.modes.of(asked.model) == "off":
            return None
        started = time.perf_counter()
        outcome: Outcome = "failed"
        try:
            async with asyncio.timeout(self._budget):
                looked, outcome = await self._look_up(asked, scope)
            return looked
        except TimeoutError:
            outcome = "late"
        except (Problem, DependencyError) as error:
            _log.info("look-up failed", extra={"reason": _reason(error)})
        finally:
            self._ended[outcome] += 1
            self._outcomes.labels(outcome).inc()
            self._look_up_seconds.observe(time.perf_counter() - started)
        return None

    async def _look_up(self, asked: Searchable, scope: Scope) -> tuple[Looked | None, Outcome]:
        place = await self._places.of(asked.text)
        if place is None:
            return None, "nothing"
        looked = Looked(place)
        scopes = [scope.owner, SHARED] if self.sharing.is_open else [scope.owner]
        candidates = await self._entries.near(
            place.collection,
            place.vector,
            {**await self._fields(asked, scope), "scope": scopes},
            least=LEAST_SIMILARITY,
            most=CANDIDATES,
        )
        for number, candidate in enumerate(candidates):
            verdict = self._judge.judge(asked.text, candidate.entry.question)
            if verdict.same and await self._is_wanted(candidate.entry, scope.owner):
                if self.modes.of(asked.model) == "on":
                    return replace(looked, to_be_given=candidate), "hit"
                return replace(looked, would_have_been=candidate), "shadow"
            if number == 0 and not verdict.same:
                self._near_misses.observe(candidate.similarity)
                self._refused.labels(verdict.reason).inc()
        return looked, "refused" if candidates else "nothing"

    async def _is_wanted(self, entry: Entry, owner: str) -> bool:
        """Whether it is to be given to an owner: not a shared one that they voted against."""
        return entry.scope != SHARED or not await self.sharing.has_voted(entry.id, owner)

    def keep(
        self, asked: Searchable, scope: Scope, looked: Looked | None, answer: StoredAnswer
    ) -> None:
        """Keep an answer, in the background, unless it holds what must not be kept.

        `looked` is None where nothing was looked up, or not in time.
        """
        if self.modes.of(asked.model) == "off":
            return
        if answer.finish_reason != "stop" or not answer.text.strip():
            return
        if has_secret(answer.text) or has_personal_data(answer.text):
            return
        task = asyncio.create_task(self._keep(asked, scope, looked, answer))
        self._keeping.add(task)
        task.add_done_callback(self._keeping.discard)

    async def _keep(
        self, asked: Searchable, scope: Scope, looked: Looked | None, answer: StoredAnswer
    ) -> None:
        try:
            place = await self._places.of(asked.text) if looked is None else looked.place
            if place is None:
                return
            fields = await self._fields(asked, scope)
            # The same question of the same scope has one entry, however often it is answered.
            identifier = entry_id(asked.text, fields)
            expires_at = answer.stored_at + self._seconds
            entry = Entry(identifier, asked.text, answer, fields, expires_at)
            await self._entries.keep(place.collection, place.vector, entry)
            if looked is not None and looked.would_have_been is not None:
                await self._report(asked, looked.would_have_been, answer)
        except (Problem, DependencyError) as error:
            _log.warning("answer can't be kept", extra={"reason": _reason(error)})

    async def _report(self, asked: Searchable, found: Candidate, answer: StoredAnswer) -> None:
        await self.report.add(
            Shadowed(
                at=answer.stored_at,
                model=asked.model,
                asked=asked.text,
                question=found.entry.question,
                similarity=round(found.similarity, 3),
                would_have_said=found.entry.answer.text,
                said=answer.text,
            )
        )

    async def wrong(self, identifier: str, owner: str) -> int:
        """Delete an owner's entry, whose answer was wrong, or count a vote against a shared one.

        Returns 0 when there is none. Raises Problem or DependencyError when the store can't be
        reached.
        """
        found = await self._delete({"scope": owner}, identifier)
        if not found:
            found = await self.sharing.vote(identifier, owner)
        self._wrong_answers += found
        return found

    async def delete(self, *, model: str) -> int:
        """Delete all entries of a model; returns how many. Raises Problem or DependencyError."""
        return await self._delete({"model": model})

    async def begin_epoch(self) -> int:
        """Begin a new epoch and delete what is of the last; returns how many entries that were.

        Raises Problem or DependencyError. Entries that could not be deleted are of no use either.
        """
        last = await self._epochs.begin()
        return 0 if last is None else await self._delete({"epoch": last})

    async def _delete(self, fields: Mapping[str, str], identifier: str | None = None) -> int:
        """Delete where look-ups look: in the collection of the embedder that there is now."""
        return await self._entries.delete(await self._places.here(), fields, identifier)

    def counted(self) -> dict[str, int]:
        """How look-ups ended, so far."""
        return dict(self._ended)

    def wrong_answers(self) -> int:
        """How many answers were said to be wrong, so far."""
        return self._wrong_answers

    async def _fields(self, asked: Searchable, scope: Scope) -> dict[str, str]:
        return {
            **asked.fields,
            "scope": scope.owner,
            "tier": scope.tier,
            "weights": f"{asked.upstream} {scope.weights}",
            "epoch": await self._epochs.current(),
        }


def _reason(error: Problem | DependencyError) -> str:
    return error.code if isinstance(error, Problem) else error.reason
