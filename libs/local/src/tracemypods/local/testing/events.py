"""Reads server-sent events in tests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx2


def events(response: httpx2.Response) -> Iterator[tuple[str, Any]]:
    """The (event, parsed data) pairs of a streamed response; comments are (":", text)."""
    name = "message"
    for line in response.iter_lines():
        if line.startswith(":"):
            yield ":", line[1:].strip()
        elif line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            data = line.removeprefix("data: ")
            yield name, data if data == "[DONE]" else json.loads(data)
            name = "message"
