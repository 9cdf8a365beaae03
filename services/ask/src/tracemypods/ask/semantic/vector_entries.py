"""The entries of the semantic cache in the vector service."""

from __future__ import annotations

import base64
from array import array
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from tracemypods.ask.cache.store import StoredAnswer
from tracemypods.ask.semantic.entries import Candidate, Entry, Page
from tracemypods.contracts import vectors
from tracemypods.contracts.vectors import PATH, Collection, Deleted, Matches, Upserted
from tracemypods.kit.errors import Problem, ProblemDocument, Unavailable
from tracemypods.kit.http import HttpClient

NOT_FOUND = 404

ModelT = TypeVar("ModelT", bound=BaseModel)


class VectorEntries:
    """Calls the vector service, with the key of ask's edge in its HttpClient.

    `place` is the collection of the vectors' space: those of two spaces never meet.
    """

    def __init__(self, client: HttpClient) -> None:
        self._client = client

    async def close(self) -> None:
        """Close its connections."""
        await self._client.close()

    async def near(
        self,
        place: Collection,
        vector: Sequence[float],
        fields: Mapping[str, str | Sequence[str]],
        *,
        least: float,
        most: int,
    ) -> list[Candidate]:
        """Entries with exactly these fields that have not expired, nearest first.

        Several values of a field stand for any of them.

        Raises Problem or DependencyError.
        """
        body = {
            "vector": _base64(vector),
            "labels": dict(fields),
            "limit": most,
            "min_score": least,
        }
        found = await self._call(place, "search", body, Matches)
        candidates = list[Candidate]()
        for match in found.items if found else ():
            if (entry := _entry(match)) is not None:
                candidates.append(Candidate(entry, match.score))
        return candidates

    async def get(
        self, place: Collection, ids: Sequence[str], fields: Mapping[str, str] | None = None
    ) -> list[Entry]:
        """Those of these entries that are there, with these fields. Raises as near does."""
        return (await self._list(place, {"ids": list(ids), "labels": dict(fields or {})})).entries

    async def page(
        self, place: Collection, fields: Mapping[str, str], cursor: str | None, limit: int
    ) -> Page:
        """Some of the entries with these fields, from `cursor` on. Raises as near does."""
        body: dict[str, Any] = {"labels": dict(fields), "limit": limit}
        if cursor is not None:
            body["cursor"] = cursor
        return await self._list(place, body)

    async def _list(self, place: Collection, body: Mapping[str, Any]) -> Page:
        found = await self._call(place, "list", body, vectors.Page)
        if found is None:
            return Page([], None)
        entries = [entry for one in found.items if (entry := _entry(one)) is not None]
        return Page(entries, None if found.cursor is None else str(found.cursor))

    async def keep(self, place: Collection, vector: Sequence[float], entry: Entry) -> None:
        """Keep an entry, in place of one with its id. Raises Problem or DependencyError."""
        point = {
            "id": entry.id,
            "vector": _base64(vector),
            "labels": dict(entry.fields),
            "payload": {
                "question": entry.question,
                "answer": entry.answer.model_dump_json(),
                "by_operator": entry.by_operator,
            },
            "stored_at": int(entry.answer.stored_at * 1000),
            "expires_at": int(entry.expires_at * 1000),
        }
        await self._call(place, "upsert", {"points": [point]}, Upserted)

    async def delete(
        self, place: Collection, fields: Mapping[str, str], identifier: str | None = None
    ) -> int:
        """Delete the entries with these fields, and this id if one is given; how many there were.

        Raises Problem or DependencyError.
        """
        body: dict[str, Any] = {"labels": dict(fields)} if fields else {}
        if identifier is not None:
            body["ids"] = [identifier]
        found = await self._call(place, "delete", body, Deleted)
        return found.deleted if found else 0

    async def _call(
        self, place: Collection, action: str, body: Mapping[str, Any], answer: type[ModelT]
    ) -> ModelT | None:
        """The service's answer; None for a collection that is not there yet."""
        path = f"{PATH.format(collection=place.name)}/{action}"
        status, text = await self._client.call("POST", path, json=body)
        if status == NOT_FOUND:
            return None
        try:
            if status == 200:
                return answer.model_validate_json(text)
            said = ProblemDocument.model_validate_json(text)
        except ValidationError:
            raise Unavailable(
                "The vector service said something unreadable.", code="vector_unavailable"
            ) from None
        raise Problem(said.detail, status=said.status, code=said.code)


def _base64(vector: Sequence[float]) -> str:
    return base64.b64encode(array("f", vector).tobytes()).decode()


def _entry(kept: vectors.Entry) -> Entry | None:
    """None for what is no entry of this cache's."""
    try:
        answer = StoredAnswer.model_validate_json(str(kept.payload.get("answer")))
    except ValidationError:
        return None
    return Entry(
        str(kept.id),
        str(kept.payload.get("question")),
        answer,
        kept.labels,
        kept.expires_at / 1000,
        by_operator=kept.payload.get("by_operator") is True,
    )
