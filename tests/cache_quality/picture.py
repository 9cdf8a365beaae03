"""The threshold curve as a picture that is readable on light and dark pages."""

from __future__ import annotations

from collections.abc import Sequence

from .measure import THRESHOLD, Hits, Measured, count
from .pairs import Pair
from .report import tuned

WIDTH, HEIGHT = 720, 400
LEFT, RIGHT, TOP, BOTTOM = 64, 24, 24, 120
FIRST, LAST, STEPS = 0.5, 1.0, 50

_STYLE = """
    text { font: 13px system-ui, sans-serif; fill: #24292f }
    .axis, .grid { stroke: #24292f; fill: none } .grid { stroke-opacity: .15 }
    path { fill: none; stroke-width: 2.5 } .alone { stroke-dasharray: 7 5 }
    .hits { stroke: #1a7f37 } .wrong { stroke: #cf222e } .chosen { stroke: #57606a }
    @media (prefers-color-scheme: dark) {
      .page { fill: #0d1117 } text { fill: #e6edf3 } .axis, .grid { stroke: #e6edf3 }
      .hits { stroke: #3fb950 } .wrong { stroke: #ff7b72 } .chosen { stroke: #8b949e }
    }
"""
_LINES = (
    ("hits", "hits on paraphrases, with the gate"),
    ("hits alone", "hits on paraphrases, cosine alone"),
    ("wrong", "false hits on near-misses, with the gate"),
    ("wrong alone", "false hits on near-misses, cosine alone"),
)


def draw(measured: Measured) -> str:
    """The picture as SVG."""
    title = "Shares of hits and of false hits, by the threshold of the cosine"
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
            f'aria-label="{title}">'
        ),
        f"<title>{title}</title>",
        f"<style>{_STYLE}</style>",
        f'<rect class="page" width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        *_axes(),
    ]
    for name, _ in _LINES:
        pairs = tuned(measured, same=name.startswith("hits"))
        hits_at = measured.cosine_alone if "alone" in name else measured.gated
        thresholds = [FIRST + (LAST - FIRST) * step / STEPS for step in range(STEPS + 1)]
        parts.append(_path(name, thresholds, pairs, [hits_at(one) for one in thresholds]))
    parts += _legend()
    return "\n".join([*parts, "</svg>", ""])


def _x(threshold: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * (threshold - FIRST) / (LAST - FIRST)


def _y(share: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share


def _path(name: str, thresholds: Sequence[float], pairs: Sequence[Pair], by: list[Hits]) -> str:
    points = [
        f"{_x(threshold):.1f},{_y(count(pairs, hits).share):.1f}"
        for threshold, hits in zip(thresholds, by, strict=True)
    ]
    return f'<path class="{name}" d="M{" L".join(points)}"/>'


def _axes() -> list[str]:
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    parts: list[str] = []
    for percent in range(0, 101, 25):
        y = _y(percent / 100)
        parts.append(f'<path class="grid" style="stroke-width:1" d="M{LEFT},{y} H{right}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{percent} %</text>')
    for tenth in range(5, 11):
        x = _x(tenth / 10)
        parts.append(f'<text x="{x}" y="{bottom + 20}" text-anchor="middle">{tenth / 10}</text>')
    middle = (LEFT + right) / 2
    parts.append(
        f'<text x="{middle}" y="{bottom + 38}" text-anchor="middle">cosine at least</text>'
    )
    chosen = _x(THRESHOLD)
    parts.append(f'<path class="chosen" style="stroke-width:1.5" d="M{chosen},{TOP} V{bottom}"/>')
    parts.append(f'<text x="{chosen + 6}" y="{_y(0.12)}">threshold in use</text>')
    parts.append(
        f'<path class="axis" style="stroke-width:1" d="M{LEFT},{TOP} V{bottom} H{right}"/>'
    )
    return parts


def _legend() -> list[str]:
    parts: list[str] = []
    for index, (name, text) in enumerate(_LINES):
        x = LEFT + (index // 2) * (WIDTH - LEFT - RIGHT) // 2
        y = HEIGHT - 52 + (index % 2) * 26
        parts.append(f'<path class="{name}" d="M{x},{y} h30"/>')
        parts.append(f'<text x="{x + 38}" y="{y + 4}">{text}</text>')
    return parts
