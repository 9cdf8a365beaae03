"""Servers and clients of a bench that run in processes of their own, on the clients' core."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import ExitStack
from typing import Any

from loadtest.bench import load


def serve(stack: ExitStack, module: str, *arguments: str) -> str:
    """Start `python -m module`, which prints its URL once it listens; `stack` ends it.

    Returns the URL. Raises RuntimeError when it does not start.
    """
    process = _start(module, *arguments)
    stack.callback(process.communicate)
    stack.callback(process.terminate)
    url = process.stdout.readline().strip() if process.stdout else ""
    if not url:
        raise RuntimeError(f"{module} did not start")
    return url


def result(module: str, *arguments: str) -> Any:
    """What `python -m module` prints, as JSON, once it has ended. Raises RuntimeError."""
    return Running(module, *arguments).result()


class Running:
    """A client that runs beside others; its input ends when its `result` is asked for."""

    def __init__(self, module: str, *arguments: str) -> None:
        self._module = module
        self._process = _start(module, *arguments)

    def result(self) -> Any:
        """What it prints, as JSON, once it has ended. Raises RuntimeError."""
        output, _ = self._process.communicate()
        if self._process.returncode:
            raise RuntimeError(f"{self._module} ended with {self._process.returncode}")
        return json.loads(output)


def _start(module: str, *arguments: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    load.pin(process.pid, load.OTHER_CORE)
    return process
