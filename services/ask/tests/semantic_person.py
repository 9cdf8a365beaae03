"""Somebody who asks, and a question to ask: in other words, and another one."""

from __future__ import annotations

from typing import Any

import httpx2
from semantic_stubs import Vectors

ASKED = "How do I list the pods in a namespace?"
SAME = "How can I list pods in a namespace?"
OTHER = "How do I delete the pods in a namespace?"


class Person:
    """Asks, and waits until what is kept is kept."""

    def __init__(self, client: httpx2.Client, token: str, vectors: Vectors) -> None:
        self.client = client
        self.token = token
        self._vectors = vectors

    def ask(self, prompt: str, *, kept: bool = False, **fields: Any) -> Any:
        """The answer's body; with `kept` once its entry is written."""
        before = len(self._vectors.points)
        answer = self.client.post("/api/ask", json={"prompt": prompt, **fields})
        assert answer.status_code == 200
        body = answer.json()
        assert answer.headers["x-cache"] == body["cache"]["state"]
        while kept and len(self._vectors.points) == before:
            pass
        return body

    def states(self, *prompts: str, **fields: Any) -> list[str]:
        """Where the answers come from. The first of a test is kept before the next is asked."""
        states: list[str] = []
        for prompt in prompts:
            states.append(self.ask(prompt, kept=not states, **fields)["cache"]["state"])
        return states
