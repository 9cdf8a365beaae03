"""A part: everything that it takes to start one server and to know that it is ready."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tracemypods.local.probes import Probe
from tracemypods.local.state import Kind


@dataclass(frozen=True)
class Part:
    """One server. It has a `command`, or a Python `module` that the forkserver runs."""

    name: str
    kind: Kind
    port: int
    url: str
    environment: Mapping[str, str]
    probe: Probe = field(repr=False)
    more_ports: tuple[int, ...] = ()
    """What it listens on besides `port`."""
    command: tuple[str, ...] = ()
    module: str = ""
    fingerprint: str = ""
    """Changes with anything that a running process would have to be restarted for."""
    shared: str = ""
    """Fingerprint of what the forkserver has imported for it."""
    stop_seconds: float = 12.0
    """How long it may take to end after SIGTERM; services let open answers finish for 10 s."""
