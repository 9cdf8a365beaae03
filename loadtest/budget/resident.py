"""The peak of a process's resident set, and of those that it starts."""

from __future__ import annotations

import re
import threading
from contextlib import suppress
from pathlib import Path
from typing import Self

import psutil

_PEAK = re.compile(r"(?m)^VmHWM:\s+(\d+) kB$")
_SECONDS_BETWEEN = 0.1


class Peak:
    """Watches a process while it is loaded. Use as a context manager; `bytes` is known afterwards.

    It is the largest sum, over the processes that ran at a time, of what each had at its peak. That
    is at least what they had at once: shared pages count for each, as if nothing were shared.
    """

    def __init__(self, pid: int) -> None:
        self.bytes = 0
        self._process = psutil.Process(pid)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._look()

    def _watch(self) -> None:
        while not self._ended.wait(_SECONDS_BETWEEN):
            self._look()

    def _look(self) -> None:
        family = [self._process]
        with suppress(psutil.NoSuchProcess):
            family += self._process.children(recursive=True)
        self.bytes = max(self.bytes, sum(peak(one.pid) for one in family))


def peak(pid: int) -> int:
    """The largest resident set in bytes that a process has had; 0 when it has ended."""
    with suppress(OSError):
        found = _PEAK.search(Path(f"/proc/{pid}/status").read_text())
        return int(found[1]) * 1024 if found else 0
    return 0
