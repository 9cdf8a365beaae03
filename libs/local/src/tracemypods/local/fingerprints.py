"""Fingerprints: what `up` compares to tell which parts have changed."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

from tracemypods.local import checkout

_OURS = re.compile(r"^tracemypods-([a-z0-9-]+)")


def of_values(*values: object) -> str:
    """A fingerprint over plain values."""
    return hashlib.sha256(repr(values).encode()).hexdigest()


def of_environment(environment: Mapping[str, str]) -> str:
    """A fingerprint over variables, whatever their order."""
    return of_values(sorted(environment.items()))


def of_files(paths: Iterable[Path]) -> str:
    """A fingerprint over names and contents; a file that is not there counts as empty."""
    total = hashlib.sha256()
    for path in sorted(paths):
        total.update(f"{path}\0".encode())
        try:
            total.update(hashlib.sha256(path.read_bytes()).digest())
        except OSError:
            total.update(b"-")
    return total.hexdigest()


def of_large_file(path: Path) -> str:
    """A fingerprint over a file's size and time, for what takes long to read."""
    status = path.stat()
    return of_values(str(path), status.st_size, status.st_mtime_ns)


def of_service(name: str) -> str:
    """A fingerprint over a service's source, its workspace dependencies' and what operators edit.

    A service without a folder here (tests bring their own) has none of these.
    """
    folder = checkout.ROOT / "services" / name
    files = [*checkout.CONFIG.glob("*.toml")]
    for member in (folder, *_dependencies(folder)):
        files += member.glob("src/**/*.py")
    return of_files(files)


def of_sandbox(name: str) -> str:
    """A fingerprint over a sandbox's source, that of what all share, and the kit's."""
    folder = checkout.ROOT / "libs/local/src/tracemypods/local/sandboxes"
    files = [*folder.glob("*.py"), *(one for one in (folder / name).rglob("*") if one.is_file())]
    for member in _dependencies(checkout.ROOT / "libs/local"):
        files += member.glob("src/**/*.py")
    return of_files(one for one in files if "__pycache__" not in one.parts)


def of_installation() -> str:
    """A fingerprint over what scripts/install.py has installed."""
    return of_files([checkout.PYTHON_DIGEST])


def _dependencies(folder: Path) -> list[Path]:
    found: dict[Path, None] = {}
    waiting = [folder]
    while waiting:
        for dependency in _direct_dependencies(waiting.pop()):
            if dependency not in found:
                found[dependency] = None
                waiting.append(dependency)
    return list(found)


def _direct_dependencies(folder: Path) -> tuple[Path, ...]:
    project = folder / "pyproject.toml"
    if not project.is_file():
        return ()
    raw = tomllib.loads(project.read_text())
    names = [_OURS.match(line) for line in raw["project"].get("dependencies", [])]
    candidates = [
        checkout.ROOT / kind / match[1] for match in names if match for kind in ("libs", "services")
    ]
    return tuple(path for path in candidates if path.is_dir())
