"""From a request to parts: who gets which port, which environment, which fingerprint."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from tracemypods.local import (
    checkout,
    fingerprints,
    gateway,
    kafka,
    models,
    mongo,
    render,
    s3,
    secrets,
    valkey,
)
from tracemypods.local.data_directory import DataDirectory, write_whole
from tracemypods.local.parts import Part
from tracemypods.local.ports import HOST, Ports
from tracemypods.local.probes import HttpProbe
from tracemypods.local.request import PREFIX, Request
from tracemypods.local.table import GATEWAY, HTTP, Sandbox, Service, Table

REDIS_URL = "TRACEMYPODS_REDIS_URL"
MODE = "TRACEMYPODS_MODE"
LOCAL_MODE = "local"
SANDBOX_PREFIX = "TRACEMYPODS_SANDBOX_"

PRELOAD = (
    "aiohttp",
    "anyio._backends._asyncio",
    "fastapi",
    "httptools",
    "prometheus_client",
    "pydantic_settings",
    "pymongo",
    "redis.asyncio",
    "starlette.middleware",
    "starlette.staticfiles",
    "uvicorn",
    "uvicorn.lifespan.on",
    "uvicorn.protocols.http.httptools_impl",
    "uvloop",
)
"""What the forkserver imports for all services. Third-party packages only."""

_ADDRESSES = frozenset(
    {
        "TRACEMYPODS_HOST",
        "TRACEMYPODS_PORT",
        "TRACEMYPODS_SECRETS_DIR",
        REDIS_URL,
        # The launcher's Valkey has no users.
        "TRACEMYPODS_REDIS_USERNAME",
        mongo.URL_VARIABLE,
        kafka.URL_VARIABLE,
        models.URL_VARIABLE,
        s3.URL_VARIABLE,
    }
)
"""What the launcher decides, whatever a person's environment says. (The address of the model
server, of Kafka, of S3, or of what a sandbox stands for, is passed on from there where it is
somebody's own.)"""
_REPLACED = (models.NAME, kafka.NAME, s3.NAME)
"""Backends in whose place a person may have a server of their own."""


def plan(table: Table, data: DataDirectory, request: Request, ports: Ports) -> list[Part]:
    """The parts that a request asks for.

    Raises FleetError where one of them can't be: a package that is not installed, a folder that
    can't be written, no free port.
    """
    secrets.make(data, table)
    wanted = wanted_parts(table, request)
    backends = ((valkey.NAME, valkey.part), (mongo.NAME, mongo.part), (models.NAME, models.part))
    found = [
        make(data, ports.of(name), base(request), _word(request, name))
        for name, make in backends
        if name in wanted
    ]
    if s3.NAME in wanted:
        chosen = s3.choose_ports(ports)
        found.append(s3.part(data, chosen, base(request), _word(request, s3.NAME)))
    reachable = _ports(table, wanted, ports)
    if kafka.NAME in wanted:
        topics = {topic.name: topic.partitions for topic in table.topics.values()}
        port, word = ports.of(kafka.NAME), _word(request, kafka.NAME)
        found.append(kafka.part(topics, port, base(request), word))
    shared = fingerprints.of_values(fingerprints.of_installation(), PRELOAD)
    found += [
        _service(table, service, data, request, reachable, shared)
        for service in table.ours.values()
        if service.name in wanted
    ]
    if GATEWAY in wanted:
        found.append(_gateway(table, data, request, ports, wanted))
    return found


def wanted_parts(table: Table, request: Request) -> tuple[str, ...]:
    """The parts' names: no sandboxes outside of local mode, nor what a person has their own of."""
    own = _own(table, request)
    left_out = own.intersection(_REPLACED)
    for name, sandbox in table.sandboxes.items():
        if not _is_local(request) or (sandbox.provides and own >= sandbox.provides.keys()):
            left_out.add(name)
    return tuple(name for name in request.parts if name not in left_out)


def url_variable(need: str) -> str:
    """What tells a service where something is that a sandbox stands for."""
    return f"{PREFIX}{need.upper()}_URL"


def provided_address(table: Table, need: str, ports: Mapping[str, int]) -> str | None:
    """Where the sandbox is that provides `need`; None where it does not run."""
    sandbox = table.provided[need]
    at = {
        port: f"{HOST}:{ports[sandbox.port_name(port)]}"
        for port in (HTTP, *sandbox.ports)
        if sandbox.port_name(port) in ports
    }
    return sandbox.address(need, at) if len(at) == len(sandbox.ports) + 1 else None


def base(request: Request) -> dict[str, str]:
    """What every part sees: a fixed path, and a few of the person's variables."""
    return {
        "PATH": os.pathsep.join([str(checkout.PROGRAMS), "/usr/local/bin", "/usr/bin", "/bin"]),
        **{name: v for name, v in request.environment.items() if not name.startswith(PREFIX)},
    }


def service_environment(
    table: Table,
    service: str,
    data: DataDirectory,
    request: Request,
    ports: Mapping[str, int],
) -> dict[str, str]:
    """The whole environment of a service. What it needs and has no port is left out.

    The folder of secrets that it names is made. Raises Unwritable.
    """
    environment = {
        **base(request),
        "PYTHONUNBUFFERED": "1",
        MODE: LOCAL_MODE,
        "TRACEMYPODS_CONFIG_DIR": str(checkout.CONFIG),
    }
    if service == "frontend":
        environment["TRACEMYPODS_FRONTEND_SITE_DIR"] = str(checkout.FRONTEND)
        environment["TRACEMYPODS_FRONTEND_PACKAGES_DIR"] = str(checkout.FRONTEND / "node_modules")
    if service == "vector":
        environment["TRACEMYPODS_VECTOR_DATA_DIR"] = str(data.root / "vector")
    own = _own(table, request)
    environment |= {
        name: value
        for name, value in request.environment.items()
        if _passes(table, service, name, own)
    }
    environment["TRACEMYPODS_HOST"] = HOST
    known = table.ours.get(service)
    given = secrets.of_service(table, known) if known else ()
    given = tuple(name for name in given if not any(name.startswith(f"{need}_") for need in own))
    environment |= secrets.environment_name(secrets.hand_out(data, service, given))
    if service in ports:
        environment["TRACEMYPODS_PORT"] = str(ports[service])
    if isinstance(known, Sandbox):
        environment[f"{known.prefix}DATA_DIR"] = str(data.root / "sandboxes" / service)
        for port in known.ports:
            if known.port_name(port) in ports:
                environment[f"{known.prefix}{port.upper()}_PORT"] = str(
                    ports[known.port_name(port)]
                )
    for need in known.needs if known else ():
        if need in own:
            environment[url_variable(need)] = request.environment[url_variable(need)]
        elif need in table.provided:
            address = provided_address(table, need, ports)
            environment |= {url_variable(need): address} if address else {}
        elif need == kafka.NAME and need in ports:
            environment[kafka.URL_VARIABLE] = kafka.url(ports[need])
        elif need == models.NAME and need in ports:
            environment[models.URL_VARIABLE] = models.url(ports[need])
        elif need == valkey.NAME and need in ports:
            environment[REDIS_URL] = f"redis://{HOST}:{ports[need]}/0"
        elif need == mongo.NAME and need in ports:
            environment[mongo.URL_VARIABLE] = mongo.url(ports[need])
        elif need == s3.NAME and need in ports:
            environment[s3.URL_VARIABLE] = s3.url(ports[need])
            environment[s3.BUCKET_VARIABLE] = s3.BUCKET
        elif need in table.services and need in ports:
            environment[f"TRACEMYPODS_{need.upper()}_URL"] = f"http://{HOST}:{ports[need]}"
    return environment


def _is_local(request: Request) -> bool:
    return request.environment.get(MODE, LOCAL_MODE) == LOCAL_MODE


def _own(table: Table, request: Request) -> set[str]:
    """Of what can be replaced, what a person has a server of their own for."""
    needs = (*_REPLACED, *table.provided)
    return {need for need in needs if request.environment.get(url_variable(need))}


def _passes(table: Table, service: str, name: str, own: set[str]) -> bool:
    """Whether a person's variable is for this service."""
    if not name.startswith(PREFIX) or name in _ADDRESSES or name.startswith("TRACEMYPODS_TEST_"):
        return False
    known = table.ours.get(service)
    if name.startswith(SANDBOX_PREFIX):
        return isinstance(known, Sandbox) and name.startswith(known.prefix)
    for need in (*_REPLACED, *table.provided):
        # The backends were started with the secrets in the files, so those hold; but somebody's
        # own server has a key of its own, which is for those who need it.
        if name.startswith(f"{PREFIX}{need.upper()}_") and (
            need in (kafka.NAME, s3.NAME, *table.provided) or secrets.is_variable(table, name)
        ):
            needed = known is not None and need in known.needs
            return name != url_variable(need) and need in own and needed
    if secrets.is_variable(table, name):
        return False
    others = {*table.services, GATEWAY} - {service}
    return not any(name.startswith(f"{PREFIX}{other.upper()}_") for other in others)


def _ports(table: Table, wanted: tuple[str, ...], ports: Ports) -> dict[str, int]:
    """The ports of all parts but the gateway, the further ones of sandboxes included."""
    names = [name for name in wanted if name != GATEWAY]
    for name in wanted:
        if name in table.sandboxes:
            sandbox = table.sandboxes[name]
            names += [sandbox.port_name(port) for port in sandbox.ports]
    return {name: ports.of(name) for name in names}


def _service(
    table: Table,
    service: Service,
    data: DataDirectory,
    request: Request,
    reachable: Mapping[str, int],
    shared: str,
) -> Part:
    sandbox = service if isinstance(service, Sandbox) else None
    environment = service_environment(table, service.name, data, request, reachable)
    port = reachable[service.name]
    return Part(
        name=service.name,
        kind="sandbox" if sandbox else "service",
        port=port,
        more_ports=tuple(reachable[sandbox.port_name(name)] for name in sandbox.ports)
        if sandbox
        else (),
        url=f"http://{HOST}:{port}",
        environment=environment,
        probe=HttpProbe(port, "/readyz"),
        module=service.module,
        shared=shared,
        fingerprint=fingerprints.of_values(
            service.module,
            sorted(environment.items()),
            fingerprints.of_sandbox(service.name)
            if sandbox
            else fingerprints.of_service(service.name),
            fingerprints.of_files(secrets.that_restart(data, service.name)),
            shared,
            _word(request, service.name),
        ),
    )


def _gateway(
    table: Table, data: DataDirectory, request: Request, ports: Ports, wanted: tuple[str, ...]
) -> Part:
    port = ports.use(GATEWAY, request.port) if request.port else ports.of(GATEWAY)
    sandboxes = [one for name, one in table.sandboxes.items() if name in wanted]
    upstreams = {
        name: f"{HOST}:{ports.of(name)}" if name in wanted else None
        for name in (*table.services, *(one.name for one in sandboxes))
    }
    configuration: Path | None = None
    if sandboxes:
        configuration = data.run / "Caddyfile"
        write_whole(configuration, render.caddyfile(table, sandboxes))
    settings = base(request) | {
        name: value
        for name, value in request.environment.items()
        if name.startswith("TRACEMYPODS_GATEWAY_")
    }
    return gateway.part(data, port, upstreams, settings, _word(request, GATEWAY), configuration)


def _word(request: Request, part: str) -> str:
    return request.restart.get(part, "")
