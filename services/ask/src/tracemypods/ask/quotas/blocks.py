"""Operators block a token by its id, or a client network; every request looks for it.

    ask:blocked:token:<id>            why
    ask:blocked:network:<network>     why

They lie in Redis and are gone with it. Networks are named as `kit.addresses` names them: an IPv4
address, or an IPv6 /64.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_network
from typing import Literal

from redis.asyncio import Redis

from tracemypods.kit.addresses import IPV6_PREFIX, network_name
from tracemypods.kit.errors import FieldError, InvalidRequest, Problem
from tracemypods.kit.redis import store_failures

Kind = Literal["token", "network"]

_PREFIX = "ask:blocked:"
_KINDS: tuple[Kind, ...] = ("token", "network")


class BlockedCaller(Problem):
    """The operator has blocked this token or this network."""

    status, code = 403, "blocked"

    def __init__(self) -> None:
        super().__init__(
            "The operator of this site has blocked this token or the network that it is used "
            "from. Ask there if you think that this is a mistake."
        )


@dataclass(frozen=True)
class Block:
    """What is blocked, and why. `seconds` is how long it still lasts, None for ever."""

    kind: Kind
    name: str
    reason: str
    seconds: int | None


class Blocks:
    """The blocks in Redis. All methods raise Unavailable `token_store_unavailable`; `add` and
    `remove` raise InvalidRequest for the name of a network that is none."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def add(self, kind: Kind, name: str, *, reason: str, seconds: int | None) -> Block:
        """Refuse what comes from a token or network, for ever or for `seconds`.

        Answers that have begun go on. A network may be named by any address in it.
        """
        with store_failures("token_store_unavailable", "The token store"):
            await self._redis.set(_key(kind, name), reason, ex=seconds)
        return Block(kind, _name(kind, name), reason, seconds)

    async def remove(self, kind: Kind, name: str) -> bool:
        """Serve a token or network again; tells whether it was blocked."""
        with store_failures("token_store_unavailable", "The token store"):
            return bool(await self._redis.delete(_key(kind, name)))

    async def all(self) -> list[Block]:
        """All blocks, by kind and name. Operators set them one by one, so they are few."""
        found: list[Block] = []
        with store_failures("token_store_unavailable", "The token store"):
            for kind in _KINDS:
                prefix = f"{_PREFIX}{kind}:"
                async for key in self._redis.scan_iter(f"{prefix}*", count=1000):
                    reason, seconds = await self._redis.get(key), await self._redis.ttl(key)
                    if reason is not None:
                        left = seconds if seconds >= 0 else None
                        found.append(Block(kind, str(key).removeprefix(prefix), str(reason), left))
        return sorted(found, key=lambda block: (block.kind, block.name))


def _name(kind: Kind, name: str) -> str:
    """Raises InvalidRequest for a network that is none: nobody would be refused."""
    if kind != "network":
        return name
    network = named_network(name)
    if network is None:
        wrong = "this is no client network: name an IPv4 address, or an address of an IPv6 /64"
        raise InvalidRequest(
            f"The request is not valid: name: {wrong}.",
            errors=[FieldError(field="name", message=wrong)],
        )
    return network


def named_network(text: str) -> str | None:
    """The client network that a person named, as `network_name` spells it; None where it is none.

    An IPv4 address, any address of an IPv6 /64, or that /64 itself.
    """
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        return None
    if "/" in text and network.prefixlen != (IPV6_PREFIX if network.version == 6 else 32):
        return None
    return network_name(str(network.network_address))


def _key(kind: Kind, name: str) -> str:
    return f"{_PREFIX}{kind}:{_name(kind, name)}"
