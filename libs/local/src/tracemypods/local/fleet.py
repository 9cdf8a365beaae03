"""A fleet: start it, stop it, look at it, and (in tests) hurt it.

The commands and the tests use this one class. A test writes

    with Fleet(tmp_path, parts=["redis"]) as fleet:
        client = redis.from_url(fleet.url("redis"), password=fleet.secret("redis_password"))
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType

from tracemypods.local import (
    checkout,
    lock,
    logs,
    plan,
    ports,
    request,
    secrets,
    state,
    supervisor,
    table,
)
from tracemypods.local.data_directory import PRIVATE_FILE, DataDirectory
from tracemypods.local.errors import BadRequest, FleetError, NotReady, PartDied
from tracemypods.local.request import Request
from tracemypods.local.state import FleetState, PartState, ProcessId

Report = Callable[[PartState], None]
"""Hears of every part whose state has changed."""

_POLL_SECONDS = 0.01
_QUIET_SECONDS = 60.0
"""So long may a start go on without anything changing."""
_STOP_SECONDS = 40.0


class Fleet:
    """The fleet of one data directory, whether it runs or not.

    `parts` names those of fleet.toml that are to run ("redis", "token", "gateway", …), all of
    them when it is None. `port` is the gateway's: 0 for any free one, None for the one it has
    while it runs and fleet.toml's otherwise. `environment` holds TRACEMYPODS_* variables.

    A `tied` fleet ends with this process, however it ends; others go on without it.
    """

    def __init__(
        self,
        data: Path = checkout.DEFAULT_DATA,
        *,
        parts: Iterable[str] | None = None,
        port: int | None = 0,
        environment: Mapping[str, str] | None = None,
        tied: bool = True,
    ) -> None:
        self.table = table.load()
        self.data = DataDirectory(data)
        self._parts = tuple(self.table.part_names if parts is None else parts)
        self._port = port
        ours = request.from_environment(os.environ)
        self._environment = {
            **{name: v for name, v in ours.items() if not name.startswith(request.PREFIX)},
            **(environment or {}),
        }
        self._tied = tied
        self._restart: dict[str, str] = {}
        self._process: subprocess.Popen[bytes] | None = None
        for name in self._parts:
            self._known(name)

    def __enter__(self) -> Fleet:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    # Starting and stopping

    def start(self, report: Report | None = None) -> FleetState:
        """Start what does not run or has changed, and wait until everything is ready.

        Raises PortInUse, PartDied, NotReady, MissingPackage, Unwritable and plain FleetError;
        what did start goes on running.
        """
        self.data.prepare()
        with self.data.one_command_at_a_time():
            running = self._is_running()
            if not running:
                self._end_leftovers()
            asked = Request(
                self._parts, self._choose_port(running), self._environment, self._words(running)
            )
            request.write(self.data, asked)
            if running:
                os.kill(self._supervisor_pid(), signal.SIGHUP)
            else:
                self._launch()
            return self._follow(asked.id, report)

    def restart(self, *names: str, report: Report | None = None) -> FleetState:
        """Stop parts, start them again and wait until all is ready. Raises as `start` does."""
        for name in names:
            self._known(name)
        self._restart = {**self._restart, **{name: os.urandom(8).hex() for name in names}}
        return self.start(report)

    def stop(self) -> bool:
        """Stop everything; returns whether anything ran. No process is left."""
        if not self.data.run.is_dir():
            return False
        with self.data.one_command_at_a_time():
            running = self._is_running()
            if running:
                self._stop_supervisor()
            self._let_go()
            self._end_leftovers()
            return running

    def reset(self) -> None:
        """Stop everything and delete the data directory. Raises FleetError."""
        self.stop()
        self.data.delete()

    # Looking

    def state(self) -> FleetState | None:
        """What runs; None when nothing does."""
        if not self._is_running():
            return None
        return state.read(self.data)

    def part(self, name: str) -> PartState:
        """One part that runs. Raises FleetError when it does not."""
        current = self.state()
        found = current.part(name) if current else None
        if found is None:
            raise FleetError(f"{name} does not run")
        return found

    def url(self, name: str = table.GATEWAY) -> str:
        """A running part's address: http://127.0.0.1:PORT, of the models with /v1, redis://…"""
        return self.part(name).url

    def secret(self, name: str) -> str:
        """A secret, such as `redis_password`. Raises FleetError when it is not there."""
        return secrets.read(self.data, name)

    def environment(self, service: str) -> dict[str, str]:
        """The whole environment that `service` gets, or would get if it were one of the parts."""
        self._known(service)
        self.data.prepare()
        with self.data.one_command_at_a_time():
            secrets.make(self.data, self.table)
        asked = Request(self._parts, self._port or 0, self._environment)
        return plan.service_environment(self.table, service, self.data, asked, self._reachable())

    def provided(self, need: str) -> str:
        """Where a sandbox provides what services may need, such as `smtp`. Raises FleetError."""
        known = need in self.table.provided
        address = known and plan.provided_address(self.table, need, self._reachable())
        if not address:
            raise FleetError(f"nothing that runs provides {need}")
        return address

    def wanted_parts(self) -> tuple[str, ...]:
        """The parts that a start has run."""
        return plan.wanted_parts(self.table, Request(self._parts, 0, self._environment))

    def log(self, name: str) -> Path:
        """Where a part's output goes."""
        return self.data.log(name)

    def wait_until_ready(self, *names: str, after_restarts: int | None = None) -> FleetState:
        """Wait until parts (all of them when none is named) are ready.

        With `after_restarts`, until each was also restarted more often than that. Raises
        NotReady when nothing changes for a minute.
        """

        def good(current: FleetState) -> bool:
            chosen = [part for part in current.parts if not names or part.name in names]
            return all(
                part.state == "ready" and (after_restarts is None or part.restarts > after_restarts)
                for part in chosen
            )

        return self._wait(good, lambda _: None)

    def running_request(self) -> Request:
        """What was asked for of the fleet that runs. Raises FleetError when none does."""
        if not self._is_running():
            raise FleetError("nothing runs: start it with `make up`")
        return request.read(self.data)

    # Hurting

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """Send a part a signal."""
        pid = self.part(name).pid
        if pid is None:
            raise FleetError(f"{name} has no process now")
        os.kill(pid, number)

    def pause(self, name: str) -> None:
        """Make a part hang: it goes on accepting connections, and says nothing."""
        self.kill(name, signal.SIGSTOP)

    def resume(self, name: str) -> None:
        """Let a paused part go on."""
        self.kill(name, signal.SIGCONT)

    # The rest is how

    def _known(self, name: str) -> None:
        if name not in self.table.part_names:
            known = ", ".join(self.table.part_names)
            raise BadRequest(f"there is no part called {name}; there are {known}")

    def _reachable(self) -> dict[str, int]:
        """The ports that parts of ours have, or had when they last ran."""
        wanted = self.wanted_parts()
        recorded = ports.recorded(self.data)
        return {name: p for name, p in recorded.items() if name.partition(".")[0] in wanted}

    def _choose_port(self, running: bool) -> int:
        has = self._current_port() if running else None
        if table.GATEWAY not in self._parts:
            return 0
        wanted = self._port
        if wanted is None:
            wanted = has or self.table.gateway_port
        if wanted and wanted != has:
            ports.require_free(wanted)
        return wanted

    def _words(self, running: bool) -> dict[str, str]:
        """The words that had parts restarted, so that they are not restarted by the same again."""
        before: Mapping[str, str] = {}
        if running:
            with contextlib.suppress(FleetError):
                before = request.read(self.data).restart
        return {**before, **self._restart}

    def _current_port(self) -> int | None:
        current = state.read(self.data)
        if current and current.port:
            return current.port
        # It is just starting, or somebody has spoilt its file: what it was last asked for.
        with contextlib.suppress(FleetError):
            return request.read(self.data).port or None
        return None

    def _end_leftovers(self) -> None:
        descriptor = lock.acquire(self.data.lock)
        if descriptor is not None:
            try:
                supervisor.end_leftovers(self.data)
                self.data.state.unlink(missing_ok=True)
            finally:
                os.close(descriptor)

    def _let_go(self) -> None:
        """Reap the supervisor that this object has started, which ends when its input closes."""
        if self._process:
            if self._process.stdin:
                self._process.stdin.close()
            self._process.wait()
            self._process = None

    def _launch(self) -> None:
        self._let_go()
        output = os.open(
            self.data.log("supervisor"), os.O_WRONLY | os.O_APPEND | os.O_CREAT, PRIVATE_FILE
        )
        try:
            process = subprocess.Popen(
                [
                    *(sys.executable, "-I", "-m", supervisor.__name__, str(self.data.root)),
                    "--until-input-closes" if self._tied else "--detach",
                ],
                stdin=subprocess.PIPE if self._tied else subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self.data.root,
                env={"PATH": os.defpath},
                start_new_session=True,
            )
        finally:
            os.close(output)
        if self._tied:
            self._process = process
        elif process.wait():
            raise FleetError(self._supervisor_ended())

    def _supervisor_pid(self) -> int:
        """The running supervisor's process id, which it writes once it can take signals."""
        give_up = time.monotonic() + _QUIET_SECONDS
        while time.monotonic() < give_up:
            pid = lock.holder(self.data.lock)
            if pid is not None:
                return pid
            if not self._is_running():
                break
            time.sleep(_POLL_SECONDS)
        raise FleetError("the fleet's supervisor has just ended: run this again")

    def _stop_supervisor(self) -> None:
        try:
            process = ProcessId.of(self._supervisor_pid())
        except FleetError:
            return
        process.signal(signal.SIGTERM)
        if not process.ends_within(_STOP_SECONDS):
            # What it runs ends with it, or is ended as a leftover.
            process.signal(signal.SIGKILL)
            process.ends_within(_STOP_SECONDS)

    def _follow(self, identifier: str, report: Report | None) -> FleetState:
        shown: dict[str, tuple[object, ...]] = {}

        def look(current: FleetState) -> None:
            if current.request != identifier:
                return
            if current.error:
                raise FleetError(current.error)
            for part in current.parts:
                said = (part.state, part.pid)
                if report and shown.get(part.name) != said:
                    shown[part.name] = said
                    report(part)
            for part in current.parts:
                # One that was ready and died since is being started again.
                if part.state in ("restarting", "failed") and part.seconds is None:
                    raise PartDied(self._explain(part))

        def good(current: FleetState) -> bool:
            return current.request == identifier and all(
                part.state == "ready" for part in current.parts
            )

        return self._wait(good, look)

    def _wait(
        self, good: Callable[[FleetState], bool], look: Callable[[FleetState], None]
    ) -> FleetState:
        last: FleetState | None = None
        give_up = time.monotonic() + _QUIET_SECONDS
        while True:
            current = state.read(self.data)
            if current and current != last:
                last = current
                give_up = time.monotonic() + _QUIET_SECONDS
                look(current)
                if good(current):
                    return current
            ended = self._process.poll() is not None if self._process else not self._is_running()
            if ended:
                raise FleetError(self._supervisor_ended())
            if time.monotonic() > give_up:
                raise NotReady(self._why_not_ready(last))
            time.sleep(_POLL_SECONDS)

    def _is_running(self) -> bool:
        return lock.is_held(self.data.lock)

    def _supervisor_ended(self) -> str:
        return (
            "the fleet's supervisor has ended: run this again; its last lines "
            f"({self.log('supervisor')}):" + _indented(logs.last_lines(self.log("supervisor")))
        )

    def _why_not_ready(self, last: FleetState | None) -> str:
        waiting = [part for part in last.parts if part.state != "ready"] if last else []
        if not waiting:
            return (
                f"the fleet's supervisor has not answered for {_QUIET_SECONDS:.0f} s: check the "
                f"space left on the disk of {self.data.root}, and {self.log('supervisor')}"
            )
        part = waiting[0]
        return (
            f"{part.name} is not ready, and nothing has changed for {_QUIET_SECONDS:.0f} s: "
            f"{part.detail or part.state}" + _indented(logs.last_lines(self.log(part.name)))
        )

    def _explain(self, part: PartState) -> str:
        text = f"{part.name} did not start: {part.detail}"
        if part.log:
            text += f"; its last lines ({self.log(part.name)}):" + _indented(part.log)
        return text


def _indented(lines: Iterable[str]) -> str:
    return "".join(f"\n    {line}" for line in lines)
