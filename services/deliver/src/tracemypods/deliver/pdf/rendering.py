"""Rendering documents in processes of their own, so that the event loop never waits for one.

A worker that dies or takes too long is replaced, and only the document that it was about is told.
It gets no environment but its own, so that no secret and no proxy is in reach of a template.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from dataclasses import dataclass

from tracemypods.deliver.invoices.document import Document
from tracemypods.deliver.pdf.contents import sheet_of
from tracemypods.deliver.pdf.errors import (
    EngineUnusable,
    RendererDied,
    RenderFailed,
    RenderTimedOut,
)
from tracemypods.deliver.pdf.renderer import EngineName
from tracemypods.deliver.pdf.worker import (
    FAILED,
    HEAD,
    READY,
    RENDERED,
    SHEET,
    UNUSABLE,
    message,
)
from tracemypods.kit.tasks import end

_log = logging.getLogger("tracemypods.deliver")

_MODULE = "tracemypods.deliver.pdf.worker"
_LARGEST_ANSWER = 32 * 1024 * 1024


@dataclass(frozen=True)
class Limits:
    """What rendering may take."""

    workers: int = 1
    seconds: float = 30.0
    """For one document."""
    start_seconds: float = 60.0
    """For a worker to be ready."""
    documents: int = 200
    """After so many a worker is replaced, since libraries don't give all memory back."""
    memory_mib: int = 512
    """Of one worker, on Linux; beyond it the worker dies."""


class Rendering:
    """Renders documents in worker processes.

    Use `start` and `close`, or the two as a context manager.
    """

    def __init__(self, engine: EngineName = "typst", limits: Limits | None = None) -> None:
        self._engine: EngineName = engine
        self._limits = limits or Limits()
        self._places = asyncio.Semaphore(self._limits.workers)
        self._free: list[_Worker] = []
        self._busy: set[_Worker] = set()
        self._tasks: set[asyncio.Task[bytes]] = set()
        self._closed = False

    @property
    def pids(self) -> list[int]:
        """The workers' process ids."""
        return [one.pid for one in (*self._free, *self._busy)]

    async def __aenter__(self) -> Rendering:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def start(self) -> None:
        """Start the workers, and wait until they are ready.

        Raises EngineUnusable, RendererDied and RenderTimedOut.
        """
        try:
            while len(self._free) < self._limits.workers:
                self._free.append(await _Worker.start(self._engine, self._limits))
        except BaseException:
            await self.close()
            raise

    async def render(self, document: Document) -> bytes:
        """A PDF file of a document. Waiting for a free worker is not limited.

        Raises RenderFailed where no try will do better, RendererDied and RenderTimedOut where one
        may. A caller that is cancelled leaves its worker to others when that is done.
        """
        sheet = sheet_of(document).to_json().encode()
        await self._places.acquire()
        task = asyncio.create_task(self._render(sheet))
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return await asyncio.shield(task)

    async def close(self) -> None:
        """End all workers at once; what they were at is lost."""
        self._closed = True
        await end(*self._tasks)
        while self._free:
            await self._free.pop().kill()

    def _done(self, task: asyncio.Task[bytes]) -> None:
        self._tasks.discard(task)
        self._places.release()
        if not task.cancelled():
            task.exception()  # its caller may be gone

    async def _render(self, sheet: bytes) -> bytes:
        if self._closed:
            raise RendererDied("rendering has ended")
        worker = self._free.pop() if self._free else None
        if worker is not None and not worker.usable:
            await worker.kill()
            worker = None
        if worker is None:
            worker = await _Worker.start(self._engine, self._limits)
        self._busy.add(worker)
        keep = False
        try:
            made = await worker.render(sheet)
            keep = True
        except RenderFailed:
            keep = True
            raise
        finally:
            self._busy.discard(worker)
            if keep and worker.usable:
                self._free.append(worker)
            else:
                await worker.kill()
        return made


class _Worker:
    """One process, ready to render. One document at a time."""

    def __init__(self, process: Process, limits: Limits) -> None:
        self._process = process
        self._limits = limits
        self._left = limits.documents

    @classmethod
    async def start(cls, engine: EngineName, limits: Limits) -> _Worker:
        """Start one and wait until it is ready.

        Raises EngineUnusable, RendererDied and RenderTimedOut.
        """
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-m", _MODULE),
            *(engine, str(os.getpid()), str(limits.memory_mib)),
            stdin=PIPE,
            stdout=PIPE,
            env={"LANG": "C.UTF-8", "MALLOC_ARENA_MAX": "1", "RAYON_NUM_THREADS": "1"},
        )
        worker = cls(process, limits)
        try:
            kind, content = await worker._answer(limits.start_seconds)
        except BaseException:
            await worker.kill()
            raise
        if kind == UNUSABLE:
            await worker.kill()
            raise EngineUnusable(content.decode())
        if kind != READY:
            await worker.kill()
            raise RendererDied("the renderer did not start")
        return worker

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def usable(self) -> bool:
        """Whether it runs, and may take another document."""
        return self._process.returncode is None and self._left > 0

    async def render(self, sheet: bytes) -> bytes:
        """A PDF file. Raises RenderFailed, RendererDied and RenderTimedOut."""
        self._left -= 1
        try:
            if self._process.stdin is not None:
                self._process.stdin.write(message(SHEET, sheet))
        except OSError:
            raise RendererDied("the renderer has ended") from None
        kind, content = await self._answer(self._limits.seconds)
        if kind == FAILED:
            raise RenderFailed(content.decode())
        if kind != RENDERED:
            raise RendererDied("the renderer answered nonsense")
        return content

    async def kill(self) -> None:
        """End it, whatever it does, and wait for its end."""
        with suppress(ProcessLookupError):
            self._process.kill()
        if self._process.stdin is not None:
            self._process.stdin.close()
        await self._process.wait()

    async def _answer(self, seconds: float) -> tuple[bytes, bytes]:
        """The next message. Raises RendererDied and RenderTimedOut."""
        output = self._process.stdout
        if output is None:
            raise RendererDied("the renderer has no output")
        try:
            async with asyncio.timeout(seconds):
                kind, size = HEAD.unpack(await output.readexactly(HEAD.size))
                if size > _LARGEST_ANSWER:
                    raise RendererDied("the renderer answered too much")
                return kind, await output.readexactly(size)
        except TimeoutError:
            _log.warning("a document took too long", extra={"seconds": seconds})
            raise RenderTimedOut(f"it took longer than {seconds:g} s") from None
        except (asyncio.IncompleteReadError, OSError):
            _log.warning("the renderer has ended", extra={"pid": self.pid})
            raise RendererDied("the renderer has ended") from None
