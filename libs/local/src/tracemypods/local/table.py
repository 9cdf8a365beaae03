"""fleet.toml: the one place where parts, their routes and their needs are written."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tracemypods.local.checkout import FLEET_TABLE
from tracemypods.local.errors import FleetError

GATEWAY = "gateway"
CATCH_ALL = "/*"


@dataclass(frozen=True)
class Backend:
    """A server that the fleet needs and that is not ours."""

    name: str
    summary: str
    memory_mb: int


@dataclass(frozen=True)
class Service:
    """One of our services. A route is an exact path, or ends in "/*" for all below it."""

    name: str
    summary: str
    routes: tuple[str, ...]
    needs: tuple[str, ...]
    memory_mb: int

    @property
    def module(self) -> str:
        """What `python -m` runs."""
        return f"tracemypods.{self.name}"


@dataclass(frozen=True)
class Table:
    """The whole of fleet.toml."""

    gateway_port: int
    gateway_memory_mb: int
    backends: Mapping[str, Backend]
    services: Mapping[str, Service]

    @property
    def part_names(self) -> tuple[str, ...]:
        """Every part, in the order in which they are shown."""
        return (*self.backends, *self.services, GATEWAY)


def load(path: Path = FLEET_TABLE) -> Table:
    """Read the table.

    Raises FleetError when the file is not there, is not TOML, or contradicts itself.
    """
    try:
        raw = tomllib.loads(path.read_text())
        gateway = raw["gateway"]
        table = Table(
            gateway_port=int(gateway["port"]),
            gateway_memory_mb=int(gateway["memory_mb"]),
            backends={
                name: Backend(name, entry["summary"], int(entry["memory_mb"]))
                for name, entry in raw["backends"].items()
            },
            services={
                name: Service(
                    name,
                    entry["summary"],
                    tuple(entry["routes"]),
                    tuple(entry["needs"]),
                    int(entry["memory_mb"]),
                )
                for name, entry in raw["services"].items()
            },
        )
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise FleetError(f"{path.name} can't be read: {error}") from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FleetError(f"{path.name} lacks a value or has a wrong one: {error!r}") from None
    _check(table, path.name)
    return table


def _check(table: Table, file: str) -> None:
    names = table.part_names
    for service in table.services.values():
        for need in service.needs:
            if need not in names:
                raise FleetError(f"{file}: {service.name} needs {need}, which is not a part")
        for route in service.routes:
            plain = route.removesuffix("/*")
            if not route.startswith("/") or "*" in plain or plain != plain.rstrip("/"):
                raise FleetError(f"{file}: {service.name}: {route} is not a route")
    if len(set(names)) != len(names):
        raise FleetError(f"{file}: a backend and a service have the same name")
    routes = [route for service in table.services.values() for route in service.routes]
    for route in routes:
        if routes.count(route) > 1:
            raise FleetError(f"{file}: {route} is listed twice")
