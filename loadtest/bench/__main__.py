"""`python -m loadtest.bench` measures and prints the figures; `--write` puts them into the docs."""

from __future__ import annotations

import argparse
import platform
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import psutil

from loadtest.bench.tables import TABLES, Options

DOCUMENT = Path(__file__).parents[2] / "docs" / "performance.md"


def tell(text: str) -> None:
    """Show what is going on, apart from the result."""
    print(text, file=sys.stderr, flush=True)


def write(marker: str, result: str) -> None:
    """Put a table between its markers in the document."""
    begin, end = f"<!-- {marker}:begin -->", f"<!-- {marker}:end -->"
    text = DOCUMENT.read_text()
    before, after = text[: text.index(begin) + len(begin)], text[text.index(end) :]
    DOCUMENT.write_text(f"{before}\n{result}\n{after}")


def measured_on() -> str:
    """When, on what, and at which commit the figures are made."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], check=True, capture_output=True, text=True
    ).stdout.strip()
    return (
        f"Measured on {datetime.now(UTC).date()} at commit {commit}: {psutil.cpu_count()} cores, "
        f"{psutil.virtual_memory().total / 2**30:.0f} GiB, {platform.system()} "
        f"{platform.machine()}, Python {platform.python_version()}."
    )


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m loadtest.bench", description="Measure what docs/performance.md states."
    )
    parser.add_argument("--rounds", type=int, default=7, help="rounds of each measurement (7)")
    parser.add_argument("--starts", type=int, default=5, help="starts measured (5)")
    parser.add_argument(
        "--clone", action="store_true", help="also clone, and download everything once more"
    )
    parser.add_argument("--only", choices=list(TABLES), help="one table, instead of all")
    parser.add_argument(
        "--seconds", type=int, default=5, help="how long each server is loaded in a round (5)"
    )
    parser.add_argument(
        "--junk", type=int, default=1_000_000, help="junk tokens offered, in all rounds (1000000)"
    )
    parser.add_argument("--write", action="store_true", help="put the figures into the docs")
    return parser.parse_args()


def main() -> int:
    arguments = parse()
    for name, table in TABLES.items():
        if arguments.only not in (None, name):
            continue
        with tempfile.TemporaryDirectory(prefix="tracemypods-bench-") as folder:
            options = Options(
                folder=Path(folder),
                rounds=arguments.rounds,
                starts=arguments.starts,
                seconds=arguments.seconds,
                junk=arguments.junk,
                clone=arguments.clone,
                tell=tell,
            )
            result = f"{measured_on()}\n\n{table.make(options)}"
        print(result, end="\n\n")
        if arguments.write:
            write(table.marker, result)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
