"""Where models run: on nodes with and without GPUs, and on servers elsewhere."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from helm_python.errors import HelmError
from pydantic import TypeAdapter
from rendered_chart import (
    CASES,
    FOR_NODES,
    RELEASE,
    VALUES,
    Manifest,
    Rendered,
    at,
    over,
    read,
    render,
)

from tracemypods.ask.servers import ServerIn
from tracemypods.contracts.catalogue import load_catalogue
from tracemypods.local import checkout

DEV = CASES["demo"]
GPU, CPU = FOR_NODES.values()
PLACED = CASES["production behind Caddy"]
"""Models here and elsewhere, as in chart_values/models.yaml."""
FILES = {"values-dev.yaml": DEV, "values-gpu.yaml": GPU, "values-cpu.yaml": CPU, "models": PLACED}
CATALOGUE = load_catalogue(checkout.CONFIG, ("gemma", "llama2"))


def pod(rendered: Rendered, name: str) -> dict[str, Any]:
    return rendered.find("Deployment", name)["spec"]["template"]["spec"]


def told(values: Mapping[str, Any]) -> dict[str, ServerIn]:
    """What ask is told, read as ask reads it."""
    container = pod(render(values), "ask")["containers"][0]
    variables = {one["name"]: one["value"] for one in container["env"]}
    text = variables["TRACEMYPODS_MODELS_SERVERS"]
    return TypeAdapter(dict[str, ServerIn]).validate_json(text)


def pull_job(rendered: Rendered, name: str) -> Manifest:
    label = "app.kubernetes.io/name"
    jobs = rendered.of_kind("Job")
    return next(one for one in jobs if one["metadata"]["labels"][label] == f"pull-{name}")


def test_where_every_model_has_a_server_there_is_no_usual_one() -> None:
    for values, usual in ((DEV, False), (PLACED, True)):
        container = pod(render(values), "ask")["containers"][0]
        names = {one["name"] for one in container["env"]}
        assert ("TRACEMYPODS_MODELS_URL" in names) is usual


@pytest.mark.parametrize("values", FILES.values(), ids=FILES)
def test_ask_knows_each_model_and_where_it_runs(values: Mapping[str, Any]) -> None:
    servers = told(values)
    assert set(servers) == set(values["models"])
    rendered = render(values)
    for name, server in servers.items():
        assert set(server.models) <= set(CATALOGUE.models)
        if "url" in values["models"][name]:
            assert server.url == values["models"][name]["url"]
        else:
            assert server.url == f"http://{RELEASE}-model-{name}:11434/v1"
            service = rendered.find("Service", f"model-{name}")["spec"]
            assert "publishNotReadyAddresses" not in service


@pytest.mark.parametrize("values", FILES.values(), ids=FILES)
def test_a_model_is_ready_when_the_server_has_that_very_one(values: Mapping[str, Any]) -> None:
    rendered = render(values)
    for name, one in values["models"].items():
        if "url" in one:
            continue
        entries = [CATALOGUE.models[entry].upstream or entry for entry in one["entries"]]
        container = pod(rendered, f"model-{name}")["containers"][0]
        assert {tuple(container["readinessProbe"]["exec"]["command"])} == {
            ("ollama", "show", entry) for entry in entries
        }
        pull = pull_job(rendered, name)["spec"]["template"]["spec"]["containers"][0]
        assert pull["command"] == ["python", "-m", "tracemypods.ask.pulling"]
        assert pull["args"] == [f"http://{RELEASE}-model-{name}-pull:11434", entries[0]]


@pytest.mark.parametrize("values", FILES.values(), ids=FILES)
def test_nothing_waits_for_weights_but_the_model_itself(values: Mapping[str, Any]) -> None:
    rendered = render(values)
    for _, one in rendered.pods:
        assert "initContainers" not in one["spec"]
    for name, one in values["models"].items():
        if "url" not in one:
            early = rendered.find("Service", f"model-{name}-pull")["spec"]
            usual = rendered.find("Service", f"model-{name}")["spec"]
            assert early["publishNotReadyAddresses"] is True
            assert early["selector"] == usual["selector"]


@pytest.mark.parametrize("values", FILES.values(), ids=FILES)
def test_weights_last_and_two_servers_never_share_them(values: Mapping[str, Any]) -> None:
    rendered = render(values)
    here = [name for name, one in values["models"].items() if "url" not in one]
    assert len(rendered.of_kind("PersistentVolumeClaim")) == len(here)
    for name in here:
        found = rendered.find("Deployment", f"model-{name}")["spec"]
        assert (found["replicas"], found["strategy"]) == (1, {"type": "Recreate"})
        claim = rendered.find("PersistentVolumeClaim", f"model-{name}")
        volumes = {one["name"]: one for one in found["template"]["spec"]["volumes"]}
        claimed = volumes["models"]["persistentVolumeClaim"]["claimName"]
        assert claimed == claim["metadata"]["name"]


@pytest.mark.parametrize("values", FILES.values(), ids=FILES)
def test_there_is_room_for_what_the_catalogue_says(values: Mapping[str, Any]) -> None:
    rendered = render(values)
    for name, one in values["models"].items():
        if "url" in one:
            continue
        entries = [CATALOGUE.models[entry] for entry in one["entries"]]
        container = pod(rendered, f"model-{name}")["containers"][0]
        memory = container["resources"]["limits"]["memory"]
        assert memory.endswith("Mi")
        needed = max(entry.memory_most_bytes or entry.memory_bytes for entry in entries)
        assert int(memory.removesuffix("Mi")) * 2**20 > needed + 400 * 2**20
        claim = rendered.find("PersistentVolumeClaim", f"model-{name}")["spec"]
        storage = claim["resources"]["requests"]["storage"]
        size = max(entry.size_most_bytes or entry.size_bytes for entry in entries)
        assert int(storage.removesuffix("Gi")) * 2**30 >= 2 * size
        variables = {one["name"]: one["value"] for one in container["env"]}
        longest = max(entry.context_tokens for entry in entries)
        assert variables["OLLAMA_CONTEXT_LENGTH"] == str(longest)


def test_what_an_operator_says_holds_instead() -> None:
    said = {"memory": "3Gi", "storage": "9Gi", "storageClass": "fast", "parallel": 5}
    rendered = render(over(DEV, at("models.smollm2", said)))
    container = pod(rendered, "model-smollm2")["containers"][0]
    assert container["resources"]["limits"]["memory"] == "3Gi"
    assert {"name": "OLLAMA_NUM_PARALLEL", "value": "5"} in container["env"]
    claim = rendered.find("PersistentVolumeClaim", "model-smollm2")["spec"]
    assert claim["resources"]["requests"]["storage"] == "9Gi"
    assert claim["storageClassName"] == "fast"


def test_models_on_gpus_ask_for_them_and_others_do_not() -> None:
    rendered = render(GPU)
    for name, one in GPU["models"].items():
        found = pod(rendered, f"model-{name}")
        resources = found["containers"][0]["resources"]
        if one.get("gpus"):
            assert resources["limits"]["nvidia.com/gpu"] == "1"
            assert resources["requests"]["nvidia.com/gpu"] == "1"
            tolerated = {(one["key"], one["effect"]) for one in found["tolerations"]}
            assert tolerated == {("nvidia.com/gpu", "NoSchedule")}
            assert "nvidia.com/gpu.present" in json.dumps(found["affinity"])
        else:
            assert "nvidia" not in json.dumps(found)
    assert any(not one.get("gpus") for one in GPU["models"].values())
    assert "nvidia.com/gpu" not in "".join(render(CPU).templates.values())


def test_a_server_elsewhere_gets_its_key_from_a_secret_and_runs_nothing_here() -> None:
    rendered = render(PLACED)
    assert "key_file" not in told(PLACED)["small"].model_dump(exclude_none=True)
    file = told(PLACED)["vllm"].key_file
    assert file is not None
    found = pod(rendered, "ask")
    secrets = next(one for one in found["volumes"] if one["name"] == "secrets")
    sources = [one["secret"] for one in secrets["projected"]["sources"]]
    assert sources[0] == {"name": f"{RELEASE}-ask"}
    assert sources[1] == {"name": "vllm", "items": [{"key": "api-key", "path": file.name}]}
    mounts = {one["name"]: one["mountPath"] for one in found["containers"][0]["volumeMounts"]}
    assert Path(mounts["secrets"]) == file.parent
    for name in ("vllm", "far-away"):
        with pytest.raises(KeyError):
            rendered.find("Deployment", f"model-{name}")


def test_a_model_that_is_put_to_null_is_gone() -> None:
    values = over(GPU, at("models.phi", None))
    assert set(told(values)) == set(GPU["models"]) - {"phi"}


def test_models_under_terms_can_be_placed_once_these_are_accepted() -> None:
    accepted = {"settings": {"TRACEMYPODS_ACCEPTED_TERMS": '["llama2"]'}}
    values = over(DEV, {"services": {"ask": accepted, "token": accepted}})
    values = over(values, at("models.llama", {"entries": ["llama2:7b"]}))
    assert told(values)["llama"].models == ("llama2:7b",)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("models.Upper", {"entries": ["tinyllama"]}, "at '/models': additional properties 'Upper'"),
        ("models.small.gpu", 1, "at '/models/small': additional properties 'gpu' not allowed"),
        ("models.small.gpus", -1, "at '/models/small/gpus': minimum: got -1, want 0"),
        ("models.small.gpuResource", "gpu", "at '/models/small/gpuResource': "),
        ("models.small.memory", "2 GB", "at '/models/small/memory': "),
        ("models.small.keepLoaded", "always", "at '/models/small/keepLoaded': "),
        ("models.small.entries", [], "at '/models/small/entries': minItems"),
        ("models.new", {}, "at '/models/new': missing property 'entries'"),
        ("models.vllm.url", "vllm:8000", "at '/models/vllm/url': "),
        ("models.vllm.apiKey", {"secret": ""}, "at '/models/vllm/apiKey'"),
        ("modelDefaults.paralel", 1, "at '/modelDefaults': additional properties 'paralel'"),
        ("inside.redis.storage", "1Gi", "at '/inside/redis': additional properties 'storage'"),
        ("inside.kafka.heap", "1 GB", "at '/inside/kafka/heap': "),
        ("setup.topics.replication", 0, "at '/setup/topics/replication': minimum: got 0"),
        # What only the catalogue can tell.
        (
            "models.small.entries",
            ["gpt-9"],
            "small.entries: config/models.toml has no gpt-9",
        ),
        (
            "models.small.entries",
            ["smollm2:135m", "tinyllama"],
            "models.small.entries: these are different weights",
        ),
        (
            "models.new",
            {"entries": ["mistral:7b"]},
            "new.entries: models.mistral has mistral:7b",
        ),
        (
            "models.new",
            {"entries": ["gemma:2b"]},
            "gemma:2b is offered once its terms",
        ),
        ("models.vllm.peers", [], "models.vllm.peers: where the network lets ask reach it"),
    ],
)
def test_what_will_not_do_is_refused_with_its_place(path: str, value: object, message: str) -> None:
    with pytest.raises(HelmError) as refused:
        render(over(PLACED, at(path, value)))
    assert message in str(refused.value)


def test_values_for_nodes_do_on_top_of_production() -> None:
    for name in ("values-gpu.yaml", "values-cpu.yaml"):
        production = read(
            checkout.CHART / "values-prod.yaml", checkout.CHART / name, VALUES / "production.yaml"
        )
        assert set(told(production)) == set(production["models"])
