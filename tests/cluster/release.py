"""A release of the chart in a cluster, by the programs that operators use."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from control_plane import kubectl, run

from tracemypods.local import checkout

Values = Mapping[str, Any]

PATIENCE = "600s"
"""Nothing takes so long on any machine: it ends a wait in vain."""


class Release:
    """One release in a namespace. All of it raises Refused where a program does.

    `folder` is for the programs' own files.
    """

    def __init__(self, kubeconfig: Path, namespace: str, name: str, folder: Path) -> None:
        self.name = name
        self.namespace = namespace
        self._kubeconfig = kubeconfig
        self._folder = folder

    def install(self, values: Values) -> None:
        """Install it, and wait until everything is there."""
        self._with_values("install", values, "--wait", f"--timeout={PATIENCE}")

    def upgrade(self, values: Values) -> None:
        """Upgrade it, and wait until everything is there."""
        self._with_values("upgrade", values, "--wait", f"--timeout={PATIENCE}")

    def roll_back(self, revision: int) -> None:
        """Go back to an earlier revision, and wait until everything is there."""
        self._helm("rollback", self.name, str(revision), "--wait", f"--timeout={PATIENCE}")

    def uninstall(self) -> None:
        """Uninstall it, and wait until everything is gone."""
        self._helm("uninstall", self.name, "--wait", f"--timeout={PATIENCE}")

    def history(self) -> list[tuple[int, str]]:
        """Its revisions and their states."""
        said = self._helm("history", self.name, "--output=json")
        return [(one["revision"], one["status"]) for one in json.loads(said)]

    def rendered(self, values: Values) -> str:
        """What an install would bring, and what `helm test` would run, as YAML."""
        return self._with_values("template", values)

    def objects(self, *kinds: str) -> list[dict[str, Any]]:
        """Its objects of these kinds, as the cluster has them."""
        label = f"app.kubernetes.io/instance={self.name}"
        said = self.kubectl("get", ",".join(kinds), f"--selector={label}", "--output=json")
        return json.loads(said)["items"]

    def apply_for_show(self, objects: str) -> list[str]:
        """Have the server do all that it does with these objects, but keep them; a line for each.

        What it only warns of counts as refused.
        """
        how = ("--server-side", "--dry-run=server", "--warnings-as-errors")
        return self.kubectl("apply", *how, "-f", "-", stdin=objects).splitlines()

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Run kubectl in its namespace; returns what it prints."""
        named = f"--namespace={self.namespace}"
        return kubectl(self._kubeconfig, named, *arguments, stdin=stdin)

    def _with_values(self, command: str, values: Values, *options: str) -> str:
        file = self._folder / f"{self.name}-values.yaml"
        file.write_text(yaml.safe_dump(dict(values)))
        return self._helm(command, self.name, str(checkout.CHART), f"--values={file}", *options)

    def _helm(self, *arguments: str) -> str:
        own = {
            name: str(self._folder / name.lower())
            for name in ("HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME")
        }
        command = ("helm", f"--namespace={self.namespace}", *arguments)
        return run(*command, KUBECONFIG=str(self._kubeconfig), **own)
