"""What holds for the fleet as a whole: memory, addresses, logs, and a model server of one's own."""

from __future__ import annotations

from pathlib import Path

import httpx2
import psutil

from tracemypods.local import memory
from tracemypods.local.fleet import Fleet
from tracemypods.local.testing.callers import caller
from tracemypods.local.testing.model_stub import ModelStub

MIB = 1024 * 1024
WHOLE_FLEET_MIB = 1536
"""0.7 GiB, launcher included."""


def processes(fleet: Fleet) -> dict[str, psutil.Process]:
    current = fleet.state()
    assert current is not None
    names = {part.pid: part.name for part in current.parts}
    return {
        names.get(one.pid, f"launcher {one.pid}"): psutil.Process(one.pid)
        for one in current.processes()
    }


def test_parts_stay_within_their_memory(fleet: Fleet, site: str, token: str) -> None:
    with caller(site, token) as person:
        person.post("/api/ask", json={"prompt": "Say hello.", "max_tokens": 5})
    used = {name: memory.own(one.pid) / MIB for name, one in processes(fleet).items()}
    table = fleet.table
    limits = {
        **{name: part.memory_mb for name, part in table.backends.items()},
        **{name: part.memory_mb for name, part in table.services.items()},
        "gateway": table.gateway_memory_mb,
    }
    assert {name: size for name, size in used.items() if size > limits.get(name, 60)} == {}
    assert sum(used.values()) < WHOLE_FLEET_MIB


def test_everything_listens_on_this_machine_only(fleet: Fleet) -> None:
    addresses = {
        (name, connection.laddr.ip)
        for name, process in processes(fleet).items()
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert {name for name, _ in addresses} == set(fleet.table.part_names)
    assert {ip for _, ip in addresses} == {"127.0.0.1"}


def test_logs_hold_no_token_and_no_text(fleet: Fleet, site: str, token: str) -> None:
    prompt = "Repeat after me: xylophone-canary-4711"
    with caller(site, token) as person:
        answer = person.post("/api/ask", json={"prompt": prompt, "max_tokens": 20})
        person.post("/api/ask", json={"prompt": prompt, "nonsense": "xylophone-canary-4711"})
        person.get(f"/api/token?token={token}")
    identifier = answer.json()["request_id"]
    logs = "".join(path.read_text(errors="replace") for path in fleet.data.logs.glob("*.log"))
    assert identifier in logs
    assert token not in logs
    assert "xylophone" not in logs


def test_a_model_server_of_ones_own_is_used_instead(tmp_path: Path) -> None:
    with ModelStub() as own:
        environment = {"TRACEMYPODS_MODELS_URL": own.url}
        with Fleet(tmp_path / "data", environment=environment) as fleet:
            current = fleet.state()
            assert current is not None
            assert "models" not in [part.name for part in current.parts]
            token = httpx2.post(f"{fleet.url()}/api/token").json()["token"]
            with caller(fleet.url(), token) as person:
                answer = person.post("/api/ask", json={"prompt": "Who are you?"})
    assert answer.json()["answer"] == "Hello, world."
    assert own.requests[0]["messages"] == [{"role": "user", "content": "Who are you?"}]
