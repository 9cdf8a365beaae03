"""Starting processes and hearing of their end: programs directly, services by the forkserver."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from tracemypods.local import forkserver, tether
from tracemypods.local.data_directory import PRIVATE_FILE, DataDirectory
from tracemypods.local.errors import MissingPackage
from tracemypods.local.parts import Part
from tracemypods.local.state import ProcessId

KILLED = -signal.SIGKILL


@dataclass
class Child:
    """A process of ours. `exited` becomes its status: negative for the signal that ended it."""

    process: ProcessId
    exited: asyncio.Future[int] = field(repr=False)

    def signal(self, number: int) -> None:
        """Send a signal, unless the process has ended."""
        if not self.exited.done():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.process.pid, number)


class Programs:
    """Programs that are started directly. One per event loop, since it takes SIGCHLD.

    They are started from the main thread, the only one there is: the kernel ties them to it.
    """

    def __init__(self) -> None:
        self._running: dict[subprocess.Popen[bytes], asyncio.Future[int]] = {}
        asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, self._reap)

    def start(
        self,
        command: tuple[str, ...],
        environment: dict[str, str],
        log: Path,
        folder: Path,
        keep_open: tuple[int, ...] = (),
    ) -> Child:
        """Start a program that ends when this process ends. Raises OSError."""
        tethered = [sys.executable, "-I", "-S", tether.__file__, str(os.getpid()), *command]
        output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, PRIVATE_FILE)
        try:
            started = subprocess.Popen(
                tethered,
                env=environment,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=keep_open,
            )
        finally:
            os.close(output)
        exited = asyncio.get_running_loop().create_future()
        self._running[started] = exited
        return Child(ProcessId.of(started.pid), exited)

    def _reap(self) -> None:
        for program, exited in list(self._running.items()):
            status = program.poll()
            if status is not None:
                del self._running[program]
                exited.set_result(status)


class Forkserver:
    """This side of the forkserver. It is started with the first service, and again when it died."""

    def __init__(
        self,
        data: DataDirectory,
        programs: Programs,
        preload: tuple[str, ...],
        changed: Callable[[], None],
    ) -> None:
        self._data = data
        self._programs = programs
        self._preload = preload
        self._changed = changed
        self._lock = asyncio.Lock()
        self._server: Child | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._listening: asyncio.Task[None] | None = None
        self._ready: asyncio.Future[list[str]] | None = None
        self._waiting: dict[str, asyncio.Future[Child]] = {}
        self._children: dict[int, Child] = {}

    @property
    def process(self) -> ProcessId | None:
        """Its process while it runs."""
        return self._server.process if self._server else None

    async def start(self, part: Part, log: Path, folder: Path) -> Child:
        """Start a service. Raises MissingPackage, OSError."""
        async with self._lock:
            if self._server is None or self._ready is None:
                self._ready = await self._launch()
            ready = self._ready
        missing = await asyncio.shield(ready)
        if missing:
            raise MissingPackage(
                f"the package {missing[0]} is not installed: run `make up`, which installs it"
            )
        if self._writer is None:
            raise ConnectionResetError("the forkserver ended")
        answer = asyncio.get_running_loop().create_future()
        self._waiting[part.name] = answer
        order = {
            "start": part.name,
            "module": part.module,
            "environment": dict(part.environment),
            "log": str(log),
            "folder": str(folder),
        }
        self._writer.write(json.dumps(order).encode() + b"\n")
        return await answer

    async def stop(self) -> None:
        """End it, and whatever it still runs."""
        if self._server is None or self._writer is None:
            return
        server, listening = self._server, self._listening
        self._writer.close()
        await server.exited
        if listening:
            await listening

    async def _launch(self) -> asyncio.Future[list[str]]:
        """Start the server; returns what will be the packages that it could not import."""
        ours, theirs = socket.socketpair()
        with theirs:
            self._server = self._programs.start(
                (
                    sys.executable,
                    "-I",
                    "-m",
                    forkserver.__name__,
                    str(theirs.fileno()),
                    *self._preload,
                ),
                # uvloop, aiohttp and their like read no settings of ours; the services' come later.
                {"PATH": os.defpath, "PYTHONUNBUFFERED": "1"},
                self._data.log("forkserver"),
                self._data.root,
                keep_open=(theirs.fileno(),),
            )
        ready: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()
        reader, self._writer = await asyncio.open_connection(sock=ours)
        self._listening = asyncio.create_task(self._listen(reader))
        self._changed()
        return ready

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(ConnectionResetError):
            while line := await reader.readline():
                self._heard(cast("dict[str, Any]", json.loads(line)))
        if self._writer:
            self._writer.close()
        self._writer = None
        self._server = None
        failure = ConnectionResetError("the forkserver ended")
        for answer in self._waiting.values():
            answer.set_exception(failure)
        self._waiting.clear()
        if self._ready and not self._ready.done():
            self._ready.set_exception(failure)
        for child in self._children.values():
            # Linux has killed them already; elsewhere nobody else does.
            child.signal(signal.SIGKILL)
            child.exited.set_result(KILLED)
        self._children.clear()
        self._changed()

    def _heard(self, message: dict[str, Any]) -> None:
        if "ready" in message:
            if self._ready and not self._ready.done():
                self._ready.set_result(list(message["missing"]))
        elif "started" in message:
            child = Child(
                ProcessId.of(int(message["pid"])), asyncio.get_running_loop().create_future()
            )
            self._children[child.process.pid] = child
            self._waiting.pop(str(message["started"])).set_result(child)
        elif "exited" in message:
            child = self._children.pop(int(message["exited"]))
            child.exited.set_result(int(message["status"]))
