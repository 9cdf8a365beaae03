"""Every object that the chart renders is one that Kubernetes, or what extends it, knows."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from kubernetes_validate.utils import schema_contents
from referencing import Registry, Resource
from rendered_chart import CASES, FOR_NODES, Manifest, at, over, render

OLDEST, NEWEST = "1.33", "1.37"
SCHEMAS = Path(__file__).with_name("schemas")
ALL = {
    **CASES,
    **FOR_NODES,
    "production with keys from a store": over(
        CASES["production"],
        at("secrets", {"source": "external", "external": {"store": "vault"}}),
    ),
}


@functools.lru_cache
def definitions(version: str) -> Registry[Any]:
    """What Kubernetes' own schemas refer to."""
    found = schema_contents(f"{folder(version)}/_definitions.json", version)
    return Resource.from_contents(found) @ Registry()


def folder(version: str) -> str:
    return f"kubernetes-json-schema/v{version}.0-local-strict"


@functools.lru_cache
def validator(version: str, api_version: str, kind: str) -> Draft202012Validator:
    """Knows one kind, and refuses fields that it does not have. Raises LookupError for no such."""
    group, _, _ = api_version.rpartition("/")
    ours = SCHEMAS / f"{kind}-{api_version.replace('/', '-')}.json".lower()
    if ours.is_file():
        return Draft202012Validator(json.loads(ours.read_text()))
    short = re.sub(r"\..*", "", group)
    name = "-".join(part for part in (kind, short, api_version.rpartition("/")[2]) if part)
    try:
        schema = schema_contents(f"{folder(version)}/{name.lower()}.json", version)
    except FileNotFoundError:
        raise LookupError(f"{api_version} {kind}: nobody knows this kind") from None
    return Draft202012Validator(schema, registry=definitions(version))


def errors(manifest: Manifest, version: str) -> list[str]:
    """All that is wrong with one object."""
    known = validator(version, manifest["apiVersion"], manifest["kind"])
    name = f"{manifest['kind']} {manifest['metadata']['name']}"
    return [
        f"{name}: {'.'.join(map(str, error.absolute_path))}: {error.message}"
        for error in known.iter_errors(manifest)
    ]


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("values", ALL.values(), ids=ALL)
def test_every_object_is_valid(values: Mapping[str, Any], version: str) -> None:
    assert [error for one in render(values).objects for error in errors(one, version)] == []


def test_together_they_have_every_kind() -> None:
    found = {one["kind"] for values in ALL.values() for one in render(values).objects}
    of_schemas = {json.loads(file.read_text())["x-kind"] for file in SCHEMAS.glob("*.json")}
    assert found >= of_schemas | {
        *("Deployment", "Service", "ServiceAccount", "ConfigMap", "Secret", "NetworkPolicy"),
        *("HorizontalPodAutoscaler", "PodDisruptionBudget", "Ingress", "Pod"),
    }


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("Deployment", "spec.replica", 1),
        ("Deployment", "spec.replicas", "one"),
        ("NetworkPolicy", "spec.policyType", ["Ingress"]),
        ("HTTPRoute", "spec.hostname", "a"),
        ("HTTPRoute", "spec.hostnames", ["not a host"]),
        ("BackendTrafficPolicy", "spec.timeout.http.streamIdle", "1s"),
        ("ScaledObject", "spec.maxReplicas", 3),
        ("ServiceMonitor", "spec.endpoint", []),
        ("Certificate", "spec.dnsName", "a"),
        ("Gateway", "spec.listeners", []),
    ],
)
def test_what_is_wrong_is_found(kind: str, path: str, value: object) -> None:
    found = render(CASES["production"]).of_kind(kind)[0]
    assert errors(found, NEWEST) == []
    assert errors(over(found, at(path, value)), NEWEST)


def test_an_unknown_kind_is_no_object() -> None:
    with pytest.raises(LookupError, match="nobody knows this kind"):
        errors({"apiVersion": "v2", "kind": "Pod", "metadata": {"name": "a"}}, NEWEST)


@pytest.mark.parametrize("values", ALL.values(), ids=ALL)
def test_no_two_objects_are_the_same(values: Mapping[str, Any]) -> None:
    names = [(one["kind"], one["metadata"]["name"]) for one in render(values).objects]
    assert len(set(names)) == len(names)
    for one in render(values).objects:
        assert "namespace" not in one["metadata"]


@pytest.mark.parametrize("values", ALL.values(), ids=ALL)
def test_a_budget_says_one_of_two_things(values: Mapping[str, Any]) -> None:
    # A server refuses both at once; its schema does not say so.
    for one in render(values).of_kind("PodDisruptionBudget"):
        assert len({"minAvailable", "maxUnavailable"} & set(one["spec"])) == 1
