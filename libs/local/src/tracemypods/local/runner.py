"""Keeping one part running: start, wait until it is ready, start again with back-off."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from tracemypods.local import logs, ports
from tracemypods.local.errors import FleetError
from tracemypods.local.parts import Part
from tracemypods.local.probes import NotYet
from tracemypods.local.processes import Child
from tracemypods.local.state import PartState, Phase

FIRST_DELAY_SECONDS = 0.5
LONGEST_DELAY_SECONDS = 30.0
STABLE_SECONDS = 60.0
"""A part that was ready for so long has recovered; its next death is a first one."""

EXIT_BAD_SETTINGS = 78
"""A service's way to say that starting it again will not help (EX_CONFIG of sysexits.h)."""

_PROBE_SECONDS = 3.0
_FIRST_PAUSE_SECONDS = 0.02
_LONGEST_PAUSE_SECONDS = 0.25


class Runner:
    """One part and the task that keeps it running."""

    def __init__(
        self,
        part: Part,
        log: Path,
        start: Callable[[Part], Awaitable[Child]],
        changed: Callable[[], None],
        port_taken: Callable[[Part], bool],
    ) -> None:
        self.part = part
        self.state = PartState(part.name, part.kind, "starting", part.url)
        self._log = log
        self._start = start
        self._changed = changed
        self._port_taken = port_taken
        self._stop = asyncio.Event()
        self._delay = FIRST_DELAY_SECONDS
        self._began = time.monotonic()
        self._task = asyncio.create_task(self._keep_running(), name=part.name)

    @property
    def healthy(self) -> bool:
        """Whether it runs or is about to, so that it can be left alone."""
        process = self.state.process
        if process and not process.runs():
            return False  # it has just died; we hear of that in a moment
        return self.state.state in ("starting", "ready")

    async def stop(self) -> None:
        """End the part and wait until it has ended."""
        self._stop.set()
        await self._task

    async def _keep_running(self) -> None:
        while not self._stop.is_set():
            began = logs.size(self._log)
            self._began = time.monotonic()
            self._show("starting", seconds=None)
            try:
                child = await self._start(self.part)
            except (FleetError, OSError) as error:
                self._show("restarting", detail=str(error), log=[])
            else:
                status = await self._watch(child)
                if status is None:
                    break
                taken = self._taken_port() if self.state.seconds is None else None
                if taken is not None:
                    if self._port_taken(self.part):
                        # It is replaced in a moment, with another port.
                        await self._stop.wait()
                        break
                    self._show("restarting", detail=ports.in_use(taken), log=[])
                else:
                    self._show(
                        "failed" if status == EXIT_BAD_SETTINGS else "restarting",
                        detail=f"it {ending(status)}",
                        log=logs.last_lines(self._log, since=began),
                    )
                if status == EXIT_BAD_SETTINGS:
                    await self._stop.wait()
                    break
            if await self._stopped_within(self._delay):
                break
            self._delay = min(self._delay * 2, LONGEST_DELAY_SECONDS)
            self.state.restarts += 1
        self._show("stopped")

    def _taken_port(self) -> int | None:
        """The first of the part's ports that somebody else has, if there is one."""
        mine = (self.part.port, *self.part.more_ports)
        return next((port for port in mine if not ports.is_free(port)), None)

    async def _watch(self, child: Child) -> int | None:
        """The status with which the part died; None when it was told to stop."""
        self.state.process = child.process
        self._changed()
        stop = asyncio.create_task(self._stop.wait())
        ready = asyncio.create_task(self._until_ready())
        try:
            await asyncio.wait({child.exited, stop, ready}, return_when=asyncio.FIRST_COMPLETED)
            was_ready = ready.done() and not child.exited.done()
            ready_at = time.monotonic()
            if was_ready and not self._stop.is_set():
                self._show("ready", seconds=ready_at - self._began, detail=None, log=[])
                await asyncio.wait({child.exited, stop}, return_when=asyncio.FIRST_COMPLETED)
            if not child.exited.done():
                await self._end(child)
                return None
        finally:
            stop.cancel()
            ready.cancel()
            self.state.process = None
        if was_ready and time.monotonic() - ready_at > STABLE_SECONDS:
            self._delay = FIRST_DELAY_SECONDS
        return child.exited.result()

    async def _until_ready(self) -> None:
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                async with asyncio.timeout(_PROBE_SECONDS):
                    await self.part.probe.ask()
                    return
            except NotYet as reason:
                detail = str(reason)
            except TimeoutError:
                detail = f"it accepts connections, but gives no answer in {_PROBE_SECONDS:g} s"
            except OSError:
                detail = f"nothing listens on port {self.part.port} yet"
            if detail != self.state.detail:
                self.state.detail = detail
                self._changed()
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE_SECONDS)

    async def _end(self, child: Child) -> None:
        self._show("stopping")
        child.signal(signal.SIGTERM)
        # A part that was stopped (SIGSTOP) only gets to see the SIGTERM once it goes on.
        child.signal(signal.SIGCONT)
        try:
            async with asyncio.timeout(self.part.stop_seconds):
                await asyncio.shield(child.exited)
        except TimeoutError:
            child.signal(signal.SIGKILL)
            await child.exited

    async def _stopped_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._stop.wait()
        except TimeoutError:
            return False
        return True

    def _show(self, phase: Phase, **values: object) -> None:
        self.state.state = phase
        for name, value in values.items():
            setattr(self.state, name, value)
        self._changed()


def ending(status: int) -> str:
    """How a process ended, in words."""
    if status >= 0:
        return f"ended with status {status}"
    try:
        return f"was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"was ended by signal {-status}"
