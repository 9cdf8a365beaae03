"""Values that won't do are refused before anything is installed, with their place."""

from __future__ import annotations

import json
from typing import Any

import helm_python
import pytest
import yaml
from helm_python.errors import HelmError
from rendered_chart import CASES, FOR_NODES, PRODUCTION, at, over, read, render

from tracemypods.local import checkout, table

FLEET = table.load()

WRONG: list[tuple[str, object, str]] = [
    # Misspelt, or in the wrong place.
    ("modes", "demo", "additional properties 'modes' not allowed"),
    ("image.tags", "1", "at '/image': additional properties 'tags' not allowed"),
    ("services.ask.replica", 2, "at '/services/ask': additional properties 'replica'"),
    ("services.ask.autoscaling.inflight", 3, "at '/services/ask/autoscaling': additional"),
    ("defaults.cpus", 1, "at '/defaults': additional properties 'cpus' not allowed"),
    ("backends.mongodb", {}, "at '/backends': additional properties 'mongodb' not allowed"),
    ("backends.redis.hosts", "a", "at '/backends/redis': additional properties 'hosts'"),
    ("gateway.timeout", "0s", "at '/gateway': additional properties 'timeout' not allowed"),
    ("caddy.ingress.host", "a", "at '/caddy/ingress': additional properties 'host'"),
    ("certificate.email", "a", "at '/certificate': additional properties 'email'"),
    ("network.denied", 1, "at '/network': additional properties 'denied' not allowed"),
    ("monitoring.path", "/", "at '/monitoring': additional properties 'path' not allowed"),
    ("keda.url", "a", "at '/keda': additional properties 'url' not allowed"),
    ("secrets.keys", {}, "at '/secrets': additional properties 'keys' not allowed"),
    ("config.Seller", "", "at '/config': additional properties 'Seller' not allowed"),
    # Of the wrong kind.
    ("mode", "local", "at '/mode': value must be one of 'production', 'demo'"),
    ("edge", "ingress", "at '/edge': value must be one of 'gateway', 'caddy'"),
    ("publicUrl", "https://chat.example.com/", "at '/publicUrl': "),
    ("image.tag", "latest", "at '/image/tag': 'not' failed"),
    ("image.digests.ask", "sha256:12", "at '/image/digests/ask': "),
    ("image.repository", "Trace", "at '/image/repository': "),
    ("services.ask.replicas", -1, "at '/services/ask/replicas': minimum: got -1, want 0"),
    ("services.ask.replicas", "2", "at '/services/ask/replicas': got string, want integer"),
    ("services.ask.memory", "1 GB", "at '/services/ask/memory': '1 GB' does not match"),
    ("services.ask.settings.lower_case", "1", "at '/services/ask/settings': additional"),
    ("services.ask.settings.TRACEMYPODS_MODE", "demo", "/services/ask/settings/TRACEMYPODS_MODE"),
    ("services.ask.settings.OTEL_X", {}, "at '/services/ask/settings/OTEL_X': got object"),
    ("services.ask.egress", [{"port": 443}], "at '/services/ask/egress/0': "),
    ("services.ask.autoscaling.max", 0, "at '/services/ask/autoscaling/max': minimum"),
    ("services.ask.tolerations", [{"effect": "Never"}], "/services/ask/tolerations/0/effect"),
    ("backends.redis.host", "redis://a", "at '/backends/redis/host': 'redis://a' does not"),
    ("backends.redis.port", 65536, "at '/backends/redis/port': maximum: got 65,536"),
    ("backends.redis.peers", [{}], "at '/backends/redis/peers/0': minProperties"),
    ("backends.redis.peers", [{"cidr": "10.0.0.0/8"}], "additional properties 'cidr'"),
    ("backends.redis.peers", [{"ipBlock": {"cidr": "10.0.0.1"}}], "/peers/0/ipBlock/cidr"),
    ("backends.kafka.mechanism", "GSSAPI", "at '/backends/kafka/mechanism': "),
    ("backends.smtp.security", "ssl", "at '/backends/smtp/security': "),
    ("backends.smtp.from", "Shop <a@b>", "at '/backends/smtp/from': "),
    ("backends.s3.encryption", "kms", "at '/backends/s3/encryption': "),
    ("backends.s3.bucket", "UPPER", "at '/backends/s3/bucket': "),
    ("backends.razorpay.keyId", "key", "at '/backends/razorpay/keyId': "),
    ("gateway.streamIdleTimeout", "2 minutes", "at '/gateway/streamIdleTimeout': "),
    ("gateway.parentRefs", [{"sectionName": "a"}], "at '/gateway/parentRefs/0': missing"),
    ("caddy.serviceType", "ExternalName", "at '/caddy/serviceType': "),
    ("trustedProxies", ["10.0.0.1"], "at '/trustedProxies/0': "),
    ("network.solver.labels", {"a": 1}, "at '/network/solver/labels/a': got number"),
    ("preStopSeconds", 61, "at '/preStopSeconds': maximum: got 61, want 60"),
    # What contradicts something else.
    ("publicUrl", "http://chat.example.com", "at '/publicUrl': "),
    ("secrets.source", "development", "at '/secrets/source': 'not' failed"),
    ("backends.razorpay.inside", True, "at '/backends/razorpay/inside': value must be false"),
    ("backends.razorpay.keyId", "rzp_test_A", "at '/backends/razorpay/keyId': "),
    ("backends.kafka.tls", False, "at '/backends/kafka/tls': value must be true"),
    ("backends.smtp.security", "none", "at '/backends/smtp/security': 'not' failed"),
    (
        "backends.s3",
        {"host": "s3.example.com", "auth": False},
        "at '/backends/s3/auth': value must be true",
    ),
    # What only the fleet's own table can tell.
    ("services.asks", {}, "services.asks: there is no such service, but ask, deliver, "),
    ("config", {"sellers.toml": ""}, "config.sellers.toml: there is no such file, but models"),
    ("services.ask.autoscaling.min", 7, "services.ask.autoscaling: min is more than max"),
    ("services.ask.autoscaling.min", 0, "services.ask.autoscaling.min: only what scales by lag"),
    ("services.deliver.autoscaling.max", 5, "services.deliver.autoscaling.max: orders has 4"),
    ("keda.enabled", False, "services.ask.autoscaling: scaling by in flight takes KEDA"),
    ("keda.prometheusUrl", "", "keda.prometheusUrl: where KEDA asks how many requests ask"),
    ("keda.kafkaAuthentication", "", "keda.kafkaAuthentication: with what KEDA signs in"),
    ("monitoring.enabled", False, "monitoring.enabled: without it Prometheus does not know"),
    ("gateway", {"create": False}, "gateway.parentRefs: the Gateway that routes belong to"),
    ("gateway.peers", [], "gateway.peers: the pods of the gateway"),
    ("certificate.enabled", False, "certificate.enabled: production has a certificate"),
    ("certificate.issuer", "", "certificate.issuer: who issues the certificate"),
    ("secrets.source", "external", "secrets.external.store: the store that keys come from"),
    ("backends.smtp.public", False, "backends.smtp.peers: where the network lets services"),
]


@pytest.mark.parametrize(
    ("path", "value", "message"), WRONG, ids=[f"{path}={value}" for path, value, _ in WRONG]
)
def test_a_wrong_value_is_refused_with_its_place(path: str, value: object, message: str) -> None:
    with pytest.raises(HelmError) as refused:
        render(over(CASES["production"], at(path, value)))
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("caddy.peers", [], "caddy.peers: the pods of the Ingress controller"),
        ("caddy.trustedProxies", [], "caddy.trustedProxies: the networks of the Ingress"),
    ],
)
def test_caddy_behind_an_ingress_knows_it(path: str, value: object, message: str) -> None:
    with pytest.raises(HelmError) as refused:
        render(over(CASES["production behind Caddy"], at(path, value)))
    assert message in str(refused.value)


def test_production_names_all_that_is_missing_at_once() -> None:
    with pytest.raises(HelmError) as refused:
        render(read(PRODUCTION[0]))
    told = {
        line.strip().partition(": ")[0]
        for line in str(refused.value).splitlines()
        if line.startswith("  ")
    }
    needs = {
        need
        for service in FLEET.services.values()
        for need in (*service.needs, *service.cluster_needs)
        if need in FLEET.cluster and need != "s3"
    }
    assert told == {
        *("publicUrl", "image.registry", "trustedProxies", 'config."seller.toml"'),
        *("certificate.issuer", "backends.s3.bucket", "backends.s3.region"),
        *("backends.smtp.from", "backends.razorpay.keyId"),
        *(f"backends.{need}.host" for need in needs),
        *(f"backends.{need}.peers" for need in needs if need != "smtp"),
    }


def test_nothing_is_asked_for_that_no_running_service_needs() -> None:
    leave_out: dict[str, Any] = {"order": {"enabled": False}, "deliver": {"enabled": False}}
    values = over(read(PRODUCTION[0]), {"services": leave_out})
    with pytest.raises(HelmError) as refused:
        render(values)
    assert "backends.mongo" in str(refused.value)
    assert "backends.smtp" not in str(refused.value)
    assert "backends.kafka" not in str(refused.value)


@pytest.mark.parametrize("values", [*CASES.values(), *FOR_NODES.values()])
def test_helm_finds_nothing_to_complain_of(values: dict[str, Any]) -> None:
    found = helm_python.lint(checkout.CHART, values, strict=True, kube_version="v1.33.0")
    assert [one for one in found["messages"] if one["severity"] >= 2] == []
    assert found["errors"] == []


def test_the_schema_and_the_defaults_have_the_same_entries() -> None:
    schema = json.loads((checkout.CHART / "values.schema.json").read_text())
    defaults = yaml.safe_load((checkout.CHART / "values.yaml").read_text())

    def entries(known: dict[str, Any], prefix: str = "") -> set[str]:
        if "$ref" in known:
            known = schema["definitions"][known["$ref"].rpartition("/")[2]]
        names = {
            name: one
            for name, one in known.get("properties", {}).items()
            # Refused by name, or Helm's own.
            if one is not False and name != "global"
        }
        if not names or known.get("patternProperties"):
            return {prefix}
        assert known["additionalProperties"] is False, prefix
        return {one for name, below in names.items() for one in entries(below, f"{prefix}.{name}")}

    def given(found: Any, known: set[str], prefix: str = "") -> set[str]:
        if prefix in known or not isinstance(found, dict):
            return {prefix}
        return {
            one for name, below in found.items() for one in given(below, known, f"{prefix}.{name}")
        }

    known = entries(schema)
    # Models have servers of their own in `models`.
    inside = {f".{need}.inside" for need in FLEET.cluster if need != "models"}
    assert {f".backends{one}" for one in inside} <= known
    assert given(defaults, known) == known
