"""The parts' logs: plain files that parts append to, kept from filling the disk."""

from __future__ import annotations

import os
from pathlib import Path

LIMIT_BYTES = 10 * 1024 * 1024
_TAIL_BYTES = 16 * 1024
_SHOWN_LINES = 6
_SHOWN_CHARACTERS = 300


def size(log: Path) -> int:
    """Bytes in a log; 0 when there is none."""
    try:
        return log.stat().st_size
    except OSError:
        return 0


def last_lines(log: Path, count: int = _SHOWN_LINES, since: int = 0) -> list[str]:
    """The last lines that are not empty, of what came after byte `since`."""
    try:
        with log.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            # A log that is shorter than it was has been cut in the meantime.
            start = since if since <= end else 0
            file.seek(max(start, end - _TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except OSError:
        return []
    lines = [line.rstrip()[:_SHOWN_CHARACTERS] for line in text.splitlines() if line.strip()]
    return lines[-count:]


def cut(folder: Path, limit: int = LIMIT_BYTES) -> None:
    """Empty every log of more than `limit` bytes. (Parts append, so they go on at its start.)"""
    for log in folder.glob("*.log"):
        if size(log) > limit:
            os.truncate(log, 0)
