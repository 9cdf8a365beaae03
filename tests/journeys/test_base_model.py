"""A prompt that is continued, by the real model server: what it sends is what ask understands."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tracemypods.ask.app import create_app
from tracemypods.ask.settings import Settings
from tracemypods.kit.settings import load
from tracemypods.local.fleet import Fleet
from tracemypods.local.testing.callers import caller
from tracemypods.local.testing.events import events
from tracemypods.local.testing.served import ServedApp

CATALOGUE = """
default = "continued"

[models.continued]
label = "SmolLM2, used like a base model"
notes = "For this test."
tier = "free"
kind = "base"
size_bytes = 1
memory_bytes = 1
gpu = "None needed"
context_tokens = 2048
limits = { default_answer_tokens = 64, max_answer_tokens = 1024 }
licence = { name = "Apache-2.0", url = "https://www.apache.org/licenses/LICENSE-2.0" }
source = "https://huggingface.co/HuggingFaceTB/SmolLM2-135M"
template = "counting"
upstream = "smollm2:135m"

[templates.counting]
question = "Before: {text}\\n"
answer = "After: {text}\\n"
stop = ["\\nBefore:", "\\nAfter:"]
"""


@pytest.fixture
def ask(
    fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, token: str
) -> Iterator[httpx2.Client]:
    """A caller of an ask service beside the fleet's, with a catalogue of its own."""
    (tmp_path / "models.toml").write_text(CATALOGUE)
    for name, value in fleet.environment("ask").items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TRACEMYPODS_CONFIG_DIR", str(tmp_path))
    with ServedApp(create_app(load(Settings))) as served, caller(served.url, token) as client:
        yield client


def test_a_conversation_is_continued_up_to_a_stop(ask: httpx2.Client) -> None:
    turns = [("Monday", "Tuesday"), ("Tuesday", "Wednesday"), ("Wednesday", "Thursday")]
    messages = [
        {"role": role, "content": said}
        for before, after in turns
        for role, said in (("user", before), ("assistant", after))
    ]
    body = {"messages": [*messages, {"role": "user", "content": "Thursday"}], "temperature": 0}

    whole = ask.post("/api/ask", json=body).json()
    with ask.stream("POST", "/api/ask", json={**body, "stream": True}) as response:
        received = list(events(response))

    assert whole["answer"].startswith("Friday")
    assert "Before:" not in whole["answer"]
    assert whole["finish_reason"] == "stop"
    assert whole["usage"]["prompt_tokens"] > 20
    assert 0 < whole["usage"]["completion_tokens"] < 64
    assert received[-1][0] == "done", received
    streamed = "".join(data["text"] for name, data in received if name == "delta")
    assert streamed.startswith("Friday"), received


def test_an_answer_at_its_limit_says_so(ask: httpx2.Client) -> None:
    answer = ask.post("/api/ask", json={"prompt": "Monday", "max_tokens": 1}).json()
    assert answer["finish_reason"] == "length"
    assert answer["usage"]["completion_tokens"] == 1
