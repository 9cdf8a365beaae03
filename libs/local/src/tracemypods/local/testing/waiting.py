"""Waiting for a condition, rather than for a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

GIVE_UP_SECONDS = 200.0
"""Nothing takes so long on any machine: it ends a wait in vain."""
PATIENCE_SECONDS = 20
"""So long services of tests wait for a store: nothing fails because the machine has other things to
do. Tests in which a store hangs or stays away are marked `impatient`."""
IMPATIENCE_SECONDS = 3
_PAUSE_SECONDS = 0.01

ResultT = TypeVar("ResultT")


def until(condition: Callable[[], ResultT | None], what: str = "") -> ResultT:
    """Wait until something holds; returns what `condition` returned then.

    Raises AssertionError, with `what` was waited for, when it never does.
    """
    give_up = time.monotonic() + GIVE_UP_SECONDS
    while not (found := condition()):
        if time.monotonic() > give_up:
            raise AssertionError(f"it never came: {what or condition}")
        time.sleep(_PAUSE_SECONDS)
    return found
