"""A Kubernetes API server for the chart: one of our own, or TRACEMYPODS_TEST_KUBECONFIG's."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from control_plane import CLIENTS, SERVERS, Cluster, ControlPlane, kubectl, missing, shared
from release import Release

VARIABLE = "TRACEMYPODS_TEST_KUBECONFIG"


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster. Tests are skipped, with what is missing, where there can't be one."""
    theirs = os.environ.get(VARIABLE)
    lacking = missing(CLIENTS if theirs else (*SERVERS, *CLIENTS, "openssl"))
    if lacking:
        pytest.skip(
            f"no Kubernetes: {', '.join(lacking)} not on the path (`make cluster-tools` builds "
            "them, and `make test-cluster` runs this with them)"
        )
    if theirs:
        yield Cluster(Path(theirs), ours=False)
        return
    with ControlPlane(tmp_path_factory.mktemp("control-plane")) as ours:
        for folder in sorted(shared("crds").iterdir()):
            # Server-side, since some are too large for what kubectl else notes of an object.
            ours.kubectl("apply", "--server-side", "-f", str(folder))
        yield Cluster(ours.kubeconfig, ours=True)


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace of the test's own: restricted pods only, and it warns of templates."""
    name = f"fleet-{secrets.token_hex(4)}"
    levels = [f"pod-security.kubernetes.io/{mode}=restricted" for mode in ("enforce", "warn")]
    kubectl(cluster.kubeconfig, "create", "namespace", name)
    try:
        kubectl(cluster.kubeconfig, "label", "namespace", name, *levels)
        yield name
    finally:
        kubectl(cluster.kubeconfig, "delete", "namespace", name, "--wait=true")


@pytest.fixture
def make_release(cluster: Cluster, namespace: str, tmp_path: Path) -> Callable[[str], Release]:
    """Name a release in the test's namespace."""

    def make(name: str) -> Release:
        return Release(cluster.kubeconfig, namespace, name, tmp_path)

    return make
