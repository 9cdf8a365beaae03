"""What the Helm chart knows of fleet.toml: files that its templates read.

Templates decide nothing that the table decides: which services there are, who calls whom, what each
reads. An operator's values say the rest.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tracemypods.local import checkout, keys, third_party
from tracemypods.local.errors import FleetError
from tracemypods.local.table import CATCH_ALL, INTERNAL, NEVER_PUBLIC, Sandbox, Service, Table

FACTS = "fleet.json"
DEVELOPMENT_KEYS = "dev-keys.json"
IMAGES = "images.json"

OF_NEEDS: dict[str, tuple[str, ...]] = {**keys.OF_SERVERS, **keys.ONLY_GIVEN}
"""What whoever needs a part of a cluster must know, where that part asks for it."""


def files(table: Table, gateways: Mapping[str, str]) -> dict[Path, str]:
    """The chart's generated files and their texts; `gateways` are configurations of Caddy by name.

    Raises FleetError for a service that lacks what a cluster has to know.
    """
    folder = checkout.CHART / "files"
    return {
        folder / FACTS: _json(facts(table)),
        folder / DEVELOPMENT_KEYS: _json(development_keys(table)),
        folder / IMAGES: _json(tomllib.loads(third_party.FILE.read_text())),
        **{folder / name: text for name, text in gateways.items()},
        **{
            folder / "config" / file.name: file.read_text()
            for file in sorted(checkout.CONFIG.glob("*.toml"))
        },
    }


def facts(table: Table) -> dict[str, Any]:
    """All that templates read of the table. Raises FleetError."""
    return {
        "services": {name: _service(table, one) for name, one in table.services.items()},
        "sandboxes": {one.name: _service(table, one) for one in demo_sandboxes(table)},
        "cluster": {
            part.name: {"summary": part.summary, "port": part.port, "needs": list(part.needs)}
            for part in table.cluster.values()
        },
        "secrets": {
            need: [_file(name) for name in names]
            for need, names in OF_NEEDS.items()
            if need in table.cluster
        },
        "neverPublic": [
            *(_route(path) for path in NEVER_PUBLIC),
            *(_route(f"{path.rstrip('/')}/*") for path in (INTERNAL, *table.inside)),
        ],
        "topics": {
            topic.name: {
                "partitions": topic.partitions,
                "producer": topic.producer,
                "consumers": list(topic.consumers),
            }
            for topic in table.topics.values()
        },
    }


def demo_sandboxes(table: Table) -> list[Sandbox]:
    """Those that run in a cluster, too."""
    return [one for one in table.sandboxes.values() if one.in_demo]


def development_keys(table: Table) -> dict[str, Any]:
    """The keys of demo mode, the same everywhere and known to everybody: of `services` by their
    files' names, of `servers` as keys.py has them, and the `operator`'s own."""
    found = keys.fixed(table)
    running = {*table.services, *(one.name for one in demo_sandboxes(table))}
    return {
        "operator": found.operator_key,
        "services": {
            name: {_file(key): value for key, value in values.items()}
            for name, values in found.services.items()
            if name in running
        },
        "servers": found.servers,
    }


def _service(table: Table, service: Service) -> dict[str, Any]:
    container = service.container
    needs = (*service.needs, *service.cluster_needs)
    provided = {need for one in demo_sandboxes(table) for need in one.provides}
    for need in needs:
        if need not in {*table.services, *table.cluster, *provided}:
            raise FleetError(f"fleet.toml: {service.name} needs {need}, which is not in [cluster]")
    if not container.memory_mb:
        raise FleetError(f"fleet.toml: {service.name} lacks container_memory_mb")
    calls = {need for need in needs if need in table.services}
    calls |= {
        callee.name
        for callee in table.services.values()
        for callers in callee.internal.values()
        if service.name in callers
    }
    return {
        "summary": service.summary,
        "module": service.module,
        "routes": [_route(route) for route in service.routes],
        "calls": sorted(calls),
        "needs": [need for need in needs if need not in table.services],
        "public": list(container.public),
        "consumes": [
            topic.name for topic in table.topics.values() if service.name in topic.consumers
        ],
        "secrets": [_file(name) for name in _own_secrets(table, service)],
        "config": list(container.config),
        "seesClients": container.sees_clients,
        "scalesBy": container.scales_by,
        "memoryMb": container.memory_mb,
        "drainSeconds": container.drain_seconds,
        **(
            {"prefix": service.prefix, "provides": list(service.provides)}
            if isinstance(service, Sandbox)
            else {}
        ),
    }


def _route(route: str) -> dict[str, str]:
    """A route as Kubernetes' gateways write it."""
    if route == CATCH_ALL:
        return {"type": "PathPrefix", "value": "/"}
    plain = route.removesuffix("/*")
    return {"type": "Exact" if plain == route else "PathPrefix", "value": plain}


def _own_secrets(table: Table, service: Service) -> list[str]:
    """A service's keys that are not those of what it needs."""
    of_needs = {name for names in OF_NEEDS.values() for name in names}
    return [name for name in keys.needed(table, service) if name not in of_needs]


def _file(name: str) -> str:
    """How the file of a secret is called."""
    return f"tracemypods_{name}"


def _json(what: object) -> str:
    return f"{json.dumps(what, indent=2, ensure_ascii=False)}\n"
