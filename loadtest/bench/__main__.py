"""`python -m loadtest.bench` measures and prints the figures; `--write` puts them into the docs."""

from __future__ import annotations

import argparse
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import psutil

from loadtest.bench import answers, cache_hit, load, start, token_check
from loadtest.bench.load import Load
from tracemypods.local.fleet import Fleet

MIB = 1024 * 1024
DOCUMENT = Path(__file__).parents[2] / "docs" / "performance.md"
FLEET, TOKEN_CHECK, CACHE_HIT = "bench", "bench:token-check", "bench:cache-hit"
"""The tables, by the names of their markers in the document."""


def tell(text: str) -> None:
    """Show what is going on, apart from the result."""
    print(text, file=sys.stderr, flush=True)


def spread(values: list[float], digits: int = 1) -> str:
    """The median, and in brackets the smallest and the largest value."""
    middle = statistics.median(values)
    return f"{middle:.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def measure_start(starts: int, folder: Path) -> list[str]:
    """Rows about starting and memory."""
    seconds = [start.start_seconds(folder / f"start{number}") for number in range(starts)]
    with Fleet(folder / "memory") as fleet:
        memory = start.memory_by_part(fleet)
    parts = ", ".join(
        f"{name} {size / MIB:.0f}"
        for name, size in sorted(memory.items(), key=lambda item: -item[1])
        if not name.startswith("launcher")
    )
    launcher = sum(size for name, size in memory.items() if name.startswith("launcher"))
    total = sum(memory.values()) / MIB
    return [
        (
            f"| start until all is ready, everything installed, seconds | {spread(seconds)} "
            "| at most 10 |"
        ),
        (
            f"| memory of everything, at rest, MiB (proportional set size) | {total:.0f}: {parts}, "
            f"launcher {launcher / MIB:.0f} | at most 717 |"
        ),
    ]


def measure_answers(rounds: int, folder: Path) -> list[str]:
    """Rows about the speed of one answer."""
    with Fleet(folder / "answers") as fleet:
        speeds = answers.measure(fleet, rounds, tell)
    direct = speeds["llama.cpp directly"]
    rows: list[str] = []
    for name, measured in speeds.items():
        rate = spread([one.tokens_per_second for one in measured])
        first = spread([one.first_text_seconds * 1000 for one in measured], 0)
        ratio = answers.median_ratio(measured, direct)
        goal = "the measure" if measured is direct else f"at least 0.98 of it: {ratio:.3f}"
        rows.append(f"| one streamed answer by way of {name}, tokens a second | {rate} | {goal} |")
        rows.append(f"| the same, milliseconds to the first text | {first} | |")
    return rows


def measure_clone(folder: Path) -> list[str]:
    """Rows about a bare checkout."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    up, first = start.clone_to_first_text(folder, port)
    return [
        f"| clone until `make up` is done, everything downloaded, seconds | {up:.0f} | |",
        f"| clone until the first text of an answer, seconds | {first:.0f} | at most 240 |",
    ]


def load_table(loads: dict[str, list[Load]], ours: str, goals: dict[str, int]) -> str:
    """A table of servers under load, ours set against each of the others."""
    rows = [
        "| server | answers a second of its core | p99 at full load, ms | core used | ours to it |",
        "|---|---|---|---|---|",
    ]
    for name, measured in loads.items():
        rate = spread([one.per_core for one in measured], 0)
        p99 = spread([one.p99_milliseconds for one in measured], 0)
        busy = statistics.median(one.busy for one in measured)
        ratios = "" if name == ours else spread(load.ratios(loads[ours], measured))
        if name in goals:
            ratios += f", goal {goals[name]}"
        rows.append(f"| {name} | {rate} | {p99} | {busy:.0%} | {ratios} |")
    return "\n".join(rows)


def write(name: str, result: str) -> None:
    """Put a table between its markers in the document."""
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    text = DOCUMENT.read_text()
    before, after = text[: text.index(begin) + len(begin)], text[text.index(end) :]
    DOCUMENT.write_text(f"{before}\n{result}\n{after}")


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m loadtest.bench", description="Measure what docs/performance.md states."
    )
    parser.add_argument("--rounds", type=int, default=7, help="answers measured on each way (7)")
    parser.add_argument("--starts", type=int, default=5, help="starts measured (5)")
    parser.add_argument(
        "--clone", action="store_true", help="also clone, and download everything once more"
    )
    parser.add_argument(
        "--only", choices=["fleet", "token-check", "cache-hit"], help="one table, instead of all"
    )
    parser.add_argument(
        "--seconds", type=int, default=5, help="how long each server is loaded in a round (5)"
    )
    parser.add_argument("--write", action="store_true", help="put the figures into the docs")
    arguments = parser.parse_args()
    tables: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="tracemypods-bench-") as name:
        folder = Path(name)
        if arguments.only in (None, "fleet"):
            rows = measure_start(arguments.starts, folder)
            rows += measure_answers(arguments.rounds, folder)
            if arguments.clone:
                rows += measure_clone(folder)
            tables[FLEET] = "\n".join(["| what | measured | goal |", "|---|---|---|", *rows])
        if arguments.only in (None, "token-check"):
            loads = token_check.measure(folder / "token", arguments.rounds, arguments.seconds, tell)
            tables[TOKEN_CHECK] = load_table(loads, token_check.OURS, {token_check.EXPRESS: 2})
        if arguments.only in (None, "cache-hit"):
            loads = cache_hit.measure(folder / "cache", arguments.rounds, arguments.seconds, tell)
            tables[CACHE_HIT] = load_table(loads, cache_hit.OURS, {cache_hit.LITELLM: 100})
    machine = (
        f"{psutil.cpu_count()} cores, {psutil.virtual_memory().total / 2**30:.0f} GiB, "
        f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    )
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], check=True, capture_output=True, text=True
    ).stdout.strip()
    when = datetime.now(UTC).date()
    for name, table in tables.items():
        result = f"Measured on {when} at commit {commit}: {machine}.\n\n{table}"
        print(result, end="\n\n")
        if arguments.write:
            write(name, result)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
