"""Operators block a token by its id, or a client network; every request looks for it.

    ask:blocked:token:<id>            why
    ask:blocked:network:<network>     why

They lie in Redis and are gone with it. Networks are named as `kit.addresses` names them: an IPv4
address, or an IPv6 /64.
"""

from __future__ import annotations

from typing import Literal

from redis.asyncio import Redis

from tracemypods.kit.addresses import network_name
from tracemypods.kit.errors import Problem

Kind = Literal["token", "network"]


class Blocked(Problem):
    """The operator has blocked this token or this network."""

    status, code = 403, "blocked"

    def __init__(self) -> None:
        super().__init__(
            "The operator of this site has blocked this token or the network that it is used "
            "from. Ask there if you think that this is a mistake."
        )


def block_key(kind: Kind, name: str) -> str:
    """The Redis key of a block. A network may be named by any address in it."""
    return f"ask:blocked:{kind}:{network_name(name) if kind == 'network' else name}"


async def block(
    redis: Redis, kind: Kind, name: str, *, reason: str, seconds: int | None = None
) -> None:
    """Refuse what comes from a token or network, for ever or for `seconds`.

    Open answers go on. Raises redis.exceptions.RedisError.
    """
    await redis.set(block_key(kind, name), reason, ex=seconds)


async def unblock(redis: Redis, kind: Kind, name: str) -> bool:
    """Serve a token or network again; tells whether it was blocked.

    Raises redis.exceptions.RedisError.
    """
    return bool(await redis.delete(block_key(kind, name)))
