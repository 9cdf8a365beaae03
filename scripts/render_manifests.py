"""Renders deploy/k8s: the chart with its values files, as plain manifests for `kubectl apply -k`.

`--check` only says what is not current. It takes the packages of `make install-development`.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from helm_python import Chart

from tracemypods.local import checkout

ROOT = checkout.ROOT / "deploy" / "k8s"
RELEASE = NAMESPACE = "tracemypods"
KUSTOMIZATION = "kustomization.yaml"
_NAME = "app.kubernetes.io/name"
_HOOK = "helm.sh/hook"
_SAYS_HELM = re.compile(r"^ *app\.kubernetes\.io/managed-by: Helm\n", re.MULTILINE)


@dataclass(frozen=True)
class Variant:
    """A folder of manifests, and the values files that it is rendered with."""

    name: str
    values: tuple[str, ...]
    summary: str


VARIANTS = (
    Variant("dev", ("values-dev.yaml",), "All of it inside, with a small model on the CPU."),
    Variant(
        "gpu",
        ("values-dev.yaml", "values-gpu.yaml"),
        "The same, and larger models on nodes with GPUs.",
    ),
)


def files(variant: Variant) -> dict[Path, str]:
    """A variant's files and their texts, one for each of the chart's templates."""
    values: dict[str, Any] = {}
    for name in variant.values:
        values = over(values, yaml.safe_load((checkout.CHART / name).read_text()))
    # A handle renders once.
    with Chart.load(checkout.CHART) as chart:
        templates = chart.render(values, name=RELEASE, namespace=NAMESPACE)
    found = {"namespace.yaml": _NAMESPACE}
    for path, text in sorted(templates.items()):
        if not path.endswith(".yaml"):
            continue
        documents = [one for one in re.split(r"^---$", text, flags=re.MULTILINE) if _is_kept(one)]
        if documents:
            name = path.partition("templates/")[2].replace("/", "-")
            body = "---\n".join(f"{one.strip()}\n" for one in documents)
            found[name] = f"{_HEADER}---\n{_SAYS_HELM.sub('', body)}"
    resources = "".join(f"  - {name}\n" for name in found)
    found[KUSTOMIZATION] = _KUSTOMIZATION.format(
        summary=variant.summary, namespace=NAMESPACE, resources=resources
    )
    return {ROOT / variant.name / name: text for name, text in found.items()}


def over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Values over others, as Helm lays them: maps are merged, all else is replaced."""
    merged = dict(below)
    for key, value in above.items():
        known = merged.get(key)
        if isinstance(known, dict) and isinstance(value, dict):
            value = over(known, value)
        merged[key] = value
    return merged


def stale(wanted: Mapping[Path, str]) -> list[Path]:
    """Files that are not as they should be, those among them that should not be there."""
    there = {file for one in {file.parent for file in wanted} for file in one.glob("*")}
    return sorted(
        file
        for file in {*wanted, *there}
        if not file.is_file() or file.read_text() != wanted.get(file)
    )


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say what is not current")
    check = parser.parse_args(arguments).check
    wanted = {file: text for one in VARIANTS for file, text in files(one).items()}
    found = stale(wanted)
    for file in found:
        shown = file.relative_to(checkout.ROOT)
        if check:
            sys.stderr.write(f"{shown} is not what the chart renders: run `make render`\n")
            continue
        if file in wanted:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(wanted[file])
        else:
            file.unlink()
        sys.stdout.write(f"rendered {shown}\n")
    return 1 if check and found else 0


def _is_kept(document: str) -> bool:
    """Whether a document is an object, and belongs to no test."""
    one = yaml.load(document, Loader=yaml.CSafeLoader)
    if not one:
        return False
    about = one["metadata"]
    return _HOOK not in about.get("annotations", {}) and about["labels"][_NAME] != "test"


_HEADER = """\
# Rendered from deploy/helm/tracemypods by `make render`: change it there.
"""
_NAMESPACE = f"""\
{_HEADER}apiVersion: v1
kind: Namespace
metadata:
  name: {NAMESPACE}
  labels:
    pod-security.kubernetes.io/enforce: restricted
    pod-security.kubernetes.io/audit: restricted
    pod-security.kubernetes.io/warn: restricted
"""
_KUSTOMIZATION = f"""\
{_HEADER}# {{summary}}
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: {{namespace}}
resources:
{{resources}}"""


if __name__ == "__main__":
    sys.exit(main())
