#!/usr/bin/env python3
"""Write requirements.lock: every package of every member, for every platform, with hashes.

And requirements-dev.lock: what only tests of the chart and of the images take, at the same pins.
Existing pins stay unless `--upgrade` is given. No address of a registry gets into the file.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    parser = argparse.ArgumentParser(description="Lock the packages of all members.")
    parser.add_argument("--upgrade", action="store_true", help="renew all pins")
    upgrade = parser.parse_args().upgrade
    members = sorted([*ROOT.glob("libs/*/pyproject.toml"), *ROOT.glob("services/*/pyproject.toml")])
    names = [tomllib.loads(member.read_text())["project"]["name"] for member in members]
    common = [
        *(str(ROOT / ".venv/bin/uv"), "pip", "compile", "--quiet"),
        *("--universal", "--generate-hashes", "--no-header"),
        *(["--upgrade"] if upgrade else []),
    ]
    command = [
        *(*common, "--group", "dev"),
        *(part for name in names for part in ("--no-emit-package", name)),
        *("--output-file", "requirements.lock"),
        *(str(member.relative_to(ROOT)) for member in members),
    ]
    development = [
        *(*common, "--group", "deployment", "--constraints", "requirements.lock"),
        *("--output-file", "requirements-dev.lock"),
    ]
    return (
        subprocess.run(command, cwd=ROOT, check=False).returncode
        or subprocess.run(development, cwd=ROOT, check=False).returncode
    )


if __name__ == "__main__":
    sys.exit(main())
