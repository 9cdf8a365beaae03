"""The hardening checklist, a test a line, over everything that runs."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from rendered_chart import CASES, Manifest, Rendered, at, over, render

from tracemypods.local import table
from tracemypods.local.keys import needed

FLEET = table.load()

EXCEPTIONS: dict[tuple[str, str], str] = {
    ("gateway", "adds no capability"): "the program in Caddy's image asks for NET_BIND_SERVICE in "
    "its file's capabilities, and could not be started where the container may not have it; the "
    "restricted profile allows that one",
    ("gateway", "probes ask over HTTP"): "Caddy has no health route of its own: each path is a "
    "service's or nobody's",
    ("gateway", "says how long it drains"): "Caddy's own configuration does",
    ("mongo", "runs as nobody in particular"): "the image's program and shell look up their user, "
    "which is the image's own",
    ("mongo-setup", "runs as nobody in particular"): "it runs in MongoDB's image, too",
    ("kafka", "runs as nobody in particular"): "what starts it writes into folders that are the "
    "image's own user's",
    ("qdrant", "runs as nobody in particular"): "the image's variant for an ordinary user is made "
    "for its own",
    ("qdrant", "has no secret in its environment"): "its key can be told there, or in its "
    "configuration, and in no file of its own",
}
"""What is excused from which line, by name and line, and why."""

OTHERS_SECRETS = {
    **{name: (f"shop-{name}",) for name in ("redis", "mongo", "s3")},
    "mongo-setup": ("shop-mongo",),
    "ask": ("vllm",),  # chart_values/models.yaml has a model server with a key.
}
"""Secrets of what is no service, and the key of a model server."""

FIRST_OWN_ID = 10_000
RESTRICTED_VOLUMES = {
    *("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim"),
    *("projected", "secret"),
}

cases = pytest.mark.parametrize("values", CASES.values(), ids=CASES)


def excused(name: str, line: str) -> bool:
    return (name, line) in EXCEPTIONS


def part(owner: Manifest) -> str:
    return owner["metadata"]["labels"]["app.kubernetes.io/name"]


def is_ours(owner: Manifest) -> bool:
    """Whether this repository's code or its gateway runs in it, all the time."""
    return owner["metadata"]["labels"]["app.kubernetes.io/component"] in ("service", "edge")


def containers(rendered: Rendered) -> Iterator[tuple[Manifest, Manifest, Manifest]]:
    """Every container, with its workload and pod."""
    for owner, pod in rendered.pods:
        for one in (*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"]):
            yield owner, pod["spec"], one


def test_every_exception_is_needed_and_says_why() -> None:
    names = {part(owner) for values in CASES.values() for owner, _ in render(values).pods}
    assert {name for name, _ in EXCEPTIONS} <= names
    assert all(len(reason) > 20 for reason in EXCEPTIONS.values())


@cases
def test_nobody_in_particular_runs_in_a_pod(values: Mapping[str, Any]) -> None:
    for owner, pod in render(values).pods:
        context = pod["spec"]["securityContext"]
        assert context["runAsNonRoot"] is True
        assert context["runAsUser"] == context["runAsGroup"] == context["fsGroup"]
        theirs = context["runAsUser"] < FIRST_OWN_ID
        assert theirs is excused(part(owner), "runs as nobody in particular"), part(owner)
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}


@cases
def test_a_container_may_nothing_but_its_work(values: Mapping[str, Any]) -> None:
    for owner, _, container in containers(render(values)):
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["readOnlyRootFilesystem"] is True
        assert context["capabilities"]["drop"] == ["ALL"]
        added = context["capabilities"].get("add", [])
        assert bool(added) is excused(part(owner), "adds no capability"), part(owner)
        assert set(added) <= {"NET_BIND_SERVICE"}
        assert not set(context) & {"privileged", "runAsUser", "procMount"}


@cases
def test_nothing_of_the_node_is_shared(values: Mapping[str, Any]) -> None:
    for _, pod in render(values).pods:
        assert not set(pod["spec"]) & {"hostNetwork", "hostPID", "hostIPC"}
        for volume in pod["spec"].get("volumes", ()):
            assert set(volume) - {"name"} <= RESTRICTED_VOLUMES
    for _, _, container in containers(render(values)):
        assert all("hostPort" not in port for port in container.get("ports", ()))


@cases
def test_what_can_be_written_to_has_a_size(values: Mapping[str, Any]) -> None:
    for owner, pod, container in containers(render(values)):
        volumes = {one["name"]: one for one in pod.get("volumes", ())}
        for one in owner["spec"].get("volumeClaimTemplates", ()):
            volumes[one["metadata"]["name"]] = {"persistentVolumeClaim": {}}
        mounts = {one["mountPath"]: one for one in container.get("volumeMounts", ())}
        for mount in mounts.values():
            volume = volumes[mount["name"]]
            if "emptyDir" in volume:
                assert volume["emptyDir"]["sizeLimit"], part(owner)
            else:
                assert mount.get("readOnly") or "persistentVolumeClaim" in volume
        if "template" in owner.get("spec", {}):
            assert "emptyDir" in volumes[mounts["/tmp"]["name"]]  # noqa: S108 - the container's own


@cases
def test_every_part_has_an_account_of_its_own_without_a_token(values: Mapping[str, Any]) -> None:
    rendered = render(values)
    accounts = {one["metadata"]["name"]: one for one in rendered.of_kind("ServiceAccount")}
    for owner, pod in rendered.pods:
        assert pod["spec"]["serviceAccountName"] == f"{rendered.release}-{part(owner)}"
        assert pod["spec"]["automountServiceAccountToken"] is False
        assert pod["spec"]["serviceAccountName"] in accounts
    assert all(one["automountServiceAccountToken"] is False for one in accounts.values())


@cases
def test_no_service_gets_into_the_environment_by_its_name(values: Mapping[str, Any]) -> None:
    # A Service called redis would set REDIS_PORT to an address.
    assert all(pod["spec"]["enableServiceLinks"] is False for _, pod in render(values).pods)


@cases
def test_probes_ask_what_they_are_for(values: Mapping[str, Any]) -> None:
    for owner, _, container in containers(render(values)):
        if not is_ours(owner):
            continue
        ports = {one["name"] for one in container["ports"]}
        for probe, path in (
            ("startup", "/livez"),
            ("liveness", "/livez"),
            ("readiness", "/readyz"),
        ):
            found = container[f"{probe}Probe"]
            if excused(part(owner), "probes ask over HTTP"):
                assert found["tcpSocket"]["port"] in ports
            else:
                assert found["httpGet"]["path"] == path
                assert found["httpGet"]["port"] in ports
            assert found["failureThreshold"] >= 2
        # A model is loaded in much less.
        startup = container["startupProbe"]
        assert startup["periodSeconds"] * startup["failureThreshold"] >= 60


@cases
def test_a_pod_has_time_to_stop(values: Mapping[str, Any]) -> None:
    for owner, pod, container in containers(render(values)):
        if not is_ours(owner):
            continue
        before = container["lifecycle"]["preStop"]["sleep"]["seconds"]
        drain = 10
        if not excused(part(owner), "says how long it drains"):
            drain = FLEET.ours[part(owner)].container.drain_seconds
            variables = {one["name"]: one["value"] for one in container["env"]}
            assert variables["TRACEMYPODS_DRAIN_SECONDS"] == str(drain)
        assert before >= 5
        assert before + drain + 5 < pod["terminationGracePeriodSeconds"], part(owner)


@cases
def test_replicas_are_spread_and_updates_leave_none_out(values: Mapping[str, Any]) -> None:
    rendered = render(values)
    for one in filter(is_ours, rendered.of_kind("Deployment")):
        spread = one["spec"]["template"]["spec"]["topologySpreadConstraints"]
        keys = {rule["topologyKey"] for rule in spread}
        assert keys == {"topology.kubernetes.io/zone", "kubernetes.io/hostname"}
        assert all(rule["whenUnsatisfiable"] == "ScheduleAnyway" for rule in spread)
        assert all(rule["matchLabelKeys"] == ["pod-template-hash"] for rule in spread)
        assert all(rule["labelSelector"] == one["spec"]["selector"] for rule in spread)
        if part(one) in FLEET.services:
            update = one["spec"]["strategy"]["rollingUpdate"]
            assert update == {"maxSurge": 1, "maxUnavailable": 0}


@cases
def test_a_budget_is_there_where_one_replica_can_be_missed(values: Mapping[str, Any]) -> None:
    rendered = render(values)
    budgets = {part(one): one["spec"] for one in rendered.of_kind("PodDisruptionBudget")}
    scalers = {
        part(one): one["spec"].get("minReplicas", one["spec"].get("minReplicaCount"))
        for one in rendered.of_kind("HorizontalPodAutoscaler", "ScaledObject")
    }
    for one in rendered.of_kind("Deployment"):
        replicas = one["spec"].get("replicas", scalers.get(part(one)))
        assert (part(one) in budgets) is (replicas >= 2), part(one)
        if part(one) in budgets:
            assert budgets[part(one)] == {
                "maxUnavailable": 1,
                "unhealthyPodEvictionPolicy": "AlwaysAllow",
                "selector": one["spec"]["selector"],
            }


def test_who_scales_decides_alone() -> None:
    rendered = render(CASES["production"])
    scaled = [part(one) for one in rendered.of_kind("HorizontalPodAutoscaler", "ScaledObject")]
    assert sorted(scaled) == ["ask", "deliver", "embedding"]
    for one in rendered.of_kind("Deployment"):
        assert ("replicas" in one["spec"]) is (part(one) not in scaled)


def test_ask_scales_by_requests_in_flight_and_not_while_answers_run() -> None:
    spec = render(CASES["production"]).find("ScaledObject", "ask")["spec"]
    trigger = spec["triggers"][0]
    assert trigger["type"] == "prometheus"
    query = trigger["metadata"]["query"]
    # The metric that kit.metrics has, with the labels that the ServiceMonitor gives.
    assert query == 'sum(http_server_active_requests{namespace="fleet",service="shop-ask"})'
    down = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"]
    assert down["stabilizationWindowSeconds"] >= FLEET.services["ask"].container.drain_seconds
    assert spec["fallback"]["replicas"] >= 1


def test_deliver_scales_by_lag_down_to_nothing() -> None:
    spec = render(CASES["production"]).find("ScaledObject", "deliver")["spec"]
    assert spec["minReplicaCount"] == 0
    topics = [topic for topic in FLEET.topics.values() if "deliver" in topic.consumers]
    assert [one["metadata"]["topic"] for one in spec["triggers"]] == [one.name for one in topics]
    for trigger, topic in zip(spec["triggers"], topics, strict=True):
        assert trigger["metadata"]["consumerGroup"] == "deliver"
        assert trigger["metadata"]["offsetResetPolicy"] == "earliest"
        assert trigger["metadata"]["excludePersistentLag"] == "true"
        assert spec["maxReplicaCount"] <= topic.partitions


@cases
def test_memory_is_what_was_asked_for_and_cpu_is_not_cut(values: Mapping[str, Any]) -> None:
    for owner, _, container in containers(render(values)):
        asked, limits = container["resources"]["requests"], container["resources"]["limits"]
        assert asked["memory"] == limits["memory"]
        assert asked["ephemeral-storage"] == limits["ephemeral-storage"]
        assert asked["cpu"]
        assert "cpu" not in limits
        if owner["kind"] == "Deployment" and part(owner) in FLEET.ours:
            assert asked["memory"] == f"{FLEET.ours[part(owner)].container.memory_mb}Mi"


@cases
def test_secrets_are_files_and_in_no_environment(values: Mapping[str, Any]) -> None:
    for owner, pod, container in containers(render(values)):
        assert "envFrom" not in container
        told = [one for one in container.get("env", ()) if "valueFrom" in one]
        assert bool(told) is excused(part(owner), "has no secret in its environment"), part(owner)
        for variable in container.get("env", ()):
            assert "valueFrom" in variable or not re.search(
                "KEY$|SECRET$|PASSWORD$", variable["name"]
            ), variable["name"]
        volumes = pod.get("volumes", ())
        own = [one["secret"] for one in volumes if "secret" in one]
        names = [one["secretName"] for one in own]
        for one in volumes:
            if "projected" in one:
                own.append(one["projected"])
                names += [source["secret"]["name"] for source in one["projected"]["sources"]]
        ours = FLEET.ours.get(part(owner))
        keys = {f"shop-{part(owner)}"} if ours and needed(FLEET, ours) else set[str]()
        assert set(names) - set(OTHERS_SECRETS.get(part(owner), ())) == keys, part(owner)
        assert all(one["defaultMode"] & 0o7 == 0 for one in own)
        assert all(not one.get("optional") for one in own)


def test_a_service_has_its_own_keys_and_no_others() -> None:
    rendered = render(CASES["demo"])
    holders: dict[str, set[str]] = {}
    for secret in rendered.of_kind("Secret"):
        for name in secret["stringData"]:
            holders.setdefault(name, set()).add(part(secret))
    assert holders["tracemypods_razorpay_key_secret"] == {"payment", "razorpay"}
    assert holders["tracemypods_token_derivation_key"] == {"token"}
    for caller, callee in FLEET.edges:
        assert holders[f"tracemypods_edge_{caller}_{callee}"] == {caller, callee}


@cases
def test_images_are_pinned(values: Mapping[str, Any]) -> None:
    for _, _, container in containers(render(values)):
        name, _, tag = container["image"].rpartition(":")
        assert name
        assert re.fullmatch(r"v?\d[\w.-]*", tag), container["image"]


def test_a_digest_and_a_mirror_hold() -> None:
    digest = f"sha256:{'1' * 64}"
    values = over(CASES["production behind Caddy"], at("image.digests.ask", digest))
    rendered = render(over(values, at("mirror", "mirror.example.com/hub")))
    images = {part(owner): one["image"] for owner, _, one in containers(rendered)}
    assert images["ask"] == f"registry.example.com/tracemypods/ask:0.1.0@{digest}"
    assert images["token"] == "registry.example.com/tracemypods/token:0.1.0"
    assert re.match(r"mirror\.example\.com/hub/library/caddy:\d", images["gateway"])


@cases
def test_labels_are_the_common_ones_and_selectors_never_change(values: Mapping[str, Any]) -> None:
    common = {
        f"app.kubernetes.io/{name}"
        for name in ("name", "instance", "component", "part-of", "version", "managed-by")
    }
    rendered = render(values)
    for one in rendered.objects:
        assert common | {"helm.sh/chart"} <= set(one["metadata"]["labels"])
    for one in rendered.of_kind("Deployment", "StatefulSet", "Service", "PodDisruptionBudget"):
        selector = one["spec"]["selector"]
        assert selector.get("matchLabels", selector) == {
            "app.kubernetes.io/name": part(one),
            "app.kubernetes.io/instance": rendered.release,
        }
    for one in rendered.workloads:
        # A new version of the chart alone starts no pod again.
        labels = one["spec"]["template"]["metadata"]["labels"]
        assert set(labels) == common - {"app.kubernetes.io/version", "app.kubernetes.io/managed-by"}
        assert one["kind"] == "Job" or one["spec"]["revisionHistoryLimit"] == 3


@cases
def test_a_name_is_in_an_environment_once(values: Mapping[str, Any]) -> None:
    for _, _, container in containers(render(values)):
        names = [one["name"] for one in container.get("env", ())]
        assert len(set(names)) == len(names)


@cases
def test_only_tests_are_hooks(values: Mapping[str, Any]) -> None:
    for one in render(values).objects:
        hook = one["metadata"].get("annotations", {}).get("helm.sh/hook")
        assert hook == ("test" if one["kind"] == "Pod" else None)


@cases
def test_nothing_is_random(values: Mapping[str, Any]) -> None:
    before = render(values).templates
    render.__globals__["_render"].cache_clear()
    assert render(values).templates == before


def test_pods_start_again_when_what_they_read_has_changed() -> None:
    def hashes(values: Mapping[str, Any], service: str) -> Mapping[str, str]:
        pod = render(values).find("Deployment", service)["spec"]["template"]
        return pod["metadata"]["annotations"]

    before = CASES["production"]
    seller = over(before, {"config": {"seller.toml": 'name = "Another"'}})
    assert hashes(seller, "payment") != hashes(before, "payment")
    assert hashes(seller, "token") == hashes(before, "token")
    keys = over(before, at("secrets.revision", "2"))
    assert hashes(keys, "token") != hashes(before, "token")


def test_nothing_secret_is_in_what_production_renders() -> None:
    for name in ("production", "production behind Caddy"):
        assert render(CASES[name]).of_kind("Secret") == []
        text = "".join(render(CASES[name]).templates.values())
        assert "dev-only" not in text
        assert base64.b64encode(b"dev-only")[:10].decode() not in text


def test_no_route_is_cut_or_leads_to_what_is_not_public() -> None:
    rendered = render(CASES["production"])
    inside = [f"shop-{one.name}" for one in FLEET.services.values() if not one.routes]
    assert inside == ["shop-embedding"]
    streams = rendered.find("BackendTrafficPolicy", "streams")["spec"]
    targets = {one["name"] for one in streams["targetRefs"]}
    for route in rendered.of_kind("HTTPRoute"):
        for rule in route["spec"]["rules"]:
            assert len(rule.get("matches", ())) <= 64
            for backend in rule.get("backendRefs", ()):
                assert backend["name"] not in inside
                assert route["metadata"]["name"] in targets
        if route["metadata"]["name"] in targets:
            assert route["spec"]["rules"][0]["timeouts"] == {"request": "0s"}
    assert streams["timeout"]["http"] == {"requestTimeout": "0s", "streamIdleTimeout": "120s"}
    assert "requestBuffer" not in streams
