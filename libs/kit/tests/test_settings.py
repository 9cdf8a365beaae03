"""Settings: where they come from, and that every problem is told at once without a value."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import Field
from pydantic_settings import SettingsConfigDict

from tracemypods.kit.settings import (
    Mode,
    Secret,
    ServiceSettings,
    SettingsError,
    load,
)


class Example(ServiceSettings):
    """Settings of a service that there is not."""

    model_config = SettingsConfigDict(env_prefix="TRACEMYPODS_EXAMPLE_")

    key: Secret
    size: int = Field(3, gt=0, description="How large")
    seconds: float = Field(1, gt=0, description="How long")
    shared: str = Field("x", validation_alias="TRACEMYPODS_SHARED", description="Shared")


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in list(os.environ):
        if name.startswith("TRACEMYPODS_"):
            monkeypatch.delenv(name)


def test_the_environment_wins_over_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACEMYPODS_EXAMPLE_KEY", "k" * 32)
    monkeypatch.setenv("TRACEMYPODS_EXAMPLE_SIZE", "7")
    monkeypatch.setenv("TRACEMYPODS_SHARED", "y")
    monkeypatch.setenv("TRACEMYPODS_MODE", "demo")
    settings = load(Example)
    assert settings.key.get_secret_value() == "k" * 32
    assert (settings.size, settings.shared, settings.mode) == (7, "y", Mode.DEMO)


def test_production_is_the_mode_when_nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACEMYPODS_EXAMPLE_KEY", "k" * 32)
    assert load(Example).mode is Mode.PRODUCTION


def test_secrets_are_read_from_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "tracemypods_example_key").write_text("f" * 40 + "\n")
    monkeypatch.setenv("TRACEMYPODS_SECRETS_DIR", str(tmp_path))
    assert load(Example).key.get_secret_value() == "f" * 40


def test_every_problem_is_told_and_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACEMYPODS_EXAMPLE_KEY", "hunter2")
    monkeypatch.setenv("TRACEMYPODS_EXAMPLE_SIZE", "0")
    monkeypatch.setenv("TRACEMYPODS_MODE", "fast")
    with pytest.raises(SettingsError) as error:
        load(Example)
    lines = str(error.value).splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "TRACEMYPODS_MODE",
        "TRACEMYPODS_EXAMPLE_KEY",
        "TRACEMYPODS_EXAMPLE_SIZE",
    ]
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize("text", ["inf", "-inf", "nan", "1e999"])
def test_a_number_that_is_none_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("TRACEMYPODS_EXAMPLE_KEY", "k" * 32)
    monkeypatch.setenv("TRACEMYPODS_EXAMPLE_SECONDS", text)
    with pytest.raises(SettingsError, match="TRACEMYPODS_EXAMPLE_SECONDS"):
        load(Example)


def test_a_missing_folder_of_secrets_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACEMYPODS_SECRETS_DIR", "/nowhere/at/all")
    with pytest.raises(SettingsError, match="/nowhere/at/all"):
        load(Example)


def test_a_secret_does_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACEMYPODS_EXAMPLE_KEY", "s3cret" * 10)
    assert "s3cret" not in repr(load(Example))


def test_production_refuses_all_keys_of_trials_at_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "tracemypods_example_key").write_text("dev-only-key-0123456789-0123456789\n")
    (tmp_path / "tracemypods_edge_site_example").write_text("dev-only-edge-0123456789-0123456789")
    (tmp_path / "tracemypods_operator_keys").write_text('{"name": "dev-only-operator"}\n')
    (tmp_path / "tracemypods_edge_pay_example").write_text("k" * 40)
    (tmp_path / "..data").mkdir()
    monkeypatch.setenv("TRACEMYPODS_SECRETS_DIR", str(tmp_path))
    monkeypatch.setenv("TRACEMYPODS_SHARED", "redis://shop:dev-only-password@redis:6379/0")
    monkeypatch.setenv("TRACEMYPODS_EXAMPLE_SIZE", "0")
    for mode in ("production", "", None):
        if mode is None:
            monkeypatch.delenv("TRACEMYPODS_MODE")
        else:
            monkeypatch.setenv("TRACEMYPODS_MODE", mode)
        with pytest.raises(SettingsError) as error:
            load(Example)
        assert [line.split(":")[0] for line in str(error.value).splitlines()] == [
            "TRACEMYPODS_EDGE_SITE_EXAMPLE",
            "TRACEMYPODS_EXAMPLE_KEY",
            "TRACEMYPODS_OPERATOR_KEYS",
            "TRACEMYPODS_SHARED",
            "TRACEMYPODS_EXAMPLE_SIZE",
        ]
        assert "dev-only" not in str(error.value)


@pytest.mark.parametrize("mode", ["demo", "local"])
def test_elsewhere_keys_of_trials_will_do(monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    monkeypatch.setenv("TRACEMYPODS_MODE", mode)
    monkeypatch.setenv("TRACEMYPODS_EXAMPLE_KEY", "dev-only-key-0123456789-0123456789")
    assert load(Example).mode == mode
