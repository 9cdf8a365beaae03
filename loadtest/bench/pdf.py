"""Invoices as PDF: our worker process against WeasyPrint and fpdf2 in a plain event loop.

Every one renders the same invoices, one after another, in a process of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
from pypdf import PdfReader

from loadtest.bench.markdown import spread
from loadtest.bench.peers import install
from tracemypods.deliver.pdf.contents import sheet_of
from tracemypods.deliver.pdf.picture import EXAMPLE
from tracemypods.deliver.pdf.text import FONTS
from tracemypods.local.memory import proportional

OURS, OURS_HTML = "our worker process, engine `typst`", "our worker process, engine `html`"
WEASYPRINT, FPDF2 = "WeasyPrint in a plain loop", "fpdf2 in a plain loop (no PDF/A, no tags)"
WORKER = Path(__file__).parent / "peers" / "pdf_worker.py"
DOCUMENTS = 40
GOAL = 5


@dataclass(frozen=True)
class Speed:
    """One round: invoices a second, a second of processor time; milliseconds; bytes."""

    per_second: float
    per_core: float
    pause: float
    memory: int


class Worker:
    """A process that renders, and those that it starts. Use as a context manager."""

    def __init__(self, which: str, python: Path, documents: Path, result: Path) -> None:
        self.result = result
        self._command = [str(python), str(WORKER), which, *map(str, (documents, FONTS, result))]

    def __enter__(self) -> Worker:
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.usable = self._read() is not None
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def one(self) -> None:
        """Write one invoice to `result`. Raises RuntimeError unless it says what it has to."""
        self._order("one")
        reader = PdfReader(self.result)
        text = "".join(page.extract_text() for page in reader.pages)
        for part in ("TMP/2627/0000000", "499.00", "Buyer's name"):
            if part not in text or "invoice.json" not in reader.attachments:
                raise RuntimeError(f"{self._command} made no invoice")

    def many(self) -> Speed:
        """Render all invoices. Raises RuntimeError when the process ended."""
        before = self._processor_seconds()
        found = self._order("many")
        used = self._processor_seconds() - before
        return Speed(
            per_second=DOCUMENTS / found["seconds"],
            per_core=DOCUMENTS / used,
            pause=found["pause"] * 1000,
            memory=proportional(self._process.pid),
        )

    def _processor_seconds(self) -> float:
        process = psutil.Process(self._process.pid)
        times = [one.cpu_times() for one in (process, *process.children(recursive=True))]
        return sum(one.user + one.system for one in times)

    def _order(self, what: str) -> Any:
        if self._process.stdin is not None:
            self._process.stdin.write(f"{what}\n")
            self._process.stdin.flush()
        return self._read()

    def _read(self) -> Any:
        line = self._process.stdout.readline() if self._process.stdout is not None else ""
        if not line:
            raise RuntimeError(f"{' '.join(self._command)} has ended")
        return json.loads(line)


def measure(folder: Path, rounds: int, tell: Callable[[str], None]) -> dict[str, list[Speed]]:
    """Measure all in interleaved rounds; without Pango only those that need none."""
    folder.mkdir(parents=True, exist_ok=True)
    documents = folder / "documents.json"
    documents.write_text(json.dumps([_asked(number) for number in range(DOCUMENTS)]))
    own = Path(sys.executable)
    peers = {
        OURS: ("ours-typst", own),
        OURS_HTML: ("ours-html", own),
        WEASYPRINT: ("weasyprint", own),
        FPDF2: ("fpdf2", install.fpdf2() / "bin" / "python"),
    }
    with ExitStack() as stack:
        workers: dict[str, Worker] = {}
        for name, (which, python) in peers.items():
            if name == WEASYPRINT and OURS_HTML not in workers:
                continue
            result = folder / f"{which}.pdf"
            worker = stack.enter_context(Worker(which, python, documents, result))
            if worker.usable:
                worker.one()
                workers[name] = worker
        speeds: dict[str, list[Speed]] = {name: [] for name in workers}
        names = list(workers)
        for number in range(rounds):
            for name in names if number % 2 else names[::-1]:
                speeds[name].append(workers[name].many())
            tell(f"  pdf: round {number + 1} of {rounds}")
    return speeds


def _asked(number: int) -> dict[str, Any]:
    """An invoice like no other, as the service has it and as it is laid out."""
    document = EXAMPLE.model_copy(update={"number": f"TMP/2627/{number:07}"})
    return {"document": document.model_dump(), "sheet": asdict(sheet_of(document))}


def table(speeds: dict[str, list[Speed]]) -> str:
    """The result as a Markdown table."""
    head = (
        *("who renders", "invoices a second", "a second of processor time"),
        *("longest pause of the loop, ms", "memory, MiB", "ours to it"),
    )
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for name, rounds in speeds.items():
        goal = f", goal {GOAL}" if name == WEASYPRINT else ""
        ratios = [
            one.per_second / other.per_second
            for one, other in zip(speeds[OURS], rounds, strict=True)
        ]
        cells = [
            spread([one.per_second for one in rounds]),
            spread([one.per_core for one in rounds]),
            spread([one.pause for one in rounds]),
            spread([one.memory / 2**20 for one in rounds], 0),
            "" if name == OURS else f"{spread(ratios)}{goal}",
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)
