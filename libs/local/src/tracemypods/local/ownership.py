"""Who writes what in Redis and in MongoDB: each key and each collection has one service.

It is written in fleet.toml, and the users of both are made from it; see database_users.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from tracemypods.local.errors import FleetError

_PATTERN = re.compile(r"[a-z][a-z0-9_-]*:([a-z0-9_:-]*\*|[a-z0-9_:-]+)")
"""A key, or how keys begin: a star stands at the end only."""
_COLLECTION = re.compile(r"[a-z][a-z0-9_]{0,62}")
_COMMAND = re.compile(r"[a-z]+(\|[a-z]+)?")


@dataclass(frozen=True)
class Owns:
    """What a service writes alone, and what else it may do there."""

    redis_keys: tuple[str, ...] = ()
    """Keys, or with a star at the end all that begin so."""
    redis_reads: tuple[str, ...] = ()
    """Keys of others that it may read."""
    redis_commands: tuple[str, ...] = ()
    """Commands that are about no key, such as `scan` or `info|memory`."""
    collections: tuple[str, ...] = ()


NOTHING = Owns()


def read_owns(entry: Mapping[str, Any]) -> Owns:
    """What a service's table in fleet.toml says of it."""
    return Owns(
        tuple(entry.get("redis_keys", ())),
        tuple(entry.get("redis_reads", ())),
        tuple(entry.get("redis_commands", ())),
        tuple(entry.get("collections", ())),
    )


def check_owners(services: Mapping[str, tuple[Owns, tuple[str, ...]]], file: str) -> None:
    """Raise FleetError where two services write the same, or one has what it does not need.

    `services` has what each owns and what it needs.
    """
    for name, (owns, needs) in services.items():
        in_redis = (*owns.redis_keys, *owns.redis_reads, *owns.redis_commands)
        for need, has in (("redis", in_redis), ("mongo", owns.collections)):
            if has and need not in needs:
                raise FleetError(f"{file}: {name} has {has[0]}, and does not need {need}")
        for known, wanted in (
            (_PATTERN, (*owns.redis_keys, *owns.redis_reads)),
            (_COMMAND, owns.redis_commands),
            (_COLLECTION, owns.collections),
        ):
            for one in wanted:
                if not known.fullmatch(one):
                    raise FleetError(f"{file}: {name}: {one} is no key, command or collection")
    for (name, (owns, _)), (other, (others, _)) in combinations(services.items(), 2):
        for one in owns.redis_keys:
            for theirs in others.redis_keys:
                if holds(one, theirs) or holds(theirs, one):
                    raise FleetError(f"{file}: {name} and {other} both write {theirs}")
        for one in set(owns.collections).intersection(others.collections):
            raise FleetError(f"{file}: {name} and {other} both write {one}")
    for name, (owns, _) in services.items():
        written = [
            key
            for other, (theirs, _) in services.items()
            for key in theirs.redis_keys
            if other != name
        ]
        for one in owns.redis_reads:
            if not any(holds(key, one) for key in written):
                raise FleetError(f"{file}: {name} reads {one}, which no other service writes")


def holds(pattern: str, other: str) -> bool:
    """Whether all keys of the other pattern are also of this one."""
    if pattern.endswith("*"):
        return other.removesuffix("*").startswith(pattern[:-1])
    return pattern == other
