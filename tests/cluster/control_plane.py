"""A Kubernetes control plane as plain processes: everything but nodes, which kwok pretends to be.

Pods are scheduled and shown as running, Jobs as complete and volumes as bound, and no container
runs. So it proves what the API server, its admission and the controllers say of objects, and
nothing about images, probes or networks.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import yaml

from tracemypods.local import tether
from tracemypods.local.testing.waiting import until

SERVERS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok")
CLIENTS = ("kubectl", "helm")

ADDRESS = "127.0.0.1"
SERVICES = "10.96.0.0/16"
TOKEN = "only-for-the-control-plane-of-the-tests"
GPU = "nvidia.com/gpu"


class Refused(Exception):
    """A program did not do what it was told; the message is what it said."""


def missing(programs: tuple[str, ...]) -> list[str]:
    """Those of the programs that are not on the path."""
    return [name for name in programs if shutil.which(name) is None]


def shared(name: str) -> Path:
    """A folder of files that came with the programs (see build.py)."""
    kwok = shutil.which("kwok") or "kwok"
    return Path(kwok).resolve().parents[1] / "share" / name


@dataclass(frozen=True)
class Cluster:
    """A cluster, and whether it is ours to change beyond the tests' namespaces."""

    kubeconfig: Path
    ours: bool


class ControlPlane:
    """The control plane. Use as a context manager; `kubeconfig` is how to reach it."""

    def __init__(self, folder: Path) -> None:
        self.kubeconfig = folder / "kubeconfig.yaml"
        self._folder = folder
        self._processes = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as unless_ready:
            unless_ready.push(self._processes)
            self._start()
            unless_ready.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._processes.close()

    def _start(self) -> None:
        store, peers, api = (_free_port() for _ in range(3))
        self._run(
            "etcd",
            f"--data-dir={self._folder / 'etcd'}",
            f"--listen-client-urls=http://{ADDRESS}:{store}",
            f"--advertise-client-urls=http://{ADDRESS}:{store}",
            f"--listen-peer-urls=http://{ADDRESS}:{peers}",
            f"--initial-advertise-peer-urls=http://{ADDRESS}:{peers}",
            f"--initial-cluster=default=http://{ADDRESS}:{peers}",
            "--unsafe-no-fsync",
        )
        key = self._folder / "service-accounts.key"
        run("openssl", "genrsa", "-out", str(key), "2048")
        tokens = self._folder / "tokens.csv"
        tokens.write_text(f"{TOKEN},tests,tests,system:masters\n")
        self._run(
            "kube-apiserver",
            f"--etcd-servers=http://{ADDRESS}:{store}",
            f"--bind-address={ADDRESS}",
            f"--secure-port={api}",
            f"--cert-dir={self._folder / 'certificates'}",
            f"--token-auth-file={tokens}",
            "--authorization-mode=RBAC",
            f"--service-cluster-ip-range={SERVICES}",
            f"--service-account-issuer=https://{ADDRESS}:{api}",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
        )
        self.kubeconfig.write_text(yaml.safe_dump(_kubeconfig(api)))
        until(lambda: self._answers("/readyz"), "the API server is ready")
        self._run(
            "kube-controller-manager",
            f"--kubeconfig={self.kubeconfig}",
            f"--service-account-private-key-file={key}",
            "--leader-elect=false",
            "--secure-port=0",
        )
        self._run(
            "kube-scheduler",
            f"--kubeconfig={self.kubeconfig}",
            "--leader-elect=false",
            "--secure-port=0",
        )
        self._run(
            "kwok",
            f"--kubeconfig={self.kubeconfig}",
            "--manage-all-nodes=true",
            "--node-lease-duration-seconds=40",
            *(f"--config={file}" for file in sorted(shared("stages").glob("*.yaml"))),
        )
        self.apply(*(node(number) for number in range(3)), node(3, {GPU: "1"}))
        self.kubectl("apply", "-f", str(shared("volumes")))
        self.kubectl("wait", "--for=condition=Ready", "nodes", "--all", "--timeout=120s")

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Run kubectl; returns what it prints. Raises Refused."""
        return kubectl(self.kubeconfig, *arguments, stdin=stdin)

    def apply(self, *objects: Mapping[str, Any]) -> None:
        """Have objects be there. Raises Refused."""
        self.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(objects))

    def _answers(self, path: str) -> bool:
        try:
            return self.kubectl("get", "--raw", path) == "ok"
        except Refused:
            return False

    def _run(self, name: str, *arguments: str) -> None:
        """Start a program that ends with this process, and with the control plane."""
        tethered = [sys.executable, "-I", "-S", tether.__file__, str(os.getpid())]
        program = shutil.which(name)
        if program is None:
            raise FileNotFoundError(name)
        with (self._folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [*tethered, program, *arguments],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._processes.callback(_end, process)


def run(*command: str, stdin: str | None = None, **environment: str) -> str:
    """Run a program with further variables; returns what it prints. Raises Refused."""
    done = subprocess.run(
        command,
        env={**os.environ, **environment},
        check=False,
        text=True,
        input=stdin,
        capture_output=True,
    )
    if done.returncode:
        raise Refused(f"{' '.join(command[:4])}: {done.stderr}")
    return done.stdout


def kubectl(kubeconfig: Path, *arguments: str, stdin: str | None = None) -> str:
    """Run kubectl on a cluster; returns what it prints. Raises Refused."""
    return run("kubectl", f"--kubeconfig={kubeconfig}", *arguments, stdin=stdin)


def node(number: int, devices: Mapping[str, str] | None = None) -> dict[str, Any]:
    """A node that kwok plays. One with devices takes only pods that tolerate it."""
    name = f"node-{number}"
    room = {"cpu": "32", "memory": "128Gi", "ephemeral-storage": "500Gi", "pods": "250"}
    labels = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "topology.kubernetes.io/zone": f"zone-{number % 2}",
    }
    taints = [{"key": key, "value": "present", "effect": "NoSchedule"} for key in devices or {}]
    if devices:
        labels |= {f"{key}.present": "true" for key in devices}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": labels,
            "annotations": {"kwok.x-k8s.io/node": "fake"},
        },
        "spec": {"taints": taints},
        "status": {key: {**room, **(devices or {})} for key in ("capacity", "allocatable")},
    }


def _kubeconfig(port: int) -> dict[str, Any]:
    # It is on this machine alone, and its certificate is made anew with each start.
    cluster = {"server": f"https://{ADDRESS}:{port}", "insecure-skip-tls-verify": True}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "tests", "cluster": cluster}],
        "users": [{"name": "tests", "user": {"token": TOKEN}}],
        "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": "tests"}}],
        "current-context": "tests",
    }


def _free_port() -> int:
    with socket.create_server((ADDRESS, 0)) as free:
        return free.getsockname()[1]


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait()
