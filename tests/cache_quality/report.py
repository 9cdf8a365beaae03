"""The report as tables in Markdown."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .crossed import false_hits, questions
from .measure import PEERS, THRESHOLD, Counted, Hits, Measured, count
from .pairs import UNRELATED, UNSEEN, Pair

SETS: list[tuple[str, Callable[[Pair], bool]]] = [
    ("tuned to", lambda pair: not pair.held_out),
    ("kept apart by hash", lambda pair: pair.held_out and pair.group != UNSEEN),
    ("written afterwards", lambda pair: pair.held_out and pair.group == UNSEEN),
    ("all kept apart", lambda pair: pair.held_out),
]
STEPS = (0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)


def shown(counted: Counted, *, interval: bool = False) -> str:
    """Counts and a percentage, with the interval of 95 % if it is wanted."""
    if not counted.of:
        return "none"
    text = f"{counted.hits} of {counted.of} ({100 * counted.share:.1f} %"
    if interval:
        low, high = counted.interval()
        text += f"; {100 * low:.1f} to {100 * high:.1f}"
    return text + ")"


def summary(measured: Measured) -> str:
    """Gate and peers, on the pairs that were tuned to and on those kept apart, of either kind."""
    ways: list[tuple[str, Hits]] = [(f"gate, and cosine ≥ {THRESHOLD}", measured.gated())]
    ways += [(f"cosine ≥ {peer} alone", measured.cosine_alone(peer)) for peer in PEERS]
    kinds: list[tuple[str, Callable[[Pair], bool], bool]] = [
        ("false hits on near-misses", lambda pair: pair.near_miss, True),
        ("false hits on unrelated pairs", lambda pair: pair.group == UNRELATED, True),
        ("hits on paraphrases", lambda pair: pair.same, False),
    ]
    rows = ["| pairs | what | " + " | ".join(name for name, _ in ways) + " |"]
    rows.append("|---" * (len(ways) + 2) + "|")
    for title, belongs in SETS:
        for name, chosen, interval in kinds:
            pairs = [pair for pair in measured.pairs if belongs(pair) and chosen(pair)]
            if not pairs:
                continue
            cells = [shown(count(pairs, hits), interval=interval) for _, hits in ways]
            rows.append(f"| {title} | {name} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def by_class(measured: Measured) -> str:
    """What each class of questions comes to, tuned and kept apart together and each alone."""
    rows = [
        (
            "| class | false hits, tuned to | false hits, kept apart | hits, tuned to "
            "| hits, kept apart | false hits of cosine ≥ 0.8 | of cosine ≥ 0.95 |"
        ),
        "|---|---|---|---|---|---|---|",
    ]
    for group in sorted({pair.group for pair in measured.pairs}):
        pairs = [pair for pair in measured.pairs if pair.group == group]
        different = [pair for pair in pairs if not pair.same]
        same = [pair for pair in pairs if pair.same]
        cells = [_both(different, measured.gated(), interval=True)]
        cells += [_both(same, measured.gated(), interval=False)]
        cells += [shown(count(different, measured.cosine_alone(peer))) for peer in PEERS]
        rows.append(f"| {group} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def crossed(measured: Measured) -> str:
    """What setting every question against every other comes to."""
    number = len(questions(measured.pairs))
    wrong = len(false_hits(measured.pairs))
    return (
        f"Every question against every other: {number} questions, {number * (number - 1) // 2} "
        f"pairs, {wrong} false hits of the gate."
    )


def curve(measured: Measured) -> str:
    """What each threshold comes to on the pairs that were tuned to."""
    rows = [
        (
            "| cosine ≥ | hits with the gate | false hits with the gate | hits of the cosine alone "
            "| false hits of the cosine alone |"
        ),
        "|---|---|---|---|---|",
    ]
    for step in STEPS:
        gated, alone = measured.gated(step), measured.cosine_alone(step)
        cells = [
            shown(count(pairs, hits))
            for hits in (gated, alone)
            for pairs in (tuned(measured, same=True), tuned(measured, same=False))
        ]
        rows.append(f"| {step:.2f} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def tuned(measured: Measured, *, same: bool) -> Sequence[Pair]:
    """The paraphrases, or the near-misses, that were tuned to."""
    return [
        pair
        for pair in measured.pairs
        if not pair.held_out and (pair.same if same else pair.near_miss)
    ]


def _both(pairs: Sequence[Pair], hits: Hits, *, interval: bool) -> str:
    return " | ".join(
        shown(count([p for p in pairs if p.held_out == held_out], hits), interval=interval)
        for held_out in (False, True)
    )
