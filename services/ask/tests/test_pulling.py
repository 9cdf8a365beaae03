"""The command that has an Ollama server get a model."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from aiohttp import web

from tracemypods.ask.pulling import keep_trying, main
from tracemypods.local.testing.background import BackgroundLoop

MODEL = "tinyllama"
LAYER = "pulling 2af3b81862c6"


class Ollama:
    """Answers each request to pull with the next of `answers`: lines, then the connection ends."""

    def __init__(self, *answers: Sequence[dict[str, Any] | str]) -> None:
        self.asked: list[dict[str, Any]] = []
        self._answers = list(answers)

    async def start(self) -> str:
        app = web.Application()
        app.router.add_post("/api/pull", self._pull)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def _pull(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(await request.json())
        response = web.StreamResponse()
        await response.prepare(request)
        for line in self._answers.pop(0):
            text = line if isinstance(line, str) else json.dumps(line)
            await response.write(f"{text}\n".encode())
        return response


def layer(completed: int, total: int = 1000) -> dict[str, Any]:
    million = 1_000_000
    return {"status": LAYER, "total": total * million, "completed": completed * million}


async def told(server: Ollama, pauses: Sequence[float] = ()) -> tuple[bool, list[str]]:
    """Whether it has the model in the end, and what was said."""
    url = await server.start()
    lines: list[str] = []
    try:
        return await keep_trying(url, MODEL, lines.append, pauses), lines
    finally:
        await server.stop()


def test_progress_is_told_in_lines_that_can_be_read() -> None:
    whole = [{"status": "pulling manifest"}, *map(layer, range(1001)), {"status": "success"}]
    server = Ollama(whole)
    done, lines = asyncio.run(told(server))
    assert done
    assert lines == [
        "tinyllama: pulling manifest",
        *(f"tinyllama: {LAYER}: {percent} % of 1,000 MB" for percent in range(0, 101, 10)),
        "tinyllama: success",
    ]
    assert server.asked == [{"model": MODEL, "stream": True}]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ([layer(100), {"error": "no space left on device"}], "no space left on device"),
        ([layer(100)], "answered 200 and did not end"),
        (["<html>"], "sent b'<html>"),
        (["[]"], "sent b'[]"),
    ],
)
def test_what_fails_is_said_and_tried_again(answer: list[Any], reason: str) -> None:
    done, lines = asyncio.run(told(Ollama(answer, [{"status": "success"}]), pauses=(0.0,)))
    assert done
    (failure,) = (line for line in lines if "tried again in 0 s" in line)
    assert reason in failure


def test_it_gives_up_in_the_end() -> None:
    done, lines = asyncio.run(told(Ollama(*([{"error": "no such model"}],) * 3), pauses=(0.0, 0.0)))
    assert not done
    assert lines[-1] == "tinyllama: Ollama: no such model; given up"
    assert len(lines) == 3


@pytest.fixture
def url() -> Iterator[str]:
    server = Ollama([{"status": "success"}])
    with BackgroundLoop() as background:
        yield background.run(server.start())
        background.run(server.stop())


def test_the_command_ends_well_when_the_model_is_there(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([url, MODEL]) == 0
    assert capsys.readouterr().out == "tinyllama: success\n"
