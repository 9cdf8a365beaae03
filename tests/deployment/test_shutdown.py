"""Two processes of each service are replaced one after the other, and nobody who calls notices.

Callers outside come through the gateway. As in a cluster, it and the callers inside know one
address, whose new connections go to the processes in turn. A process that is to end is first taken
out there, which is what its wait before SIGTERM is for; connections that are open stay with it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
import rolling_calls
import uvicorn
from rendered_chart import CASES, render
from rolling_load import Call, MakeClient, RollingLoad, inside, outside

from tracemypods.kit.http import KEEP_ALIVE_SECONDS
from tracemypods.kit.serve import LINGER_SECONDS
from tracemypods.local import checkout, gateway, table, tether
from tracemypods.local.data_directory import DataDirectory
from tracemypods.local.fleet import Fleet
from tracemypods.local.ports import Ports
from tracemypods.local.testing.balancer import Balancer
from tracemypods.local.testing.model_stub import ModelStub
from tracemypods.local.testing.replica import Replica
from tracemypods.local.testing.waiting import until

FLEET = table.load()
BETWEEN = 60
"""So many calls are answered before and after each change."""
LEAST_PRE_STOP = 5
"""All proxies of a cluster know by then that a pod is gone, seconds."""
MARGIN = 5
"""For what follows the last answer: sending spans, leaving Kafka's groups, seconds."""


MANY = {"requests_per_minute": 10**6, "tokens_per_day": 10**9, "concurrent": 100}


@dataclass(frozen=True)
class Shutdown:
    """What a cluster does to a service's container, in seconds."""

    pre_stop: int
    """Between its end being decided, which takes it out of the Service, and SIGTERM."""
    drain: int
    """What it is told to take at most for open requests, after SIGTERM."""
    grace: int
    """Between its end being decided and SIGKILL."""


def rendered_shutdown(service: str, case: str = "demo") -> Shutdown:
    """How the chart has a service end."""
    pod = render(CASES[case]).find("Deployment", service)["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    environment = {one["name"]: one.get("value") for one in container["env"]}
    return Shutdown(
        pre_stop=container["lifecycle"]["preStop"]["sleep"]["seconds"],
        drain=int(environment["TRACEMYPODS_DRAIN_SECONDS"]),
        grace=pod["terminationGracePeriodSeconds"],
    )


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("service", list(FLEET.services))
def test_a_container_has_ended_before_it_is_killed(service: str, case: str) -> None:
    rendered = rendered_shutdown(service, case)
    assert rendered.pre_stop >= LEAST_PRE_STOP
    assert rendered.drain > LINGER_SECONDS
    assert rendered.pre_stop + rendered.drain + MARGIN < rendered.grace


def test_connections_are_left_open_for_longer_than_callers_keep_them() -> None:
    (gateway,) = re.findall(r"\bkeepalive (\d+)s$", checkout.CADDYFILE.read_text(), re.MULTILINE)
    kept = max(int(gateway), KEEP_ALIVE_SECONDS)
    assert kept < LINGER_SECONDS
    assert kept < uvicorn.Config(app="").timeout_keep_alive


@pytest.fixture(scope="module")
def balancer() -> Iterator[Balancer]:
    with Balancer() as balancer:
        yield balancer


@pytest.fixture(scope="module")
def gateway_url(balancer: Balancer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The gateway with the configuration that the cluster has too, every service balanced."""
    data = DataDirectory(tmp_path_factory.mktemp("gateway"))
    data.prepare()
    upstreams = dict.fromkeys(FLEET.services, balancer.address)
    part = gateway.part(data, Ports(data).of("gateway"), upstreams, {"PATH": os.defpath}, "")
    tethered = [sys.executable, "-I", "-S", tether.__file__, str(os.getpid())]
    with data.log("gateway").open("wb") as log:
        caddy = subprocess.Popen(
            [*tethered, *part.command], env=dict(part.environment), stdout=log, stderr=log
        )
    try:
        until(lambda: answers(part.url), "the gateway is ready")
        yield part.url
    finally:
        caddy.terminate()
        caddy.wait()


def answers(url: str) -> bool:
    try:
        httpx2.get(f"{url}/livez")
    except httpx2.TransportError:
        return False
    return True


@pytest.fixture
def model() -> Iterator[ModelStub]:
    """A model that takes its time, so that some stream is always open."""
    with ModelStub() as stub:
        stub.seconds_between = 0.05
        yield stub


@pytest.fixture
def replicas(
    fleet: Fleet, service: str, model: ModelStub, tmp_path: Path
) -> Iterator[list[Replica]]:
    """Two processes of a service, on all that the fleet has of it."""
    own = {
        # Where it is local, nobody waits for callers to let go.
        "TRACEMYPODS_MODE": "demo",
        "TRACEMYPODS_DRAIN_SECONDS": str(rendered_shutdown(service).drain),
        "TRACEMYPODS_MODELS_URL": model.url,
        "TRACEMYPODS_ASK_FREE_LIMITS": json.dumps(MANY),
        "TRACEMYPODS_ASK_NETWORK_LIMITS": json.dumps(MANY),
    }
    given = fleet.environment(service)
    del given["TRACEMYPODS_PORT"]
    with ExitStack() as stack:
        started: list[Replica] = []
        for number in range(2):
            # Its embedded store is for one process.
            own["TRACEMYPODS_VECTOR_DATA_DIR"] = str(tmp_path / f"vectors-{number}")
            log = tmp_path / f"{service}-{number}.log"
            started.append(stack.enter_context(Replica(service, {**given, **own}, log)))
        yield started


def callers(
    fleet: Fleet, service: str, gateway_url: str, inside_url: str
) -> list[tuple[MakeClient, list[Call]]]:
    """Those who call a service: people at the gateway, and ask inside."""
    found: list[tuple[MakeClient, list[Call]]] = []
    if FLEET.services[service].routes:
        found.append((outside(gateway_url), rolling_calls.from_outside(fleet)[service]))
    if service in rolling_calls.INSIDE:
        key = fleet.secret(f"edge_ask_{service}")
        found.append((inside(service, inside_url, key), rolling_calls.INSIDE[service]))
    return found


@pytest.mark.parametrize("service", list(FLEET.services))
def test_nobody_notices_that_processes_are_replaced(
    fleet: Fleet, service: str, replicas: list[Replica], balancer: Balancer, gateway_url: str
) -> None:
    first, second = replicas
    for replica in replicas:
        balancer.put_in(replica.port)
    with RollingLoad(*callers(fleet, service, gateway_url, balancer.url)) as load:
        load.await_answers(BETWEEN)
        end(first, balancer, rendered_shutdown(service))
        load.await_answers(BETWEEN)
        first.start()
        balancer.put_in(first.port)
        load.await_answers(BETWEEN)
        end(second, balancer, rendered_shutdown(service))
        load.await_answers(BETWEEN)
    balancer.take_out(first.port)
    assert load.wrong == []


def end(replica: Replica, balancer: Balancer, shutdown: Shutdown) -> None:
    """Do what a cluster does with a container that is to end, but wait no longer than it takes."""
    until(lambda: balancer.connections(replica.port), "somebody calls the one that is to end")
    balancer.take_out(replica.port)
    told = time.monotonic()
    replica.tell_to_stop()
    replica.await_end()
    assert time.monotonic() - told < shutdown.grace - shutdown.pre_stop
