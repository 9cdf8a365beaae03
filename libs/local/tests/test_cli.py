"""The commands, as a person runs them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import psutil
import pytest

from tracemypods.local import cli
from tracemypods.local.fleet import Fleet

COMMANDS = ("up", "restart", "operator-key", "down", "status", "logs", "refund", "reset", "render")


def run(data: Path, *arguments: str) -> int:
    return cli.main(["--data", str(data), *arguments])


@pytest.fixture
def few_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the commands start a small fleet, on any free port."""
    original = Fleet.__init__

    def smaller(self: Fleet, *arguments: object, **options: object) -> None:
        original(self, *arguments, **{**options, "parts": ["redis", "gateway"]})  # type: ignore[arg-type]

    monkeypatch.setattr(Fleet, "__init__", smaller)
    monkeypatch.setenv("PORT", "0")


@pytest.mark.usefixtures("few_parts")
def test_a_day_in_the_life(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(data, "status") == 0
    assert "nothing runs" in capsys.readouterr().out

    assert run(data, "up") == 0
    said = capsys.readouterr().out
    assert "redis        ready in " in said
    assert "all ready in " in said
    key = (data / "secrets" / "tracemypods_operator_key").read_text()
    assert key in said

    assert run(data, "up") == 0
    said = capsys.readouterr().out
    assert "everything runs already, and nothing has changed" in said
    assert key not in said
    assert run(data, "operator-key") == 0
    assert capsys.readouterr().out == f"{key}\n"

    assert run(data, "status") == 0
    assert "supervisor" in capsys.readouterr().out

    assert run(data, "status", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert [part["name"] for part in document["parts"]] == ["redis", "gateway"]
    part = document["parts"][0]
    assert part["kind"] == "backend"
    assert part["state"] == "ready"
    assert part["memory_bytes"] > 1_000_000
    assert part["restarts"] == 0
    assert part["url"].startswith("redis://127.0.0.1:")
    assert part["pid"] > 0

    assert run(data, "logs", "redis", "-n", "1") == 0
    assert capsys.readouterr().out.startswith("redis | ")
    assert run(data, "logs", "nothing") == 1
    assert "there is no log of nothing" in capsys.readouterr().err

    assert run(data, "restart", "redis") == 0
    said = capsys.readouterr().out
    assert "redis        ready in " in said
    assert "gateway" not in said
    assert run(data, "restart") == 0
    said = capsys.readouterr().out
    assert "redis        ready in " in said
    assert "gateway      ready in " in said
    assert run(data, "status", "--json") == 0
    again = json.loads(capsys.readouterr().out)
    assert [one["url"] for one in again["parts"]] == [one["url"] for one in document["parts"]]
    assert {one["pid"] for one in again["parts"]}.isdisjoint(
        one["pid"] for one in document["parts"]
    )
    assert run(data, "restart", "nothing") == 1
    assert "there is no part called nothing" in capsys.readouterr().err

    assert run(data, "down") == 0
    assert "stopped in " in capsys.readouterr().out
    assert run(data, "down") == 0
    assert "nothing runs" in capsys.readouterr().out

    assert run(data, "restart") == 1
    assert "nothing runs: start it" in capsys.readouterr().err

    assert run(data, "reset", "--yes") == 0
    assert not data.exists()
    assert run(data, "operator-key") == 1
    assert "there is no operator key yet" in capsys.readouterr().err


@pytest.mark.usefixtures("few_parts")
@pytest.mark.parametrize(("available_mb", "warned"), [(105, True), (115, False)])
def test_short_memory_is_one_line_and_no_hindrance(
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    available_mb: int,
    warned: bool,
) -> None:
    """Redis and the gateway take 110 MB by fleet.toml."""

    class Memory:
        available = available_mb * 1_000_000

    monkeypatch.setattr(psutil, "virtual_memory", Memory)
    assert run(data, "up") == 0
    said = capsys.readouterr().err.splitlines()
    assert len(said) == warned
    if warned:
        assert said[0].startswith("warning: 105 MB of memory are free, and ")
        assert "takes about 110 MB" in said[0]
    # What runs already takes no more.
    assert run(data, "up") == 0
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("few_parts")
@pytest.mark.parametrize("port", ["nine", "-1", "65536", "80 80", "\uff18\uff10"])
def test_a_port_that_is_none_is_refused(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], port: str
) -> None:
    monkeypatch.setenv("PORT", port)
    assert run(data, "up") == 1
    said = capsys.readouterr().err
    assert said.startswith("error: PORT is ")
    assert len(said.splitlines()) == 1


def test_reset_asks(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data.mkdir()
    assert run(data, "reset") == 1
    assert "add --yes" in capsys.readouterr().err
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda _prompt: "n")
    assert run(data, "reset") == 1
    assert data.exists()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([command, "--help"])
    assert ended.value.code == 0
    assert len(capsys.readouterr().out.splitlines()) > 4


def test_the_printed_curl_line_is_shell() -> None:
    from tracemypods.local.welcome import curl

    lines = "\n".join(curl("http://127.0.0.1:8080"))
    subprocess.run(["sh", "-n", "-c", lines], check=True)  # noqa: S607 - the system's shell
    assert "/api/token" in lines
    assert "/api/ask" in lines


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://127.0.0.1:9/v1", "no model server answers at http://127.0.0.1:9/v1"),
        ("127.0.0.1:11434", "write it as http://HOST:PORT/v1"),
        ("file:///etc/passwd", "write it as http://HOST:PORT/v1"),
    ],
)
def test_a_model_server_that_is_not_there_is_named_before_anything_starts(
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    address: str,
    said: str,
) -> None:
    monkeypatch.setenv("TRACEMYPODS_MODELS_URL", address)
    assert run(data, "up") == 1
    message = capsys.readouterr().err
    assert said in message
    assert len(message.splitlines()) == 1
    assert not data.exists()
