"""Ports: which are free, who has those that are not, and which part has had which."""

from __future__ import annotations

import errno
import json
import secrets
import socket
from collections.abc import Iterable
from typing import cast

import psutil

from tracemypods.local.data_directory import DataDirectory, write_whole
from tracemypods.local.errors import BadRequest, FleetError, PortInUse

HOST = "127.0.0.1"
HIGHEST_PORT = 65535

# Below the ports that Linux (32768 up) and macOS (49152 up) hand to outgoing connections: one of
# those could sit on a part's port just when the part is started again.
_FIRST, _LAST = 20000, 32000
_ATTEMPTS = 2000


def problem(port: int) -> OSError | None:
    """Why nothing can listen on a port of this machine now; None when something can."""
    with socket.socket() as probe:
        # Connections that have just ended are no hindrance, to us or to the servers we start.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            probe.listen(1)
        except OSError as error:
            return error
    return None


def is_free(port: int) -> bool:
    """Whether something could listen on the port now."""
    return problem(port) is None


def holder(port: int) -> str | None:
    """Who listens on a port, such as "python3 (pid 123: python3 -m http.server)"."""
    try:
        for connection in psutil.net_connections("tcp"):
            listening = connection.status == psutil.CONN_LISTEN
            if listening and connection.laddr and connection.laddr.port == port and connection.pid:
                process = psutil.Process(connection.pid)
                command = " ".join(process.cmdline()[:4])[:80]
                return f"{process.name()} (pid {process.pid}: {command})"
    except psutil.Error:
        # Other people's sockets are not always ours to see; the port is taken all the same.
        return None
    return None


def require_free(port: int) -> None:
    """Make sure that the gateway can listen on `port`. Raises PortInUse or FleetError."""
    reason = problem(port)
    if reason is None:
        return
    if reason.errno == errno.EADDRINUSE:
        raise PortInUse(in_use(port))
    raise FleetError(
        f"port {port} can't be used ({reason.strerror}): choose one above 1023 with "
        f"`PORT={another(8080)} make up`"
    )


def in_use(port: int) -> str:
    """What to tell a person whose port is taken."""
    who = holder(port) or "another process"
    return (
        f"port {port} is in use by {who}: stop that, or choose another port with "
        f"`PORT={another(port)} make up`"
    )


def another(port: int) -> int:
    """A free port near `port`, to suggest."""
    for candidate in range(max(port, 1023) + 1, min(port + 200, HIGHEST_PORT)):
        if is_free(candidate):
            return candidate
    return 9000


def parse(text: str) -> int:
    """A port that a person gave; 0 stands for any free one. Raises BadRequest."""
    if not text.isascii() or not text.isdecimal() or int(text) > HIGHEST_PORT:
        raise BadRequest(f"PORT is {text!r}: give a number from 1 to {HIGHEST_PORT}")
    return int(text)


def unused(taken: Iterable[int] = (), apart: int = 0) -> int:
    """A port that is free and not one of those `taken`, and with `apart` one that has another such
    port so far above it.

    Raises FleetError when there is none.
    """
    avoided = set(taken)
    for _ in range(_ATTEMPTS):
        port = _FIRST + secrets.randbelow(_LAST - apart - _FIRST)
        if not {port, port + apart} & avoided and is_free(port) and is_free(port + apart):
            return port
    raise FleetError(f"no port between {_FIRST} and {_LAST} is free on {HOST}")


class Ports:
    """The ports of one fleet's parts, kept from one start to the next where they are free."""

    def __init__(self, data: DataDirectory) -> None:
        self._data = data
        self._ports = _read(data)
        self._confirmed: set[str] = set()

    def of(self, part: str) -> int:
        """The part's port: the one it had when that is free, else a new one.

        Raises FleetError when no port is free, Unwritable.
        """
        if part not in self._confirmed:
            port = self._ports.get(part)
            if port is None or not is_free(port):
                self._ports[part] = self._allocate()
            self._confirmed.add(part)
            write_whole(self._data.ports, json.dumps(self._ports, indent=2))
        return self._ports[part]

    def of_pair(self, lower: str, upper: str, apart: int) -> tuple[int, int]:
        """The ports of two names, the second's so far `apart` above the first's. Raises as `of`."""
        if not {lower, upper} <= self._confirmed:
            port = self._ports.get(lower)
            if port is None or not (is_free(port) and is_free(port + apart)):
                port = self._allocate(apart)
            self._ports |= {lower: port, upper: port + apart}
            self._confirmed |= {lower, upper}
            write_whole(self._data.ports, json.dumps(self._ports, indent=2))
        return self._ports[lower], self._ports[upper]

    def use(self, part: str, port: int) -> int:
        """Record a port that was chosen elsewhere."""
        self._ports[part] = port
        self._confirmed.add(part)
        write_whole(self._data.ports, json.dumps(self._ports, indent=2))
        return port

    def release(self, part: str) -> None:
        """Forget the ports of a part, one of which turned out to be taken; it is given others."""
        for name in [name for name in self._ports if name.partition(".")[0] == part]:
            del self._ports[name]
            self._confirmed.discard(name)

    def _allocate(self, apart: int = 0) -> int:
        return unused(self._ports.values(), apart)


def recorded(data: DataDirectory) -> dict[str, int]:
    """The ports as the supervisor last wrote them."""
    return _read(data)


def _read(data: DataDirectory) -> dict[str, int]:
    try:
        raw = cast("object", json.loads(data.ports.read_text()))
    except (OSError, ValueError):
        return {}
    if not isinstance(raw, dict):
        return {}
    entries = cast("dict[object, object]", raw)
    return {
        part: port
        for part, port in entries.items()
        if isinstance(part, str) and isinstance(port, int) and 0 < port <= HIGHEST_PORT
    }
