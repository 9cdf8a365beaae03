"""What the chart tells services is what they read, and all names within it meet."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from rendered_chart import CASES, Manifest, Rendered, at, over, render

from tracemypods.kit import telemetry
from tracemypods.kit.internal import edge_variable
from tracemypods.kit.operators import FILE as OPERATORS
from tracemypods.kit.settings import ServiceSettings, load, variable_name
from tracemypods.local import chart, checkout, keys, secrets, table
from tracemypods.local.data_directory import DataDirectory
from tracemypods.local.gateway import upstream_variable
from tracemypods.local.plan import plan
from tracemypods.local.ports import Ports
from tracemypods.local.render import caddyfile
from tracemypods.local.request import PREFIX, Request

FLEET = table.load()
OF_IMAGES: dict[str, dict[str, str]] = {
    "frontend": {
        "TRACEMYPODS_FRONTEND_SITE_DIR": str(checkout.FRONTEND),
        "TRACEMYPODS_FRONTEND_PACKAGES_DIR": str(checkout.FRONTEND / "node_modules"),
    }
}
"""What a service's image sets, since it knows where its own files are."""
ON_ONE_MACHINE = {"TRACEMYPODS_VECTOR_DATA_DIR", "TRACEMYPODS_MODELS_URL"}
"""What the launcher gives for embedded engines. A cluster has servers in their place, and for each
model one."""

cases = pytest.mark.parametrize("values", CASES.values(), ids=CASES)
services = pytest.mark.parametrize("service", [*FLEET.services, "razorpay"])


def running(rendered: Rendered) -> list[str]:
    """Our services and sandboxes that are in a release."""
    names = [one["metadata"]["labels"]["app.kubernetes.io/name"] for one in deployments(rendered)]
    return [name for name in names if name in FLEET.ours]


def deployments(rendered: Rendered) -> list[Manifest]:
    return rendered.of_kind("Deployment")


def pod_of(rendered: Rendered, service: str) -> Manifest:
    return rendered.find("Deployment", service)["spec"]["template"]["spec"]


def environment(rendered: Rendered, service: str) -> dict[str, str]:
    found = pod_of(rendered, service)["containers"][0]["env"]
    return {one["name"]: one["value"] for one in found}


def module(service: str, name: str) -> Any:
    return importlib.import_module(f"{FLEET.ours[service].module}.{name}")


def made_keys() -> keys.Keys:
    """Keys as `tracemypods keys` makes them, with those that others make."""

    def value(name: str, holder: str) -> str:
        return hashlib.sha256(f"{name} {holder}".encode()).hexdigest()

    names = (*keys.ONLY_GIVEN["smtp"], *keys.ONLY_GIVEN["models"])
    names += ("razorpay_key_secret", "razorpay_webhook_secret")
    return keys.make(FLEET, value, None, given={name: value(name, "") for name in names})


def secret_files(rendered: Rendered, service: str) -> dict[str, str]:
    """The Secret that a service mounts: the rendered one, or one as `tracemypods keys` makes it."""
    volumes = pod_of(rendered, service)["volumes"]
    names = [one["secret"]["secretName"] for one in volumes if "secret" in one]
    # Beside keys of model servers its own ones come first, and whole.
    sources = [one["projected"]["sources"][0] for one in volumes if "projected" in one]
    names += [one["secret"]["name"] for one in sources if "items" not in one["secret"]]
    if not names:
        return {}
    assert names == [f"{rendered.release}-{service}"]
    if rendered.of_kind("Secret"):
        return rendered.find("Secret", service)["stringData"]
    return {f"tracemypods_{key}": one for key, one in made_keys().services[service].items()}


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Puts a process in a service's container: its environment, and what is mounted there."""

    def put(rendered: Rendered, service: str) -> None:
        for name in list(os.environ):
            if name.startswith((PREFIX, "OTEL_")):
                monkeypatch.delenv(name)
        mounts = {"/tmp": tmp_path / "tmp", "/data": tmp_path / "data"}  # noqa: S108
        pod = pod_of(rendered, service)
        volumes = {one["name"]: one for one in pod["volumes"]}
        for mount in pod["containers"][0]["volumeMounts"]:
            path = mounts.setdefault(mount["mountPath"], tmp_path / mount["name"])
            path.mkdir(exist_ok=True)
            volume = volumes[mount["name"]]
            for item in volume.get("configMap", {}).get("items", ()):
                text = rendered.find("ConfigMap", "config")["data"][item["key"]]
                (path / item["path"]).write_text(text)
            if {"secret", "projected"} & set(volume):
                for name, value in secret_files(rendered, service).items():
                    (path / name).write_text(value)
            for source in volume.get("projected", {}).get("sources", ()):
                for item in source["secret"].get("items", ()):
                    (path / item["path"]).write_text("the key of a model server")
        for name, value in {**OF_IMAGES.get(service, {}), **environment(rendered, service)}.items():
            for mount, path in mounts.items():
                value = str(path) if value == mount else value.replace(f'"{mount}/', f'"{path}/')
            monkeypatch.setenv(name, value)
        # Telemetry belongs to a process of its own.
        for name in telemetry.ENDPOINTS:
            monkeypatch.delenv(name, raising=False)

    return put


# It is one within a cluster, in demo mode.
@pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection:UserWarning")
@pytest.mark.parametrize(
    ("name", "service"),
    [(name, one) for name, values in CASES.items() for one in running(render(values))],
)
def test_a_service_starts_with_what_it_is_told(told: Any, name: str, service: str) -> None:
    values = CASES[name]
    rendered = render(values)
    told(rendered, service)
    settings = load(module(service, "settings").Settings)
    assert settings.mode == values["mode"]
    assert (settings.host, settings.port) == ("0.0.0.0", 8000)  # noqa: S104 - in its container
    module(service, "app").create_app(settings)


@services
def test_a_service_refuses_development_keys_in_production(
    told: Any, service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered = render(CASES["demo"])
    if not secret_files(rendered, service):
        return
    told(rendered, service)
    monkeypatch.setenv("TRACEMYPODS_MODE", "production")
    with pytest.raises(Exception, match="a key of trials, which anybody knows"):
        load(module(service, "settings").Settings)


def test_an_operators_settings_win_and_numbers_stay_numbers() -> None:
    settings = {"TRACEMYPODS_TOKEN_FREE_SECONDS": 2_000_000, "TRACEMYPODS_MONGO_DATABASE": "other"}
    values = over(CASES["production"], at("services.token.settings", settings))
    found = environment(render(values), "token")
    assert found["TRACEMYPODS_TOKEN_FREE_SECONDS"] == "2000000"
    assert found["TRACEMYPODS_MONGO_DATABASE"] == "other"
    assert environment(render(values), "order")["TRACEMYPODS_MONGO_DATABASE"] == "tracemypods"


def read_by(service: str) -> set[str]:
    """The variables that a service reads."""
    settings: type[ServiceSettings] = module(service, "settings").Settings
    found = {variable_name(settings, field) for field in settings.model_fields}
    found |= {edge_variable(*ends) for ends in FLEET.edges if service in ends}
    if "operator_keys" in FLEET.ours[service].secrets:
        found.add(OPERATORS.upper())
    return found | {"TRACEMYPODS_SECRETS_DIR", "PYTHONUNBUFFERED", *telemetry.ENDPOINTS}


@cases
def test_nothing_is_set_that_nobody_reads(values: Mapping[str, Any]) -> None:
    rendered = render(values)
    for service in running(rendered):
        given = {*environment(rendered, service)}
        given |= {name.upper() for name in secret_files(rendered, service)}
        assert given - read_by(service) == set(), service


@cases
def test_a_secret_has_what_the_chart_counts_on(values: Mapping[str, Any]) -> None:
    source = {"source": "external", "external": {"store": "any"}}
    demanded = render({**values, "mode": "demo", "secrets": source})
    for one in demanded.of_kind("ExternalSecret"):
        service = one["metadata"]["labels"]["app.kubernetes.io/name"]
        wanted = {entry["secretKey"] for entry in one["spec"]["data"]}
        known = {f"tracemypods_{name}" for name in keys.fixed(FLEET).services[service]}
        known |= {f"tracemypods_{name}" for names in keys.ONLY_GIVEN.values() for name in names}
        assert wanted <= known
        assert {f"tracemypods_{name}" for name in FLEET.ours[service].secrets} <= wanted


def test_a_service_gets_what_the_launcher_gives_it(tmp_path: Path) -> None:
    data = DataDirectory(tmp_path)
    data.prepare()
    rendered = render(CASES["demo"])
    found = {
        one.name: one for one in plan(FLEET, data, Request(FLEET.part_names, 0, {}), Ports(data))
    }
    for service in FLEET.services:
        local = {name for name in found[service].environment if name.startswith(PREFIX)}
        there = {*environment(rendered, service), *OF_IMAGES.get(service, {})}
        if not secret_files(rendered, service):
            there.add("TRACEMYPODS_SECRETS_DIR")
        assert (local & read_by(service)) - there <= ON_ONE_MACHINE, service
        names = {f"tracemypods_{name}" for name in secrets.of_service(FLEET, FLEET.ours[service])}
        names = {name for name in names if not name.endswith(secrets.PREVIOUS)}
        asks_for_no_key = {"tracemypods_models_api_key"}
        assert names - {*secret_files(rendered, service)} <= asks_for_no_key


@cases
def test_selectors_ports_and_targets_meet(values: Mapping[str, Any]) -> None:
    rendered = render(values)
    names = {(one["kind"], one["metadata"]["name"]) for one in rendered.objects}
    pods = [one["spec"]["template"] for one in rendered.workloads]
    for service in rendered.of_kind("Service"):
        chosen = [
            pod
            for pod in pods
            if service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
        ]
        assert len(chosen) == 1, service["metadata"]["name"]
        ports = {
            port["name"]: port["containerPort"]
            for one in chosen[0]["spec"]["containers"]
            for port in one["ports"]
        }
        for port in service["spec"]["ports"]:
            assert ports[port["targetPort"]] == port["port"]
    for one in rendered.of_kind("HorizontalPodAutoscaler", "ScaledObject"):
        target = one["spec"]["scaleTargetRef"]
        assert (target["kind"], target["name"]) in names
    for one in rendered.of_kind("Deployment", "StatefulSet"):
        assert one["spec"]["selector"]["matchLabels"].items() <= (
            one["spec"]["template"]["metadata"]["labels"].items()
        )
    for name in targets(rendered):
        assert name in names


def targets(rendered: Rendered) -> Iterator[tuple[str, str]]:
    """What gateways, ingresses and policies of either name."""
    for route in rendered.of_kind("HTTPRoute"):
        for parent in route["spec"]["parentRefs"]:
            yield "Gateway", parent["name"]
        for rule in route["spec"]["rules"]:
            for backend in rule.get("backendRefs", ()):
                assert backend["port"] == 8000
                yield "Service", backend["name"]
    for policy in rendered.of_kind("BackendTrafficPolicy", "ClientTrafficPolicy"):
        for target in policy["spec"]["targetRefs"]:
            yield target["kind"], target["name"]
    for ingress in rendered.of_kind("Ingress"):
        for rule in ingress["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                yield "Service", path["backend"]["service"]["name"]


def test_a_gateway_has_the_certificate_that_is_made() -> None:
    rendered = render(CASES["production"])
    certificate = rendered.find("Certificate", "tls")["spec"]
    listeners = rendered.find("Gateway", "gateway")["spec"]["listeners"]
    (https,) = (one for one in listeners if one["protocol"] == "HTTPS")
    assert https["tls"]["certificateRefs"] == [{"name": certificate["secretName"]}]
    assert certificate["dnsNames"] == ["chat.example.com"] == [https["hostname"]]
    ingress = render(CASES["production behind Caddy"]).find("Ingress", "gateway")["spec"]
    assert ingress["tls"][0]["secretName"] == certificate["secretName"]


@cases
def test_what_pods_mount_is_there(values: Mapping[str, Any]) -> None:
    rendered = render(values)
    for owner, pod in rendered.pods:
        for volume in pod["spec"].get("volumes", ()):
            if "configMap" in volume:
                name = volume["configMap"]["name"].removeprefix(f"{rendered.release}-")
                data = rendered.find("ConfigMap", name)["data"]
                for item in volume["configMap"].get("items", ()):
                    assert item["key"] in data, owner["metadata"]["name"]


def test_every_public_route_and_no_other_is_the_gateways() -> None:
    rendered = render(CASES["production"])
    for service in FLEET.services.values():
        if not service.routes:
            with pytest.raises(KeyError):
                rendered.find("HTTPRoute", service.name)
            continue
        rules = rendered.find("HTTPRoute", service.name)["spec"]["rules"]
        found = [(one["path"]["type"], one["path"]["value"]) for one in rules[0]["matches"]]
        assert found == [
            ("PathPrefix", route.removesuffix("/*") or "/")
            if route.endswith("/*")
            else ("Exact", route)
            for route in service.routes
        ]


def test_what_is_for_the_fleet_alone_is_nothing_at_either_edge() -> None:
    rules = render(CASES["production"]).find("HTTPRoute", "frontend")["spec"]["rules"]
    found = {one["path"]["value"] for rule in rules[1:] for one in rule["matches"]}
    (line,) = re.findall(r"@inner path (.*)", checkout.CADDYFILE.read_text())
    assert found == {path.removesuffix("/*") for path in line.split()}
    for rule in rules[1:]:
        (rewrite,) = rule["filters"]
        assert rewrite["urlRewrite"]["path"]["type"] == "ReplaceFullPath"


def test_caddy_has_this_repositorys_configuration_and_all_addresses() -> None:
    for name, sandboxes in (("demo", ["razorpay"]), ("production behind Caddy", [])):
        rendered = render(CASES[name])
        text = rendered.find("ConfigMap", "gateway")["data"]["Caddyfile"]
        assert text == caddyfile(FLEET, [FLEET.sandboxes[one] for one in sandboxes])
        variables = environment(rendered, "gateway")
        for service in [*FLEET.services, *sandboxes]:
            if FLEET.ours[service].routes:
                at = variables[upstream_variable(service)]
                assert at == f"{rendered.release}-{service}:8000"
        used = {*re.findall(r"\{\$(\w+)", text), "GOMEMLIMIT", "XDG_DATA_HOME", "XDG_CONFIG_HOME"}
        assert {*variables} - used <= {upstream_variable("razorpay")}


def test_topics_are_those_of_the_table() -> None:
    for one in render(CASES["production"]).of_kind("ScaledObject"):
        for trigger in one["spec"]["triggers"]:
            if trigger["type"] == "kafka":
                assert trigger["metadata"]["topic"] in FLEET.topics


@pytest.mark.parametrize("name", CASES)
def test_a_service_that_is_added_to_the_table_gets_every_object(tmp_path: Path, name: str) -> None:
    toml = tmp_path / "fleet.toml"
    toml.write_text(
        checkout.FLEET_TABLE.read_text()
        + """
[services.stock]
summary = "Counts what there is"
routes = ["/api/stock", "/api/stock/*"]
needs = ["redis", "token"]
secrets = ["stock_key"]
redis_keys = ["stock:*"]
memory_mb = 50
container_memory_mb = 96
drain_seconds = 30
config = ["plans.toml"]
sees_clients = true

[services.stock.internal]
"/internal/stock" = ["order"]
"""
    )
    copy = shutil.copytree(checkout.CHART, tmp_path / "chart")
    added = table.load(toml)
    facts, fixed = chart.facts(added), chart.development_keys(added)
    (copy / "files" / chart.FACTS).write_text(json.dumps(facts))
    (copy / "files" / chart.DEVELOPMENT_KEYS).write_text(json.dumps(fixed))
    rendered = render(CASES[name], chart=copy)

    def kinds(service: str) -> set[str]:
        label = "app.kubernetes.io/name"
        return {
            *(
                one["kind"]
                for one in rendered.objects
                if one["metadata"]["labels"][label] == service
            )
        }

    assert kinds("stock") == kinds("token")
    pod = pod_of(rendered, "stock")
    assert environment(rendered, "stock")["TRACEMYPODS_TOKEN_URL"] == "http://shop-token:8000"
    assert environment(rendered, "order")["TRACEMYPODS_STOCK_URL"] == "http://shop-stock:8000"
    assert pod["terminationGracePeriodSeconds"] == 45
    assert pod["containers"][0]["resources"]["limits"]["memory"] == "96Mi"
    callers = [
        peer["podSelector"]["matchLabels"]["app.kubernetes.io/name"]
        for rule in rendered.find("NetworkPolicy", "stock")["spec"]["ingress"]
        for peer in rule["from"]
        if "podSelector" in peer and "namespaceSelector" not in peer
    ]
    assert "order" in callers
    assert any("/api/stock" in json.dumps(one) for one in rendered.of_kind("Pod"))
