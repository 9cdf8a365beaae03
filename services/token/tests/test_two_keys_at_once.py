"""Two services with different keys at once, as while they are restarted one after the other."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from token_store import NOW, Store

from tracemypods.local.testing.mongo import Mongo
from tracemypods.local.testing.tokens import HASH_KEY
from tracemypods.local.testing.valkey import Valkey

NEW_KEY = SecretStr("another-key-after-a-rotation-0123456")


def test_a_service_that_is_behind_makes_no_new_token_unknown_to_the_others(
    valkey: Valkey, mongo: Mongo
) -> None:
    async def main() -> None:
        behind = Store(valkey, mongo)
        ahead = Store(valkey, mongo, hash_key=NEW_KEY, previous_hash_key=HASH_KEY)
        try:
            token = (await ahead.premium.issue("ord_1", 30)).token
            # It can't know better, and remembers that for half a minute, under its own hash.
            assert await behind.code(token) == "token_revoked"
            assert await ahead.code(token) == "valid"
        finally:
            await behind.close()
            await ahead.close()

    asyncio.run(main())


def test_an_extension_while_a_token_is_replaced_is_not_lost(
    valkey: Valkey, mongo: Mongo, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        before = Store(valkey, mongo)
        after = Store(valkey, mongo, hash_key=NEW_KEY, previous_hash_key=HASH_KEY)
        try:
            await before.premium.issue("ord_1", 30)
            get = after.premium._get

            async def extended_just_then(order_id: str) -> Any:
                document = await get(order_id)
                monkeypatch.undo()
                await before.premium.extend(order_id, 7)
                return document

            monkeypatch.setattr(after.premium, "_get", extended_just_then)
            made = await after.premium.issue("ord_1", 30)
            assert made.record.expires_at == NOW + timedelta(days=37)
        finally:
            await before.close()
            await after.close()

    asyncio.run(main())
