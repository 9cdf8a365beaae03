"""Redis or Valkey: a client whose calls fail quickly when the server does not answer."""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import contextmanager

from pydantic import Field, SecretStr
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from tracemypods.kit.errors import Unavailable
from tracemypods.kit.settings import ServiceSettings

_log = logging.getLogger("tracemypods.redis")

CONNECTIONS = 64


class RedisSettings(ServiceSettings):
    """Settings of a service that uses Redis."""

    redis_url: str = Field(
        validation_alias="TRACEMYPODS_REDIS_URL",
        pattern=r"^(rediss?|unix)://",
        description="Redis or Valkey, such as `redis://host:6379/0`",
    )
    redis_username: str | None = Field(
        None, validation_alias="TRACEMYPODS_REDIS_USERNAME", description="The service's user there"
    )
    redis_password: SecretStr | None = Field(
        None, validation_alias="TRACEMYPODS_REDIS_PASSWORD", description="The password"
    )
    redis_answer_seconds: float = Field(
        1.0,
        validation_alias="TRACEMYPODS_REDIS_ANSWER_SECONDS",
        ge=0.1,
        le=60,
        description="An answer, or a connection, that takes longer has failed",
    )


def connect(settings: RedisSettings) -> Redis:
    """Return a client; it connects with the first command.

    A command raises redis.exceptions.RedisError (ConnectionError and TimeoutError among them)
    within about twice `redis_answer_seconds` when the server is away or hangs. A connection that
    broke since it was last used (the server was restarted) is made anew once without the caller
    noticing.
    """
    password = settings.redis_password
    pool: BlockingConnectionPool = BlockingConnectionPool.from_url(  # pyright: ignore[reportUnknownMemberType]
        settings.redis_url,
        username=settings.redis_username,
        password=password.get_secret_value() if password else None,
        max_connections=CONNECTIONS,
        timeout=settings.redis_answer_seconds,
        socket_connect_timeout=settings.redis_answer_seconds,
        socket_timeout=settings.redis_answer_seconds,
        retry=Retry(NoBackoff(), 1),
        decode_responses=True,
    )
    return Redis.from_pool(pool)  # which closes the pool with the client


@contextmanager
def store_failures(code: str, store: str) -> Generator[None]:
    """Turn a failure of Redis into a named 503; `store` is what it holds, for the message."""
    try:
        yield
    except RedisError as error:
        _log.warning("redis failed", extra={"store": store, "reason": type(error).__name__})
        raise Unavailable(
            f"{store} does not answer at the moment. Try again in a few seconds.", code=code
        ) from error
