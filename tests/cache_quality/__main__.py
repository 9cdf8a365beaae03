"""`python -m tests.cache_quality` prints the report and writes it into docs/semantic-cache.md."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from . import cosines, picture, report
from .baseline import FILE as BASELINE
from .baseline import hits
from .measure import Measured
from .pairs import load

DOCS = Path(__file__).parents[2] / "docs"
DOCUMENT, PICTURE = DOCS / "semantic-cache.md", DOCS / "semantic-cache.svg"


def between(text: str, name: str, content: str) -> str:
    """Put `content` between the markers `<!-- name:begin -->` and `<!-- name:end -->`."""
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    before, after = text[: text.index(begin) + len(begin)], text[text.index(end) :]
    return f"{before}\n{content}\n{after}"


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.cache_quality", description="Report how good the semantic cache is."
    )
    parser.add_argument(
        "--kept-cosines", action="store_true", help="use the committed cosines in any case"
    )
    parser.add_argument(
        "--baseline", action="store_true", help="make these hits the least that the test accepts"
    )
    asked = parser.parse_args()
    pairs = load()
    if not asked.kept_cosines:
        try:
            embedder = cosines.EngineOfTheService()
        except ImportError:
            sys.stderr.write("the embedding service is not installed: kept cosines\n")
        else:
            cosines.save(cosines.compute(pairs, embedder), embedder)
    measured = Measured(cosines.load(pairs))
    tables = {
        "summary": report.summary(measured),
        "crossed": report.crossed(measured),
        "classes": report.by_class(measured),
        "curve": report.curve(measured),
    }
    sys.stdout.write("\n\n".join(tables.values()) + "\n")
    text = DOCUMENT.read_text()
    for name, table in tables.items():
        text = between(text, name, table)
    DOCUMENT.write_text(text)
    PICTURE.write_text(picture.draw(measured))
    if asked.baseline:
        BASELINE.write_text(json.dumps(hits(measured), indent=4) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
