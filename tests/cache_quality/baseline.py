"""The hits that there were, below which the test fails."""

from __future__ import annotations

from pathlib import Path

from .measure import Measured, count

FILE = Path(__file__).with_name("baseline.json")


def hits(measured: Measured) -> dict[str, int]:
    """Paraphrases that are hits: of the pairs tuned to, and of those kept apart."""
    return {
        name: count(
            [p for p in measured.pairs if p.same and p.held_out == held_out], measured.gated()
        ).hits
        for name, held_out in (("tuned", False), ("held_out", True))
    }
