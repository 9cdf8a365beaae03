"""Keys of a cluster meet the services: all of them are read, and production refuses fixed ones."""

from __future__ import annotations

import importlib
import os
import runpy
from pathlib import Path

import pytest

from tracemypods.kit.internal import EdgeKeys, edge_bearer
from tracemypods.kit.operators import FILE as OPERATORS
from tracemypods.kit.operators import OperatorKeys
from tracemypods.kit.serve import EXIT_BAD_SETTINGS
from tracemypods.kit.settings import DEV_ONLY, ServiceSettings, load, variable_name
from tracemypods.local import checkout, table
from tracemypods.local.key_files import entries
from tracemypods.local.keys import ONLY_GIVEN, ROTATED_BESIDE, USER_NAMES, Keys, fixed
from tracemypods.local.secrets import PREVIOUS

FLEET = table.load()
FIXED = fixed(FLEET)
IN_DEMO = [name for name in FIXED.services if name != "mail"]
"""What starts in demo mode: there Mailpit takes the captured mail's place."""
ADDRESSES = {
    "TRACEMYPODS_REDIS_URL": "redis://redis:6379/0",
    "TRACEMYPODS_MONGO_URL": "mongodb://mongo:27017/?replicaSet=rs0",
    "TRACEMYPODS_KAFKA_URL": "kafka://kafka:9092",
    "TRACEMYPODS_SMTP_URL": "smtp://mail:1025",
    "TRACEMYPODS_S3_URL": "http://s3:8333",
    "TRACEMYPODS_S3_BUCKET": "tracemypods",
    "TRACEMYPODS_MODELS_URL": "http://models:11434/v1",
    "TRACEMYPODS_RAZORPAY_URL": "http://razorpay:8000",
    "TRACEMYPODS_VECTOR_QDRANT_URL": "http://qdrant:6333",
    "TRACEMYPODS_FRONTEND_SITE_DIR": str(checkout.FRONTEND),
    "TRACEMYPODS_FRONTEND_PACKAGES_DIR": str(checkout.FRONTEND),
    **{f"TRACEMYPODS_{name.upper()}_URL": f"http://{name}:8000" for name in FLEET.services},
}


def settings_class(part: str) -> type[ServiceSettings]:
    return importlib.import_module(f"{FLEET.ours[part].module}.settings").Settings


@pytest.fixture(params=IN_DEMO)
def part(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A service or sandbox, in an environment as a cluster gives it, with the fixed keys."""
    for name in [*os.environ]:
        if name.startswith("TRACEMYPODS_"):
            monkeypatch.delenv(name)
    for name, address in ADDRESSES.items():
        monkeypatch.setenv(name, address)
    monkeypatch.setenv("TRACEMYPODS_SECRETS_DIR", str(tmp_path))
    monkeypatch.setenv("TRACEMYPODS_CONFIG_DIR", str(checkout.CONFIG))
    part = str(request.param)
    for name, value in entries(FIXED).get(part, {}).items():
        (tmp_path / name).write_text(value)
    return part


def variables(part: str) -> set[str]:
    """What a part's settings read."""
    known = settings_class(part)
    return {variable_name(known, field) for field in known.model_fields}


def test_in_demo_mode_a_service_starts_with_the_fixed_keys(
    part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACEMYPODS_MODE", "demo")
    settings = load(settings_class(part))
    values = FIXED.services[part]
    for name in USER_NAMES:
        assert getattr(settings, name, None) == (part if name in values else None)
    for caller, callee in FLEET.edges:
        if part in (caller, callee):
            assert edge_bearer(caller, callee).get_secret_value().startswith(DEV_ONLY)
    EdgeKeys.load(part)
    if "operator_keys" in values:
        key = FIXED.operator_key
        assert key is not None
        assert OperatorKeys(tmp_path / OPERATORS).find(key) is not None


@pytest.mark.parametrize("part", [one for one in IN_DEMO if FIXED.services[one]], indirect=True)
def test_in_production_a_service_names_every_fixed_key_and_does_not_start(
    part: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRACEMYPODS_MODE", "production")
    secret = {
        f"TRACEMYPODS_{name.upper()}" for name in FIXED.services[part] if name not in USER_NAMES
    }
    with pytest.raises(SystemExit) as ended:
        runpy.run_module(FLEET.ours[part].module, run_name="__main__")
    assert ended.value.code == EXIT_BAD_SETTINGS
    said = capsys.readouterr().err
    refused = {line.split(":")[0] for line in said.splitlines() if "which anybody knows" in line}
    assert refused == secret
    assert DEV_ONLY not in said


def test_every_key_is_read_by_whoever_gets_it(part: str) -> None:
    edges = {f"TRACEMYPODS_EDGE_{a}_{b}".upper() for a, b in FLEET.edges if part in (a, b)}
    read = variables(part) | edges | {OPERATORS.upper()}
    assert {name.upper() for name in entries(FIXED).get(part, {})} <= read


def test_every_password_and_key_that_settings_need_is_among_the_keys() -> None:
    for name in FLEET.services:
        known = settings_class(name)
        has = {f"TRACEMYPODS_{key.upper()}" for key in FIXED.services[name]}
        for field, about in known.model_fields.items():
            if about.is_required() and "Secret" in str(about.annotation):
                assert variable_name(known, field) in has, name


def test_those_keys_have_a_key_before_them_that_services_take_one_of() -> None:
    ending = PREVIOUS.upper()
    read = {one for name in FLEET.services for one in variables(name)}
    before = {one.removesuffix(ending) for one in read if one.endswith(ending)}
    assert before == {f"TRACEMYPODS_{name.upper()}" for name in ROTATED_BESIDE}


def test_what_may_be_given_is_read() -> None:
    for need, names in ONLY_GIVEN.items():
        for service in FLEET.services.values():
            if need in service.needs:
                wanted = {f"TRACEMYPODS_{name.upper()}" for name in names}
                assert wanted <= variables(service.name)


def test_no_two_keys_are_the_same_but_at_both_ends() -> None:
    keys: Keys = FIXED
    values = {
        (name, value)
        for held in keys.services.values()
        for name, value in held.items()
        if name not in USER_NAMES
    }
    assert len({value for _, value in values}) == len(values)
