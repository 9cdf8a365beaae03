"""Every key in Redis and every collection has one service that writes it, as the code does."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tracemypods.local import checkout, table
from tracemypods.local.errors import FleetError

FLEET = table.load()
TOML = """
[gateway]
port = 8080
memory_mb = 80
[backends.redis]
summary = "Valkey"
memory_mb = 30
[backends.mongo]
summary = "MongoDB"
memory_mb = 30
[services.shop]
summary = "Sells"
routes = ["/*"]
needs = ["redis", "mongo"]
redis_keys = ["shop:*", "cart:total"]
collections = ["sales"]
memory_mb = 50
[services.pay]
summary = "Takes money"
routes = []
needs = ["redis", "mongo"]
redis_keys = ["pay:*"]
redis_reads = ["shop:price:*"]
redis_commands = ["scan", "info|memory"]
collections = ["payments"]
memory_mb = 50
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"pay:*"', '"shop:x:*"', "shop and pay both write shop:x:"),
        ('"pay:*"', '"cart:*"', "shop and pay both write cart:"),
        ('"pay:*"', '"cart:total"', "shop and pay both write cart:total"),
        ('["payments"]', '["sales"]', "shop and pay both write sales"),
        ('"shop:price:*"', '"shelf:*"', "pay reads shelf:\\*, which no other service writes"),
        ('"shop:price:*"', '"pay:x"', "pay reads pay:x, which no other"),
        ('"shop:price:*"', '"sh*"', "sh\\* is no key"),
        ('"pay:*"', '"*"', "\\* is no key"),
        ('"pay:*"', '"pay:* +@all"', "is no key"),
        ('"scan"', '"@all"', "@all is no key, command"),
        ('["sales"]', '["sales.x"]', "sales.x is no key"),
        (
            'needs = ["redis", "mongo"]\nredis_keys = ["pay:*"]',
            'needs = ["mongo"]\nredis_keys = ["pay:*"]',
            "pay has pay:\\*, and does not need redis",
        ),
        (
            'needs = ["redis", "mongo"]\nredis_keys = ["shop',
            'needs = ["redis"]\nredis_keys = ["shop',
            "shop has sales, and does not need mongo",
        ),
    ],
)
def test_a_wrong_owner_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "fleet.toml"
    path.write_text(TOML)
    table.load(path)
    assert old in TOML
    path.write_text(TOML.replace(old, new, 1))
    with pytest.raises(FleetError, match=message):
        table.load(path)


def test_whoever_needs_a_store_owns_something_in_it() -> None:
    for service in FLEET.services.values():
        assert bool(service.owns.redis_keys) == ("redis" in service.needs), service.name
        assert bool(service.owns.collections) == ("mongo" in service.needs), service.name


@pytest.mark.parametrize("service", [*FLEET.services])
def test_a_services_collections_are_those_in_its_code(service: str) -> None:
    """Each module that stores something names its collection, and nothing else opens one."""
    named: set[str] = set()
    opened: set[str] = set()
    for path in (checkout.ROOT / "services" / service / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Assign(
                    targets=[ast.Name(id="COLLECTION")], value=ast.Constant(value=str(name))
                ):
                    named.add(name)
                case ast.Subscript(value=ast.Name(id="database") | ast.Attribute(attr="database")):
                    opened.add(ast.unparse(node.slice))
                case ast.Call(func=ast.Attribute(attr="get_collection")):
                    opened.add(ast.unparse(node))
                case _:
                    pass
    assert named == set(FLEET.services[service].owns.collections)
    assert opened <= {"COLLECTION"}
