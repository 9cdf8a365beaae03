"""Micro-batching: texts that arrive together share a run of the model.

    embed() ─ cache ─ what others asked for already ─ queue ─ worker ─ engine

Callers take turns in the queue, text by text, so that a call with one text does not wait for one
with hundreds. A worker takes what there is, sorts it by length and cuts it into runs, since a
short text beside a long one is padded to its length.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict, deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from tracemypods.embedding.engines.engine import Engine, Prepared
from tracemypods.embedding.metrics import EmbeddingMetrics
from tracemypods.kit.errors import Unavailable
from tracemypods.kit.tasks import end

RUNS_SORTED = 4
"""A worker takes as many texts as fill so many runs, to have some to sort."""

CHARACTERS_A_TOKEN = 3
"""Cautious guess, for texts that are not tokens yet."""


PADDING_TOKENS = 128
"""A run more costs about as much as so many tokens."""

ItemT = TypeVar("ItemT")


@dataclass(frozen=True)
class Limits:
    """Bounds of runs and of the queue. `wait` is in seconds."""

    texts: int
    tokens: int
    wait: float
    queue: int
    cache: int


@dataclass(frozen=True)
class Embedded:
    """A text's vector, and what the model read of the text."""

    vector: NDArray[np.float32]
    tokens: int
    truncated: bool


@dataclass(frozen=True)
class Answer:
    """What a call gets: one Embedded a text, in order, and how it came about.

    `queue` and `inference` are the longest of its texts', in seconds; `batch` is the largest run
    that one of its texts was in, 0 when all were remembered.
    """

    found: list[Embedded]
    queue: float
    inference: float
    batch: int
    cached: int


@dataclass(eq=False)
class _Item:
    """One text that is waited for, by one caller or more."""

    key: bytes
    text: str
    arrived: float
    done: asyncio.Future[Embedded]
    waiters: int = 0
    begun: bool = False
    queue: float = 0.0
    inference: float = 0.0
    batch: int = 0


@dataclass
class _Queue:
    """Items of several calls. The calls take turns."""

    calls: deque[deque[_Item]] = field(default_factory=deque[deque[_Item]])
    size: int = 0
    """Items that somebody still waits for."""

    def add(self, items: Sequence[_Item]) -> None:
        """Queue the items of one call."""
        self.calls.append(deque(items))
        self.size += len(items)

    def take(self) -> Iterator[_Item]:
        """Take items in turn, as long as the caller goes on."""
        while self.calls:
            call = self.calls.popleft()
            while call and not call[0].waiters:
                call.popleft()
            if not call:
                continue
            item = call.popleft()
            if call:
                self.calls.append(call)
            self.size -= 1
            item.begun = True
            yield item

    def oldest(self) -> float:
        """When the first of them arrived."""
        return min((call[0].arrived for call in self.calls), default=0.0)


class Batcher:
    """Makes vectors with an engine, for many callers at once."""

    def __init__(self, engine: Engine, limits: Limits, metrics: EmbeddingMetrics) -> None:
        self._engine = engine
        self._limits = limits
        self._metrics = metrics
        self._queue = _Queue()
        self._pending: dict[bytes, _Item] = {}
        self._recent: OrderedDict[bytes, Embedded] = OrderedDict()
        self._arrived = asyncio.Event()
        self._full = asyncio.Event()
        self._workers: list[asyncio.Task[None]] = []
        metrics.waiting.set_function(lambda: self._queue.size)

    def start(self) -> None:
        """Begin to work, once the engine has started."""
        self._workers = [
            asyncio.create_task(self._work(), name="embedding worker")
            for _ in range(self._engine.parallel)
        ]

    async def close(self) -> None:
        """Stop; whoever still waits is told so."""
        await end(*self._workers)
        for item in self._pending.values():
            _fail(item, _stopping())

    async def embed(self, texts: Sequence[str]) -> Answer:
        """The vectors of texts. A caller that is cancelled is not worked for any longer.

        Raises Unavailable: `embedding_busy` at once when the queue is full, or the engine's.
        """
        keys = [hashlib.sha256(text.encode()).digest() for text in texts]
        found: dict[bytes, Embedded] = {}
        waited: dict[bytes, _Item] = {}
        new: dict[bytes, str] = {}
        for key, text in zip(keys, texts, strict=True):
            if key in found or key in waited or key in new:
                continue
            if (recent := self._recent.get(key)) is not None:
                self._recent.move_to_end(key)
                found[key] = recent
            elif (item := self._pending.get(key)) is not None:
                waited[key] = item
            else:
                new[key] = text
        self._metrics.from_cache.inc(len(found))
        self._admit(len(new))
        self._metrics.shared.inc(len(waited))
        self._metrics.from_model.inc(len(new))
        cached = len(found)
        if new:
            waited |= self._enqueue(new)
        items = list(waited.values())
        for item in items:
            item.waiters += 1
        try:
            for key, item in waited.items():
                found[key] = await asyncio.shield(item.done)
        finally:
            for item in items:
                self._leave(item)
        return Answer(
            [found[key] for key in keys],
            queue=max((item.queue for item in items), default=0.0),
            inference=max((item.inference for item in items), default=0.0),
            batch=max((item.batch for item in items), default=0),
            cached=cached,
        )

    def _admit(self, texts: int) -> None:
        if texts and self._queue.size + texts > self._limits.queue:
            self._metrics.refused.inc(texts)
            raise Unavailable(
                f"{self._queue.size} texts wait already, and no more than {self._limits.queue} "
                "may. Try again in a few seconds.",
                code="embedding_busy",
            )

    def _enqueue(self, new: dict[bytes, str]) -> dict[bytes, _Item]:
        loop, now = asyncio.get_running_loop(), time.perf_counter()
        items = {key: _Item(key, text, now, loop.create_future()) for key, text in new.items()}
        self._pending |= items
        self._queue.add(list(items.values()))
        self._arrived.set()
        if self._queue.size >= self._limits.texts:
            self._full.set()
        return items

    def _leave(self, item: _Item) -> None:
        """One caller less waits for an item. One that nobody waits for is not worked on."""
        item.waiters -= 1
        if item.waiters or item.begun or item.done.done():
            return
        self._queue.size -= 1
        self._drop(item)

    async def _work(self) -> None:
        while True:
            await self._arrived.wait()
            await self._wait_for_more()
            items = self._take()
            if items:
                await self._process(items)

    async def _wait_for_more(self) -> None:
        """Let others join, for as long as a text may wait for that, or until a run is full."""
        left = self._queue.oldest() + self._limits.wait - time.perf_counter()
        if left > 0 and self._queue.size < self._limits.texts:
            self._full.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._full.wait()

    def _take(self) -> list[_Item]:
        limits, items, tokens = self._limits, list[_Item](), 0
        now = time.perf_counter()
        for item in self._queue.take():
            item.queue = now - item.arrived
            self._metrics.queue_seconds.observe(item.queue)
            items.append(item)
            tokens += len(item.text) // CHARACTERS_A_TOKEN + 1
            if len(items) >= RUNS_SORTED * limits.texts or tokens >= 2 * limits.tokens:
                break
        if not self._queue.size:
            self._arrived.clear()
        return items

    async def _process(self, items: Sequence[_Item]) -> None:
        waiting = list(items)
        try:
            texts = await self._engine.prepare([item.text for item in items])
            pairs = sorted(zip(texts, items, strict=True), key=lambda pair: pair[0].tokens)
            for run in runs(pairs, self._limits):
                if wanted := [pair for pair in run if self._is_wanted(pair[1])]:
                    await self._run(wanted)
                waiting = [item for item in waiting if not item.done.done()]
        except asyncio.CancelledError:
            for item in waiting:
                _fail(item, _stopping())
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the callers are told
            for item in waiting:
                _fail(item, error)
        finally:
            for item in items:
                self._forget(item)

    def _is_wanted(self, item: _Item) -> bool:
        """Whether somebody still waits for an item; it is dropped otherwise."""
        if not item.waiters:
            self._drop(item)
        return item.waiters > 0

    def _drop(self, item: _Item) -> None:
        item.done.cancel()
        self._forget(item)
        self._metrics.dropped.inc()

    def _forget(self, item: _Item) -> None:
        """Nobody can join it any more. (The same text may be pending anew.)"""
        if self._pending.get(item.key) is item:
            del self._pending[item.key]

    async def _run(self, run: Sequence[tuple[Prepared, _Item]]) -> None:
        started = time.perf_counter()
        vectors = await self._engine.embed([text for text, _ in run])
        seconds = time.perf_counter() - started
        self._metrics.inference_seconds.observe(seconds)
        self._metrics.batch_texts.observe(len(run))
        for vector, (text, item) in zip(vectors, run, strict=True):
            # A copy: a row would keep the whole run's vectors alive.
            embedded = Embedded(vector.copy(), text.tokens, text.truncated)
            item.inference, item.batch = seconds, len(run)
            self._remember(item.key, embedded)
            self._forget(item)
            if not item.done.done():
                item.done.set_result(embedded)

    def _remember(self, key: bytes, embedded: Embedded) -> None:
        if self._limits.cache:
            self._recent[key] = embedded
            if len(self._recent) > self._limits.cache:
                self._recent.popitem(last=False)


def _stopping() -> Unavailable:
    return Unavailable("The service is being restarted. Try again.", code="shutting_down")


def _fail(item: _Item, error: Exception) -> None:
    if item.waiters and not item.done.done():
        item.done.set_exception(error)
    else:
        item.done.cancel()


def runs(
    pairs: Sequence[tuple[Prepared, ItemT]], limits: Limits
) -> Iterator[list[tuple[Prepared, ItemT]]]:
    """Cut texts that are sorted by length into runs.

    A run ends when it is full, or when the next text is so much longer that padding the others to
    it would cost more than a run more.
    """
    run: list[tuple[Prepared, ItemT]] = []
    for pair in pairs:
        length = pair[0].tokens
        full = len(run) >= limits.texts or (len(run) + 1) * length > limits.tokens
        if run and (full or _padding(run, length) > PADDING_TOKENS):
            yield run
            run = []
        run.append(pair)
    if run:
        yield run


def _padding(run: Sequence[tuple[Prepared, object]], length: int) -> int:
    """How many more tokens of padding a run has when its longest text has this length."""
    return len(run) * (length - run[-1][0].tokens)
