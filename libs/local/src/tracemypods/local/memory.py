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


def _one(process: psutil.Process) -> int:
    try:
        figures = cast("Any", process.memory_full_info())
    except psutil.Error:
        return 0
    return int(getattr(figures, "pss", 0) or figures.uss)
