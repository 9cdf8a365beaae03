"""The keys of a cluster: for each service exactly what fleet.toml says it needs.

A value is made once and given to all who hold it: both ends of an edge, whoever checks tokens. In
the servers (Redis, MongoDB, Kafka, S3) each service has a user and a password of its own, and each
server gets a list of them; see database_users. What somebody else has made, such as Razorpay's
keys, is given. Names are those of secrets.py.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tracemypods.kit.operators import ALL_SCOPES, OperatorKey, new_key
from tracemypods.kit.settings import DEV_ONLY
from tracemypods.local import database_users
from tracemypods.local.errors import BadRequest, FleetError
from tracemypods.local.secrets import OPERATOR_KEYS, PREVIOUS, edge
from tracemypods.local.table import Service, Table

Values = Mapping[str, str]

USER_NAMES = ("redis_username", "mongo_username", "kafka_username")
"""Each is called as its service."""
PASSWORDS = ("redis_password", "mongo_password", "kafka_password")
_S3_KEYS = ("s3_access_key", "s3_secret_key")
_PERSONAL = (*USER_NAMES, *PASSWORDS, *_S3_KEYS)
"""What no two services share."""

OF_SERVERS: dict[str, tuple[str, ...]] = {
    **{name.partition("_")[0]: (name, PASSWORDS[at]) for at, name in enumerate(USER_NAMES)},
    "s3": _S3_KEYS,
    "qdrant": ("vector_qdrant_api_key",),
}
"""What whoever needs a server must know. It differs from what the launcher's servers ask for."""
ONLY_GIVEN: dict[str, tuple[str, ...]] = {
    "smtp": ("smtp_username", "smtp_password"),
    "models": ("models_api_key",),
}
"""What a server may ask for that others run; there need not be any."""

ROTATED_BESIDE = ("token_hash_key", "token_derivation_key")
"""Keys that services take two of: the one before stays beside the new one for a while."""
ROTATED_WITH = {"token_checksum_key": "token_hash_key"}
"""A token is given again under new keys only where the second of these is new, too."""

_BYTES = 32
_FIXED_LENGTH = 48


@dataclass(frozen=True)
class Keys:
    """What goes into Secrets: for each service and for each server, values by name."""

    services: Mapping[str, Values] = field(default_factory=dict[str, Values])
    servers: Mapping[str, Values] = field(default_factory=dict[str, Values])
    operator_key: str | None = None
    """A new operator's key itself. It is nowhere else: services get its hash."""
    missing: tuple[tuple[str, str], ...] = ()
    """Services, and what they need that only somebody else can make."""


Make = Callable[[str, str], str]
"""Makes a value, from its name and who alone has it (nobody when it is shared)."""
Operator = Callable[[], tuple[str, OperatorKey]]
"""Makes an operator's key; returns it, and what is kept of it."""


def random_value(_name: str, _holder: str) -> str:
    """256 random bits in hex, which mean nothing special in an address, a shell or an ACL file."""
    return secrets.token_hex(_BYTES)


def random_operator(name: str) -> tuple[str, OperatorKey]:
    """An operator who may do everything."""
    return new_key(name, (ALL_SCOPES,), datetime.now(UTC).replace(microsecond=0))


def fixed(table: Table) -> Keys:
    """The keys with which a cluster is tried out: always the same, and refused in production.

    All of them begin with DEV_ONLY, whatever of them is a secret; sandboxes have theirs, too.
    """
    return make(table, _fixed_value, _fixed_operator, sandboxes=True)


def needed(table: Table, service: Service) -> tuple[str, ...]:
    """What a service must have in a cluster, by name."""
    servers = [
        name
        for need in (*service.needs, *service.cluster_needs)
        for name in OF_SERVERS.get(need, ())
    ]
    edges = [edge(*ends) for ends in table.edges if service.name in ends]
    return (*service.secrets, *servers, *edges)


def make(
    table: Table,
    value: Make,
    operator: Operator | None,
    *,
    known: Keys | None = None,
    given: Values | None = None,
    rotate: Collection[str] = (),
    withdraw: Collection[str] = (),
    only: Collection[str] = (),
    sandboxes: bool = False,
) -> Keys:
    """All keys of a cluster, or those of the services in `only`.

    What is in `known` stays, unless `rotate` names it; `given` holds what others have made.
    `operator` makes an operator's key beside those that are known; there is none without it. The
    operators in `withdraw` are known no more. With `sandboxes` they are there, and what they stand
    for is made, too.

    Raises BadRequest for names that there are not, for a key that nobody can make, and where a
    service that is not in `only` would have to get a new key, too; FleetError where two services
    know different values of one key.
    """
    making = _Making(table, value, known or Keys(), given or {}, sandboxes)
    making.rotate(rotate, only)
    making.withdraw(withdraw)
    making.make(only)
    key = making.add_operator(operator, only) if operator else None
    servers = making.servers() if known or not only else {}
    return Keys(making.services(only), servers, key, tuple(making.missing))


class _Making:
    def __init__(
        self, table: Table, value: Make, known: Keys, given: Values, sandboxes: bool
    ) -> None:
        self._table = table
        self._value = value
        self._known = known
        self._given = given
        self._parts = table.ours if sandboxes else table.services
        self._sandboxes = sandboxes
        self._held = {name: dict(values) for name, values in known.services.items()}
        self._needed = {name: needed(table, one) for name, one in self._parts.items()}
        self._new: dict[str, str] = {}
        self.missing: list[tuple[str, str]] = []
        names = {*(name for names in self._needed.values() for name in names)}
        names |= {name for names in ONLY_GIVEN.values() for name in names}
        for name in given:
            if name not in names or name in (OPERATOR_KEYS, *_PERSONAL):
                raise BadRequest(f"no services share a key called {name}")

    def rotate(self, names: Collection[str], only: Collection[str]) -> None:
        """Forget keys, so that they are made anew."""
        for name in names:
            holders = [one for one, held in self._held.items() if name in held]
            if name in _PERSONAL and only:
                holders = [one for one in holders if one in only]
            if not holders or name == OPERATOR_KEYS or name in USER_NAMES:
                raise BadRequest(f"there is no {name} to rotate")
            if self._is_others(name) and name not in self._given:
                raise BadRequest(f"{name} is made by others: give the new one")
            if ROTATED_WITH.get(name, name) not in names:
                raise BadRequest(f"{name} is rotated together with {ROTATED_WITH[name]} only")
            for one in holders:
                old = self._held[one].pop(name)
                if name in ROTATED_BESIDE:
                    self._held[one][f"{name}{PREVIOUS}"] = old

    def withdraw(self, names: Collection[str]) -> None:
        """Let no service know these operators any more."""
        for name in names:
            found = False
            for held in self._held.values():
                lines = held.get(OPERATOR_KEYS, "").splitlines(keepends=True)
                kept = [line for line in lines if json.loads(line)["name"] != name]
                if len(kept) < len(lines):
                    found = True
                    held[OPERATOR_KEYS] = "".join(kept)
            if not found:
                raise BadRequest(f"there is no operator called {name}")

    def make(self, only: Collection[str]) -> None:
        """Give each service what it needs and has not."""
        for name in only:
            if name not in self._parts:
                known = ", ".join(self._parts)
                raise BadRequest(f"there is no service called {name}; there are {known}")
        for part, service in self._parts.items():
            if only and part not in only:
                continue
            held = self._held.setdefault(part, {})
            optional = [name for need in service.needs for name in ONLY_GIVEN.get(need, ())]
            for name in (*self._needed[part], *(one for one in optional if one in self._given)):
                if name == OPERATOR_KEYS:
                    if operators := held.get(name) or self._shared(name):
                        held[name] = operators
                    continue
                found = self._of(part, name)
                if found is None:
                    self.missing.append((part, name))
                else:
                    held[name] = found
        self._refuse_half(only)

    def add_operator(self, operator: Operator, only: Collection[str]) -> str | None:
        """Let the services that have operators' routes know another operator; returns the key."""
        if only and self._shared(OPERATOR_KEYS):
            raise BadRequest("an operator is for all services: name none")
        holders = [
            name for name in self._chosen(only) if OPERATOR_KEYS in self._parts[name].secrets
        ]
        if not holders:
            return None
        key, kept = operator()
        lines = self._shared(OPERATOR_KEYS) or ""
        if any(json.loads(line)["name"] == kept.name for line in lines.splitlines()):
            raise BadRequest(f"there is an operator called {kept.name} already")
        for name in holders:
            self._held[name][OPERATOR_KEYS] = f"{lines}{kept.model_dump_json()}\n"
        return key

    def services(self, only: Collection[str]) -> dict[str, Values]:
        """What the chosen services have, in the order of the names."""
        return {name: dict(sorted(self._held[name].items())) for name in self._chosen(only)}

    def servers(self) -> dict[str, Values]:
        """What the servers have: lists of users, and what their own users need."""

        def own(server: str, name: str) -> str:
            known = self._known.servers.get(server, {}).get(name)
            return known or self._value(name, server)

        def of(name: str) -> dict[str, str]:
            return {one: held[name] for one, held in self._held.items() if name in held}

        table, found = self._table, dict[str, Values]()
        redis, mongo, kafka = (of(name) for name in PASSWORDS)
        root = {"root_username": database_users.ROOT}
        if redis:
            password = own("redis", "root_password")
            acl = database_users.valkey_acl(table, redis, password)
            found["redis"] = {**root, "root_password": password, "users.acl": acl}
        if mongo:
            found["mongo"] = {
                **root,
                "root_password": own("mongo", "root_password"),
                "keyfile": own("mongo", "keyfile"),
                "users.json": database_users.mongo_users(table, mongo),
            }
        if kafka:
            found["kafka"] = {
                **root,
                "root_password": own("kafka", "root_password"),
                "users.json": database_users.kafka_users(table, kafka),
            }
        ids, keys = (of(name) for name in _S3_KEYS)
        if ids and ids.keys() == keys.keys():
            both = (own("s3", "root_access_key"), own("s3", "root_secret_key"))
            pairs = {name: (ids[name], keys[name]) for name in ids}
            found["s3"] = {
                "root_access_key": both[0],
                "root_secret_key": both[1],
                "identities.json": database_users.s3_identities(table, pairs, both),
            }
        for held in self._held.values():
            if "vector_qdrant_api_key" in held:
                found["qdrant"] = {"api_key": held["vector_qdrant_api_key"]}
        return found

    def _chosen(self, only: Collection[str]) -> list[str]:
        return [name for name in self._held if name in self._parts and (not only or name in only)]

    def _of(self, part: str, name: str) -> str | None:
        """The value that a service gets; None for one that nobody has given."""
        if name in self._given:
            return self._given[name]
        if name in USER_NAMES:
            return part
        if name in _PERSONAL:
            return self._held[part].get(name) or self._value(name, part)
        known = self._shared(name)
        if known:
            return known
        if self._is_others(name) and not self._sandboxes:
            return None
        return self._new.setdefault(name, self._value(name, ""))

    def _is_others(self, name: str) -> bool:
        needs = (*self._table.provided, *ONLY_GIVEN)
        return any(name.startswith(f"{need}_") for need in needs)

    def _refuse_half(self, only: Collection[str]) -> None:
        """A key that one end of an edge has and the other has not opens nothing."""
        for name in self._new:
            without = [
                part
                for part, names in self._needed.items()
                if name in names and name not in self._held.get(part, {})
            ]
            if only and without:
                raise BadRequest(f"{name} is new, and {without[0]} needs it, too: name both")

    def _shared(self, name: str) -> str | None:
        """What all who have a key have. Raises FleetError where they differ."""
        holders = {one: held[name] for one, held in self._held.items() if held.get(name)}
        if len(set(holders.values())) > 1:
            raise FleetError(f"{' and '.join(sorted(holders))} have different values of {name}")
        return next(iter(holders.values()), None)


def _fixed_value(name: str, holder: str) -> str:
    text = DEV_ONLY + name.replace("_", "-") + (f"-of-{holder}" if holder else "")
    if len(text) < _FIXED_LENGTH:
        text = f"{text}-{'0123456789' * 5}"[:_FIXED_LENGTH]
    # MongoDB takes base64 only.
    return base64.b64encode(text.encode()).decode() if name == "keyfile" else text


def _fixed_operator() -> tuple[str, OperatorKey]:
    key = _fixed_value("operator_key", "")
    digest = hashlib.sha256(key.encode()).hexdigest()
    created = datetime(2026, 1, 1, tzinfo=UTC)
    name = f"{DEV_ONLY}operator"
    return key, OperatorKey(name=name, sha256=digest, scopes=(ALL_SCOPES,), created=created)
