"""What runs beside services and their backends, and whom it talks to, as the values say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from reachability import Way

Values = Mapping[str, Any]

OLLAMA = 11434
MODEL_HOSTS = {"vllm.models": "in models", "models.example.com": "internet"}
"""Where chart_values/models.yaml says that model servers are."""
_OUTSIDE = {"vllm": {("in models", 8000)}}
_PUBLIC = {("internet", 443), ("internet over IPv6", 443)}


def parts(values: Values) -> set[str]:
    """Names of pods besides those of services and of `backends`."""
    return (
        {way.source for way in _ways_of_set_up(values)}
        | {
            name
            for model, one in values.get("models", {}).items()
            if "url" not in one
            for name in (f"model-{model}", f"pull-{model}")
        }
        | ({"jaeger"} if _inside(values, "telemetry") else set())
    )


def ways(values: Values, askers: Iterable[str]) -> set[Way]:
    """Those that are to be; `askers` are the services that ask models."""
    found = _ways_of_set_up(values)
    if _inside(values, "telemetry"):
        found.add(Way("telemetry", "jaeger", 4317))
    for model, one in values.get("models", {}).items():
        if "url" in one:
            targets = _OUTSIDE.get(model, _PUBLIC)
            found |= {Way(asker, *target) for asker in askers for target in targets}
        else:
            callers = (*askers, f"pull-{model}")
            found |= {Way(caller, f"model-{model}", OLLAMA) for caller in callers}
            found |= {Way(f"model-{model}", *target) for target in _PUBLIC}
    return found


def has_no_usual_models(values: Values) -> bool:
    """Whether each model has a server of its own."""
    return bool(values.get("models")) and not values["backends"].get("models", {}).get("host")


def _ways_of_set_up(values: Values) -> set[Way]:
    found = set[Way]()
    if _inside(values, "kafka"):
        found.add(Way("topics", "kafka", 9092))
    if _inside(values, "mongo"):
        found.add(Way("mongo-setup", "mongo", 27017))
    return found


def _inside(values: Values, need: str) -> bool:
    return bool(values["backends"].get(need, {}).get("inside"))
