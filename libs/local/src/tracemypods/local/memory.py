"""Memory as proportional set size: pages that several processes share count once in all."""

from __future__ import annotations

from typing import Any, cast

import psutil


def proportional(pid: int) -> int:
    """Bytes of a process and those that it started; 0 when it has ended.

    Where the system has no proportional figure (macOS), the unique one is taken.
    """
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
    except psutil.Error:
        return 0
    return sum(_one(member) for member in family)


def own(pid: int) -> int:
    """Bytes of one process alone; 0 when it has ended."""
    try:
        return _one(psutil.Process(pid))
    except psutil.Error:
        return 0


def shortage(needed_mb: int) -> str | None:
    """What to tell a person whose machine has less memory to spare than that; None if it has."""
    available_mb = psutil.virtual_memory().available // 1_000_000
    if available_mb >= needed_mb:
        return None
    return (
        f"{available_mb} MB of memory are free, and what is about to start takes about "
        f"{needed_mb} MB: expect it to be slow, or a part to be ended by the system"
    )


def _one(process: psutil.Process) -> int:
    try:
        figures = cast("Any", process.memory_full_info())
    except psutil.Error:
        return 0
    return int(getattr(figures, "pss", 0) or figures.uss)
