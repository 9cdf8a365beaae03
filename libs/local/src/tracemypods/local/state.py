"""What runs, as the supervisor writes it and everybody else reads it (run/state.json)."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, cast

import psutil

from tracemypods.local.data_directory import DataDirectory, write_whole

Kind = Literal["backend", "sandbox", "service", "gateway"]
Phase = Literal["starting", "ready", "restarting", "failed", "stopping", "stopped"]

_SAME_START_SECONDS = 2.0
"""How far two readings of one process's start time may be apart."""

_POLL_SECONDS = 0.01


@dataclass
class ProcessId:
    """One process, told apart from a later one that was given the same number."""

    pid: int
    created: float
    """When the process started, seconds since the epoch."""

    @classmethod
    def of(cls, pid: int) -> ProcessId:
        """Describe a process that runs."""
        try:
            return cls(pid, psutil.Process(pid).create_time())
        except psutil.Error:
            return cls(pid, 0.0)

    def runs(self) -> bool:
        """Whether it still runs (what has ended and only waits to be reaped does not)."""
        try:
            process = psutil.Process(self.pid)
            if abs(process.create_time() - self.created) > _SAME_START_SECONDS:
                return False
            return process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False

    def signal(self, number: int) -> None:
        """Send a signal, if it still runs."""
        with contextlib.suppress(ProcessLookupError):
            if self.runs():
                os.kill(self.pid, number)

    def ends_within(self, seconds: float) -> bool:
        """Wait until it has ended; False when it has not by then.

        It need not be a child of ours. (psutil would wait for it to be reaped, too, which the
        first process of a container may be slow to do.)
        """
        give_up = time.monotonic() + seconds
        while self.runs():
            if time.monotonic() > give_up:
                return False
            time.sleep(_POLL_SECONDS)
        return True


@dataclass
class PartState:
    """One part."""

    name: str
    kind: Kind
    state: Phase
    url: str
    process: ProcessId | None = None
    restarts: int = 0
    """How often it was started again because it had died."""
    seconds: float | None = None
    """How long its last start took until it was ready."""
    detail: str | None = None
    """Why it is not ready, in one line; what it last said comes in `log`."""
    log: list[str] = field(default_factory=list[str])

    @property
    def pid(self) -> int | None:
        """Its process, if it has one."""
        return self.process.pid if self.process else None


@dataclass
class FleetState:
    """The whole fleet."""

    supervisor: ProcessId
    request: str
    """The id of the request that this state answers."""
    error: str | None = None
    """Why the request could not be carried out."""
    port: int | None = None
    """The gateway's."""
    forkserver: ProcessId | None = None
    parts: list[PartState] = field(default_factory=list[PartState])

    def part(self, name: str) -> PartState | None:
        """One part by its name."""
        return next((part for part in self.parts if part.name == name), None)

    def processes(self) -> list[ProcessId]:
        """Everything that runs for this fleet, the supervisor first."""
        found = [self.supervisor, self.forkserver, *(part.process for part in self.parts)]
        return [process for process in found if process]


def write(data: DataDirectory, state: FleetState) -> None:
    """Replace the file. Raises Unwritable."""
    write_whole(data.state, json.dumps(asdict(state), indent=1))


def read(data: DataDirectory) -> FleetState | None:
    """The state as last written; None when there is none, or none that can be understood."""
    try:
        raw = cast("dict[str, Any]", json.loads(data.state.read_text()))
        parts = [_part(part) for part in raw["parts"]]
        supervisor = _process(raw["supervisor"])
        if supervisor is None:
            return None
        return FleetState(
            supervisor=supervisor,
            request=str(raw["request"]),
            error=raw["error"],
            port=raw["port"],
            forkserver=_process(raw["forkserver"]),
            parts=parts,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _part(raw: dict[str, Any]) -> PartState:
    values: dict[str, Any] = {**raw, "process": _process(raw["process"])}
    return PartState(**values)


def _process(raw: Mapping[str, Any] | None) -> ProcessId | None:
    return ProcessId(int(raw["pid"]), float(raw["created"])) if raw else None
