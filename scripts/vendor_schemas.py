#!/usr/bin/env python3
"""Write tests/deployment/schemas: of kinds that are not Kubernetes' own and that the chart has.

They are taken from the Go modules in which their projects publish them, so Go is needed. What only
people read is left out, and what a schema does not know is refused.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).resolve().parent.parent / "tests/deployment/schemas"
ENVOY = "charts/gateway-crds-helm/templates/generated/gateway.envoyproxy.io"
SOURCES: dict[str, tuple[str, ...]] = {
    "sigs.k8s.io/gateway-api@v1.6.1": (
        "config/crd/standard/gateway.networking.k8s.io_gateways.yaml",
        "config/crd/standard/gateway.networking.k8s.io_httproutes.yaml",
    ),
    "github.com/envoyproxy/gateway@v1.9.1": (
        f"{ENVOY}_backendtrafficpolicies.yaml",
        f"{ENVOY}_clienttrafficpolicies.yaml",
    ),
    "github.com/kedacore/keda/v2@v2.21.0": ("config/crd/bases/keda.sh_scaledobjects.yaml",),
    "github.com/prometheus-operator/prometheus-operator@v0.85.0": (
        "example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml",
    ),
    "github.com/external-secrets/external-secrets@v1.3.2": (
        "config/crds/bases/external-secrets.io_externalsecrets.yaml",
    ),
    "github.com/cert-manager/cert-manager@v1.21.2": (
        "deploy/crds/cert-manager.io_certificates.yaml",
    ),
}
LEFT_OUT = ("description", "example", "externalDocs", "x-kubernetes-")
PRESERVES = "x-kubernetes-preserve-unknown-fields"


def main() -> int:
    for module, files in SOURCES.items():
        answer = subprocess.run(
            ["go", "mod", "download", "-json", module],  # noqa: S607
            capture_output=True,
            text=True,
            check=True,
        )
        folder = Path(json.loads(answer.stdout)["Dir"])
        for file in files:
            # Some are templates, of which only the first and last lines are not YAML.
            text = (folder / file).read_text()
            lines = [line for line in text.splitlines() if not line.startswith("{{")]
            write(yaml.safe_load("\n".join(lines)), module)
    return 0


def write(definition: dict[str, Any], module: str) -> None:
    """Write the schema of each version of one kind that the chart might use."""
    spec = definition["spec"]
    for version in spec["versions"]:
        if not version["served"] or version["name"] == "v1beta1":
            continue
        schema = strict(version["schema"]["openAPIV3Schema"])
        schema["properties"]["metadata"] = {"type": "object"}
        name = f"{spec['names']['kind']}-{spec['group']}-{version['name']}.json".lower()
        found = {"$comment": f"From {module}", "x-kind": spec["names"]["kind"], **schema}
        (FOLDER / name).write_text(f"{json.dumps(found, separators=(',', ':'))}\n")
        print(f"wrote {name}")


def strict(schema: Any) -> Any:
    """A schema that refuses what it does not know, without what only people read."""
    if isinstance(schema, list):
        return [strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {
        key: {name: strict(one) for name, one in value.items()}
        if key == "properties"
        else strict(value)
        for key, value in schema.items()
        if not key.startswith(LEFT_OUT)
    }
    closed = "properties" in found and "additionalProperties" not in found
    # Where several schemas hold together, each knows only a part.
    if closed and found.get("type") == "object" and not schema.get(PRESERVES):
        found["additionalProperties"] = False
    return found


if __name__ == "__main__":
    sys.exit(main())
