"""MongoDB: a client whose calls fail quickly when the server does not answer.

What is asked of it are plain operations on single documents (no transactions, pipelines, `$push`),
so that every server that speaks its protocol will do.
"""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from pydantic import Field, SecretStr
from pymongo import AsyncMongoClient
from pymongo.errors import (
    ConfigurationError,
    ConnectionFailure,
    InvalidURI,
    PyMongoError,
    WriteConcernError,
)

from tracemypods.kit.errors import Unavailable
from tracemypods.kit.settings import ServiceSettings, SettingsError

_log = logging.getLogger("tracemypods.mongo")

CONNECTIONS = 64

Document = dict[str, Any]


class MongoSettings(ServiceSettings):
    """Settings of a service that uses MongoDB."""

    mongo_url: str = Field(
        validation_alias="TRACEMYPODS_MONGO_URL",
        pattern=r"^mongodb(\+srv)?://",
        description="MongoDB, such as `mongodb://host:27017/?replicaSet=rs0`",
    )
    mongo_database: str = Field(
        "tracemypods",
        validation_alias="TRACEMYPODS_MONGO_DATABASE",
        pattern=r"^[A-Za-z0-9_-]{1,63}$",
        description="Its database",
    )
    mongo_username: str | None = Field(
        None, validation_alias="TRACEMYPODS_MONGO_USERNAME", description="The service's user there"
    )
    mongo_password: SecretStr | None = Field(
        None, validation_alias="TRACEMYPODS_MONGO_PASSWORD", description="That user's password"
    )
    mongo_answer_seconds: float = Field(
        2.0,
        validation_alias="TRACEMYPODS_MONGO_ANSWER_SECONDS",
        ge=0.1,
        le=60,
        description="A call that takes longer, one retry included, has failed; half of it may pass "
        "until a server takes the call, a quarter until it takes a connection",
    )


def connect(settings: MongoSettings) -> AsyncMongoClient[Document]:
    """Return a client; it connects with the first call, and belongs to that call's event loop.

    A call raises pymongo.errors.PyMongoError within about `mongo_answer_seconds` when the server
    is away or hangs. Writes have reached the disks of a majority of servers when they return. Dates
    are read with their time zone, UTC.

    Raises SettingsError when the address can't be used.
    """
    password = settings.mongo_password
    milliseconds = int(settings.mongo_answer_seconds * 1000)
    options: dict[str, Any] = {}
    if settings.mongo_username:
        options["username"] = settings.mongo_username
        options["password"] = password.get_secret_value() if password else None
    try:
        return AsyncMongoClient(
            settings.mongo_url,
            serverSelectionTimeoutMS=milliseconds // 2,
            connectTimeoutMS=milliseconds // 4,
            timeoutMS=milliseconds,
            maxPoolSize=CONNECTIONS,
            w="majority",
            journal=True,
            # A server alone (the embedded one is) has no record of what was done already, and the
            # driver retries no write there.
            retryWrites=True,
            retryReads=True,
            tz_aware=True,
            **options,
        )
    except (ConfigurationError, InvalidURI, ValueError):
        # Its own message may quote a part of a password that was not escaped.
        raise SettingsError(
            "TRACEMYPODS_MONGO_URL: this is no address of a MongoDB, or has options that "
            "contradict each other"
        ) from None


async def ping(client: AsyncMongoClient[Document]) -> None:
    """Return when the server answers; raises PyMongoError when it does not."""
    await client.admin.command("ping")


@contextmanager
def store_failures(code: str, store: str) -> Generator[None]:
    """Turn a failure of MongoDB into a named 503; `store` is what it holds, for the message.

    That is: no server, none that lets our user in, no answer in time, or a write that a majority
    has not confirmed (it may have happened). What else a server refuses is for the caller
    (DuplicateKeyError) or a mistake of ours, and passes.
    """
    try:
        yield
    except PyMongoError as error:
        let_in = getattr(error, "code", None) not in (13, 18)  # Unauthorized, AuthenticationFailed
        named = isinstance(error, ConnectionFailure | WriteConcernError) or error.timeout
        if let_in and not named:
            raise
        _log.warning("mongo failed", extra={"store": store, "reason": type(error).__name__})
        raise Unavailable(
            f"{store} does not answer at the moment. Try again in a few seconds.", code=code
        ) from error
