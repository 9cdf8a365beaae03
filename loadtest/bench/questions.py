"""Asks prompts, each once, over connections that are kept.

`python -m loadtest.bench.questions FILE` prints what became of each as JSON, once all are answered.

At a steady pace, a prompt's time counts from when it was due, whether or not a connection was free.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import SimpleQueue

from loadtest.bench import own_process
from loadtest.bench.one_connection import Connection, encode

CONNECTIONS = 8


@dataclass(frozen=True)
class Answered:
    """How long an answer took, and what its `cache` says: where it came from, and the question that
    it was given to before."""

    milliseconds: float
    state: str
    question: str | None


@dataclass(frozen=True)
class Answerer:
    """A server with the routes and answers of ask, and the headers that it wants."""

    url: str
    headers: Mapping[str, str]


def ask(
    folder: Path, answerer: Answerer, prompts: Sequence[str], per_second: int | None = None
) -> list[Answered]:
    """Ask all, so many a second or as fast as they are answered, in a process of their own.

    Raises RuntimeError when an answer was not a success.
    """
    file = folder / "questions.json"
    file.write_text(json.dumps({**asdict(answerer), "prompts": prompts, "pace": per_second}))
    return [Answered(**one) for one in own_process.result(__name__, str(file))]


def main() -> None:
    """Ask the prompts of a file."""
    asked = json.loads(Path(sys.argv[1]).read_text())
    url = f"{asked['url']}/api/ask"
    headers = {"Content-Type": "application/json", **asked["headers"]}
    pace: int | None = asked["pace"]
    idle: SimpleQueue[Connection] = SimpleQueue()

    def one(number: int, prompt: str) -> Answered:
        due = began
        if pace is not None:
            due += number / pace
            time.sleep(max(0.0, due - time.perf_counter()))
        connection = idle.get()
        started = time.perf_counter() if pace is None else due
        connection.ask(encode("POST", url, headers, json.dumps({"prompt": prompt}).encode()), b"")
        taken = time.perf_counter() - started
        cache = json.loads(connection.body)["cache"]
        idle.put(connection)
        return Answered(taken * 1000, cache["state"], cache.get("question"))

    with ExitStack() as stack:
        for _ in range(CONNECTIONS):
            idle.put(stack.enter_context(Connection(url)))
        began = time.perf_counter()
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            answered = list(pool.map(one, range(len(asked["prompts"])), asked["prompts"]))
    print(json.dumps([asdict(one) for one in answered]))


if __name__ == "__main__":
    main()
