"""What fleet.toml says of a service for the sake of containers and clusters alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

from tracemypods.local.errors import FleetError

ScalesBy = Literal["cpu", "in_flight", "lag"]
"""What tells how many replicas there should be: CPU time, requests that are being handled, or
events that wait to be read."""

DRAIN_SECONDS = 20
LONGEST_DRAIN = 600


@dataclass(frozen=True)
class Container:
    """One service in a container."""

    memory_mb: int = 0
    """Its memory limit: the peak under load and a margin. Zero where nobody has measured it."""
    drain_seconds: int = DRAIN_SECONDS
    """How long open requests may go on after it was told to stop."""
    config: tuple[str, ...] = ()
    """The operators' files that it reads, by their names in config/."""
    sees_clients: bool = False
    """It tells clients apart by their addresses, so it must know which addresses are proxies'."""
    scales_by: ScalesBy = "cpu"
    public: tuple[str, ...] = ()
    """Which of its needs are on the internet, unless a sandbox stands for them."""
    image_extra: str = ""
    """The extra of its project that its image has installed, too."""
    image_packages: tuple[str, ...] = ()
    """Packages of Debian that its image has beside those of its base."""


@dataclass(frozen=True)
class ClusterPart:
    """What stands for a need in a cluster, or an outside server in its place."""

    name: str
    summary: str
    port: int
    """Where it listens, unless an operator says otherwise."""
    needs: tuple[str, ...] = ()
    """What it calls itself."""


def read_container(entry: Mapping[str, Any]) -> Container:
    """A service's own table as a container sees it. Raises KeyError, TypeError or ValueError."""
    scales_by = str(entry.get("scales_by", "cpu"))
    if scales_by not in get_args(ScalesBy):
        raise ValueError(f"scales_by = {scales_by!r}")
    return Container(
        memory_mb=int(entry.get("container_memory_mb", 0)),
        drain_seconds=int(entry.get("drain_seconds", DRAIN_SECONDS)),
        config=tuple(entry.get("config", ())),
        sees_clients=bool(entry.get("sees_clients", False)),
        scales_by=cast("ScalesBy", scales_by),
        public=tuple(entry.get("public_egress", ())),
        image_extra=str(entry.get("image_extra", "")),
        image_packages=tuple(entry.get("image_packages", ())),
    )


def read_cluster_part(name: str, entry: Mapping[str, Any]) -> ClusterPart:
    """One table of `[cluster]`. Raises KeyError, TypeError or ValueError."""
    return ClusterPart(
        name, str(entry["summary"]), int(entry["port"]), tuple(entry.get("needs", ()))
    )


def check_container(name: str, container: Container, needs: tuple[str, ...], file: str) -> None:
    """Raise FleetError where what is said of a service contradicts itself."""
    if container.memory_mb < 0 or not 1 <= container.drain_seconds <= LONGEST_DRAIN:
        raise FleetError(f"{file}: {name}: no such memory or time to drain")
    for config in container.config:
        if not config.endswith(".toml") or "/" in config:
            raise FleetError(f"{file}: {name}: {config} is no file of config/")
    for need in container.public:
        if need not in needs:
            raise FleetError(f"{file}: {name}: {need} is public, but no need of it")


def check_cluster(
    parts: Mapping[str, ClusterPart], needs: Mapping[str, tuple[str, ...]], file: str
) -> None:
    """Raise FleetError where a part has no port, or calls something that is not there.

    `needs` has what each service needs in a cluster only, which nothing else provides.
    """
    for part in parts.values():
        if not 1 <= part.port <= 65535:
            raise FleetError(f"{file}: cluster.{part.name}: {part.port} is no port")
    wanted = {**needs, **{name: part.needs for name, part in parts.items()}}
    for name, ones in wanted.items():
        for need in ones:
            if need not in parts:
                raise FleetError(f"{file}: {name} needs {need}, which is not in [cluster]")
