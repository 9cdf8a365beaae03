"""The values of the Helm chart as a table, made from what values.yaml says above each of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_KEY = re.compile(r"( *)([A-Za-z][\w-]*):(?: +(.*))?")
_MEANING = "# -- "
_MORE = "# "


@dataclass(frozen=True)
class Value:
    """One entry of values.yaml."""

    path: str
    default: str | None
    """As it is written; None for one that has others below it."""
    meaning: str
    """What is said above it after `# --`; empty where nothing is."""


def values(text: str) -> Iterator[Value]:
    """All entries of values.yaml, those within lists excepted."""
    parents: list[tuple[int, str]] = []
    meaning: list[str] = []
    list_indent: int | None = None
    for line in text.splitlines():
        plain = line.strip()
        indent = len(line) - len(line.lstrip())
        if list_indent is not None and plain and indent <= list_indent and plain[0] != "-":
            list_indent = None
        if list_indent is not None:
            continue
        if plain.startswith("- "):
            list_indent = indent
        elif plain.startswith(_MEANING):
            meaning = [plain.removeprefix(_MEANING)]
        elif plain.startswith(_MORE) and meaning:
            meaning.append(plain.removeprefix(_MORE))
        elif key := _KEY.fullmatch(line):
            parents = [one for one in parents if one[0] < indent]
            parents.append((indent, key[2]))
            path = ".".join(name for _, name in parents)
            yield Value(path, key[3], " ".join(meaning))
            meaning = []
        else:
            meaning = []


def table(text: str) -> str:
    """The entries that say what they mean, as a Markdown table."""
    lines = ["| value | default | meaning |", "|---|---|---|"]
    for value in values(text):
        if value.meaning:
            default = f"`{value.default}`" if value.default else "see `values.yaml`"
            meaning = value.meaning.replace("|", "\\|")
            lines.append(f"| `{value.path}` | {default} | {meaning} |")
    return "\n".join(lines)
