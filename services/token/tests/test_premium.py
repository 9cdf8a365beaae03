"""Premium tokens without HTTP: derivation, idempotence, rotation, revocation, and their copies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from token_store import DERIVATION_KEY, NOW, Store

from tracemypods.contracts.tokens import (
    NO_RECORD,
    PREMIUM_PREFIX,
    record_key,
    tombstone_key,
)
from tracemypods.kit.errors import Unavailable
from tracemypods.local.testing.mongo import Mongo
from tracemypods.local.testing.tokens import HASH_KEY
from tracemypods.local.testing.valkey import Valkey
from tracemypods.token.burials import bury
from tracemypods.token.premium import OrderRevoked, OrderUnknown

NEW_KEY = SecretStr("another-key-after-a-rotation-0123456")

Work = Callable[[Store], Awaitable[None]]


@pytest.fixture
def with_store(valkey: Valkey, mongo: Mongo) -> Callable[..., None]:
    """Run a test's coroutine over fresh stores, opened with keys of the test's choice."""

    @asynccontextmanager
    async def opened(**keys: Any) -> AsyncGenerator[Store]:
        store = Store(valkey, mongo, **keys)
        try:
            await store.premium.create_indexes()
            yield store
        finally:
            await store.close()

    def run(work: Work, **keys: Any) -> None:
        async def main() -> None:
            async with opened(**keys) as store:
                await work(store)

        asyncio.run(main())

    return run


def test_a_token_is_issued_checked_and_given_again(with_store: Callable[..., None]) -> None:
    async def work(store: Store) -> None:
        first = await store.premium.issue("ord_1", 30)
        again = await store.premium.issue("ord_1", 365)
        assert first.token.startswith(PREMIUM_PREFIX)
        assert again == first  # neither another token nor a longer one
        assert (await store.premium.issue("ord_2", 30)).token != first.token
        record = await store.lookup.record(first.token)
        assert record.plan == "premium"
        assert record.expires_at == NOW + timedelta(days=30)

    with_store(work)


def test_calls_at_once_give_one_token(with_store: Callable[..., None]) -> None:
    async def work(store: Store) -> None:
        made = await asyncio.gather(*(store.premium.issue("ord_1", 30) for _ in range(30)))
        assert len({one.token for one in made}) == 1
        assert await store.collection.count_documents({}) == 1

    with_store(work)


def test_the_database_holds_neither_token_nor_key(with_store: Callable[..., None]) -> None:
    async def work(store: Store) -> None:
        token = (await store.premium.issue("ord_1", 30)).token
        stored = str(await store.collection.find_one({"_id": "ord_1"}))
        assert token not in stored
        assert token[len(PREMIUM_PREFIX) : -6] not in stored
        assert DERIVATION_KEY.get_secret_value() not in stored
        # The key without the salt of the record yields another token.
        await store.collection.update_one({"_id": "ord_1"}, {"$set": {"salt": "00" * 32}})
        assert (await store.premium.issue("ord_1", 30)).token != token

    with_store(work)


def test_a_rotated_hash_key(with_store: Callable[..., None]) -> None:
    tokens: list[str] = []

    async def before(store: Store) -> None:
        tokens.append((await store.premium.issue("ord_1", 30)).token)

    async def after(store: Store) -> None:
        assert await store.code(tokens[0]) == "valid"  # old tokens go on working
        again = await store.premium.issue("ord_1", 30)
        assert again.token != tokens[0]  # the next generation
        assert len(again.replaced) == 1
        await bury(store.premium, store.lookup, list(again.replaced))
        assert await store.code(again.token) == "valid"
        assert await store.code(tokens[0]) == "token_revoked"
        assert await store.premium.issue("ord_1", 30) == again.__class__(again.token, again.record)

    with_store(before)
    with_store(after, hash_key=NEW_KEY, previous_hash_key=HASH_KEY)


def test_a_rotated_derivation_key(with_store: Callable[..., None]) -> None:
    tokens: list[str] = []

    async def before(store: Store) -> None:
        tokens.append((await store.premium.issue("ord_1", 30)).token)

    async def after(store: Store) -> None:
        assert await store.code(tokens[0]) == "valid"
        made = await asyncio.gather(*(store.premium.issue("ord_1", 30) for _ in range(10)))
        assert len({one.token for one in made}) == 1
        replaced = {one for again in made for one in again.replaced}
        await bury(store.premium, store.lookup, list(replaced))
        assert await store.code(tokens[0]) == "token_revoked"
        assert await store.code(made[0].token) == "valid"

    with_store(before)
    with_store(after, derivation_keys=[NEW_KEY])


def test_expiry_and_extension(with_store: Callable[..., None]) -> None:
    async def work(store: Store) -> None:
        token = (await store.premium.issue("ord_1", 30)).token
        store.clock.now = NOW + timedelta(days=30)
        assert await store.code(token) == "token_expired"
        record = await store.premium.extend("ord_1", 7)
        await store.lookup.forget(record.hash)
        assert record.expires_at == NOW + timedelta(days=37)
        assert await store.code(token) == "valid"
        await asyncio.gather(*(store.premium.extend("ord_1", 1) for _ in range(5)))
        record = await store.premium.extend("ord_1", 1)
        assert record.expires_at == NOW + timedelta(days=43)  # none of them was lost
        with pytest.raises(OrderUnknown):
            await store.premium.extend("ord_2", 1)

    with_store(work)


def test_a_revocation_shows_at_once_whatever_was_copied(
    with_store: Callable[..., None],
) -> None:
    async def work(store: Store) -> None:
        token = (await store.premium.issue("ord_1", 30)).token
        assert await store.code(token) == "valid"
        (token_hash,) = await store.premium.revoke("ord_1", "a test")
        await bury(store.premium, store.lookup, [token_hash])
        # A check that read MongoDB before the revocation writes its copy only now.
        await store.redis.set(record_key(token_hash), NO_RECORD)
        assert await store.code(token) == "token_revoked"
        assert await store.premium.waiting_for_burial() == []
        with pytest.raises(OrderRevoked):
            await store.premium.issue("ord_1", 30)
        with pytest.raises(OrderRevoked):
            await store.premium.extend("ord_1", 30)

    with_store(work)


def test_an_order_revoked_before_it_has_a_token_never_gets_one(
    with_store: Callable[..., None],
) -> None:
    async def work(store: Store) -> None:
        assert await store.premium.revoke("ord_1", "a test") == []
        with pytest.raises(OrderRevoked):
            await store.premium.issue("ord_1", 30)
        assert await store.premium.revoke("ord_1", "a test") == []

    with_store(work)


def test_issuing_and_revoking_at_once_leave_no_token_that_holds(
    with_store: Callable[..., None],
) -> None:
    async def one_order(store: Store, order: str) -> None:
        issued, hashes = await asyncio.gather(
            store.premium.issue(order, 30),
            store.premium.revoke(order, "a test"),
            return_exceptions=True,
        )
        assert isinstance(hashes, list)
        await bury(store.premium, store.lookup, hashes)
        if isinstance(issued, BaseException):
            assert isinstance(issued, OrderRevoked)
        else:
            assert await store.code(issued.token) == "token_revoked"

    async def work(store: Store) -> None:
        await asyncio.gather(*(one_order(store, f"ord_{number}") for number in range(20)))

    with_store(work)


def test_a_revocation_while_redis_is_away_waits_in_mongo(
    with_store: Callable[..., None], valkey: Valkey
) -> None:
    async def work(store: Store) -> None:
        token = (await store.premium.issue("ord_1", 30)).token
        assert await store.code(token) == "valid"
        valkey.stop()
        hashes = await store.premium.revoke("ord_1", "a test")
        await bury(store.premium, store.lookup, hashes)  # in vain, and without an error
        with pytest.raises(Unavailable):
            await store.lookup.record(token)
        assert await store.premium.waiting_for_burial() == hashes
        valkey.start()  # with the copy that it had
        await bury(store.premium, store.lookup, await store.premium.waiting_for_burial())
        assert await store.code(token) == "token_revoked"
        assert await store.premium.waiting_for_burial() == []

    with_store(work)


def test_a_copy_made_after_a_revocation_that_redis_missed(
    with_store: Callable[..., None],
) -> None:
    async def work(store: Store) -> None:
        token = (await store.premium.issue("ord_1", 30)).token
        (token_hash,) = await store.premium.revoke("ord_1", "a test")
        assert await store.code(token) == "token_revoked"  # MongoDB is asked, and says so
        assert await store.redis.exists(tombstone_key(token_hash))

    with_store(work)


def test_redis_emptied_costs_no_premium_token(
    with_store: Callable[..., None], valkey: Valkey
) -> None:
    async def work(store: Store) -> None:
        token = (await store.premium.issue("ord_1", 30)).token
        assert await store.code(token) == "valid"
        valkey.command("FLUSHALL")
        assert await store.code(token) == "valid"

    with_store(work)


def test_unknown_tokens_reach_mongo_once(with_store: Callable[..., None], mongo: Mongo) -> None:
    async def work(store: Store) -> None:
        unknown = store.keys.with_checksum(PREMIUM_PREFIX + "a" * 32)
        assert await store.code(unknown) == "token_revoked"
        mongo.pause()  # whoever asks it now would fail
        try:
            for _ in range(10):
                assert await store.code(unknown) == "token_revoked"
            forged = PREMIUM_PREFIX + "a" * 38
            assert await store.code(forged) == "token_malformed"
        finally:
            mongo.resume()

    with_store(work)


def test_copies_live_for_less_than_a_minute_and_not_all_equally_long(
    with_store: Callable[..., None],
) -> None:
    async def work(store: Store) -> None:
        lifetimes: set[int] = set()
        for number in range(30):
            token = (await store.premium.issue(f"ord_{number}", 30)).token
            await store.lookup.record(token)
            lifetimes.add(await store.redis.ttl(record_key(store.keys.keyed_hash(token))))
        assert min(lifetimes) > 0
        assert max(lifetimes) <= 60
        assert len(lifetimes) > 3

    with_store(work)


@pytest.mark.impatient
@pytest.mark.parametrize("fault", ["stop", "pause"])
def test_mongo_away_or_hung(with_store: Callable[..., None], mongo: Mongo, fault: str) -> None:
    async def work(store: Store) -> None:
        token = (await store.premium.issue("ord_1", 30)).token
        unseen = (await store.premium.issue("ord_2", 30)).token
        assert await store.code(token) == "valid"
        getattr(mongo, fault)()
        try:
            assert await store.code(token) == "valid"  # by its copy
            for call in (
                store.lookup.record(unseen),
                store.premium.issue("ord_3", 30),
                store.premium.revoke("ord_1", "a test"),
                store.premium.extend("ord_1", 1),
            ):
                with pytest.raises(Unavailable) as error:
                    await call
                assert error.value.code == "token_store_unavailable"
        finally:
            mongo.resume()
            mongo.start()
        assert await store.code(unseen) == "valid"

    with_store(work)
