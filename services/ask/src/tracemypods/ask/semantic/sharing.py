"""Sharing: an operator approves an entry of one caller's, and everybody of its tier meets it.

Nobody sees another caller's words: the question is shown only in words that the operator gave it.
What was removed stays removed: a tombstone lies where its question lay, and nothing that asks the
same is shared again until an operator lifts it.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from tracemypods.ask.cache.keys import normalised
from tracemypods.ask.cache.personal_data import has_personal_data
from tracemypods.ask.cache.store import StoredAnswer
from tracemypods.ask.semantic.entries import REMOVED, SHARED, Entry, Page
from tracemypods.ask.semantic.epochs import Epochs
from tracemypods.ask.semantic.gate import Judge
from tracemypods.ask.semantic.places import LEAST_SIMILARITY, Place, Places
from tracemypods.ask.semantic.searchable import may_be_searched
from tracemypods.ask.semantic.secret_patterns import has_secret
from tracemypods.ask.semantic.vector_entries import VectorEntries
from tracemypods.ask.semantic.votes import Votes
from tracemypods.contracts.vectors import KINDS

Refusal = Literal["entry_unknown", "personal_data", "secret", "not_lasting", "removed"]

TOMBSTONE_SECONDS = 10 * 365 * 24 * 3600
CANDIDATES = 20

_NAMESPACE = uuid.UUID("6f1f3c64-6f5b-4f0e-9a3e-6a0e6f9c1b57")


def entry_id(question: str, fields: Mapping[str, str]) -> str:
    """The id of a question's entry: one for the same question of the same scope."""
    values = [fields[name] for name in sorted(fields)]
    return str(uuid.uuid5(_NAMESPACE, "\0".join([question, *values])))


@dataclass(frozen=True)
class Wish:
    """An entry to be shared, with its question in the operator's words if they gave some."""

    id: str
    question: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of a wish: the shared entry's id, or why there is none."""

    wish: Wish
    shared: str | None = None
    refused: Refusal | None = None


class Sharing:
    """Shares entries and takes them back. `seconds` is how long a shared one lasts.

    While it is not `is_open`, look-ups find no shared entries. Every call raises Problem or
    DependencyError when a service beside it can't be reached.
    """

    def __init__(
        self,
        places: Places,
        entries: VectorEntries,
        judge: Judge,
        epochs: Epochs,
        votes: Votes,
        *,
        seconds: int,
        is_open: bool,
    ) -> None:
        self.is_open = is_open
        self._places = places
        self._entries = entries
        self._judge = judge
        self._epochs = epochs
        self._votes = votes
        self._seconds = seconds

    async def share(self, wishes: Sequence[Wish], now: float) -> list[Outcome]:
        """Share entries, one by one; `now` is the Unix time. What is shared already stays so."""
        here = await self._places.here()
        epoch = await self._epochs.current()
        found = await self._entries.get(here, [wish.id for wish in wishes])
        usable = {
            entry.id: entry
            for entry in found
            if entry.fields["epoch"] == epoch and entry.scope != REMOVED
        }
        return [await self._share(wish, usable.get(wish.id), now) for wish in wishes]

    async def _share(self, wish: Wish, entry: Entry | None, now: float) -> Outcome:
        if entry is None:
            return Outcome(wish, refused="entry_unknown")
        shared = self._shared(entry, wish.question, now)
        if has_personal_data(shared.question) or has_personal_data(entry.answer.text):
            return Outcome(wish, refused="personal_data")
        if has_secret(shared.question) or has_secret(entry.answer.text):
            return Outcome(wish, refused="secret")
        place = await self._places.of(shared.question)
        if place is None or not may_be_searched(shared.question):
            return Outcome(wish, refused="not_lasting")
        if await self._is_removed(place, shared.question):
            return Outcome(wish, refused="removed")
        await self._entries.keep(place.collection, place.vector, shared)
        if await self._is_removed(place, shared.question):  # in the meantime
            await self._entries.delete(place.collection, {}, shared.id)
            return Outcome(wish, refused="removed")
        if entry.scope == SHARED and entry.id != shared.id:  # in other words from now on
            await self._entries.delete(place.collection, {}, entry.id)
        return Outcome(wish, shared=shared.id)

    def _shared(self, entry: Entry, words: str | None, now: float) -> Entry:
        question = entry.question if words is None else normalised(words)
        fields = {**entry.fields, "scope": SHARED}
        return replace(
            entry,
            id=entry_id(question, fields),
            question=question,
            fields=fields,
            expires_at=now + self._seconds,
            by_operator=entry.by_operator or words is not None,
        )

    async def remove(self, identifier: str, now: float) -> int:
        """Delete an entry, whoever's it is; returns 0 when there is none. `now` is the Unix time.

        A shared one leaves a tombstone; deleting a tombstone lifts it.
        """
        here = await self._places.here()
        for entry in await self._entries.get(here, [identifier]):
            if entry.scope == SHARED:
                await self._bury(entry, now)
        return await self._entries.delete(here, {}, identifier)

    async def vote(self, identifier: str, owner: str) -> int:
        """Count an owner's vote against a shared entry; returns 0 when there is none."""
        here = await self._places.here()
        found = await self._entries.get(here, [identifier], {"scope": SHARED})
        if found:
            await self._votes.add(identifier, owner)
        return len(found)

    async def has_voted(self, identifier: str, owner: str) -> bool:
        """Whether an owner has voted against an entry, and does not want it."""
        return await self._votes.has(identifier, owner)

    async def page(
        self, scope: str | None, cursor: str | None, limit: int
    ) -> tuple[Page, list[int]]:
        """Entries, of one scope or all, and how many votes there are against each."""
        here = await self._places.here()
        fields = {} if scope is None else {"scope": scope}
        page = await self._entries.page(here, fields, cursor, limit)
        return page, await self._votes.counted([entry.id for entry in page.entries])

    async def _bury(self, entry: Entry, now: float) -> None:
        place = await self._places.of(entry.question)
        assert place is not None  # noqa: S101 - it was shared
        tombstone = replace(
            entry,
            id=entry_id(entry.question, _TOMBSTONE),
            answer=StoredAnswer(
                text="",
                finish_reason="removed",
                prompt_tokens=0,
                completion_tokens=0,
                dropped_messages=0,
                stored_at=now,
            ),
            fields=_TOMBSTONE,
            expires_at=now + TOMBSTONE_SECONDS,
        )
        await self._entries.keep(place.collection, place.vector, tombstone)

    async def _is_removed(self, place: Place, question: str) -> bool:
        """Whether something that asks the same was removed, of whichever model and epoch."""
        near = await self._entries.near(
            place.collection, place.vector, _TOMBSTONE, least=LEAST_SIMILARITY, most=CANDIDATES
        )
        return any(
            one.entry.question == question or self._judge.judge(question, one.entry.question).same
            for one in near
        )


_TOMBSTONE: Mapping[str, str] = {
    **dict.fromkeys(KINDS["answers"], "-"),
    "scope": REMOVED,
}
"""Of no model and no epoch, so that nothing that deletes by these takes a tombstone along."""
