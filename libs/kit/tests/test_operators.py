"""Operator keys: who may do what, and what the audit log says."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import httpx2
import pytest
from fastapi import APIRouter, Depends

from tracemypods.kit.app import create_service
from tracemypods.kit.errors import NotFound
from tracemypods.kit.operators import FILE, OperatorKey, new_key, operator
from tracemypods.kit.settings import Mode, ServiceSettings
from tracemypods.local.testing.callers import caller
from tracemypods.local.testing.served import ServedApp

router = APIRouter()

Revoker = Annotated[str, Depends(operator("tokens:revoke"))]


@router.post("/revoke/{outcome}")
async def revoke(outcome: str, name: Revoker) -> str:
    if outcome == "missing":
        raise NotFound("There is no such token.")
    if outcome == "broken":
        raise RuntimeError("broken")
    return name


def write(folder: Path, *keys: OperatorKey) -> None:
    (folder / FILE).write_text("".join(f"{key.model_dump_json()}\n" for key in keys))


def made(name: str, *scopes: str) -> tuple[str, OperatorKey]:
    return new_key(name, scopes, datetime(2026, 1, 2, tzinfo=UTC))


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx2.Client]:
    monkeypatch.setenv("TRACEMYPODS_SECRETS_DIR", str(tmp_path))
    settings = ServiceSettings.model_validate({"mode": Mode.LOCAL})
    with (
        ServedApp(create_service("token", settings, routers=[router])) as served,
        caller(served.url, None) as client,
    ):
        yield client


def ask(client: httpx2.Client, key: str, outcome: str = "well") -> httpx2.Response:
    return client.post(f"/revoke/{outcome}?q=1", headers={"Authorization": f"Bearer {key}"})


def audit(caplog: pytest.LogCaptureFixture, lines: int) -> list[tuple[str | None, str]]:
    """Operator and outcome of so many lines; the last may come after the answer."""
    give_up = time.monotonic() + 10
    while True:
        records: list[Any] = [r for r in caplog.records if r.name == "tracemypods.audit"]
        if len(records) >= lines or time.monotonic() > give_up:
            break
        time.sleep(0.005)
    for record in records:
        assert (record.method, record.scope) == ("POST", "tokens:revoke")
        assert record.path.startswith("/revoke/")
        assert "?" not in record.path
    return [(record.operator, record.outcome) for record in records]


@pytest.mark.parametrize("scopes", [("tokens:revoke",), ("*",), ("other", "tokens:revoke")])
def test_a_key_with_the_scope_names_its_operator(
    client: httpx2.Client, tmp_path: Path, caplog: pytest.LogCaptureFixture, scopes: tuple[str, ...]
) -> None:
    caplog.set_level(logging.INFO, "tracemypods.audit")
    key, kept = made("asha", *scopes)
    write(tmp_path, made("other", "*")[1], kept)
    answer = ask(client, key)
    assert (answer.status_code, answer.json()) == (200, "asha")
    assert audit(caplog, 2) == [("asha", "allowed"), ("asha", "done")]


def test_a_key_without_the_scope(
    client: httpx2.Client, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "tracemypods.audit")
    key, kept = made("asha", "tokens:issue", "tokens", "tokens:revoke:all")
    write(tmp_path, kept)
    answer = ask(client, key)
    assert (answer.status_code, answer.json()["code"]) == (403, "operator_scope_missing")
    assert audit(caplog, 1) == [("asha", "scope_missing")]


def test_what_is_no_key(
    client: httpx2.Client, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "tracemypods.audit")
    key, kept = made("asha", "*")
    assert client.post("/revoke/well").json()["code"] == "operator_key_missing"
    basic = client.post("/revoke/well", headers={"Authorization": f"Basic {key}"})
    assert basic.json()["code"] == "operator_key_missing"
    assert ask(client, key).json()["code"] == "operator_key_unknown"  # no file
    write(tmp_path, kept)
    for wrong in (key[:-1], f"{key}x", kept.sha256, "asha"):
        answer = ask(client, wrong)
        assert (answer.status_code, answer.json()["code"]) == (401, "operator_key_unknown")
    assert audit(caplog, 5) == [(None, "key_unknown")] * 5


@pytest.mark.parametrize(
    ("outcome", "status", "said"),
    [("missing", 404, "failed: not_found"), ("broken", 500, "failed: RuntimeError")],
)
def test_what_became_of_it_is_logged(
    client: httpx2.Client,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    outcome: str,
    status: int,
    said: str,
) -> None:
    caplog.set_level(logging.INFO, "tracemypods.audit")
    key, kept = made("asha", "*")
    write(tmp_path, kept)
    assert ask(client, key, outcome).status_code == status
    assert audit(caplog, 2) == [("asha", "allowed"), ("asha", said)]


def test_keys_come_and_go_while_the_service_runs(client: httpx2.Client, tmp_path: Path) -> None:
    first, first_kept = made("first", "*")
    second, second_kept = made("second", "*")
    write(tmp_path, first_kept)
    assert ask(client, first).status_code == 200
    assert ask(client, second).status_code == 401
    write(tmp_path, first_kept, second_kept)
    assert ask(client, second).status_code == 200
    write(tmp_path, second_kept)
    assert ask(client, first).status_code == 401
    (tmp_path / FILE).unlink()
    assert ask(client, second).status_code == 401


@pytest.mark.parametrize("text", ["{", '{"name": "x"}', '{"name": "x", "sha256": "y"}'])
def test_a_spoilt_list_lets_nobody_in(client: httpx2.Client, tmp_path: Path, text: str) -> None:
    key, kept = made("asha", "*")
    (tmp_path / FILE).write_text(f"{kept.model_dump_json()}\n{text}\n")
    answer = ask(client, key)
    assert (answer.status_code, answer.json()["code"]) == (503, "operator_keys_unreadable")


def test_the_key_is_in_no_log_and_not_in_the_file(
    client: httpx2.Client, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    key, kept = made("asha", "*")
    write(tmp_path, kept)
    ask(client, key)
    assert key not in repr([vars(record) for record in caplog.records])
    assert key not in (tmp_path / FILE).read_text()
