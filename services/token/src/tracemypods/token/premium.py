"""Premium tokens: derived, so that they can be given again, and stored in MongoDB as hashes.

A token's secret part is an HMAC under the derivation key over the order's id, a generation and a
random 256-bit salt that lies in its record: neither the key nor the database alone yields a token.
Each order has one record, under the order's id, whatever happens in parallel.

    {_id: order id, token_id, generation, salt, derivation_key, hash_key, hash, status:
     "active" | "suspended" | "revoked", issued_at, expires_at, revoked_at, revoked_by, livemode,
     bury: {hash: true}, bury_pending}

Times are numbers, milliseconds since 1970 in UTC: the embedded server turns dates that an update
sets into text (tried with nx-27017 0.8.1). `bury` names the hashes whose tombstones are not known
to be in Redis yet, `bury_pending` counts them.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import SecretStr
from pymongo import ReturnDocument
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from tracemypods.contracts.tokens import (
    PREMIUM_PREFIX,
    SECRET_LENGTH,
    TokenKeys,
    TokenRecord,
    base62,
    key_id,
)
from tracemypods.kit.clock import Clock
from tracemypods.kit.errors import NotFound, Problem
from tracemypods.kit.ids import new_id
from tracemypods.kit.mongo import Document, store_failures

COLLECTION = "premium_tokens"

DAY_MILLISECONDS = 24 * 3600 * 1000


class OrderRevoked(Problem):
    """The order was revoked, so no token is given for it."""

    status, code = 409, "order_revoked"


class OrderSuspended(Problem):
    """The order's token is suspended, so it is not given."""

    status, code = 409, "order_suspended"


class TestOrder(Problem):
    """No money was paid for the order, so there is no token for it in production."""

    status, code = 409, "test_order"


class OrderUnknown(NotFound):
    """No token was ever issued for this order."""

    code = "order_unknown"


@dataclass(frozen=True)
class PremiumToken:
    """A premium token with its record; `replaced` are hashes of tokens that hold no more."""

    token: str
    record: TokenRecord
    replaced: tuple[str, ...] = ()


class PremiumTokens:
    """Premium tokens in MongoDB. Every method raises Unavailable `token_store_unavailable`."""

    def __init__(
        self,
        database: AsyncDatabase[Document],
        keys: TokenKeys,
        derivation_keys: Sequence[SecretStr],
        clock: Clock,
        *,
        only_live: bool,
    ) -> None:
        """`derivation_keys` holds the current key first, then those that were rotated out.

        With `only_live` tokens of test orders are refused, those that a demo left behind too.
        """
        self._only_live = only_live
        self._collection: AsyncCollection[Document] = database[COLLECTION]
        self._keys = keys
        self._derivation_keys = {key_id(key): key for key in derivation_keys}
        self._current = key_id(derivation_keys[0])
        self._clock = clock

    async def create_indexes(self) -> None:
        """Make the collection's indexes; harmless when they are there."""
        with _failures():
            await self._collection.create_index("hash", unique=True, sparse=True)
            await self._collection.create_index("bury_pending", sparse=True)

    async def issue(self, order_id: str, days: int, *, livemode: bool = True) -> PremiumToken:
        """Make the token of an order, or give the same one again.

        Two calls at once give one token. When a key was rotated since the token was made, a token
        of the next generation replaces it. Raises OrderRevoked, OrderSuspended or TestOrder.
        """
        if self._only_live and not livemode:
            raise _test_order()
        now = self._now()
        made = self._new_document(order_id, 1, now, now + days * DAY_MILLISECONDS)
        made["livemode"] = livemode
        try:
            with _failures():
                await self._collection.insert_one(made)
        except DuplicateKeyError:
            return await self._again(order_id)
        return PremiumToken(self._token(made), _record(made))

    async def find(self, hashes: Sequence[str]) -> TokenRecord | None:
        """The record stored under one of the hashes; None when there is none."""
        with _failures():
            document = await self._collection.find_one({"hash": {"$in": list(hashes)}})
        return _record(document) if document and not self._is_refused(document) else None

    async def extend(self, order_id: str, days: int) -> TokenRecord:
        """Let an order's token hold longer: from its end, or from now when that has passed.

        Returns its record. Raises OrderUnknown or OrderRevoked.
        """
        while True:
            document = await self._get(order_id)
            if document["status"] == "revoked":
                raise OrderRevoked("This order was revoked; its token cannot be extended.")
            if document["status"] == "suspended":
                raise _suspended()
            ends = max(document["expires_at"], self._now()) + days * DAY_MILLISECONDS
            with _failures():
                # Guarded by the end that was read, so that two extensions both count.
                changed = await self._collection.find_one_and_update(
                    {
                        "_id": order_id,
                        "status": "active",
                        "expires_at": document["expires_at"],
                    },
                    {"$set": {"expires_at": ends}},
                    return_document=ReturnDocument.AFTER,
                )
            if changed is not None:
                return _record(changed)

    async def revoke(self, order_id: str, by: str) -> list[str]:
        """Revoke an order's token, and an order that has none yet for the time when it would.

        Returns the hashes that need a tombstone; `buried` is to be called once they have one.
        """
        revoked: Document = {"status": "revoked", "revoked_at": self._now(), "revoked_by": by}
        while True:
            with _failures():
                document = await self._collection.find_one({"_id": order_id})
            if document is None:
                try:
                    with _failures():
                        await self._collection.insert_one({"_id": order_id, **revoked})
                    return []
                except DuplicateKeyError:  # issued just now, so there is something to revoke
                    continue
            if document["status"] == "revoked":
                return list(document.get("bury", {}))
            with _failures():
                changed = await self._collection.find_one_and_update(
                    {"_id": order_id, "status": document["status"], "hash": document["hash"]},
                    {
                        "$set": {**revoked, f"bury.{document['hash']}": True},
                        "$inc": {"bury_pending": 1},
                    },
                    return_document=ReturnDocument.AFTER,
                )
            if changed is not None:
                return list(changed["bury"])

    async def suspend(self, order_id: str) -> list[str]:
        """Refuse an order's token until it is resumed; returns the hashes that need a tombstone.

        Raises OrderUnknown or OrderRevoked.
        """
        while True:
            document = await self._get(order_id)
            if document["status"] == "revoked":
                raise OrderRevoked("This order was revoked; its token cannot be suspended.")
            if document["status"] == "suspended":
                return list(document.get("bury", {}))
            with _failures():
                changed = await self._collection.find_one_and_update(
                    {"_id": order_id, "status": "active", "hash": document["hash"]},
                    {
                        "$set": {"status": "suspended", f"bury.{document['hash']}": True},
                        "$inc": {"bury_pending": 1},
                    },
                    return_document=ReturnDocument.AFTER,
                )
            if changed is not None:
                return list(changed["bury"])

    async def resume(self, order_id: str) -> TokenRecord:
        """Let a suspended token hold again. Raises OrderUnknown or OrderRevoked."""
        while True:
            document = await self._get(order_id)
            if document["status"] == "revoked":
                raise OrderRevoked("This order was revoked; its token cannot be resumed.")
            if document["status"] == "active":
                return _record(document)
            waits = document["hash"] in document.get("bury", {})
            update: Document = {"$set": {"status": "active"}}
            if waits:  # a tombstone that was not written yet is not written any more
                update |= {
                    "$unset": {f"bury.{document['hash']}": ""},
                    "$inc": {"bury_pending": -1},
                }
            with _failures():
                changed = await self._collection.find_one_and_update(
                    {
                        "_id": order_id,
                        "status": "suspended",
                        f"bury.{document['hash']}": {"$exists": waits},
                    },
                    update,
                    return_document=ReturnDocument.AFTER,
                )
            if changed is not None:
                return _record(changed)

    async def buried(self, token_hash: str) -> None:
        """The tombstone of a hash is in Redis."""
        with _failures():
            await self._collection.update_many(
                {f"bury.{token_hash}": True},
                {"$unset": {f"bury.{token_hash}": ""}, "$inc": {"bury_pending": -1}},
            )

    async def waiting_for_burial(self) -> list[str]:
        """Hashes whose tombstones are not known to be in Redis, of at most 100 orders."""
        with _failures():
            documents = (
                await self._collection.find({"bury_pending": {"$gt": 0}}).limit(100).to_list()
            )
        return [one for document in documents for one in document.get("bury", {})]

    async def _again(self, order_id: str) -> PremiumToken:
        document = await self._get(order_id)
        if document["status"] == "revoked":
            raise OrderRevoked("This order was revoked; no token is given for it.")
        if document["status"] == "suspended":
            raise _suspended()
        if self._is_refused(document):
            raise _test_order()
        derivable = document["derivation_key"] == self._current
        if derivable and document["hash_key"] == self._keys.hash_key_id:
            return PremiumToken(self._token(document), _record(document))
        replacement = self._new_document(
            order_id, document["generation"] + 1, document["issued_at"], document["expires_at"]
        )
        replacement["token_id"] = document["token_id"]
        with _failures():
            changed = await self._collection.find_one_and_update(
                {
                    "_id": order_id,
                    "status": "active",
                    "generation": document["generation"],
                    "expires_at": document["expires_at"],  # which an extension may just change
                },
                {
                    "$set": {
                        **{name: replacement[name] for name in replacement if name != "_id"},
                        f"bury.{document['hash']}": True,
                    },
                    "$inc": {"bury_pending": 1},
                },
                return_document=ReturnDocument.AFTER,
            )
        if changed is None:  # somebody else was faster: theirs is the token
            return await self._again(order_id)
        return PremiumToken(self._token(changed), _record(changed), (document["hash"],))

    def _is_refused(self, document: Document) -> bool:
        return self._only_live and document.get("livemode") is False

    def _now(self) -> int:
        return _milliseconds(self._clock())

    async def _get(self, order_id: str) -> Document:
        with _failures():
            document = await self._collection.find_one({"_id": order_id})
        if document is None:
            raise OrderUnknown(f"No premium token was issued for the order {order_id}.")
        return document

    def _new_document(
        self, order_id: str, generation: int, issued_at: int, expires_at: int
    ) -> Document:
        document: Document = {
            "_id": order_id,
            "token_id": new_id("tok", self._now()),
            "generation": generation,
            "salt": secrets.token_hex(32),
            "derivation_key": self._current,
            "hash_key": self._keys.hash_key_id,
            "status": "active",
            "issued_at": issued_at,
            "expires_at": expires_at,
        }
        document["hash"] = self._keys.keyed_hash(self._token(document))
        return document

    def _token(self, document: Document) -> str:
        key = self._derivation_keys[document["derivation_key"]].get_secret_value().encode()
        message = f"{document['_id']}\0{document['generation']}\0{document['salt']}"
        digest = hmac.digest(key, message.encode(), hashlib.sha256)
        return self._keys.with_checksum(PREMIUM_PREFIX + base62(digest, SECRET_LENGTH))


def _suspended() -> OrderSuspended:
    return OrderSuspended("This order's token is suspended while its payment is in question.")


def _test_order() -> TestOrder:
    return TestOrder("No money was paid for this order: it was made in test mode.")


def _failures() -> AbstractContextManager[None]:
    return store_failures("token_store_unavailable", "The token store")


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _record(document: Document) -> TokenRecord:
    revoked_at = document.get("revoked_at")
    return TokenRecord(
        id=document["token_id"],
        plan="premium",
        issued_at=_moment(document["issued_at"]),
        expires_at=_moment(document["expires_at"]),
        revoked_at=_moment(revoked_at) if revoked_at else None,
        suspended=document["status"] == "suspended",
        hash=document["hash"],
    )
