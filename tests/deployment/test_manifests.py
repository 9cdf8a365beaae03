"""deploy/k8s: what the chart renders, as plain manifests."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from rendered_chart import render

from tracemypods.local import checkout

SCRIPT = checkout.ROOT / "scripts" / "render_manifests.py"


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("render_manifests", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


MANIFESTS = script()
variants = pytest.mark.parametrize("variant", MANIFESTS.VARIANTS, ids=lambda one: one.name)


def objects(folder: Path) -> list[dict[str, Any]]:
    listed = yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]
    return [
        one
        for name in listed
        for one in yaml.load_all((folder / name).read_text(), Loader=yaml.CSafeLoader)
        if one
    ]


@variants
def test_manifests_are_what_the_chart_renders(variant: Any) -> None:
    assert MANIFESTS.stale(MANIFESTS.files(variant)) == []


def test_a_file_that_is_not_current_is_found(tmp_path: Path) -> None:
    current, changed, gone, left = (tmp_path / name for name in ("a", "b", "c", "d"))
    for file in (current, changed, left):
        file.write_text("as it was")
    wanted = {current: "as it was", changed: "as it is", gone: "new"}
    assert MANIFESTS.stale(wanted) == [changed, gone, left]


@variants
def test_manifests_are_complete_and_have_no_hooks(variant: Any) -> None:
    values: dict[str, Any] = {}
    for name in variant.values:
        values = MANIFESTS.over(values, yaml.safe_load((checkout.CHART / name).read_text()))
    found = {(one["kind"], one["metadata"]["name"]) for one in objects(_folder(variant))}
    whole = {
        (one["kind"], one["metadata"]["name"])
        for one in render(values, MANIFESTS.RELEASE).objects
        if one["metadata"]["labels"]["app.kubernetes.io/name"] != "test"
    }
    assert found == whole | {("Namespace", MANIFESTS.NAMESPACE)}
    text = "".join(file.read_text() for file in _folder(variant).iterdir())
    assert "helm.sh/hook" not in text
    assert "managed-by: Helm" not in text


@variants
def test_the_namespace_enforces_the_restricted_profile(variant: Any) -> None:
    (namespace,) = (one for one in objects(_folder(variant)) if one["kind"] == "Namespace")
    labels = namespace["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


@variants
def test_kubectl_can_build_it(variant: Any) -> None:
    kubectl = shutil.which("kubectl") or pytest.skip("there is no kubectl on the path")
    command = [kubectl, "kustomize", str(_folder(variant))]
    built = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert built.returncode == 0, built.stderr
    there = [one for one in yaml.load_all(built.stdout, Loader=yaml.CSafeLoader) if one]
    assert len(there) == len(objects(_folder(variant)))
    assert {one["metadata"].get("namespace") for one in there if one["kind"] != "Namespace"} == {
        MANIFESTS.NAMESPACE
    }


def _folder(variant: Any) -> Path:
    return MANIFESTS.ROOT / variant.name
