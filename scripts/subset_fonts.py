#!/usr/bin/env python3
"""Make the fonts of invoices: Noto Sans and Noto Sans Devanagari, less what invoices never need.

    scripts/subset_fonts.py FOLDER

FOLDER holds the four originals (`NotoSans-Regular.ttf`, …). What is made lies beside the code that
uses it, with a list of the characters that the fonts have.
"""

from __future__ import annotations

import argparse
from itertools import groupby
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont

ROOT = Path(__file__).resolve().parent.parent
FONTS = ROOT / "services/deliver/src/tracemypods/deliver/pdf/fonts"

# Latin with its extensions, Greek, Cyrillic, Vietnamese; punctuation, currencies, № ™, minus and �.
LATIN = (
    "U+0020-007E,U+00A0-024F,U+0300-036F,U+0370-03FF,U+0400-04FF,U+1E00-1EFF,U+2010-205E,"
    "U+20A0-20BF,U+2116,U+2122,U+2212,U+FFFD"
)
DEVANAGARI = "U+0020,U+0900-097F,U+1CD0-1CFF,U+200C,U+200D,U+25CC,U+A8E0-A8FF"

FAMILIES = {"NotoSans": LATIN, "NotoSansDevanagari": DEVANAGARI}
STYLES = ("Regular", "Bold")


def make(original: Path, unicodes: str, result: Path) -> set[int]:
    """Write one font with fewer characters; returns those that it has."""
    subset.main(
        [
            *(str(original), f"--unicodes={unicodes}", f"--output-file={result}"),
            *("--layout-features=*", "--no-hinting", "--name-IDs=*"),
        ]
    )
    with TTFont(result) as font:
        return set(font.getBestCmap() or ())


def ranges(characters: set[int]) -> list[str]:
    """Characters as ranges in hexadecimal, such as `0020-007E`."""
    runs = groupby(enumerate(sorted(characters)), key=lambda pair: pair[1] - pair[0])
    found = [[character for _, character in run] for _, run in runs]
    return [f"{run[0]:04X}-{run[-1]:04X}" for run in found]


def main() -> int:
    parser = argparse.ArgumentParser(description="Make the fonts of invoices.")
    parser.add_argument("folder", type=Path, help="where the originals are")
    originals = parser.parse_args().folder
    characters: set[int] = set()
    for family, unicodes in FAMILIES.items():
        # What only one style has could not be relied upon.
        by_style = [
            make(originals / f"{family}-{style}.ttf", unicodes, FONTS / f"{family}-{style}.ttf")
            for style in STYLES
        ]
        characters |= set.intersection(*by_style)
    (FONTS / "characters.txt").write_text("\n".join(ranges(characters)) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
