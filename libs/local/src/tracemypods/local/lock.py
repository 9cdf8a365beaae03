"""The lock that a running supervisor holds.

The kernel lets go of it when the supervisor ends, however it ends, so that "is it running?" has
a right answer even after a `kill -9` and never depends on a process id that was used again.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from tracemypods.local.data_directory import PRIVATE_FILE

_PROBE_SECONDS = 1.0
"""Commands take the lock for an instant to see whether it is held; that is waited out."""


def acquire(path: Path) -> int | None:
    """Take the lock for the rest of this process; None when another process holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, PRIVATE_FILE)
    give_up = time.monotonic() + _PROBE_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > give_up:
                os.close(descriptor)
                return None
            time.sleep(0.01)
        else:
            os.ftruncate(descriptor, 0)
            return descriptor


def write_pid(descriptor: int) -> None:
    """Say who holds the lock. Called once signals are handled, not before."""
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)


def is_held(path: Path) -> bool:
    """Whether a supervisor runs."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def holder(path: Path) -> int | None:
    """The process id of the supervisor that runs; None without one, or before it can be told."""
    if not is_held(path):
        return None
    text = path.read_text().strip()
    return int(text) if text.isdecimal() else None
