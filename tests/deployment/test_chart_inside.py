"""What runs inside for development, and the Jobs that set it up."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import redis
import yaml
from helm_python.errors import HelmError
from redis.backoff import NoBackoff
from redis.exceptions import NoPermissionError
from redis.retry import Retry
from rendered_chart import CASES, RELEASE, Manifest, Rendered, at, over, render

from tracemypods.events.settings import KafkaSettings
from tracemypods.kit.settings import load
from tracemypods.local import checkout, ports, s3, table, third_party, valkey
from tracemypods.local.testing.waiting import until

FLEET = table.load()
DEV = CASES["demo"]
LASTING = {"mongo", "kafka", "s3", "qdrant"}
OTHERS = {"redis", "smtp", "telemetry", "jaeger"}
PROGRAMS = {
    "redis": {"sh", "valkey-server", "valkey-cli", "grep"},
    "mongo": {"bash", "sh", "install", "docker-entrypoint.sh", "mongosh"},
    "s3": {"weed"},
    "telemetry": {"/otelcol-contrib"},
}
"""What each image has, of what commands and probes here call."""


def part(one: Manifest) -> str:
    return one["metadata"]["labels"]["app.kubernetes.io/name"]


def container(rendered: Rendered, kind: str, name: str) -> dict[str, Any]:
    return rendered.find(kind, name)["spec"]["template"]["spec"]["containers"][0]


def server(name: str, values: Mapping[str, Any] = DEV) -> dict[str, Any]:
    kind = "StatefulSet" if name in LASTING else "Deployment"
    return container(render(values), kind, name)


def job(rendered: Rendered, name: str) -> Manifest:
    return next(one for one in rendered.of_kind("Job") if part(one) == name)


def test_development_has_one_of_each_and_keeps_what_must_last() -> None:
    rendered = render(DEV)
    assert {part(one) for one in rendered.of_kind("StatefulSet")} == LASTING
    assert {part(one) for one in rendered.of_kind("Deployment")} >= OTHERS
    for name in LASTING:
        found = rendered.find("StatefulSet", name)["spec"]
        assert found["replicas"] == 1
        assert found["serviceName"] == f"{RELEASE}-{name}"
        assert rendered.find("Service", name)["spec"]["clusterIP"] == "None"
        assert len(found["volumeClaimTemplates"]) == 1
    for name in OTHERS:
        # Two at once would each have half of what there is.
        assert rendered.find("Deployment", name)["spec"]["strategy"] == {"type": "Recreate"}


def test_production_has_none_of_it() -> None:
    rendered = render(CASES["production"])
    assert rendered.of_kind("StatefulSet", "Job", "PersistentVolumeClaim") == []
    assert not {part(one) for one in rendered.objects} & (LASTING | OTHERS)


def test_each_can_be_inside_alone() -> None:
    values = over(CASES["production"], at("backends.qdrant", {"inside": True, "auth": False}))
    rendered = render(values)
    assert [part(one) for one in rendered.of_kind("StatefulSet")] == ["qdrant"]
    assert rendered.of_kind("Secret") == []


@pytest.mark.parametrize(("need", "auth"), [("kafka", True), ("s3", False)])
def test_nothing_is_asked_of_it_that_it_cannot_do(need: str, auth: bool) -> None:
    with pytest.raises(HelmError, match=rf"backends\.{need}\.auth: the .* that runs inside"):
        render(over(DEV, at(f"backends.{need}.auth", auth)))


def test_what_runs_inside_answers_where_services_look_for_it() -> None:
    rendered = render(DEV)
    for name, found in FLEET.cluster.items():
        if DEV["backends"].get(name, {}).get("inside"):
            ports = {one["port"] for one in rendered.find("Service", name)["spec"]["ports"]}
            assert found.port in ports
    for name in (*LASTING, *OTHERS):
        named = {one["name"]: one["containerPort"] for one in server(name)["ports"]}
        service = rendered.find("Service", name)["spec"]["ports"]
        assert {one["targetPort"]: one["port"] for one in service} == named


def test_probes_and_commands_call_what_the_image_has() -> None:
    for name in (*LASTING, *OTHERS):
        one = server(name)
        words = set(one.get("command", [])[:1])
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            if "exec" in one[probe]:
                shell, option, line = one[probe]["exec"]["command"]
                assert option == "-c"
                words |= {shell, *(piece.split()[0] for piece in line.split("|"))}
            elif "httpGet" in one[probe]:
                assert one[probe]["httpGet"]["port"] in {port["name"] for port in one["ports"]}
        assert words <= PROGRAMS.get(name, set()), name


def test_every_image_is_one_that_is_pinned_and_each_of_those_is_used() -> None:
    listed = tomllib.loads(third_party.FILE.read_text())
    known = {f"{one['repository']}:{one['tag']}" for one in listed.values()}
    used = {
        one["image"]
        for _, pod in render(DEV).pods
        for one in pod["spec"]["containers"]
        if not one["image"].startswith("tracemypods/")
    }
    python = f"{listed['python']['repository']}:{listed['python']['tag']}"
    assert used == known - {python}


def test_valkey_does_what_its_arguments_say(tmp_path: Path) -> None:
    secret = render(DEV).find("Secret", "redis")["stringData"]
    (tmp_path / "users.acl").write_text(secret["users.acl"])
    port = ports.unused()
    places = {"6379": str(port), "/secrets/users.acl": str(tmp_path / "users.acl")}
    arguments = [places.get(one, one) for one in server("redis")["command"][1:]]
    arguments[arguments.index("--dir") + 1] = str(tmp_path)

    def client(user: str | None = None, password: str | None = None) -> redis.Redis:
        return redis.Redis(port=port, username=user, password=password, retry=Retry(NoBackoff(), 0))

    def pong() -> bool:
        # As the probe asks: whoever asks for nothing else needs no password.
        try:
            return bool(client("health", "none").ping())
        except redis.ConnectionError:
            return False

    command = [str(valkey.binary()), *arguments]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            until(pong, "an answer of Valkey")
            with pytest.raises(redis.AuthenticationError):
                client().ping()
            with pytest.raises(NoPermissionError):
                client("health", "none").get("token:x")
            root = client("root", secret["root_password"])
            assert root.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
            assert root.config_get("appendonly") == {"appendonly": "no"}
        finally:
            process.terminate()


def test_seaweedfs_has_the_options_of_the_embedded_one_that_tests_run_against(
    tmp_path: Path,
) -> None:
    ports: dict[str, int] = dict.fromkeys((s3.NAME, *s3.FURTHER_PORTS, "admin", "admin.grpc"), 1)
    _, *embedded = s3.server_command(tmp_path / "weed", ports, tmp_path, tmp_path)
    placed = re.compile(r"-(ip|ip\.bind|dir|s3\.config|bucket)=|-[a-z0-9.]*port(\.grpc)?=[1-9]")
    same = {one for one in embedded if not placed.match(one)}
    assert {one for one in server("s3")["command"][1:] if not placed.match(one)} == same


def test_kafka_has_all_of_its_settings_and_makes_no_topic_by_itself() -> None:
    variables = {one["name"]: one["value"] for one in server("kafka")["env"]}
    assert variables["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"
    assert variables["KAFKA_ADVERTISED_LISTENERS"] == f"CLIENT://{RELEASE}-kafka:9092"
    names = {one.partition(":")[0] for one in variables["KAFKA_LISTENERS"].split(",")}
    mapped = variables["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].split(",")
    assert {one.partition(":")[0] for one in mapped} == names
    assert {
        variables["KAFKA_INTER_BROKER_LISTENER_NAME"],
        variables["KAFKA_CONTROLLER_LISTENER_NAMES"],
    } == names
    # One broker alone can hold one copy.
    assert {v for k, v in variables.items() if k.endswith(("FACTOR", "MIN_ISR"))} == {"1"}


def test_traces_go_from_services_to_the_collector_and_on_to_jaeger() -> None:
    rendered = render(DEV)
    ask = {one["name"]: one["value"] for one in container(rendered, "Deployment", "ask")["env"]}
    assert ask["OTEL_EXPORTER_OTLP_ENDPOINT"] == f"http://{RELEASE}-telemetry:4318"
    collector, jaeger = (
        yaml.safe_load(rendered.find("ConfigMap", name)["data"][file])
        for name, file in (("telemetry", "collector.yaml"), ("jaeger", "jaeger.yaml"))
    )
    assert collector["receivers"]["otlp"]["protocols"]["http"]["endpoint"].endswith(":4318")
    assert collector["exporters"]["otlp_grpc"]["endpoint"] == f"{RELEASE}-jaeger:4317"
    assert jaeger["receivers"]["otlp"]["protocols"]["grpc"]["endpoint"].endswith(":4317")
    for one in (collector, jaeger):
        pipeline = one["service"]["pipelines"]["traces"]
        for kind, names in pipeline.items():
            assert set(names) <= set(one[kind])
        assert set(one["service"]["extensions"]) == set(one["extensions"])


def test_jobs_are_ordinary_ones_that_try_again() -> None:
    jobs = render(DEV).of_kind("Job")
    assert {part(one) for one in jobs} == {"topics", "mongo-setup", "pull-smollm2"}
    for one in jobs:
        assert one["spec"]["backoffLimit"] >= 20
        assert one["spec"]["template"]["spec"]["restartPolicy"] == "OnFailure"
        assert "ttlSecondsAfterFinished" not in one["spec"]
        assert re.fullmatch(rf"{RELEASE}-{part(one)}-[0-9a-f]{{8}}", one["metadata"]["name"])


@pytest.mark.parametrize(
    ("path", "value", "changed"),
    [
        ("image.tag", "9.9.9", {"topics", "pull-smollm2"}),
        ("backends.mongo.replicaSet", "other", {"mongo-setup"}),
        ("secrets.revision", "2", {"mongo-setup"}),
        ("services.ask.replicas", 3, set[str]()),
    ],
)
def test_a_job_that_does_something_else_has_another_name(
    path: str, value: object, changed: set[str]
) -> None:
    before = {part(one): one["metadata"]["name"] for one in render(DEV).of_kind("Job")}
    after = render(over(DEV, at(path, value))).of_kind("Job")
    assert {part(one) for one in after if one["metadata"]["name"] != before[part(one)]} == changed


def test_topics_are_made_by_an_image_that_has_the_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = job(render(DEV), "topics")["spec"]["template"]["spec"]["containers"][0]
    assert one["command"] == ["python", "-m", "tracemypods.events.topics"]
    assert one["args"] == ["--replication", "1"]
    service = one["image"].partition("/")[2].partition(":")[0]
    project = tomllib.loads((checkout.ROOT / f"services/{service}/pyproject.toml").read_text())
    assert "tracemypods-events" in " ".join(project["project"]["dependencies"])
    for variable in one["env"]:
        monkeypatch.setenv(variable["name"], variable["value"])
    assert load(KafkaSettings).kafka_url == f"kafka://{RELEASE}-kafka:9092"


def test_topics_can_be_made_outside_too() -> None:
    values = over(CASES["production"], at("setup.topics.enabled", value=True))
    spec = job(render(values), "topics")["spec"]["template"]["spec"]
    assert spec["containers"][0]["args"] == ["--replication", "3"]
    secret = next(one["secret"] for one in spec["volumes"] if "secret" in one)
    assert secret["secretName"] == f"{RELEASE}-kafka"
    assert {one["path"] for one in secret["items"]} == {
        "tracemypods_kafka_username",
        "tracemypods_kafka_password",
    }


MONGOSH = """
const { readFileSync } = require("node:fs");
const [script, secrets, state] = process.argv.slice(2);
const asked = [];
const known = JSON.parse(state);
const say = (...words) => asked.push(words);
const admin = {
  auth: (user) => say("auth", user),
  getRole: (role) => known.roles.includes(role),
  getUser: (user) => known.users.includes(user),
  createRole: ({ role }) => say("createRole", role),
  updateRole: (role) => say("updateRole", role),
  createUser: ({ user, pwd }) => say("createUser", user, typeof pwd),
  updateUser: (user, { pwd }) => say("updateUser", user, typeof pwd),
};
const rs = {
  status() {
    if (!known.initiated) throw Object.assign(new Error(), { codeName: "NotYetInitialized" });
  },
  initiate: (config) => say("initiate", config._id, config.members[0].host),
};
let pauses = 0;
const db = {
  getSiblingDB: () => admin,
  hello: () => ({ isWritablePrimary: pauses > 1 }),
};
const environment = { env: { REPLICA_SET: "rs0", MEMBER: "m:27017", SECRETS: secrets } };
new Function("db", "rs", "fs", "process", "print", "sleep", readFileSync(script, "utf8"))(
  db, rs, { readFileSync }, environment, () => {}, () => { pauses += 1; },
);
console.log(JSON.stringify(asked));
"""


def mongo_setup(folder: Path, state: Mapping[str, Any], secrets: str) -> list[list[str]]:
    """What the script asks of a MongoDB in this state."""
    node = shutil.which("node") or pytest.skip("there is no node on the path")
    (folder / "mongosh.js").write_text(MONGOSH)
    (folder / "setup.js").write_text(
        render(DEV).find("ConfigMap", "mongo-setup")["data"]["setup.js"]
    )
    command = [node, "mongosh.js", "setup.js", secrets, json.dumps(state)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_mongodb_becomes_a_replica_set_with_its_users(tmp_path: Path) -> None:
    for name, text in render(DEV).find("Secret", "mongo")["stringData"].items():
        (tmp_path / name).write_text(text)
    state = {"initiated": False, "roles": [], "users": []}
    asked = mongo_setup(tmp_path, state, str(tmp_path))
    owners = [name for name, one in FLEET.services.items() if "mongo" in one.needs]
    assert asked == [
        ["auth", "root"],
        ["initiate", "rs0", "m:27017"],
        *(["createRole", name] for name in owners),
        *(["createUser", name, "string"] for name in owners),
    ]
    again = mongo_setup(
        tmp_path, {"initiated": True, "roles": owners, "users": owners}, str(tmp_path)
    )
    assert [words[0] for words in again] == ["auth", *["updateRole"] * 4, *["updateUser"] * 4]


def test_a_mongodb_without_users_becomes_a_replica_set_as_well(tmp_path: Path) -> None:
    state = {"initiated": False, "roles": [], "users": []}
    assert mongo_setup(tmp_path, state, "") == [["initiate", "rs0", "m:27017"]]
    values = over(DEV, at("backends.mongo.auth", value=False))
    assert "--keyFile" not in str(server("mongo", values))
