"""The MongoDB client: what it stores, and how it fails."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest
from pymongo import ReturnDocument
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError, OperationFailure, PyMongoError, WriteConcernError

from tracemypods.kit.errors import Unavailable
from tracemypods.kit.mongo import Document, MongoSettings, connect, ping, store_failures
from tracemypods.kit.settings import SettingsError
from tracemypods.local.testing.mongo import Mongo

ResultT = TypeVar("ResultT")


def settings(mongo: Mongo, **values: Any) -> MongoSettings:
    return MongoSettings.model_validate({**mongo.login(), **values})


def run(mongo: Mongo, work: Callable[[AsyncDatabase[Document]], Awaitable[ResultT]]) -> ResultT:
    """Do something with a database and a client of its own."""

    async def connected() -> ResultT:
        chosen = settings(mongo)
        async with connect(chosen) as client:
            return await work(client[chosen.mongo_database])

    return asyncio.run(connected())


def test_documents_come_back_as_they_were(mongo: Mongo) -> None:
    now = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
    document: Document = {"_id": "a", "at": now, "map": {"x": {"n": 1}}, "big": 2**40, "key": b"\0"}

    async def work(database: AsyncDatabase[Document]) -> Document | None:
        await database.things.insert_one(document)
        return await database.things.find_one({"_id": "a"})

    assert run(mongo, work) == document


def test_one_of_many_guarded_updates_wins(mongo: Mongo) -> None:
    async def work(database: AsyncDatabase[Document]) -> list[Document | None]:
        await database.things.insert_one({"_id": "a", "state": "new", "by": None})
        return await asyncio.gather(
            *(
                database.things.find_one_and_update(
                    {"_id": "a", "state": "new"},
                    {"$set": {"state": "taken", "by": number}, "$inc": {"version": 1}},
                    return_document=ReturnDocument.AFTER,
                )
                for number in range(20)
            )
        )

    winners = [found for found in run(mongo, work) if found is not None]
    assert [winner["version"] for winner in winners] == [1]


def test_one_of_many_inserts_under_a_unique_key_wins(mongo: Mongo) -> None:
    async def work(database: AsyncDatabase[Document]) -> list[str]:
        await database.things.create_index("order", unique=True)

        async def insert(number: int) -> str:
            try:
                with store_failures("store_unavailable", "The store"):
                    await database.things.insert_one({"_id": number, "order": "ord_1"})
            except DuplicateKeyError:
                return "duplicate"
            return "inserted"

        return await asyncio.gather(*(insert(number) for number in range(20)))

    assert sorted(run(mongo, work)) == ["duplicate"] * 19 + ["inserted"]


def test_what_has_expired_goes(mongo: Mongo) -> None:
    """By itself, with a TTL index (a real MongoDB looks once a minute)."""

    async def work(database: AsyncDatabase[Document]) -> list[str]:
        await database.things.create_index("gone_at", expireAfterSeconds=0)
        now = datetime.now(UTC)
        await database.things.insert_many(
            [
                {"_id": "old", "gone_at": now - timedelta(seconds=1)},
                {"_id": "young", "gone_at": now + timedelta(hours=1)},
            ]
        )
        async with asyncio.timeout(100):
            while await database.things.find_one({"_id": "old"}):  # noqa: ASYNC110 - a server
                await asyncio.sleep(1)
        return [found["_id"] async for found in database.things.find()]

    assert run(mongo, work) == ["young"]


@pytest.mark.impatient
@pytest.mark.parametrize("fault", ["stop", "kill", "pause"])
def test_away_or_hung_is_a_named_503_soon(mongo: Mongo, fault: str) -> None:
    async def work(database: AsyncDatabase[Document]) -> None:
        await database.things.insert_one({"_id": "before"})
        getattr(mongo, fault)()
        for call in (  # the first finds a connection that was open
            lambda: database.things.update_one({"_id": "before"}, {"$set": {"x": 1}}),
            lambda: database.things.find_one({"_id": "before"}),
            lambda: ping(database.client),
        ):
            with (
                pytest.raises(Unavailable) as failed,
                store_failures("things_unavailable", "The store of things"),
            ):
                await call()
            assert failed.value.code == "things_unavailable"
            assert "The store of things does not answer" in str(failed.value.detail)
        mongo.resume()
        mongo.start()
        assert await database.things.find_one({"_id": "before"})

    run(mongo, work)


def test_what_was_written_survives_a_killed_server(mongo: Mongo) -> None:
    async def work(database: AsyncDatabase[Document]) -> list[int]:
        await database.things.insert_many([{"_id": number} for number in range(50)])
        await database.things.update_one({"_id": 7}, {"$set": {"seen": True}})
        mongo.kill()
        mongo.start()
        assert await database.things.find_one({"_id": 7}) == {"_id": 7, "seen": True}
        return [found["_id"] async for found in database.things.find()]

    assert sorted(run(mongo, work)) == list(range(50))


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (WriteConcernError("not confirmed by a majority", 64), False),
        (OperationFailure("Authentication failed.", 18), False),
        (OperationFailure("not authorized on tracemypods", 13), False),
        (DuplicateKeyError("twice", 11000), True),
        (OperationFailure("no such operator", 2), True),
    ],
)
def test_only_failures_to_answer_become_a_503(error: PyMongoError, passes: bool) -> None:
    with (
        pytest.raises(type(error) if passes else Unavailable),
        store_failures("store_unavailable", "The store"),
    ):
        raise error


@pytest.mark.parametrize(
    "address",
    ["mongodb://user:hunter2@:99999", "mongodb://u:hun/ter2@h", "mongodb://h/?tls=x&ssl=true"],
)
def test_an_address_that_is_none_is_named_and_not_shown(address: str) -> None:
    with pytest.raises(SettingsError, match="TRACEMYPODS_MONGO_URL") as refused:
        connect(MongoSettings.model_validate({"mongo_url": address}))
    assert "hun" not in str(refused.value)


def test_the_services_user_is_not_part_of_the_address(mongo: Mongo) -> None:
    chosen = settings(mongo, mongo_username="token", mongo_password="p@ss/word")
    found = connect(chosen).options.pool_options._credentials  # pyright: ignore[reportPrivateUsage]
    assert found is not None
    assert (found.username, found.password) == ("token", "p@ss/word")
    assert "p@ss" not in repr(chosen)
