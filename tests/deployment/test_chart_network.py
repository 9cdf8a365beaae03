"""The network lets through what fleet.toml says, in each direction, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import beside
import pytest
from reachability import Network, Place, Way
from rendered_chart import CASES, NAMESPACE, RELEASE, Rendered, at, over, render

from tracemypods.local import table

FLEET = table.load()
HTTP, EDGE, SOLVER = 8000, 8080, 8089
MODEL_SERVERS = "TRACEMYPODS_MODELS_SERVERS"
DNS = {(53, "UDP"), (53, "TCP")}
INTERNET, INTERNET_IPV6, PRIVATE = "internet", "internet over IPv6", "private"
URLS = ("http", "https", "redis", "rediss", "mongodb", "kafka", "kafka+ssl", "smtp+starttls")
URLS += ("smtp", "smtps")


def own(name: str, **labels: str) -> Place:
    """A pod of the release."""
    common = {"app.kubernetes.io/instance": RELEASE, "app.kubernetes.io/part-of": "tracemypods"}
    return Place(name, {**common, "app.kubernetes.io/name": name, **labels}, NAMESPACE)


def elsewhere(name: str, namespace: str, labels: Mapping[str, str]) -> Place:
    """A pod of somebody else's."""
    return Place(name, labels, namespace, {"name": namespace})


def places(values: Mapping[str, Any]) -> list[Place]:
    """Pods of the release, of others, and addresses outside of the cluster."""
    inside = [name for name, one in values["backends"].items() if one.get("inside")]
    names = {*FLEET.services, *inside, *beside.parts(values), "test", "gateway"}
    names.add("a pod without a part")
    return [
        *map(own, sorted(names)),
        elsewhere("the gateway", "envoy-gateway-system", {"app.kubernetes.io/name": "envoy"}),
        elsewhere("Prometheus", "monitoring", {"app.kubernetes.io/name": "prometheus"}),
        elsewhere("KEDA", "keda", {"app": "keda-operator"}),
        elsewhere("DNS", "kube-system", {"k8s-app": "kube-dns"}),
        elsewhere("the Ingress controller", "ingress", {}),
        elsewhere("a solver", NAMESPACE, {"acme.cert-manager.io/http01-solver": "true"}),
        elsewhere("a neighbour", NAMESPACE, {"app.kubernetes.io/instance": "other"}),
        elsewhere("a stranger", "elsewhere", {"app.kubernetes.io/name": "envoy"}),
        *(elsewhere(f"in {name}", name, {}) for name in ("data", "models", "observability")),
        Place("mongo.example.com", address="10.20.0.1"),
        Place("kafka.example.com", address="10.20.0.17"),
        Place("near mongo.example.com", address="10.20.0.100"),
        Place(INTERNET, address="203.0.113.5"),
        Place(INTERNET_IPV6, address="2001:db8::5"),
        Place(PRIVATE, address="10.1.2.3"),
        Place("metadata of the cloud", address="169.254.169.254"),
        Place("private over IPv6", address="fd00::1"),
    ]


PRODUCTION_PLACES = {
    "redis": ("in data", 6379),
    "mongo": ("mongo.example.com", 27017),
    "kafka": ("kafka.example.com", 9093),
    "s3": (INTERNET, 443),
    "models": ("in models", 8000),
    "smtp": (INTERNET, 587),
    "qdrant": ("in data", 6333),
    "razorpay": (INTERNET, 443),
    "telemetry": ("in observability", 4318),
}
"""Where chart_values/production.yaml says that things are."""


def needed(values: Mapping[str, Any], service: table.Service) -> set[tuple[str, int]]:
    """What a service calls, as fleet.toml and an operator's values say."""
    needs = [*service.needs, *service.cluster_needs, "telemetry"]
    found = {(need, HTTP) for need in needs if need in FLEET.services}
    found |= {
        (callee.name, HTTP)
        for callee in FLEET.services.values()
        for callers in callee.internal.values()
        if service.name in callers
    }
    for need in needs:
        if need in FLEET.services or (need == "models" and beside.has_no_usual_models(values)):
            continue
        if not values["backends"][need].get("inside"):
            target = PRODUCTION_PLACES[need]
            found |= {target, (INTERNET_IPV6, target[1])} if target[0] == INTERNET else {target}
        elif need in FLEET.provided and FLEET.provided[need].in_demo:
            found.add((FLEET.provided[need].name, HTTP))
        else:
            found.add((need, FLEET.cluster[need].port))
    return found


def declared(values: Mapping[str, Any]) -> set[Way]:
    """All ways that there are to be among places, as fleet.toml says."""
    ours = [*FLEET.services.values()]
    ours += [one for one in FLEET.sandboxes.values() if one.in_demo and values["mode"] == "demo"]
    found = {
        Way(service.name, target, port)
        for service in ours
        for target, port in needed(values, service)
    }
    found |= beside.ways(values, [one.name for one in ours if "models" in one.needs])
    public = [service.name for service in ours if service.routes]
    if values["edge"] == "caddy":
        found |= {Way("gateway", name, HTTP) for name in public}
        found.add(Way("test", "gateway", EDGE))
        if values.get("caddy", {}).get("peers"):
            found.add(Way("the Ingress controller", "gateway", EDGE))
    else:
        found |= {Way(one, name, HTTP) for one in ("the gateway", "test") for name in public}
    if values.get("monitoring", {}).get("enabled"):
        found |= {Way("Prometheus", one.name, HTTP) for one in ours}
    callers = {way.source for way in found if any(way.source == one.name for one in ours)}
    callers |= {"test", "gateway", "telemetry", *beside.parts(values)}
    callers &= {way.source for way in found}
    return found | {Way(caller, "DNS", *port) for caller in callers for port in DNS}


def network(values: Mapping[str, Any], *more: tuple[int, str]) -> Network:
    """The rendered policies among all places, at the ports that matter and `more`."""
    policies = [
        {**one, "metadata": {**one["metadata"], "namespace": NAMESPACE}}
        for one in render(values).of_kind("NetworkPolicy")
    ]
    numbers = {way.port for way in declared(values)} | {22, 80, 443, EDGE}
    return Network(policies, places(values), {*((one, "TCP") for one in numbers), *DNS, *more})


def concerned(found: set[Way], values: Mapping[str, Any]) -> set[Way]:
    """Those with an end in the release (or at a solver, where that has a policy of its own)."""
    names = {*FLEET.services, *values["backends"], *beside.parts(values)}
    names |= {"test", "gateway", "a pod without a part"}
    return {way for way in found if way.source in names or way.target in names}


@pytest.mark.parametrize("values", CASES.values(), ids=CASES)
def test_what_can_be_reached_is_what_the_table_declares(values: Mapping[str, Any]) -> None:
    assert concerned(network(values).ways(), values) == declared(values)


@pytest.mark.parametrize("values", CASES.values(), ids=CASES)
def test_no_policy_can_be_left_out(values: Mapping[str, Any]) -> None:
    found = network(values, (SOLVER, "TCP"))
    whole = found.ways()
    names = {policy["metadata"]["name"] for policy in found.policies}
    assert {f"{RELEASE}-{name}" for name in (*FLEET.services, "default-deny")} <= names
    for policy in found.policies:
        assert found.ways(without=policy) != whole, policy["metadata"]["name"]


def test_a_release_restricts_nobody_else() -> None:
    found = network(CASES["production"]).ways()
    assert Way("a neighbour", "a solver", 22) in found
    assert Way(INTERNET, "a neighbour", 22) in found


def test_only_the_edge_reaches_a_solver() -> None:
    found = network(CASES["production behind Caddy"], (SOLVER, "TCP")).ways()
    assert {way.source for way in found if way.target == "a solver"} == {"the Ingress controller"}


def test_keda_reaches_a_kafka_that_is_inside() -> None:
    found = network(over(CASES["demo"], at("keda.enabled", value=True))).ways()
    assert Way("KEDA", "kafka", 9092) in found
    assert Way("Prometheus", "kafka", 9092) not in found


def test_an_operator_may_open_one_more_way() -> None:
    more = {"port": 443, "public": True}
    values = over(CASES["production"], at("services.embedding.egress", [more]))
    assert concerned(network(values).ways(), values) - declared(values) == {
        Way("embedding", INTERNET, 443),
        Way("embedding", INTERNET_IPV6, 443),
    }


def addresses(rendered: Rendered, service: str) -> set[tuple[str, int]]:
    """Hosts and ports in a service's environment. A host is a part's name, or one outside."""
    pod = rendered.find("Deployment", service)["spec"]["template"]["spec"]
    usual = {"http": 80, "https": 443, "smtp+starttls": 587, "redis": 6379, "mongodb": 27017}
    found: set[tuple[str, int]] = set()
    variables = {one["name"]: one["value"] for one in pod["containers"][0]["env"]}
    for name, server in json.loads(variables.pop(MODEL_SERVERS, "{}")).items():
        variables[f"{MODEL_SERVERS} {name}"] = server["url"]
    for name, value in variables.items():
        address = urlsplit(value)
        if address.scheme in URLS and not name.endswith(("_ORIGINS", "_PUBLIC_URL")):
            assert address.hostname
            host = address.hostname.removeprefix(f"{rendered.release}-")
            found.add((host, address.port or usual[address.scheme]))
    return found


@pytest.mark.parametrize("values", CASES.values(), ids=CASES)
def test_every_address_in_an_environment_has_its_edge_and_conversely(
    values: Mapping[str, Any],
) -> None:
    hosts = {
        one.get("host"): PRODUCTION_PLACES[need][0]
        for need, one in values["backends"].items()
        if one.get("host")
    } | beside.MODEL_HOSTS
    rendered, found = render(values), network(values).ways()
    for service in FLEET.services.values():
        told = {(hosts.get(host, host), port) for host, port in addresses(rendered, service.name)}
        if "razorpay" in service.needs and values["mode"] == "production":
            told.add((INTERNET, 443))  # Its own address, which settings have as a default.
        if "s3" in service.needs and values["mode"] == "production":
            told.add((INTERNET, 443))  # Amazon's own, which boto3 knows.
        reached = {
            (way.target, way.port)
            for way in found
            if way.source == service.name and way.target not in ("DNS", INTERNET_IPV6)
        }
        assert told == reached, service.name
