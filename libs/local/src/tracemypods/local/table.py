"""fleet.toml: the one place where parts, their routes and their needs are written."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tracemypods.local.checkout import FLEET_TABLE
from tracemypods.local.containers import (
    ClusterPart,
    Container,
    check_cluster,
    check_container,
    read_cluster_part,
    read_container,
)
from tracemypods.local.errors import FleetError
from tracemypods.local.ownership import NOTHING, Owns, check_owners, read_owns

GATEWAY = "gateway"
CATCH_ALL = "/*"
INTERNAL = "/internal/"
NEVER_PUBLIC = ("/livez", "/readyz", "/version", "/metrics", "/openapi.json")
"""Routes that every service has, for the fleet alone."""
LOCAL = "/local/"
"""What is below it is the sandboxes', and theirs alone."""
_TOPIC = re.compile(r"[a-z][a-z0-9-]{0,99}")
HTTP = "http"
"""A sandbox's own port, as its addresses call it."""


@dataclass(frozen=True)
class Backend:
    """A server that the fleet needs and that is not ours."""

    name: str
    summary: str
    memory_mb: int


@dataclass(frozen=True)
class Topic:
    """What services tell others over Kafka. Neither end need be there yet."""

    name: str
    producer: str
    consumers: tuple[str, ...]
    partitions: int


@dataclass(frozen=True)
class Service:
    """One of our services. A route is an exact path, or ends in "/*" for all below it."""

    name: str
    summary: str
    routes: tuple[str, ...]
    needs: tuple[str, ...]
    memory_mb: int
    internal: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """Which services may call which route that is not public: one under /internal/, or one that no
    service's public routes hold. A caller need not be there yet."""
    secrets: tuple[str, ...] = ()
    """Secrets of its own. (Those of its backends and of its edges follow from the table.)"""
    owns: Owns = NOTHING
    """What it alone writes in Redis and in MongoDB."""
    cluster_needs: tuple[str, ...] = ()
    """What it needs in a cluster only, where no engine is embedded: servers that are not ours."""
    container: Container = field(default_factory=Container)
    """What holds of it in containers and clusters."""

    @property
    def module(self) -> str:
        """What `python -m` runs."""
        return f"tracemypods.{self.name}"


@dataclass(frozen=True)
class Sandbox(Service):
    """Ours, too, and in place of what is paid or hosted elsewhere; never in production.

    It is told its own address as a service is, and what else it needs likewise.
    """

    ports: tuple[str, ...] = ()
    """Names of the ports that it listens on besides the one for HTTP."""
    provides: Mapping[str, str] = field(default_factory=dict[str, str])
    """What services may need of it, each with its address, in which `{http}` and the names of its
    ports stand for host:port: `smtp = "smtp://{smtp}"`. Whoever needs `smtp` gets that as
    TRACEMYPODS_SMTP_URL."""
    in_demo: bool = False
    """It runs in demo mode, too: in containers, where other servers stand for the rest."""

    @property
    def module(self) -> str:
        """What `python -m` runs."""
        return f"tracemypods.local.sandboxes.{self.name}"

    @property
    def prefix(self) -> str:
        """How the names of its settings begin."""
        return f"TRACEMYPODS_SANDBOX_{self.name.upper()}_"

    def port_name(self, port: str) -> str:
        """Under what its port is recorded among all parts' ports."""
        return self.name if port == HTTP else f"{self.name}.{port}"

    def address(self, need: str, at: Mapping[str, str]) -> str:
        """Where what it provides is; `at` has host:port of each of its ports."""
        return self.provides[need].format_map(at)


@dataclass(frozen=True)
class Table:
    """The whole of fleet.toml."""

    gateway_port: int
    gateway_memory_mb: int
    backends: Mapping[str, Backend]
    sandboxes: Mapping[str, Sandbox]
    services: Mapping[str, Service]
    topics: Mapping[str, Topic] = field(default_factory=dict[str, Topic])
    cluster: Mapping[str, ClusterPart] = field(default_factory=dict[str, ClusterPart])
    """What stands for needs in a cluster."""

    @property
    def part_names(self) -> tuple[str, ...]:
        """Every part, in the order in which they are shown."""
        return (*self.backends, *self.sandboxes, *self.services, GATEWAY)

    @property
    def ours(self) -> Mapping[str, Service]:
        """What runs our own code: sandboxes and services."""
        return {**self.sandboxes, **self.services}

    @property
    def provided(self) -> Mapping[str, Sandbox]:
        """What services may need of a sandbox, and which one that is."""
        return {need: one for one in self.sandboxes.values() for need in one.provides}

    def memory_mb(self, part: str) -> int:
        """What a part is expected to stay under at rest."""
        if part == GATEWAY:
            return self.gateway_memory_mb
        return {**self.backends, **self.ours}[part].memory_mb

    @property
    def inside(self) -> tuple[str, ...]:
        """The routes for the fleet alone that are not under /internal/, each once.

        Of a route with parameters, such as `/api/stock/{shop}/take`, it is what is before them.
        """
        return tuple(
            dict.fromkeys(
                path.partition("/{")[0]
                for service in self.services.values()
                for path in service.internal
                if not path.startswith(INTERNAL)
            )
        )

    @property
    def edges(self) -> tuple[tuple[str, str], ...]:
        """Every caller and callee, and every producer and consumer of a topic: each such pair has
        a key of its own."""
        calls = [
            (caller, service.name)
            for service in self.services.values()
            for callers in service.internal.values()
            for caller in callers
        ]
        events = [
            (topic.producer, consumer)
            for topic in self.topics.values()
            for consumer in topic.consumers
        ]
        return tuple(dict.fromkeys([*calls, *events]))


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
            sandboxes={
                name: _sandbox(name, entry) for name, entry in raw.get("sandboxes", {}).items()
            },
            services={name: _service(name, entry) for name, entry in raw["services"].items()},
            topics={name: _topic(name, entry) for name, entry in raw.get("topics", {}).items()},
            cluster={
                name: read_cluster_part(name, entry)
                for name, entry in raw.get("cluster", {}).items()
            },
        )
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise FleetError(f"{path.name} can't be read: {error}") from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FleetError(f"{path.name} lacks a value or has a wrong one: {error!r}") from None
    _check(table, path.name)
    return table


def _service(name: str, entry: Mapping[str, Any]) -> Service:
    return Service(
        name,
        entry["summary"],
        tuple(entry["routes"]),
        tuple(entry["needs"]),
        int(entry["memory_mb"]),
        {path: tuple(callers) for path, callers in entry.get("internal", {}).items()},
        tuple(entry.get("secrets", ())),
        read_owns(entry),
        tuple(entry.get("cluster_needs", ())),
        read_container(entry),
    )


def _topic(name: str, entry: Mapping[str, Any]) -> Topic:
    return Topic(
        name, entry["producer"], tuple(entry["consumers"]), int(entry.get("partitions", 4))
    )


def _sandbox(name: str, entry: Mapping[str, Any]) -> Sandbox:
    return Sandbox(
        name,
        entry["summary"],
        tuple(entry["routes"]),
        tuple(entry.get("needs", ())),
        int(entry["memory_mb"]),
        secrets=tuple(entry.get("secrets", ())),
        ports=tuple(entry.get("ports", ())),
        provides=dict(entry.get("provides", {})),
        container=read_container(entry),
        in_demo=bool(entry.get("in_demo", False)),
    )


def _check(table: Table, file: str) -> None:
    names = table.part_names
    known = {*table.backends, *table.services, *table.provided}
    for service in table.ours.values():
        for need in service.needs:
            if need not in known:
                raise FleetError(f"{file}: {service.name} needs {need}, which is not a part")
        for route in service.routes:
            plain = route.removesuffix("/*")
            if not route.startswith("/") or "*" in plain or plain != plain.rstrip("/"):
                raise FleetError(f"{file}: {service.name}: {route} is not a route")
            local = isinstance(service, Sandbox)
            if f"{plain}/".startswith(LOCAL) is not local or plain == LOCAL.rstrip("/"):
                raise FleetError(
                    f"{file}: {service.name}: what is under {LOCAL}, and that only, is a sandbox's"
                )
        _check_internal(service, file)
        check_container(service.name, service.container, service.needs, file)
    check_cluster(
        table.cluster,
        {service.name: service.cluster_needs for service in table.ours.values()},
        file,
    )
    for sandbox in table.sandboxes.values():
        _check_sandbox(table, sandbox, file)
    for topic in table.topics.values():
        _check_topic(table, topic, file)
    check_owners({one.name: (one.owns, one.needs) for one in table.services.values()}, file)
    if len(set(names)) != len(names):
        raise FleetError(f"{file}: two parts have the same name")
    routes = [route for service in table.ours.values() for route in service.routes]
    for route in routes:
        if routes.count(route) > 1:
            raise FleetError(f"{file}: {route} is listed twice")
        for path in table.inside:
            if route != CATCH_ALL and _meet(route, path):
                raise FleetError(f"{file}: {path} is for the fleet alone, and {route} is public")


def _check_internal(service: Service, file: str) -> None:
    for path, callers in service.internal.items():
        if not path.startswith("/") or "*" in path or path.endswith("/"):
            raise FleetError(f"{file}: {service.name}: {path} is no internal route")
        for caller in callers:
            # The keys' names are put together with underscores.
            if not caller.isalnum() or caller == service.name:
                raise FleetError(f"{file}: {service.name}: {path}: {caller} is no caller")
    if any(route.startswith(INTERNAL) for route in service.routes):
        raise FleetError(f"{file}: {service.name}: what is under {INTERNAL} is not public")


def _check_topic(table: Table, topic: Topic, file: str) -> None:
    if not _TOPIC.fullmatch(topic.name) or topic.partitions < 1 or not topic.consumers:
        raise FleetError(f"{file}: topic {topic.name} has no such name, partitions or consumers")
    ends = (topic.producer, *topic.consumers)
    for end in ends:
        # The keys' names are put together with underscores.
        if not end.isalnum() or ends.count(end) > 1:
            raise FleetError(f"{file}: topic {topic.name}: {end} is no end of it")
        if end in table.part_names and end not in table.services:
            raise FleetError(f"{file}: topic {topic.name}: {end} is not a service")


def _check_sandbox(table: Table, sandbox: Sandbox, file: str) -> None:
    ports = (HTTP, *sandbox.ports)
    if len(set(ports)) != len(ports) or not all(port.isidentifier() for port in ports):
        raise FleetError(f"{file}: {sandbox.name}: {', '.join(sandbox.ports)} are no ports")
    for need in sandbox.provides:
        if need in {*table.backends, *table.services} or table.provided[need] is not sandbox:
            raise FleetError(f"{file}: {sandbox.name}: {need} is what another part provides")
        try:
            sandbox.address(need, dict.fromkeys(ports, "127.0.0.1:1"))
        except (KeyError, ValueError, IndexError, AttributeError):
            raise FleetError(
                f"{file}: {sandbox.name}: the address of {need} names a port that it has not"
            ) from None


def _meet(route: str, path: str) -> bool:
    """Whether a public route holds an inside path, or something below it."""
    plain = route.removesuffix("/*")
    below = route.endswith("/*") and path.startswith(f"{plain}/")
    return below or plain == path or plain.startswith(f"{path}/")
