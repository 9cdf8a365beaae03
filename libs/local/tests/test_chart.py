"""What the Helm chart is told of fleet.toml."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from tracemypods.local import chart, table
from tracemypods.local.errors import FleetError

TOML = """
[gateway]
port = 8080
memory_mb = 80
[backends.redis]
summary = "Valkey"
memory_mb = 30
[sandboxes.bank]
summary = "Takes no money"
routes = ["/local/bank/*"]
needs = ["shop"]
provides = { money = "http://{http}" }
secrets = ["bank_key"]
memory_mb = 20
container_memory_mb = 48
in_demo = true
[sandboxes.post]
summary = "Takes letters"
routes = ["/local/post/*"]
provides = { letters = "http://{http}" }
memory_mb = 20
[services.shop]
summary = "Sells"
routes = ["/shop", "/shop/*"]
needs = ["redis", "money"]
secrets = ["shop_key", "operator_keys"]
memory_mb = 50
container_memory_mb = 96
drain_seconds = 30
config = ["shop.toml"]
sees_clients = true
scales_by = "lag"
cluster_needs = ["atlas"]
public_egress = ["money"]
[services.shop.internal]
"/internal/stock" = ["site"]
[services.site]
summary = "Serves the pages"
routes = ["/*"]
needs = []
memory_mb = 50
container_memory_mb = 64
[topics.sales]
producer = "site"
consumers = ["shop"]
[cluster.redis]
summary = "Valkey"
port = 6379
[cluster.atlas]
summary = "Maps"
port = 1234
needs = ["redis"]
"""


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    path = tmp_path / "fleet.toml"
    path.write_text(TOML)
    return path


def test_a_service_is_what_the_table_says_of_it(toml: Path) -> None:
    assert chart.facts(table.load(toml))["services"]["shop"] == {
        "summary": "Sells",
        "module": "tracemypods.shop",
        "routes": [
            {"type": "Exact", "value": "/shop"},
            {"type": "PathPrefix", "value": "/shop"},
        ],
        "calls": [],
        "needs": ["redis", "money", "atlas"],
        "public": ["money"],
        "consumes": ["sales"],
        "secrets": [
            "tracemypods_shop_key",
            "tracemypods_operator_keys",
            "tracemypods_edge_site_shop",
        ],
        "config": ["shop.toml"],
        "seesClients": True,
        "scalesBy": "lag",
        "memoryMb": 96,
        "drainSeconds": 30,
    }


def test_who_may_call_a_route_is_who_calls(toml: Path) -> None:
    facts = chart.facts(table.load(toml))
    assert facts["services"]["site"]["calls"] == ["shop"]
    assert facts["services"]["site"]["routes"] == [{"type": "PathPrefix", "value": "/"}]


def test_only_sandboxes_of_demo_mode_are_there(toml: Path) -> None:
    facts = chart.facts(table.load(toml))
    assert list(facts["sandboxes"]) == ["bank"]
    assert facts["sandboxes"]["bank"]["module"] == "tracemypods.local.sandboxes.bank"
    assert facts["sandboxes"]["bank"]["provides"] == ["money"]


def test_development_keys_are_those_of_whoever_runs(toml: Path) -> None:
    found = chart.development_keys(table.load(toml))
    services = found["services"]
    assert sorted(services) == ["bank", "shop", "site"]
    edge = "tracemypods_edge_site_shop"
    assert services["shop"][edge] == services["site"][edge]
    assert services["shop"]["tracemypods_redis_username"] == "shop"
    assert found["operator"].startswith("dev-only-")
    operator = json.loads(services["shop"]["tracemypods_operator_keys"])
    assert operator["sha256"] == hashlib.sha256(found["operator"].encode()).hexdigest()
    assert "users.acl" in found["servers"]["redis"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("container_memory_mb = 96\n", "", "shop lacks container_memory_mb"),
        ("in_demo = true\n", "", "shop needs money, which is not in"),
        ('needs = ["redis"]\n', 'needs = ["mongo"]\n', "atlas needs mongo, which is not in"),
    ],
)
def test_a_table_that_no_cluster_can_do_with_is_refused(
    toml: Path, old: str, new: str, message: str
) -> None:
    assert old in TOML
    toml.write_text(TOML.replace(old, new))
    with pytest.raises(FleetError, match=message):
        chart.facts(table.load(toml))
