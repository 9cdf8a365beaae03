"""Vectors of short texts: the engine of our embedding service against sentence-transformers.

Both make the vectors of all-MiniLM-L6-v2 on one thread: ours in int8 on ONNX Runtime, theirs in
full precision with torch, in an environment of its own.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from loadtest.bench.peers import install

OURS, THEIRS = "our engine `onnx`", "sentence-transformers with torch"
WORKER = Path(__file__).parent / "peers" / "embedding_worker.py"

_SUBJECTS = (
    "gravity bread passwords invoices planets rivers payments light music school weather markets "
    "networks databases history water gardens languages travel health computers"
)
_FORMS = (
    "What is known about {one}?",
    "How do {one} and {other} differ?",
    "Explain {one} to me, and why {other} matters.",
    "{one} {other}",
)


@dataclass(frozen=True)
class Speed:
    """One round: texts a second of processor time in full runs, median milliseconds of one text."""

    per_core: float
    one_milliseconds: float


def texts() -> list[str]:
    """Short texts, all different."""
    subjects = _SUBJECTS.split()
    return [
        _FORMS[(first + second) % len(_FORMS)].format(one=one, other=other)
        for first, one in enumerate(subjects)
        for second, other in enumerate(subjects)
        if one != other
    ]


class Worker:
    """A process that makes vectors. Use as a context manager."""

    def __init__(self, which: str, python: Path, folder: Path) -> None:
        self.vectors = folder / f"{which}.npy"
        self._command = [
            *(str(python), str(WORKER), which),
            *(str(folder / "texts.json"), str(self.vectors)),
        ]

    def __enter__(self) -> Worker:
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
        self._read()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def order(self, what: str) -> Any:
        """Give an order and wait for its answer. Raises RuntimeError when the process ended."""
        if self._process.stdin is not None:
            self._process.stdin.write(f"{what}\n")
            self._process.stdin.flush()
        return self._read()

    def _read(self) -> Any:
        line = self._process.stdout.readline() if self._process.stdout is not None else ""
        if not line:
            raise RuntimeError(f"{' '.join(self._command)} has ended")
        return json.loads(line)


def measure(
    folder: Path, rounds: int, tell: Callable[[str], None]
) -> tuple[dict[str, list[Speed]], list[float]]:
    """Measure both in interleaved rounds; returns speeds, and the cosines of their vectors."""
    asked = texts()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "texts.json").write_text(json.dumps(asked))
    theirs = install.sentence_transformers() / "bin" / "python"
    with ExitStack() as stack:
        workers = {
            OURS: stack.enter_context(Worker("ours", Path(sys.executable), folder)),
            THEIRS: stack.enter_context(Worker("sentence-transformers", theirs, folder)),
        }
        speeds: dict[str, list[Speed]] = {name: [] for name in workers}
        names = list(workers)
        for number in range(rounds):
            for name in names if number % 2 else names[::-1]:
                ones = workers[name].order("one")
                seconds = workers[name].order("many")
                speed = Speed(len(asked) / seconds, statistics.median(ones) * 1000)
                speeds[name].append(speed)
            tell(f"  embedding: round {number + 1} of {rounds}")
        found = []
        for worker in workers.values():
            worker.order("vectors")
            found.append(np.load(worker.vectors).astype(np.float64))
    return speeds, [float(cosine) for cosine in (found[0] * found[1]).sum(axis=1)]


def table(speeds: dict[str, list[Speed]], cosines: list[float]) -> str:
    """The result as a Markdown table."""
    ours, theirs = speeds[OURS], speeds[THEIRS]
    batched = [one.per_core / other.per_core for one, other in zip(ours, theirs, strict=True)]
    alone = [
        one.one_milliseconds / other.one_milliseconds
        for one, other in zip(ours, theirs, strict=True)
    ]
    lines = ["| what | ours | sentence-transformers | ours to it |", "|---|---|---|---|"]
    rows = (
        ("texts a second of a core, in full runs", "per_core", 0, batched, "at least 3 with VNNI"),
        ("one text alone, p50, ms", "one_milliseconds", 1, alone, "at most 0.5"),
    )
    for what, field, digits, ratios, goal in rows:
        values = [_spread([getattr(one, field) for one in side], digits) for side in (ours, theirs)]
        lines.append(f"| {what} | {' | '.join(values)} | {_spread(ratios, 2)}, goal {goal} |")
    lines.append(
        f"| cosine of their vectors, mean (least) | {statistics.mean(cosines):.4f} "
        f"({min(cosines):.4f}) | | goal at least 0.999 |"
    )
    return "\n".join(lines)


def _spread(values: list[float], digits: int) -> str:
    middle = statistics.median(values)
    return f"{middle:.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"
