"""The process that keeps a fleet running: one per data directory, in a session of its own.

It does what run/request.json asks for (again on SIGHUP), says in run/state.json how things are,
and stops everything on SIGTERM. It is single-threaded on purpose; see `Programs`.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
from pathlib import Path

from tracemypods.local import lock, logs, ports, request, state, table
from tracemypods.local.data_directory import DataDirectory
from tracemypods.local.errors import FleetError
from tracemypods.local.parts import Part
from tracemypods.local.plan import PRELOAD, plan
from tracemypods.local.processes import Child, Forkserver, Programs
from tracemypods.local.runner import Runner
from tracemypods.local.state import FleetState, ProcessId

EXIT_ALREADY_RUNNING = 75

_LOG_CHECK_SECONDS = 15.0
_LEFTOVER_SECONDS = 5.0
_WRITE_AGAIN_SECONDS = 1.0

_log = logging.getLogger(__name__)


class Supervisor:
    """Runs the parts of one fleet."""

    def __init__(self, data: DataDirectory) -> None:
        self._data = data
        self._runners: dict[str, Runner] = {}
        self._ports = ports.Ports(data)
        self._state = FleetState(ProcessId.of(os.getpid()), request="")
        self._stop = asyncio.Event()
        self._reconcile = asyncio.Event()
        self._changed = asyncio.Event()
        self._programs = Programs()
        self._forkserver = Forkserver(data, self._programs, PRELOAD, self._changed.set)
        self._shared = ""

    async def run(self, until_input_closes: bool) -> None:
        """Run until told to stop."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._stop.set)
        loop.add_signal_handler(signal.SIGINT, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._reconcile.set)
        if until_input_closes:
            loop.add_reader(0, self._input_closed)
        writing = asyncio.create_task(self._write_changes())
        cutting = asyncio.create_task(self._cut_logs())
        self._reconcile.set()
        try:
            while await self._next():
                self._reconcile.clear()
                await self._apply()
        finally:
            cutting.cancel()
            await self._stop_parts(list(self._runners.values()))
            await self._forkserver.stop()
            writing.cancel()

    async def _next(self) -> bool:
        """Wait for something to do; False when it is time to stop."""
        waits = [asyncio.create_task(event.wait()) for event in (self._stop, self._reconcile)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        return not self._stop.is_set()

    async def _apply(self) -> None:
        """Bring what runs in line with the request."""
        wanted_id = self._state.request
        error: str | None = None
        try:
            asked = request.read(self._data)
            wanted_id = asked.id
            parts = plan(table.load(), self._data, asked, self._ports)
        except FleetError as problem:
            _log.error("%s", problem)
            error = str(problem)
        else:
            await self._run_exactly(parts)
            self._state.port = next((p.port for p in parts if p.kind == "gateway"), None)
        self._state.error = error
        self._state.request = wanted_id
        self._changed.set()

    async def _run_exactly(self, parts: list[Part]) -> None:
        wanted = {part.name: part for part in parts}
        outdated = [
            runner
            for name, runner in self._runners.items()
            if name not in wanted
            or wanted[name].fingerprint != runner.part.fingerprint
            or not runner.healthy
        ]
        await self._stop_parts(outdated)
        for runner in outdated:
            del self._runners[runner.part.name]
        await self._renew_forkserver(parts)
        for part in parts:
            if part.name not in self._runners:
                _log.info("starting %s", part.name)
                self._runners[part.name] = Runner(
                    part,
                    self._data.log(part.name),
                    self._start,
                    self._changed.set,
                    self._port_taken,
                )
        self._runners = {name: self._runners[name] for name in wanted}

    async def _renew_forkserver(self, parts: list[Part]) -> None:
        """Let go of a forkserver whose packages have changed since (its services have, too)."""
        shared = next((part.shared for part in parts if part.module), "")
        if shared != self._shared:
            await self._forkserver.stop()
            self._shared = shared

    async def _stop_parts(self, runners: list[Runner]) -> None:
        """Stop the services and the gateway, which may still need the others, then those."""
        for needed in (False, True):
            chosen = [r for r in runners if (r.part.kind in ("backend", "sandbox")) is needed]
            await asyncio.gather(*(runner.stop() for runner in chosen))

    async def _start(self, part: Part) -> Child:
        if part.module:
            return await self._forkserver.start(part, self._data.log(part.name), self._data.root)
        return self._programs.start(
            part.command, dict(part.environment), self._data.log(part.name), self._data.root
        )

    def _port_taken(self, part: Part) -> bool:
        """Give a part whose port somebody else has another one; False when it can't have one."""
        if part.kind == "gateway":
            return False
        _log.warning("port %s of %s is taken: using another", part.port, part.name)
        self._ports.release(part.name)
        self._reconcile.set()
        return True

    def _input_closed(self) -> None:
        if not os.read(0, 4096):
            asyncio.get_running_loop().remove_reader(0)
            self._stop.set()

    async def _write_changes(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            self._state.parts = [runner.state for runner in self._runners.values()]
            self._state.forkserver = self._forkserver.process
            try:
                state.write(self._data, self._state)
            except FleetError as problem:
                # A full disk is no reason to stop what runs; the next change is written again.
                _log.error("%s", problem)
                await asyncio.sleep(_WRITE_AGAIN_SECONDS)
                self._changed.set()

    async def _cut_logs(self) -> None:
        while True:
            await asyncio.sleep(_LOG_CHECK_SECONDS)
            logs.cut(self._data.logs)


def end_leftovers(data: DataDirectory) -> None:
    """End what a killed supervisor has left behind; call it with the lock held.

    On Linux there is nothing (see tether.py), or it is just about to end.
    """
    last = state.read(data)
    for process in last.processes() if last else ():
        if process.pid != os.getpid():
            process.signal(signal.SIGKILL)
            process.ends_within(_LEFTOVER_SECONDS)


def main() -> int:
    """Run a supervisor in this process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("--until-input-closes", action="store_true")
    parser.add_argument("--detach", action="store_true", help="go on in a child of init")
    arguments = parser.parse_args()
    data = DataDirectory(arguments.data)
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )
    descriptor = lock.acquire(data.lock)
    if descriptor is None:
        return EXIT_ALREADY_RUNNING
    if arguments.detach and os.fork():
        # The lock is the child's now; whoever started us need not wait for it to end.
        return 0
    # Until its handler is in place, a SIGHUP would end this process.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    lock.write_pid(descriptor)
    end_leftovers(data)

    async def run() -> None:
        await Supervisor(data).run(arguments.until_input_closes)

    asyncio.run(run())
    data.state.unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
