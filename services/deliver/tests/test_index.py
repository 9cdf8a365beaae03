"""The index of files."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest
from file_store import PDF, new_key

from tracemypods.deliver.files.index import COLLECTION, FileIndex, FileRecord
from tracemypods.kit.errors import Unavailable
from tracemypods.kit.mongo import MongoSettings, connect
from tracemypods.local.testing.mongo import Mongo

ResultT = TypeVar("ResultT")


def run(mongo: Mongo, work: Callable[[FileIndex], Awaitable[ResultT]]) -> ResultT:
    settings: Any = mongo.login()

    async def whole() -> ResultT:
        client = connect(MongoSettings(**settings))
        try:
            return await work(FileIndex(client[mongo.database]))
        finally:
            await client.close()

    return asyncio.run(whole())


def record(key: str, order: str = "ord_1", made_at: int = 1_800_000_000_000) -> FileRecord:
    fields = {
        "key": key,
        "bucket": "tracemypods",
        "kind": "invoice",
        "order_id": order,
        "number": "TMP/2627/0000001",
        "size": 3,
        "sha256": "ab" * 32,
        "content_type": PDF,
        "made_at": made_at,
    }
    return FileRecord.model_validate(fields)


def test_a_file_is_noted_once_and_never_changed(mongo: Mongo) -> None:
    first, later = record("a.pdf"), record("a.pdf", made_at=1_900_000_000_000)

    async def work(index: FileIndex) -> tuple[bool, bool, FileRecord | None, FileRecord | None]:
        await index.create_indexes()
        await index.create_indexes()
        return (
            await index.add(first),
            await index.add(later),
            await index.get("a.pdf"),
            await index.get("b.pdf"),
        )

    assert run(mongo, work) == (True, False, first, None)
    with mongo.client() as client:
        (kept,) = client[mongo.database][COLLECTION].find()
    assert kept == {
        "_id": "a.pdf",
        "bucket": "tracemypods",
        "kind": "invoice",
        "order_id": "ord_1",
        "number": "TMP/2627/0000001",
        "size": 3,
        "sha256": "ab" * 32,
        "content_type": PDF,
        "made_at": 1_800_000_000_000,
    }


def test_of_many_who_note_it_at_once_one_is_first(mongo: Mongo) -> None:
    async def work(index: FileIndex) -> list[bool]:
        await index.create_indexes()
        return await asyncio.gather(*(index.add(record("a.pdf")) for _ in range(8)))

    assert sorted(run(mongo, work)) == [False] * 7 + [True]


def test_an_orders_files(mongo: Mongo) -> None:
    async def work(index: FileIndex) -> tuple[list[str], list[str]]:
        for key, order in (("2", "ord_1"), ("3", "ord_2"), ("1", "ord_1")):
            await index.add(record(key, order))
        mine, nobodys = await index.of_order("ord_1"), await index.of_order("ord_3")
        return [one.key for one in mine], [one.key for one in nobodys]

    assert run(mongo, work) == (["1", "2"], [])


def test_pages_follow_one_another(mongo: Mongo) -> None:
    keys = sorted(new_key() for _ in range(7))

    async def work(index: FileIndex) -> list[list[str]]:
        for key in reversed(keys):
            await index.add(record(key))
        pages: list[list[str]] = []
        after: str | None = None
        while page := await index.page(after, 3):
            pages.append([one.key for one in page])
            after = page[-1].key
        return pages

    assert run(mongo, work) == [keys[:3], keys[3:6], keys[6:]]


@pytest.mark.impatient
def test_a_store_that_is_away_has_a_name(mongo: Mongo) -> None:
    async def work(index: FileIndex) -> None:
        calls = (index.add(record("a")), index.get("a"), index.of_order("o"), index.page(None, 1))
        failed = await asyncio.gather(*calls, return_exceptions=True)
        codes = [one.code for one in failed if isinstance(one, Unavailable)]
        assert codes == ["file_index_unavailable"] * 4

    mongo.stop()
    run(mongo, work)
