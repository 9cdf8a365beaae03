"""Starting, stopping, refusing and leaving, as callers see it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx2
import pytest
from embedding_service import ASK_KEY, PATH, StubEngine, when_ready

from tracemypods.embedding import cpus
from tracemypods.embedding.app import create_app
from tracemypods.embedding.engines.engine import Prepared, Vectors
from tracemypods.embedding.settings import Settings
from tracemypods.kit.settings import Mode, SettingsError

MakeService = Callable[..., httpx2.Client]


def settings(**values: Any) -> Settings:
    return Settings(**{"mode": Mode.LOCAL, **values})


class SlowStart(StubEngine):
    """Starts when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()

    async def start(self) -> int:
        await asyncio.to_thread(self.go.wait, 10)
        return await super().start()


def test_it_is_ready_only_after_the_first_vector(make_service: MakeService) -> None:
    engine = SlowStart()
    service = make_service(engine, wait=False)
    assert service.get("/livez").status_code == 200
    ready = service.get("/readyz")
    assert (ready.status_code, ready.json()["missing"]) == (503, {"model": "Unavailable"})
    answer = service.post(PATH, json={"input": "x"})
    assert (answer.status_code, answer.json()["code"]) == (503, "embedding_not_ready")
    engine.go.set()
    when_ready(service)
    assert service.post(PATH, json={"input": "x"}).status_code == 200


class NoStart(StubEngine):
    async def start(self) -> int:
        raise RuntimeError("the weights are torn")


def test_an_engine_that_cannot_start_is_never_ready(make_service: MakeService) -> None:
    service = make_service(NoStart(), wait=False)
    answer = service.post(PATH, json={"input": "x"})
    while "cannot be loaded" not in answer.json()["detail"]:  # until it has tried
        assert (answer.status_code, answer.json()["code"]) == (503, "embedding_not_ready")
        answer = service.post(PATH, json={"input": "x"})
    assert (answer.status_code, answer.json()["code"]) == (503, "embedding_not_ready")
    assert "torn" not in answer.text
    assert service.get("/readyz").status_code == 503


def test_another_file_than_the_tested_model_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(b"not the model")
    with pytest.raises(SettingsError, match="its sha256 is"):
        create_app(settings(onnx_file=file))
    with pytest.raises(SettingsError, match="cannot be read"):
        create_app(settings(onnx_file=tmp_path / "none"))


def test_an_engine_that_is_not_installed_is_named() -> None:
    with pytest.raises(SettingsError, match=r"tracemypods-embedding\[sentence-transformers\]"):
        create_app(settings(engine="sentence-transformers"))


def test_a_call_that_takes_too_long_is_ended(make_service: MakeService) -> None:
    service = make_service(StubEngine(seconds=1.0))
    answer = service.post(PATH, json={"input": "x"}, headers={"X-Deadline-Milliseconds": "100"})
    assert (answer.status_code, answer.json()["code"]) == (503, "embedding_timeout")


class Held(StubEngine):
    """Goes on when it is told to; `begun` counts its runs."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = 0
        self.go = threading.Event()

    async def embed(self, texts: Sequence[Prepared]) -> Vectors:
        self.begun += 1
        await asyncio.to_thread(self.go.wait, 60)
        return await super().embed(texts)


def metric(service: httpx2.Client, name: str) -> float:
    """One number of the service's metrics."""
    lines = service.get("/metrics").text.splitlines()
    (found,) = [line for line in lines if line.startswith(f"{name} ")]
    return float(found.split()[1])


def test_a_full_queue_is_said_at_once(make_service: MakeService) -> None:
    engine = Held()
    service = make_service(engine, queue_texts=4, max_texts=4, batch_texts=1, batch_milliseconds=0)
    callers = [threading.Thread(target=post, args=(service, [f"a{n}"])) for n in range(5)]
    callers[0].start()
    while not engine.begun:  # it has left the queue, and nothing leaves it after it
        pass
    for caller in callers[1:]:
        caller.start()
    while metric(service, "embedding_waiting_texts") < 4:
        pass
    answer = service.post(PATH, json={"input": ["c"]})  # while nothing goes on
    assert (answer.status_code, answer.json()["code"]) == (503, "embedding_busy")
    assert answer.headers["Retry-After"] == "2"
    assert metric(service, "embedding_refused_texts_total") == 1
    engine.go.set()
    for caller in callers:
        caller.join()


def post(service: httpx2.Client, texts: list[str]) -> None:
    service.post(PATH, json={"input": texts})


def test_callers_who_leave_are_not_worked_for(make_service: MakeService) -> None:
    engine = Held()
    service = make_service(engine, batch_milliseconds=0)
    first = threading.Thread(target=post, args=(service, ["first"]))
    first.start()
    while not engine.begun:
        pass
    with pytest.raises(httpx2.ReadTimeout):
        httpx2.post(
            f"{service.base_url}{PATH}".replace("//api", "/api"),
            json={"input": "left"},
            headers={"Authorization": f"Bearer {ASK_KEY.get_secret_value()}"},
            timeout=1,
        )
    # The first, and the look at the metrics: the service has seen that the other one left.
    while metric(service, "http_server_active_requests") > 2:
        pass
    engine.go.set()
    first.join()
    post(service, ["last"])
    assert engine.runs == [["first"], ["last"]]
    assert metric(service, "embedding_dropped_texts_total") == 1


@pytest.mark.parametrize(
    ("files", "limit"),
    [
        ({"cpu.max": "150000 100000"}, 1),
        ({"cpu.max": "50000 100000"}, 1),
        ({"cpu.max": "max 100000"}, 8),
        ({"cpu.max": "1600000 100000"}, 8),
        ({"cpu/cpu.cfs_quota_us": "300000", "cpu/cpu.cfs_period_us": "100000"}, 3),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, 8),
        ({}, 8),
    ],
)
def test_threads_follow_the_cpu_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], limit: int
) -> None:
    monkeypatch.setattr(cpus.os, "sched_getaffinity", lambda _: set(range(8)))
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text + "\n")
    assert cpus.cpu_limit(tmp_path) == limit
