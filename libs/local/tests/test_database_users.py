"""Users of the servers: each service may do what it does, and touch nothing of anybody else's.

The services' own tests run as these users, too: in Valkey, and in S3.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.errors import OperationFailure
from redis import Redis
from redis.exceptions import AuthenticationError, NoPermissionError, ResponseError

from tracemypods.contracts.events import DEAD_LETTERS
from tracemypods.local import table
from tracemypods.local.database_users import (
    HEALTH,
    MONGO_DATABASE,
    kafka_users,
    mongo_users,
    s3_identities,
    valkey_acl,
)
from tracemypods.local.table import Service
from tracemypods.local.testing.mongo import TEST_URL_VARIABLE, new_name
from tracemypods.local.testing.valkey import Valkey

FLEET = table.load()
IN_REDIS = [one for one in FLEET.services.values() if one.owns.redis_keys]
PASSWORDS = {name: f"password-of-{name}" for name in FLEET.services}
WITHOUT_KEYS = {
    *("auth", "hello", "ping", "select", "time", "multi", "exec", "discard", "unwatch"),
    *("quit", "reset"),
    *("lolwut", "client|setinfo", "client|setname", "script|load", "script|exists"),
}
"""Commands that name no key and are open to every service: none of them tells of others' keys."""


def of(pattern: str) -> str:
    """A key that a pattern holds."""
    return f"{pattern[:-1]}x" if pattern.endswith("*") else pattern


@pytest.fixture(params=IN_REDIS, ids=lambda one: one.name)
def service(request: pytest.FixtureRequest) -> Service:
    return request.param


@pytest.fixture
def client(valkey: Valkey, service: Service) -> Iterator[Redis]:
    """The service's own."""
    login = valkey.login(service.name)
    user, password = login["redis_username"], login["redis_password"]
    with Redis(port=valkey.port, username=user, password=password) as client:
        yield client


def test_a_service_has_its_own_keys(client: Redis, service: Service) -> None:
    for pattern in service.owns.redis_keys:
        client.set(of(pattern), 1, ex=60)
        assert client.eval("return redis.call('INCR', KEYS[1])", 1, of(pattern)) == 2
        assert client.delete(of(pattern)) == 1


def test_a_service_writes_nobody_elses_keys(
    valkey: Valkey, client: Redis, service: Service
) -> None:
    others = [key for one in IN_REDIS if one != service for key in one.owns.redis_keys]
    assert others
    for name in [of(pattern) for pattern in (*others, *service.owns.redis_reads)] + ["stray"]:
        for act in (
            lambda name=name: client.set(name, 1),
            lambda name=name: client.delete(name),
            lambda name=name: client.expire(name, 1),
            lambda name=name: client.eval("return redis.call('SET', ARGV[1], 1)", 0, name),
            lambda name=name: client.rename(of(service.owns.redis_keys[0]), name),
        ):
            with pytest.raises(ResponseError, match=r"(?i)no permissions"):
                act()
    assert valkey.command("DBSIZE").startswith(":0")


def test_a_service_reads_of_others_what_it_must(client: Redis, service: Service) -> None:
    reads = service.owns.redis_reads
    for name in map(of, reads):
        assert client.get(name) is None
        assert client.eval("return redis.call('MGET', ARGV[1])", 0, name) == [None]
    others = [key for one in IN_REDIS if one != service for key in one.owns.redis_keys]
    for name in (f"{pattern.partition(':')[0]}:other" for pattern in others):
        if not any(name.startswith(pattern[:-1]) for pattern in reads):
            with pytest.raises(NoPermissionError):
                client.get(name)


def test_commands_that_no_key_limits_are_few(valkey: Valkey, service: Service) -> None:
    """All of the server's commands are tried, those of other servers' versions as far as known."""
    allowed = {*WITHOUT_KEYS, *service.owns.redis_commands}
    with Redis(port=valkey.port, password=valkey.password) as root:
        root.set_response_callback("COMMAND", lambda answer: answer)
        known: Any = root.execute_command("COMMAND")
        names = [one for about in known for one in without_keys(about)]
        assert len(names) > 150
        opened = {name for name, arity in names if may(root, service.name, name, arity)}
    assert opened <= allowed


def without_keys(about: list[Any]) -> Iterator[tuple[str, int]]:
    """The commands in an entry of COMMAND that name no key, each with how many words it wants."""
    name, arity, key_specifications, subcommands = about[0], about[1], about[8], about[9]
    if not subcommands and not key_specifications:
        yield name.decode(), abs(arity)
    for subcommand in subcommands:
        yield from without_keys(subcommand)


def may(root: Redis, user: str, name: str, words: int) -> bool:
    """Whether the server would let a user run a command."""
    first = name.split("|")
    given = first + ["1"] * (words - len(first))
    return root.execute_command("ACL", "DRYRUN", user, *given) == b"OK"


def test_probes_need_no_password_and_get_an_answer_alone(valkey: Valkey) -> None:
    with Redis(port=valkey.port, username=HEALTH, password="any") as health:
        assert health.ping()
        for words in ("GET token:record:x", "INFO", "SCAN 0"):
            with pytest.raises(NoPermissionError):
                health.execute_command(*words.split())


def test_a_wrong_password_opens_nothing(valkey: Valkey, service: Service) -> None:
    with (
        Redis(port=valkey.port, username=service.name, password="wrong") as client,
        pytest.raises(AuthenticationError),
    ):
        client.ping()


def test_the_acl_file_has_hashes_and_no_way_in_without_a_name() -> None:
    text = valkey_acl(FLEET, PASSWORDS, "password-of-root")
    assert "password-of" not in text
    assert text == valkey_acl(FLEET, PASSWORDS, "password-of-root")
    assert text.splitlines()[0] == "user default off"
    assert "user order" not in valkey_acl(FLEET, {"token": "x"}, "y")


def test_a_user_of_mongo_has_the_services_collections_alone() -> None:
    found = json.loads(mongo_users(FLEET, PASSWORDS))
    privileges = {role["role"]: role["privileges"] for role in found["roles"]}
    for service in FLEET.services.values():
        resources = [one["resource"] for one in privileges[service.name]]
        assert resources == [
            {"db": MONGO_DATABASE, "collection": name} for name in service.owns.collections
        ]
    for role in found["roles"]:
        assert role["roles"] == []
        for one in role["privileges"]:
            assert not {"dropCollection", "dropDatabase", "anyAction"} & set(one["actions"])
    users = {one["user"]: one for one in found["users"]}
    assert users["order"]["pwd"] == "password-of-order"
    assert users["order"]["roles"] == [{"role": "order", "db": "admin"}]


@pytest.mark.skipif(TEST_URL_VARIABLE not in os.environ, reason="needs a MongoDB with users")
def test_a_real_mongo_takes_the_users_and_holds_them_to_their_collections() -> None:
    text = mongo_users(FLEET, PASSWORDS).replace(MONGO_DATABASE, database := new_name())
    found = json.loads(text)
    url, ending = os.environ[TEST_URL_VARIABLE], f"_{database}"
    with MongoClient[dict[str, Any]](url) as root:
        try:
            for role in found["roles"]:
                name = role.pop("role") + ending
                root.admin.command({"createRole": name, **role})
            for user in found["users"]:
                roles = [{**one, "role": one["role"] + ending} for one in user["roles"]]
                root.admin.command(
                    {"createUser": user["user"] + ending, "pwd": user["pwd"], "roles": roles}
                )
            for service in FLEET.services.values():
                user, password = service.name + ending, PASSWORDS[service.name]
                with MongoClient[Any](url, username=user, password=password) as client:
                    for one in FLEET.services.values():
                        for collection in one.owns.collections:
                            use(client[database][collection], one is service)
        finally:
            root.drop_database(database)
            for service in FLEET.services.values():
                root.admin.command({"dropUser": service.name + ending})
                root.admin.command({"dropRole": service.name + ending})


def use(collection: Any, allowed: bool) -> None:
    """Do what services do, or be refused each of it."""
    for act in (
        lambda: collection.create_index("a"),
        lambda: collection.insert_one({"_id": 1}),
        lambda: collection.find_one({}),
        lambda: collection.find_one_and_update({"_id": 1}, {"$set": {"a": 1}}, upsert=True),
        lambda: collection.delete_many({"_id": 1}),
    ):
        if allowed:
            act()
        else:
            with pytest.raises(OperationFailure, match="not authorized"):
                act()
    with pytest.raises(OperationFailure, match="not authorized"):
        collection.drop()


def test_kafkas_users_write_and_read_their_own_topics() -> None:
    found = json.loads(kafka_users(FLEET, PASSWORDS))
    assert {one["user"] for one in found["users"]} == set(PASSWORDS)
    allowed = {
        (one["principal"], one["resource"], one["name"], one["operation"]) for one in found["acls"]
    }
    wanted: set[tuple[str, str, str, str]] = set()
    for topic in FLEET.topics.values():
        producer = f"User:{topic.producer}"
        wanted |= {(producer, "topic", topic.name, one) for one in ("Describe", "Write")}
        for name in topic.consumers:
            reader = f"User:{name}"
            wanted |= {(reader, "topic", topic.name, one) for one in ("Describe", "Read")}
            dead = f"{topic.name}{DEAD_LETTERS}"
            wanted |= {(reader, "topic", dead, one) for one in ("Describe", "Write")}
            wanted.add((reader, "group", name, "Read"))
    assert allowed == wanted


def test_who_keeps_no_files_has_no_key_of_s3() -> None:
    found = json.loads(s3_identities(FLEET, {"deliver": ("id", "key")}, ("root-id", "root-key")))
    assert [one["name"] for one in found["identities"]] == ["root", "deliver"]
