#!/usr/bin/env python3
"""Run all tests, several groups of them at a time.

The groups are the tests of the libraries, those that span services, of these the ones in a browser
and of faults for themselves, and each service's own in an environment that holds what it declares
(scripts/test_alone.py). Most tests wait for servers as much as they compute, so one group more runs
at a time than the machine has cores. What a group prints is shown when it ends, and is kept in
.local/test/; until then its progress is.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / "bin"
LOGS = ROOT / ".local" / "test"
SHOW_EVERY_SECONDS = 20.0

LONGEST_FIRST = ("libs", "browser", "faults", "tests", "deliver", "order", "ask", "payment")
"""So that no long group begins when all others have ended. Further ones follow in any order."""
APART = ("browser", "faults")
"""Folders of tests/ that are groups of their own."""
_PROGRESS = re.compile(rb"\[ *(\d+)%\]")


class Took(NamedTuple):
    """Seconds that passed, and those of the processor, servers that tests have started included."""

    wall: float
    processor: float

    def __str__(self) -> str:
        return f"{self.wall:.0f} s ({self.processor:.0f} s of processor time)"


@dataclass(frozen=True)
class Group:
    """Tests that one process runs."""

    name: str
    command: tuple[str, ...]

    @property
    def log(self) -> Path:
        """What it prints."""
        return LOGS / f"{self.name}.log"

    def run(self) -> Took:
        """Run it; returns how long it took. Raises CalledProcessError."""
        started = time.monotonic()
        with self.log.open("wb") as log:
            process = subprocess.Popen(self.command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)
            _, status, used = os.wait4(process.pid, 0)
        took = Took(time.monotonic() - started, used.ru_utime + used.ru_stime)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, self.command)
        return took

    @property
    def progress(self) -> str:
        """How far it is, as pytest has said last."""
        try:
            said = _PROGRESS.findall(self.log.read_bytes())
        except OSError:
            said = []
        return f"{self.name} {int(said[-1])} %" if said else f"{self.name} began"


def groups() -> list[Group]:
    """All groups, the longest first."""
    python = str(BIN / "python")
    pytest = (str(BIN / "pytest"), "-q")
    found = {
        "libs": Group("libs", (*pytest, "libs")),
        **{name: Group(name, (*pytest, f"tests/{name}")) for name in APART},
        "tests": Group("tests", (*pytest, "tests", *(f"--ignore=tests/{name}" for name in APART))),
    }
    for path in sorted(ROOT.glob("services/*/pyproject.toml")):
        service = path.parent.name
        found[service] = Group(service, (python, "scripts/test_alone.py", service))
    order = {name: place for place, name in enumerate(LONGEST_FIRST)}
    return sorted(found.values(), key=lambda group: order.get(group.name, len(order)))


def run(at_once: int) -> bool:
    """Run all and show how it goes; returns whether all passed."""
    LOGS.mkdir(mode=0o700, parents=True, exist_ok=True)
    for old in LOGS.glob("*.log"):
        old.unlink()
    failed = list[str]()
    with ThreadPoolExecutor(at_once) as pool:
        running: dict[Future[Took], Group] = {pool.submit(group.run): group for group in groups()}
        while running:
            ended, _ = wait(running, SHOW_EVERY_SECONDS, return_when=FIRST_COMPLETED)
            for future in ended:
                group = running.pop(future)
                print(f"\n{group.log.read_text(errors='replace').rstrip()}")
                error = future.exception()
                if error is None:
                    print(f"{group.name}: passed in {future.result()}", flush=True)
                else:
                    failed.append(group.name)
                    print(f"{group.name}: failed ({error})", flush=True)
            shown = [group.progress for group in running.values() if group.log.exists()]
            if not ended:
                print(f"… {', '.join(shown)}", flush=True)
    if failed:
        print(f"\nfailed: {', '.join(sorted(failed))}; see {LOGS.relative_to(ROOT)}/")
    return not failed


def main() -> int:
    parser = argparse.ArgumentParser(description="Run all tests, several groups at a time.")
    parser.add_argument(
        "--at-once",
        type=int,
        default=(os.cpu_count() or 1) + 1,
        metavar="N",
        help="how many groups at a time (one more than there are cores)",
    )
    at_once: int = parser.parse_args().at_once
    return 0 if run(max(at_once, 1)) else 1


if __name__ == "__main__":
    sys.exit(main())
