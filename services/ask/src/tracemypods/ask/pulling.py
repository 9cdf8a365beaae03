"""Has an Ollama server get a model: `python -m tracemypods.ask.pulling URL MODEL`.

A line says so whenever a file of the model has come on by a tenth. What was cut off goes on where
it ended, since Ollama keeps the parts that it has.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Sequence
from typing import Any

from tracemypods.kit.http import DependencyDown, DependencyError, HttpClient

PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, *[60.0] * 14)
"""How long is waited before each further try, seconds."""
CONNECT_SECONDS = 5.0
SILENCE_SECONDS = 300.0
"""How long the server may say nothing, while it checks what it has got."""
_STEP_PERCENT = 10
_MEGABYTE = 1_000_000

Say = Callable[[str], None]


class Progress:
    """What a server tells of one model, as lines that can be read in a log."""

    def __init__(self, model: str, say: Say) -> None:
        self._model = model
        self._say = say
        self._status = ""
        self._percent = -_STEP_PERCENT

    def tell(self, message: dict[str, Any]) -> None:
        """Say what is new in a message, if it is much."""
        status = str(message.get("status", ""))
        total, completed = int(message.get("total") or 0), int(message.get("completed") or 0)
        if status != self._status:
            self._status, self._percent = status, -_STEP_PERCENT
            if not total:
                self._say(f"{self._model}: {status}")
        percent = 100 * completed // total if total else 0
        if total and (percent >= self._percent + _STEP_PERCENT or percent == 100 > self._percent):
            self._percent = percent
            self._say(f"{self._model}: {status}: {percent} % of {total / _MEGABYTE:,.0f} MB")


async def pull(client: HttpClient, model: str, progress: Progress) -> None:
    """Have the server get a model, and return when it has it. Raises DependencyError."""
    response = await client.open("POST", "/api/pull", json={"model": model, "stream": True})
    async with response:
        with client.named_failures():
            async for line in response.content:
                message = _read(line)
                if message is None or "error" in message:
                    reason = message["error"] if message else f"sent {line[:80]!r}"
                    raise DependencyDown(client.name, str(reason))
                progress.tell(message)
                if message.get("status") == "success":
                    return
    raise DependencyDown(client.name, f"answered {response.status} and did not end")


async def keep_trying(url: str, model: str, say: Say, pauses: Sequence[float] = PAUSES) -> bool:
    """Try it again after each of the pauses; returns whether the server has the model."""
    client = HttpClient(
        "Ollama", url, connect=CONNECT_SECONDS, total=SILENCE_SECONDS, read=SILENCE_SECONDS
    )
    try:
        for pause in (*pauses, None):
            try:
                await pull(client, model, Progress(model, say))
            except DependencyError as error:
                then = f"tried again in {pause:g} s" if pause is not None else "given up"
                say(f"{model}: {error}; {then}")
            else:
                return True
            if pause is not None:
                await asyncio.sleep(pause)
        return False
    finally:
        await client.close()


def _read(line: bytes) -> dict[str, Any] | None:
    try:
        found: object = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None  # pyright: ignore[reportUnknownVariableType]


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its status."""
    parser = argparse.ArgumentParser(
        prog="python -m tracemypods.ask.pulling",
        description="Has an Ollama server get a model, and says how far it is.",
    )
    parser.add_argument("url", help="the server, such as http://host:11434")
    parser.add_argument("model", help="the model's name in Ollama's library, such as mistral:7b")
    given = parser.parse_args(arguments)

    def say(line: str) -> None:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    return 0 if asyncio.run(keep_trying(given.url, given.model, say)) else 1


if __name__ == "__main__":
    sys.exit(main())
