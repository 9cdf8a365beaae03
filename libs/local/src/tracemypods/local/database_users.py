"""What users there are in the fleet's servers, and what each may do: one for each service.

All of it follows from fleet.toml: who owns which keys and collections, who produces and who reads
which topic. `root` is for setting a server up and for operators. Passwords come from keys.py.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from tracemypods.contracts.events import DEAD_LETTERS
from tracemypods.local.s3 import BUCKET
from tracemypods.local.table import Service, Table

ROOT = "root"
HEALTH = "health"
"""Valkey's user for probes, without a password: all that it may do is ask for an answer."""

MONGO_DATABASE = "tracemypods"
"""What kit.mongo calls it when nothing else is said."""

DEFAULT_OFF = "user default off"

_ON_OWN_KEYS = (
    # In this order: what comes later holds.
    *("-@all", "+@read", "+@write", "+@transaction", "-@dangerous", "-@scripting"),
    # They name or count all keys, whoever's they are.
    *("-scan", "-randomkey", "-dbsize"),
    # What a script does is held to the same rules.
    *("+eval", "+evalsha", "+script|load", "+script|exists", "+time"),
    *("+auth", "+hello", "+ping", "+select", "+client|setinfo", "+client|setname"),
)
"""Valkey's commands that patterns of keys limit, and those that tell nothing of anybody's keys."""

_ON_OWN_COLLECTIONS = ("find", "insert", "update", "remove", "createIndex", "listIndexes")


def valkey_acl(table: Table, passwords: Mapping[str, str], root_password: str) -> str:
    """Valkey's (and Redis') ACL file; `passwords` are the services' in it, of which it has hashes.

    A service that has no password in it gets no user.
    """
    lines = [
        DEFAULT_OFF,
        f"user {ROOT} on #{_hash(root_password)} allkeys allchannels +@all",
        f"user {HEALTH} on nopass resetkeys resetchannels -@all +ping",
    ]
    for service in _having(table, passwords):
        owns = service.owns
        words = (
            *(f"~{key}" for key in owns.redis_keys),
            *(f"%R~{key}" for key in owns.redis_reads),
            *_ON_OWN_KEYS,
            *(f"+{command}" for command in owns.redis_commands),
        )
        password = _hash(passwords[service.name])
        lines.append(
            f"user {service.name} on #{password} resetkeys resetchannels {' '.join(words)}"
        )
    return "\n".join(lines) + "\n"


def mongo_users(table: Table, passwords: Mapping[str, str]) -> str:
    """JSON with `roles` and `users` of MongoDB's database admin, which each lie beside a service.

    They have the fields of `createRole` and `createUser` (of `updateRole` and `updateUser`, too).
    """
    services = _having(table, passwords)
    roles: list[dict[str, Any]] = [
        {
            "role": service.name,
            "privileges": [
                {
                    "resource": {"db": MONGO_DATABASE, "collection": collection},
                    "actions": list(_ON_OWN_COLLECTIONS),
                }
                for collection in service.owns.collections
            ],
            "roles": [],
        }
        for service in services
    ]
    users = [
        {
            "user": service.name,
            "pwd": passwords[service.name],
            "roles": [{"role": service.name, "db": "admin"}],
        }
        for service in services
    ]
    return _json({"roles": roles, "users": users})


def kafka_users(table: Table, passwords: Mapping[str, str]) -> str:
    """JSON with `users` and `acls` of Kafka; each of the latter is what one user may do.

    Who sends events may write its topics; who reads them may read those in a group called as it
    is, and write what it cannot handle to the topic of dead letters.
    """
    services = _having(table, passwords)
    users = [{"user": one.name, "password": passwords[one.name]} for one in services]
    acls: list[dict[str, str]] = []

    def allow(user: str, kind: str, name: str, *operations: str) -> None:
        acls.extend(
            {"principal": f"User:{user}", "operation": one, "resource": kind, "name": name}
            for one in operations
        )

    for service in services:
        read = [topic.name for topic in table.topics.values() if service.name in topic.consumers]
        for topic in table.topics.values():
            if topic.producer == service.name:
                allow(service.name, "topic", topic.name, "Describe", "Write")
        for topic in read:
            allow(service.name, "topic", topic, "Describe", "Read")
            allow(service.name, "topic", f"{topic}{DEAD_LETTERS}", "Describe", "Write")
        if read:
            allow(service.name, "group", service.name, "Read")
    return _json({"users": users, "acls": acls})


def s3_identities(table: Table, keys: Mapping[str, tuple[str, str]], root: tuple[str, str]) -> str:
    """SeaweedFS' file of identities; `keys` are an id and a secret for each service.

    All of them have the one bucket, and nothing but it.
    """
    identities = [_identity(ROOT, root, ["Admin"])]
    identities += [
        _identity(one.name, keys[one.name], [f"{do}:{BUCKET}" for do in ("Read", "Write", "List")])
        for one in _having(table, keys)
    ]
    return _json({"identities": identities})


def _identity(name: str, key: tuple[str, str], actions: list[str]) -> dict[str, Any]:
    credentials = [{"accessKey": key[0], "secretKey": key[1]}]
    return {"name": name, "credentials": credentials, "actions": actions}


def _having(table: Table, passwords: Mapping[str, object]) -> list[Service]:
    return [service for service in table.services.values() if service.name in passwords]


def _hash(password: str) -> str:
    return hashlib.sha256(password.encode()).hexdigest()


def _json(value: object) -> str:
    return json.dumps(value, indent=1) + "\n"
