"""The Helm chart, rendered: the one place where tests get its objects from."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from helm_python import Chart

from tracemypods.local import checkout

Values = Mapping[str, Any]
Manifest = dict[str, Any]

RELEASE = "shop"
NAMESPACE = "fleet"
VALUES = Path(__file__).with_name("chart_values")


class Rendered:
    """What one set of values makes of the chart."""

    def __init__(self, release: str, templates: Mapping[str, str]) -> None:
        self.release = release
        self.templates = templates
        self.notes = next(text for name, text in templates.items() if name.endswith("NOTES.txt"))
        self.objects: list[Manifest] = [
            found
            for name, text in templates.items()
            if name.endswith(".yaml")
            for found in yaml.load_all(text, Loader=yaml.CSafeLoader)
            if found
        ]

    def of_kind(self, *kinds: str) -> list[Manifest]:
        """All objects of these kinds."""
        return [one for one in self.objects if one["kind"] in kinds]

    def find(self, kind: str, name: str) -> Manifest:
        """One object, by its name without the release's. Raises KeyError."""
        for one in self.of_kind(kind):
            if one["metadata"]["name"] == f"{self.release}-{name}":
                return one
        raise KeyError(f"{kind} {name}")

    @property
    def workloads(self) -> list[Manifest]:
        """Everything that runs pods."""
        return [one for one in self.objects if "template" in one.get("spec", {})]

    @property
    def pods(self) -> Iterator[tuple[Manifest, Manifest]]:
        """Each workload (or test pod) with its pod."""
        for one in self.workloads:
            yield one, one["spec"]["template"]
        for one in self.of_kind("Pod"):
            yield one, one


def render(values: Values, release: str = RELEASE, chart: Path | None = None) -> Rendered:
    """Render the chart with these values over its defaults, or take the same from before.

    Raises helm_python.errors.HelmError for values or templates that don't do.
    """
    return _render(json.dumps(values, sort_keys=True), release, chart or checkout.CHART)


@functools.lru_cache(maxsize=64)
def _render(values: str, release: str, folder: Path) -> Rendered:
    # A handle renders once; a second time, what the first one left out stays out.
    with Chart.load(folder) as chart:
        return Rendered(
            release, chart.render(json.loads(values), name=release, namespace=NAMESPACE)
        )


def read(*files: Path) -> dict[str, Any]:
    """Values files, each over those before it, as Helm does."""
    found: dict[str, Any] = {}
    for file in files:
        found = over(found, yaml.safe_load(file.read_text()))
    return found


def over(below: Values, above: Values) -> dict[str, Any]:
    """Values over others: maps are merged, all else is replaced."""
    merged = dict(below)
    for key, value in above.items():
        known = merged.get(key)
        if isinstance(known, dict) and isinstance(value, dict):
            value = over(known, value)
        merged[key] = value
    return merged


def at(path: str, value: object) -> dict[str, Any]:
    """Values with one entry: `at("a.b", 1)` is {"a": {"b": 1}}."""
    key, _, rest = path.partition(".")
    return {key: at(rest, value) if rest else value}


PRODUCTION = (checkout.CHART / "values-prod.yaml", VALUES / "production.yaml")
CASES: dict[str, dict[str, Any]] = {
    "demo": read(checkout.CHART / "values-dev.yaml"),
    "production": read(*PRODUCTION),
    "production behind Caddy": read(*PRODUCTION, VALUES / "caddy.yaml", VALUES / "models.yaml"),
}
"""Values that together use every part of the chart."""
FOR_NODES: dict[str, dict[str, Any]] = {
    f"demo with {name}": read(checkout.CHART / "values-dev.yaml", checkout.CHART / name)
    for name in ("values-gpu.yaml", "values-cpu.yaml")
}
"""The values files for models on nodes, on top of development's."""
