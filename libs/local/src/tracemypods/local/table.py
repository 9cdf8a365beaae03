"""fleet.toml: the one place where parts, their routes and their needs are written."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tracemypods.local.checkout import FLEET_TABLE
from tracemypods.local.errors import FleetError

GATEWAY = "gateway"
CATCH_ALL = "/*"
INTERNAL = "/internal/"


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
    internal: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """Which services may call which route under /internal/. A caller need not be there yet."""
    secrets: tuple[str, ...] = ()
    """Secrets of its own. (Those of its backends and of its edges follow from the table.)"""

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

    def memory_mb(self, part: str) -> int:
        """What a part is expected to stay under at rest."""
        if part == GATEWAY:
            return self.gateway_memory_mb
        return {**self.backends, **self.services}[part].memory_mb

    @property
    def edges(self) -> tuple[tuple[str, str], ...]:
        """Every caller and callee, of which each pair has a key of its own."""
        return tuple(
            dict.fromkeys(
                (caller, service.name)
                for service in self.services.values()
                for callers in service.internal.values()
                for caller in callers
            )
        )


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
                    {path: tuple(callers) for path, callers in entry.get("internal", {}).items()},
                    tuple(entry.get("secrets", ())),
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
        _check_internal(service, file)
    if len(set(names)) != len(names):
        raise FleetError(f"{file}: a backend and a service have the same name")
    routes = [route for service in table.services.values() for route in service.routes]
    for route in routes:
        if routes.count(route) > 1:
            raise FleetError(f"{file}: {route} is listed twice")


def _check_internal(service: Service, file: str) -> None:
    for path, callers in service.internal.items():
        if not path.startswith(INTERNAL) or "*" in path or path.endswith("/"):
            raise FleetError(f"{file}: {service.name}: {path} is no route under {INTERNAL}")
        for caller in callers:
            # The keys' names are put together with underscores.
            if not caller.isalnum() or caller == service.name:
                raise FleetError(f"{file}: {service.name}: {path}: {caller} is no caller")
    if any(route.startswith(INTERNAL) for route in service.routes):
        raise FleetError(f"{file}: {service.name}: what is under {INTERNAL} is not public")
