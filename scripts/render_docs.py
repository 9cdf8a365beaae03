#!/usr/bin/env python3
"""Render what documents repeat: settings in the services' READMEs, licences in the notices.

Run it with the environment's Python (`make render`); `--check` only tells what is not current.
"""

from __future__ import annotations

import argparse
import importlib
import re
import sys
from importlib import metadata
from pathlib import Path

from tracemypods.local.settings_table import describe

ROOT = Path(__file__).resolve().parent.parent
NOTICES = ROOT / "THIRD_PARTY_NOTICES.md"
LOCK = ROOT / "requirements.lock"
SANDBOXES = ROOT / "libs/local/src/tracemypods/local/sandboxes"
CLASSIFIER = "License :: OSI Approved :: "


def between(text: str, name: str, content: str) -> str:
    """Put `content` between the markers `<!-- name:begin -->` and `<!-- name:end -->`.

    Raises ValueError when the text has no such markers.
    """
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    if begin not in text or end not in text:
        raise ValueError(f"the markers {begin} and {end} are missing")
    return text[: text.index(begin) + len(begin)] + f"\n{content}\n" + text[text.index(end) :]


def settings_table(package: str) -> str:
    """The settings of a service or sandbox as a Markdown table, from its code."""
    rows = describe(importlib.import_module(f"tracemypods.{package}.settings").Settings)
    lines = ["| variable | default | meaning |", "|---|---|---|"]
    lines += [f"| `{name}` | {default} | {meaning} |" for name, default, meaning in rows]
    return "\n".join(lines)


def licence(package: metadata.PackageMetadata) -> str:
    """A package's licence, as short as it says it somewhere."""
    classifiers = [
        one.removeprefix(CLASSIFIER)
        for one in package.get_all("Classifier") or []
        if one.startswith(CLASSIFIER)
    ]
    stated = package["License"].strip() if "License" in package else ""
    if "License-Expression" in package:
        return package["License-Expression"]
    if stated and "\n" not in stated and len(stated) < 40:
        return stated
    return " or ".join(classifiers) or "see the package"


def licences_table() -> str:
    """The locked packages that are installed here, with their licences."""
    lines = ["| package | version | licence |", "|---|---|---|"]
    for line in LOCK.read_text().splitlines():
        locked = re.match(r"([a-z0-9][a-z0-9-]*)==(\S+)", line)
        if locked is None:
            continue
        try:
            found = metadata.metadata(locked[1])
        except metadata.PackageNotFoundError:
            continue  # locked for another platform or Python only
        lines.append(f"| {locked[1]} | {locked[2]} | {licence(found)} |")
    return "\n".join(lines)


def rendered() -> dict[Path, str]:
    """Every file that is rendered, with what it should hold."""
    files = {NOTICES: between(NOTICES.read_text(), "licences", licences_table())}
    for folder in sorted((ROOT / "services").iterdir()):
        readme = folder / "README.md"
        text = readme.read_text()
        files[readme] = between(text, "settings", settings_table(folder.name))
    for readme in sorted(SANDBOXES.glob("*/README.md")):
        table = settings_table(f"local.sandboxes.{readme.parent.name}")
        files[readme] = between(readme.read_text(), "settings", table)
    return files


def main() -> int:
    parser = argparse.ArgumentParser(description="Render what documents repeat.")
    parser.add_argument("--check", action="store_true", help="change nothing, tell what differs")
    check = parser.parse_args().check
    outdated = [path for path, text in rendered().items() if path.read_text() != text]
    for path, text in rendered().items():
        if path in outdated and not check:
            path.write_text(text)
    names = ", ".join(str(path.relative_to(ROOT)) for path in outdated)
    if outdated and check:
        print(f"not current: {names}: run `make render`", file=sys.stderr)
        return 1
    print(f"rendered: {names}" if outdated else "documents are current")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
