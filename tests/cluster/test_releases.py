"""The chart in a cluster: installed, upgraded, rolled back, uninstalled; and twice at once."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from release import Release
from rendered_chart import CASES, at, over

from tracemypods.local import table

DEV = CASES["demo"]
FLEET = table.load()
WORKLOADS = ("deployments", "statefulsets")

pytestmark = pytest.mark.timeout(1800)


def ready(release: Release) -> dict[str, int]:
    """How many pods of each workload are ready; all that are wanted, or this fails."""
    found = {}
    for one in release.objects(*WORKLOADS):
        count = one["status"].get("readyReplicas", 0)
        assert count == one["spec"]["replicas"], one["metadata"]["name"]
        found[one["metadata"]["name"]] = count
    return found


def keys(release: Release) -> dict[str, dict[str, str]]:
    """What is in its Secrets."""
    return {one["metadata"]["name"]: one["data"] for one in release.objects("secrets")}


def services_of(release: Release) -> set[str]:
    return {f"{release.name}-{name}" for name in FLEET.services}


def test_a_release_is_installed_upgraded_rolled_back_and_uninstalled(
    make_release: Callable[[str], Release],
) -> None:
    release = make_release("shop")
    release.install(DEV)
    first, made = ready(release), keys(release)
    assert services_of(release) <= first.keys()

    release.upgrade(over(DEV, at("services.token.replicas", first["shop-token"] + 1)))
    assert ready(release) == {**first, "shop-token": first["shop-token"] + 1}

    release.roll_back(1)
    assert ready(release) == first
    assert keys(release) == made
    assert release.history() == [(1, "superseded"), (2, "superseded"), (3, "deployed")]

    release.uninstall()
    # What was stored stays, for whoever installs it again.
    kinds = (*WORKLOADS, "pods", "jobs", "services", "secrets", "configmaps", "networkpolicies")
    assert release.objects(*kinds) == []


def test_two_releases_live_side_by_side(make_release: Callable[[str], Release]) -> None:
    shop, another = make_release("shop"), make_release("another")
    shop.install(DEV)
    another.install(DEV)
    there = ready(shop)
    assert services_of(another) <= ready(another).keys()
    another.uninstall()
    assert ready(shop) == there
