"""The tables of docs/performance.md: how each is measured, and written as Markdown."""

from __future__ import annotations

import socket
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from loadtest.bench import (
    added_latency,
    answers,
    cache_hit,
    embedding,
    invoice_pipeline,
    invoices,
    junk,
    load,
    orders,
    pdf,
    semantic_hit,
    start,
    token_check,
    vector,
    webhook,
)
from loadtest.bench.added_latency import Added
from loadtest.bench.load import Load
from loadtest.bench.markdown import rows as table_of
from loadtest.bench.markdown import spread
from tracemypods.local.fleet import Fleet

MIB = 1024 * 1024


@dataclass(frozen=True)
class Options:
    """How much is measured, in which folder, and who hears of what is going on."""

    folder: Path
    rounds: int
    starts: int
    seconds: int
    junk: int
    clone: bool
    tell: Callable[[str], None]


@dataclass(frozen=True)
class Table:
    """A table: the name of its markers in the document, and what makes it."""

    marker: str
    make: Callable[[Options], str]


@dataclass(frozen=True)
class Comparison:
    """One server under load set against another, whose row shows it."""

    server: str
    against: str
    row: str
    goal: int | None = None


def _fleet(options: Options) -> str:
    rows = [*_starts(options), *_answers(options)]
    if options.clone:
        rows += _clone(options)
    return table_of(["what", "measured", "goal"], rows)


def _starts(options: Options) -> list[list[str]]:
    """Rows about starting and memory."""
    seconds = [
        start.start_seconds(options.folder / f"start{number}") for number in range(options.starts)
    ]
    with Fleet(options.folder / "memory") as fleet:
        memory = start.memory_by_part(fleet)
    parts = ", ".join(
        f"{name} {size / MIB:.0f}"
        for name, size in sorted(memory.items(), key=lambda item: -item[1])
        if not name.startswith("launcher")
    )
    launcher = sum(size for name, size in memory.items() if name.startswith("launcher"))
    total = sum(memory.values()) / MIB
    return [
        [
            "start until all is ready, everything installed, seconds",
            spread(seconds),
            "at most 10",
        ],
        [
            "memory of everything, at rest, MiB (proportional set size)",
            f"{total:.0f}: {parts}, launcher {launcher / MIB:.0f}",
            "at most 1024",
        ],
    ]


def _answers(options: Options) -> list[list[str]]:
    """Rows about the speed of one answer."""
    with Fleet(options.folder / "answers") as fleet:
        speeds = answers.measure(fleet, options.rounds, options.tell)
    direct = speeds["llama.cpp directly"]
    rows: list[list[str]] = []
    for name, measured in speeds.items():
        rate = spread([one.tokens_per_second for one in measured])
        first = spread([one.first_text_seconds * 1000 for one in measured], 0)
        ratio = answers.median_ratio(measured, direct)
        goal = "the measure" if measured is direct else f"at least 0.98 of it: {ratio:.3f}"
        rows.append([f"one streamed answer by way of {name}, tokens a second", rate, goal])
        rows.append(["the same, milliseconds to the first text", first, ""])
    return rows


def _clone(options: Options) -> list[list[str]]:
    """Rows about a bare checkout."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    up, first = start.clone_to_first_text(options.folder, port)
    return [
        ["clone until `make up` is done, everything downloaded, seconds", f"{up:.0f}", ""],
        ["clone until the first text of an answer, seconds", f"{first:.0f}", "at most 240"],
    ]


def _token_check(options: Options) -> str:
    ours, express, naive = token_check.OURS, token_check.EXPRESS, token_check.NAIVE
    loads = token_check.measure(
        options.folder / "token", options.rounds, options.seconds, options.tell
    )
    return _loads(
        loads,
        [
            Comparison(token_check.TRACED, express, row=token_check.TRACED, goal=1),
            Comparison(ours, express, row=express, goal=2),
            Comparison(ours, naive, row=naive),
        ],
    )


def _cache_hit(options: Options) -> str:
    ours, express, litellm = cache_hit.OURS, cache_hit.EXPRESS, cache_hit.LITELLM
    loads = cache_hit.measure(
        options.folder / "cache", options.rounds, options.seconds, options.tell
    )
    return _loads(
        loads,
        [
            Comparison(cache_hit.READ_ANEW, express, row=cache_hit.READ_ANEW),
            Comparison(cache_hit.TRACED, express, row=cache_hit.TRACED, goal=1),
            Comparison(ours, express, row=express, goal=2),
            Comparison(ours, litellm, row=litellm, goal=100),
        ],
    )


def _loads(loads: Mapping[str, Sequence[Load]], comparisons: Sequence[Comparison]) -> str:
    """A table of servers under load."""
    compared = {one.row: _comparison(loads, one) for one in comparisons}
    rows = [
        [
            name,
            spread([one.per_core for one in measured], 0),
            spread([one.p99_milliseconds for one in measured], 0),
            f"{statistics.median(one.busy for one in measured):.0%}",
            compared.get(name, ""),
        ]
        for name, measured in loads.items()
    ]
    return table_of(
        [
            "server",
            "answers a second of its core",
            "p99 at full load, ms",
            "core used",
            "ours to it",
        ],
        rows,
    )


def _comparison(loads: Mapping[str, Sequence[Load]], comparison: Comparison) -> str:
    ratio = spread(load.ratios(loads[comparison.server], loads[comparison.against]))
    if comparison.row == comparison.server:
        ratio = f"it to {comparison.against.split()[0]}: {ratio}"
    return ratio if comparison.goal is None else f"{ratio}, goal {comparison.goal}"


def _added_latency(options: Options) -> str:
    kinds = added_latency.measure(options.folder, options.rounds, options.tell)
    litellm = kinds[added_latency.LITELLM]
    rows: list[list[str]] = []
    for name, kind in kinds.items():
        row = [name]
        for added, theirs in ((kind.whole, litellm.whole), (kind.first_text, litellm.first_text)):
            row += [
                spread([one.p50 for one in added], 2),
                spread([one.p99 for one in added], 2),
                _shares(added, theirs)
                if name in (added_latency.ASK, added_latency.GATEWAY)
                else "",
            ]
        rows.append(row)
    return table_of(
        [
            "way",
            "whole answer, p50, ms",
            "p99, ms",
            "of LiteLLM's",
            "first streamed text, p50, ms",
            "p99, ms",
            "of LiteLLM's",
        ],
        rows,
    )


def _shares(ours: Sequence[Added], theirs: Sequence[Added]) -> str:
    """Which share of what LiteLLM adds ours adds: the median of the rounds."""
    pairs = list(zip(ours, theirs, strict=True))
    p50 = statistics.median(one.p50 / other.p50 for one, other in pairs)
    p99 = statistics.median(one.p99 / other.p99 for one, other in pairs)
    return f"{p50:.2f} and {p99:.2f}, goal 0.1"


def _junk(options: Options) -> str:
    measured = junk.measure(
        options.folder, options.rounds, options.seconds, options.junk, options.tell
    )
    rounds = measured.rounds
    return table_of(
        ["what", "measured", "goal"],
        [
            ["p99 of good callers alone, ms", spread([one.alone_p99 for one in rounds]), ""],
            [
                "p99 of good callers during the flood, ms",
                spread([one.flooded_p99 for one in rounds]),
                "",
            ],
            ["how many times as long", spread([one.ratio for one in rounds]), "at most 2"],
            ["junk tokens refused", str(sum(one.refused for one in rounds)), ""],
            [
                "junk tokens refused a second",
                spread([one.refused / one.seconds for one in rounds], 0),
                "",
            ],
            ["reads of MongoDB during the floods", str(measured.reads), "0"],
        ],
    )


def _pdf(options: Options) -> str:
    return pdf.table(pdf.measure(options.folder / "pdf", options.rounds, options.tell))


def _embedding(options: Options) -> str:
    return embedding.table(
        *embedding.measure(options.folder / "embedding", options.rounds, options.tell)
    )


def _semantic_hit(options: Options) -> str:
    measured = semantic_hit.measure(
        options.folder / "semantic", options.rounds, options.seconds * 2, options.tell
    )
    ours, theirs = (measured[name].rounds for name in (semantic_hit.OURS, semantic_hit.REDISVL))
    pairs = list(zip(ours, theirs, strict=True))
    p50 = spread([one.p50 / other.p50 for one, other in pairs], 2)
    p99 = spread([one.p99 / other.p99 for one, other in pairs], 2)
    return table_of(
        [
            "server",
            "an answer, p50, ms",
            "p99, ms",
            "processor time of one, ms",
            "hits",
            "wrong ones",
            "misses",
            "near-misses answered",
            "ours to it",
        ],
        [
            [
                name,
                spread([one.p50 for one in hits.rounds]),
                spread([one.p99 for one in hits.rounds])
                + (", goal 30 on an idle machine" if name == semantic_hit.OURS else ""),
                spread([one.processor_milliseconds for one in hits.rounds]),
                str(sum(one.hits for one in hits.rounds)),
                str(sum(one.wrong for one in hits.rounds)),
                str(sum(one.misses for one in hits.rounds)),
                f"{hits.near_misses_answered} of {semantic_hit.NEAR_MISSES}",
                "" if name == semantic_hit.OURS else f"p50 {p50}, p99 {p99}, goal 0.5",
            ]
            for name, hits in measured.items()
        ],
    )


def _vector(options: Options) -> str:
    measured = vector.measure(options.folder / "vector", options.rounds, options.tell)
    ours, theirs = measured[vector.OURS], measured[vector.THEIRS]
    ratio = spread([other / one for one, other in zip(ours, theirs, strict=True)], 0)
    return table_of(
        ["engine", "one search, ms", "how many times as fast"],
        [
            [vector.OURS, spread(ours, 2), f"{ratio}, goal 20"],
            [vector.THEIRS, spread(theirs, 0), ""],
        ],
    )


def _webhook(options: Options) -> str:
    measured = webhook.measure(
        options.folder / "webhook", options.rounds, options.seconds * 2, options.tell
    )
    rounds = measured.rounds
    payment = statistics.median(one.payment for one in rounds)
    mongo = statistics.median(one.mongo for one in rounds)
    parts = f"payment {payment:.1f}, MongoDB {mongo:.1f}"
    return table_of(
        ["what", "measured", "goal"],
        [
            ["p50 of a webhook's answer, ms", spread([one.p50 for one in rounds]), ""],
            ["p99, ms", spread([one.p99 for one in rounds]), "at most 50"],
            [
                "processor time of a webhook and its hand-over, ms",
                f"{spread([one.payment + one.mongo for one in rounds])}: {parts}",
                "",
            ],
            ["core used", f"{statistics.median(one.busy for one in rounds):.0%}", ""],
            ["webhooks sent, all answered with 200", str(measured.sent), ""],
            ["of them stored", str(measured.stored), "all"],
            ["of them handed over to order, once each", str(measured.handed_over), "all"],
        ],
    )


def _orders(options: Options) -> str:
    return orders.table(
        orders.measure(options.folder / "orders", options.rounds, options.seconds, options.tell)
    )


def _invoices(options: Options) -> str:
    count = invoices.PER_SECOND * options.seconds * options.rounds
    return invoices.table(invoices.measure(options.folder / "invoices", count, options.tell))


def _invoice_pipeline(options: Options) -> str:
    return invoice_pipeline.table(
        invoice_pipeline.measure(options.folder / "pipeline", options.rounds, options.tell)
    )


TABLES = {
    "fleet": Table("bench", _fleet),
    "token-check": Table("bench:token-check", _token_check),
    "cache-hit": Table("bench:cache-hit", _cache_hit),
    "added-latency": Table("bench:added-latency", _added_latency),
    "junk": Table("bench:junk", _junk),
    "embedding": Table("bench:embedding", _embedding),
    "semantic-hit": Table("bench:semantic-hit", _semantic_hit),
    "vector": Table("bench:vector", _vector),
    "webhook": Table("bench:webhook", _webhook),
    "orders": Table("bench:orders", _orders),
    "invoices": Table("bench:invoices", _invoices),
    "invoice-pipeline": Table("bench:invoice-pipeline", _invoice_pipeline),
    "pdf": Table("bench:pdf", _pdf),
}
"""All of them, by the names that `--only` takes."""
