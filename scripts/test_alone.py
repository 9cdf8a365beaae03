#!/usr/bin/env python3
"""Test each service in an environment that holds what it has declared, and nothing else.

    scripts/test_alone.py [SERVICE …]

First its own locked dependencies alone: the service must be importable, so that an image built from
the same declarations starts. Then libs/local and the test tools are added, and its tests must pass
without any other service being there. Environments are made from uv's cache where it has all.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UV = ROOT / ".venv" / "bin" / "uv"
SERVICES = sorted(path.parent.name for path in ROOT.glob("services/*/pyproject.toml"))
TOOLS = ("httpx2", "hypothesis", "openai", "pypdf", "pytest", "pytest-timeout")

IMPORT = "import tracemypods.{0}.app, tracemypods.{0}.settings"
OURS = """
import importlib.metadata
found = {one.name for one in importlib.metadata.distributions()}
print(*sorted(name for name in found if name.startswith("tracemypods")))
"""

EXTRAS = {"deliver": "html", "vector": "embedded"}
"""What a service's tests try besides, once it is known that it runs without."""
LIBRARIES = ("coalescing", "contracts", "events", "kit", "mail")
"""What any service may bring along; other services it may not."""


class Alone:
    """One service's environment."""

    def __init__(self, service: str, folder: Path) -> None:
        self.service = service
        self._folder = folder
        # Nothing of the environment that runs this may help.
        self._environment = {
            name: value
            for name, value in os.environ.items()
            if name not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
        }

    def make(self) -> None:
        """Make it, with the service's own dependencies."""
        self._uv("venv", "--quiet", "--python", sys.executable, str(self._folder))
        self._install(f"services/{self.service}")

    def add_tests(self) -> None:
        """Add libs/local and what tests are run with."""
        self._install("libs/local[embedded]", *TOOLS)
        if self.service in EXTRAS:
            self._install(f"services/{self.service}[{EXTRAS[self.service]}]")

    def python(self, *arguments: str) -> str:
        """Run its Python; returns what it prints. Raises CalledProcessError."""
        return self._run(str(self._folder / "bin" / "python"), *arguments)

    def show_python(self, *arguments: str) -> None:
        """Run its Python and show what it prints as it comes. Raises CalledProcessError."""
        command = [str(self._folder / "bin" / "python"), *arguments]
        subprocess.run(command, cwd=ROOT, env=self._environment, check=True)

    def _install(self, *what: str) -> None:
        editable = [
            argument for name in what for argument in (("-e", name) if "/" in name else (name,))
        ]
        command = [
            *("pip", "install", "--quiet", "--python", str(self._folder)),
            *("--constraints", "requirements.lock", *editable),
        ]
        try:
            self._uv(*command, "--offline")
        except subprocess.CalledProcessError:
            self._uv(*command)

    def _uv(self, *arguments: str) -> None:
        self._run(str(UV), *arguments)

    def _run(self, *command: str) -> str:
        return subprocess.run(
            command,
            cwd=ROOT,
            env=self._environment,
            check=True,
            text=True,
            errors="replace",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ).stdout


def test(service: str, folder: Path) -> None:
    """Test one service, and show how it goes.

    Raises CalledProcessError, with the output of the step that failed where it was not shown.
    """
    alone = Alone(service, folder)
    alone.make()
    alone.python("-c", IMPORT.format(service))
    allowed = {f"tracemypods-{name}" for name in (*LIBRARIES, service)}
    foreign = set(alone.python("-c", OURS).split()) - allowed
    if foreign:
        raise subprocess.CalledProcessError(
            1, ["import"], f"{service} brings {', '.join(sorted(foreign))} along"
        )
    alone.add_tests()
    arguments = ("-m", "pytest", "-q", "-p", "no:cacheprovider", f"services/{service}/tests")
    alone.show_python(*arguments)


def main() -> int:
    parser = argparse.ArgumentParser(description="Test each service alone.")
    parser.add_argument("services", nargs="*", metavar="SERVICE", help="only these (all)")
    for service in parser.parse_args().services or SERVICES:
        started = time.monotonic()
        local = ROOT / ".local"
        local.mkdir(mode=0o700, exist_ok=True)
        # Beside the packages, so that most are linked rather than copied.
        with tempfile.TemporaryDirectory(prefix="alone-", dir=local) as folder:
            try:
                print(f"{service} alone:", flush=True)
                test(service, Path(folder) / service)
            except subprocess.CalledProcessError as error:
                said = error.output or ""
                print(f"{service} alone: {error.cmd} failed\n{said}", file=sys.stderr)
                return 1
        print(f"{service} alone took {time.monotonic() - started:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
