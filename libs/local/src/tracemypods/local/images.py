"""Images of our own services and sandboxes: what the one Dockerfile is given for each.

`docker-bake.hcl` is rendered from this, and tests build with the same.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tracemypods.local import chart, checkout
from tracemypods.local.table import Sandbox, Service, Table
from tracemypods.local.third_party import BASE, Image

DOCKERFILE = checkout.IMAGES / "Dockerfile"
PLATFORMS = ("linux/amd64", "linux/arm64")
COMMON_STAGE = "service"
"""What is built of a service that has no stage of its own."""

_STAGE = re.compile(r"(?m)^FROM \S+ AS (\S+)$")
_TEMPLATE = Path(__file__).with_name("docker-bake.hcl.template")


@dataclass(frozen=True)
class Build:
    """How one image is built: a stage of the Dockerfile and its arguments."""

    name: str
    stage: str
    arguments: Mapping[str, str]


def builds(table: Table) -> list[Build]:
    """One for each service, and for each sandbox that runs in containers, too."""
    stages = _STAGE.findall(DOCKERFILE.read_text())
    return [
        Build(
            one.name,
            one.name if one.name in stages else COMMON_STAGE,
            _arguments(one),
        )
        for one in (*table.services.values(), *chart.demo_sandboxes(table))
    ]


def version() -> str:
    """The version that images are tagged with: that of the workspace."""
    project = tomllib.loads(checkout.WORKSPACE.read_text())["project"]
    return str(project["version"])


def bake_file(table: Table, third_party: Mapping[str, Image]) -> str:
    """`docker-bake.hcl`."""
    every = builds(table)
    text = _TEMPLATE.read_text()
    for name, value in {
        "all": json.dumps([build.name for build in every]),
        "base": json.dumps(third_party[BASE].reference),
        "platforms": json.dumps(list(PLATFORMS)),
        "version": json.dumps(version()),
        "targets": "\n".join(_target(build) for build in every).rstrip(),
    }.items():
        text = text.replace(f"<{name}>", value)
    return text


def _arguments(service: Service) -> dict[str, str]:
    """What the Dockerfile does not take for granted."""
    container = service.container
    arguments = {"SERVICE": service.name, "SUMMARY": service.summary.replace("`", "")}
    if isinstance(service, Sandbox):
        arguments |= {"PROJECT": "libs/local", "MODULE": service.module}
    if container.image_extra:
        arguments["EXTRAS"] = f"[{container.image_extra}]"
    if container.image_packages:
        arguments["SYSTEM_PACKAGES"] = " ".join(container.image_packages)
    return arguments


def _target(build: Build) -> str:
    given = "\n".join(
        f"    {name} = {json.dumps(value, ensure_ascii=False)}"
        for name, value in build.arguments.items()
    )
    return f"""\
target "{build.name}" {{
  inherits = ["common"]
  target   = "{build.stage}"
  tags     = tags("{build.name}")
  args = {{
{given}
  }}
}}
"""
