"""The services beside the semantic cache, as small as they can be, and broken on demand."""

from __future__ import annotations

import base64
import math
import threading
from abc import ABC, abstractmethod
from array import array
from typing import Any, Literal

from tracemypods.local.testing.http_stub import Asked, HttpStub

Fault = Literal["fail", "garbage", "hang"]

DIMENSION = 26


def _problem(status: int, code: str) -> tuple[int, Any]:
    fixed = {"type": "about:blank", "title": "no", "detail": "no", "request_id": "req_1"}
    return status, {**fixed, "status": status, "code": code}


class _Faulty(HttpStub, ABC):
    """Fails as the test wants. One that hangs goes on when the test is over."""

    def __init__(self) -> None:
        super().__init__()
        self.fault: Fault | None = None
        self._over = threading.Event()
        self.respond = self._respond

    def _respond(self, asked: Asked) -> tuple[int, Any]:
        if self.fault == "hang":
            self._over.wait()
        if self.fault == "fail":
            return _problem(503, "embedding_busy")
        return (200, "garbage") if self.fault else self.good(asked)

    @abstractmethod
    def good(self, asked: Asked) -> tuple[int, Any]:
        """What it says when nothing is wrong."""

    def __exit__(self, *arguments: object) -> None:
        self._over.set()
        super().__exit__(*arguments)


class Embedder(_Faulty):
    """A text's vector counts its letters, so what uses other words for the same is a bit away."""

    space = "letters"
    truncates = False

    def good(self, asked: Asked) -> tuple[int, Any]:
        texts = asked.json["input"]
        data = [
            {
                "index": index,
                "embedding": base64.b64encode(_letters(text).tobytes()).decode(),
                "truncated": self.truncates,
            }
            for index, text in enumerate(texts)
        ]
        usage = {"prompt_tokens": 1, "total_tokens": 1}
        return 200, {"data": data, "model": "letters", "space": self.space, "usage": usage}


def _letters(text: str) -> array[float]:
    counts = [float(text.lower().count(chr(ord("a") + letter))) for letter in range(DIMENSION)]
    length = math.hypot(*counts) or 1.0
    return array("f", [count / length for count in counts])


class Vectors(_Faulty):
    """Keeps points in a list, and finds those with exactly the labels that are asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.points: dict[str, dict[str, Any]] = {}
        self.known: set[str] = set()

    def good(self, asked: Asked) -> tuple[int, Any]:
        name, action = asked.path.split("/")[-2:]
        body = asked.json
        if action == "upsert":
            self.known.add(name)
            for point in body["points"]:
                self.points[point["id"]] = {**point, "collection": name}
            return 200, {"stored": len(body["points"])}
        if name not in self.known:
            return _problem(404, "collection_unknown")
        there = [point for point in self.points.values() if point["collection"] == name]
        wanted = {
            name: [value] if isinstance(value, str) else value
            for name, value in body.get("labels", {}).items()
        }
        there = [
            point
            for point in there
            if all(point["labels"][name] in values for name, values in wanted.items())
            and point["id"] in body.get("ids", [point["id"]])
        ]
        if action == "list":
            return 200, {"items": there, "cursor": None}
        if action == "delete":
            for point in there:
                del self.points[point["id"]]
            return 200, {"deleted": len(there)}
        found = [{**point, "score": _cosine(point["vector"], body["vector"])} for point in there]
        found = [one for one in found if one["score"] >= body["min_score"]]
        return 200, {"items": sorted(found, key=lambda one: -one["score"])[: body["limit"]]}


def _cosine(one: str, other: str) -> float:
    pairs = zip(_floats(one), _floats(other), strict=True)
    return sum(first * second for first, second in pairs)


def _floats(text: str) -> array[float]:
    return array("f", base64.b64decode(text))
