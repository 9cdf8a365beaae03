"""From a request to parts: who gets which port, which environment, which fingerprint."""

from __future__ import annotations

import os
from collections.abc import Mapping

from tracemypods.local import checkout, fingerprints, gateway, models, mongo, secrets, valkey
from tracemypods.local.data_directory import DataDirectory
from tracemypods.local.parts import Part
from tracemypods.local.ports import HOST, Ports
from tracemypods.local.probes import HttpProbe
from tracemypods.local.request import PREFIX, Request
from tracemypods.local.table import GATEWAY, Service, Table

REDIS_URL = "TRACEMYPODS_REDIS_URL"

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
        mongo.URL_VARIABLE,
        models.URL_VARIABLE,
    }
)
"""What the launcher decides, whatever a person's environment says. (The model server's address
is passed on from there where it is somebody's own.)"""


def plan(table: Table, data: DataDirectory, request: Request, ports: Ports) -> list[Part]:
    """The parts that a request asks for.

    Raises FleetError where one of them can't be: a package that is not installed, a folder that
    can't be written, no free port.
    """
    secrets.make(data, table)
    wanted = wanted_parts(request)
    backends = ((valkey.NAME, valkey.part), (mongo.NAME, mongo.part), (models.NAME, models.part))
    found = [
        make(data, ports.of(name), base(request), _word(request, name))
        for name, make in backends
        if name in wanted
    ]
    for name in wanted:
        if name in table.services:
            ports.of(name)
    shared = fingerprints.of_values(fingerprints.of_installation(), PRELOAD)
    found += [
        _service(table, service, data, request, ports, shared)
        for service in table.services.values()
        if service.name in wanted
    ]
    if GATEWAY in wanted:
        found.append(_gateway(table, data, request, ports, wanted))
    return found


def wanted_parts(request: Request) -> tuple[str, ...]:
    """The parts' names, without the model server where a person has their own."""
    own = bool(request.environment.get(models.URL_VARIABLE))
    return tuple(name for name in request.parts if not (own and name == models.NAME))


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
        "TRACEMYPODS_MODE": "local",
        "TRACEMYPODS_CONFIG_DIR": str(checkout.CONFIG),
    }
    if service == "frontend":
        environment["TRACEMYPODS_FRONTEND_SITE_DIR"] = str(checkout.FRONTEND)
        environment["TRACEMYPODS_FRONTEND_PACKAGES_DIR"] = str(checkout.FRONTEND / "node_modules")
    own_models = request.environment.get(models.URL_VARIABLE)
    environment |= {
        name: value
        for name, value in request.environment.items()
        if _passes(table, service, name, bool(own_models))
    }
    environment["TRACEMYPODS_HOST"] = HOST
    known = table.services.get(service)
    given = secrets.of_service(table, known) if known else ()
    if own_models:
        given = tuple(name for name in given if name != secrets.MODELS_API_KEY)
    environment |= secrets.environment_name(secrets.hand_out(data, service, given))
    if service in ports:
        environment["TRACEMYPODS_PORT"] = str(ports[service])
    for need in known.needs if known else ():
        if need == models.NAME and own_models:
            environment[models.URL_VARIABLE] = own_models
        elif need == models.NAME and need in ports:
            environment[models.URL_VARIABLE] = models.url(ports[need])
        elif need == valkey.NAME and need in ports:
            environment[REDIS_URL] = f"redis://{HOST}:{ports[need]}/0"
        elif need == mongo.NAME and need in ports:
            environment[mongo.URL_VARIABLE] = mongo.url(ports[need])
        elif need in table.services and need in ports:
            environment[f"TRACEMYPODS_{need.upper()}_URL"] = f"http://{HOST}:{ports[need]}"
    return environment


def _passes(table: Table, service: str, name: str, own_models: bool) -> bool:
    """Whether a person's variable is for this service."""
    if not name.startswith(PREFIX) or name in _ADDRESSES or name.startswith("TRACEMYPODS_TEST_"):
        return False
    if secrets.is_variable(table, name):
        # The backends were started with the secrets in the files, so those hold; but somebody's
        # own model server has a key of its own.
        return name == "TRACEMYPODS_MODELS_API_KEY" and own_models
    others = {*table.services, GATEWAY} - {service}
    return not any(name.startswith(f"{PREFIX}{other.upper()}_") for other in others)


def _service(
    table: Table,
    service: Service,
    data: DataDirectory,
    request: Request,
    ports: Ports,
    shared: str,
) -> Part:
    wanted = wanted_parts(request)
    reachable = {name: ports.of(name) for name in wanted if name != GATEWAY}
    environment = service_environment(table, service.name, data, request, reachable)
    port = reachable[service.name]
    return Part(
        name=service.name,
        kind="service",
        port=port,
        url=f"http://{HOST}:{port}",
        environment=environment,
        probe=HttpProbe(port, "/readyz"),
        module=service.module,
        shared=shared,
        fingerprint=fingerprints.of_values(
            service.module,
            sorted(environment.items()),
            fingerprints.of_service(service.name),
            fingerprints.of_files(secrets.that_restart(data, service.name)),
            shared,
            _word(request, service.name),
        ),
    )


def _gateway(
    table: Table, data: DataDirectory, request: Request, ports: Ports, wanted: tuple[str, ...]
) -> Part:
    port = ports.use(GATEWAY, request.port) if request.port else ports.of(GATEWAY)
    upstreams = {
        name: f"{HOST}:{ports.of(name)}" if name in wanted else None for name in table.services
    }
    settings = base(request) | {
        name: value
        for name, value in request.environment.items()
        if name.startswith("TRACEMYPODS_GATEWAY_")
    }
    return gateway.part(data, port, upstreams, settings, _word(request, GATEWAY))


def _word(request: Request, part: str) -> str:
    return request.restart.get(part, "")
