"""`tracemypods logs`: several logs as one."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from tracemypods.local import logs
from tracemypods.local.output import say

_POLL_SECONDS = 0.2


def show(chosen: Mapping[str, Path], lines: int, follow: bool) -> None:
    """Print the last lines of each log, then go on with what is appended until interrupted."""
    width = max(len(name) for name in chosen)
    read_up_to = {name: logs.size(path) for name, path in chosen.items()}
    for name, path in chosen.items():
        for line in logs.last_lines(path, lines):
            say(f"{name:<{width}} | {line}")
    while follow:
        time.sleep(_POLL_SECONDS)
        for name, path in chosen.items():
            for line in _appended(path, read_up_to, name):
                say(f"{name:<{width}} | {line}")


def _appended(path: Path, read_up_to: dict[str, int], name: str) -> list[str]:
    size = logs.size(path)
    if size < read_up_to[name]:
        read_up_to[name] = 0
    if size == read_up_to[name]:
        return []
    with path.open("rb") as file:
        file.seek(read_up_to[name])
        # A line that is still being written comes with the next look.
        whole = file.read(size - read_up_to[name]).rpartition(b"\n")[0]
    if not whole:
        return []
    read_up_to[name] += len(whole) + 1
    return whole.decode(errors="replace").splitlines()
