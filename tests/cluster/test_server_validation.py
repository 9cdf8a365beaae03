"""What only a server can say of the chart's objects, without anything being kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import yaml
from control_plane import Cluster, Refused
from release import Release
from rendered_chart import CASES, FOR_NODES, at, over, render

ALL = {**CASES, **FOR_NODES}
NOT_A_LABEL = at("services.token.nodeSelector", {"disk": "not a label"})

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def release(make_release: Callable[[str], Release]) -> Release:
    return make_release("shop")


@pytest.mark.parametrize("values", ALL.values(), ids=ALL)
def test_a_server_takes_every_object(
    cluster: Cluster, release: Release, values: Mapping[str, Any]
) -> None:
    if not cluster.ours:
        needs_its_kinds(release, values)
    text = release.rendered(values)
    objects = [one for one in yaml.safe_load_all(text) if one]
    # No pod is let in whose account is not there yet.
    accounts = [one for one in objects if one["kind"] == "ServiceAccount"]
    release.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(accounts))
    said = release.apply_for_show(text)
    assert len(said) == len(objects)
    assert all(line.endswith("(server dry run)") for line in said)


def needs_its_kinds(release: Release, values: Mapping[str, Any]) -> None:
    """Skip where the cluster that was given lacks kinds of objects that are not Kubernetes' own."""
    there = release.kubectl("api-resources", "--output=name")
    wanted = {one["apiVersion"].partition("/")[0] for one in render(values).objects}
    lacking = {group for group in wanted if "." in group and f".{group}" not in there}
    if lacking:
        pytest.skip(f"the cluster has no {', '.join(sorted(lacking))}")


def test_what_the_schema_passes_the_server_still_refuses(release: Release) -> None:
    values = over(CASES["demo"], NOT_A_LABEL)
    with pytest.raises(Refused, match='nodeSelector: Invalid value: "not a label"'):
        release.apply_for_show(release.rendered(values))


def test_a_pod_that_is_not_restricted_is_refused(release: Release) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "careless"},
        "spec": {"containers": [{"name": "careless", "image": "example.com/careless:1"}]},
    }
    with pytest.raises(Refused, match='violates PodSecurity "restricted:latest"'):
        release.apply_for_show(yaml.safe_dump(pod))
