"""What is rendered from fleet.toml."""

from __future__ import annotations

from pathlib import Path

import pytest

from tracemypods.local import checkout, cli, table
from tracemypods.local.errors import FleetError
from tracemypods.local.render import (
    TABLE_BEGIN,
    TABLE_END,
    caddyfile,
    everything,
    sandboxes_table,
    services_table,
    with_table,
)

TOML = """
[gateway]
port = 8080
memory_mb = 80
[backends.redis]
summary = "Valkey"
memory_mb = 30
[sandboxes.post]
summary = "Takes letters"
routes = ["/local/post/*"]
ports = ["smtp"]
provides = { smtp = "smtp://{smtp}", stamps = "http://{http}/local/post" }
secrets = ["sandbox_key"]
memory_mb = 20
[services.shop]
summary = "Sells"
routes = ["/shop", "/shop/*"]
needs = ["redis"]
secrets = ["shop_key"]
memory_mb = 50
[services.shop.internal]
"/internal/stock" = ["pay", "site"]
"/internal/price" = ["pay"]
[services.site]
summary = "Serves the pages"
routes = ["/*"]
needs = []
memory_mb = 50
"""


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    path = tmp_path / "fleet.toml"
    path.write_text(TOML)
    return path


def test_what_is_committed_is_current() -> None:
    assert [file.path.name for file in everything() if not file.is_current] == []


def test_check_fails_and_changes_nothing_when_something_is_not_current(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(checkout, "ROOT", tmp_path)
    monkeypatch.setattr(checkout, "BAKE", tmp_path / "docker-bake.hcl")
    monkeypatch.setattr(checkout, "CADDYFILE", tmp_path / "gateway" / "Caddyfile")
    monkeypatch.setattr(checkout, "CHART", tmp_path / "chart")
    monkeypatch.setattr(checkout, "README", tmp_path / "README.md")
    (tmp_path / "README.md").write_text(f"# Title\n{TABLE_BEGIN}\n{TABLE_END}\nrest\n")
    assert cli.main(["render", "--check"]) == 1
    said = capsys.readouterr().out.splitlines()
    assert {line.partition(" ")[0] for line in said} == {
        *("gateway/Caddyfile", "README.md", "chart/files/fleet.json", "chart/files/dev-keys.json"),
        *("chart/files/Caddyfile", "chart/files/Caddyfile.demo", "chart/files/images.json"),
        "docker-bake.hcl",
        *(f"chart/files/config/{file.name}" for file in checkout.CONFIG.glob("*.toml")),
    }
    assert all(line.endswith(" is not what fleet.toml says: run `make render`") for line in said)
    assert not (tmp_path / "gateway").exists()
    assert cli.main(["render"]) == 0
    assert cli.main(["render", "--check"]) == 0
    readme = (tmp_path / "README.md").read_text()
    assert readme.startswith(f"# Title\n{TABLE_BEGIN}\n| service |")
    assert readme.endswith(f"{TABLE_END}\nrest\n")
    for service in table.load().services:
        assert f"| {service} |" in readme


def test_a_service_gets_a_route_and_an_upstream(toml: Path) -> None:
    text = caddyfile(table.load(toml))
    assert "@shop path /shop /shop/*" in text
    assert "import to {$TRACEMYPODS_SHOP_UPSTREAM:shop:8000}" in text
    assert "import to {$TRACEMYPODS_SITE_UPSTREAM:site:8000}" in text
    assert "@site" not in text
    assert "<<" not in text


def test_a_route_for_the_fleet_alone_may_have_any_path(toml: Path) -> None:
    toml.write_text(TOML.replace('"/internal/stock"', '"/api/stock"'))
    found = table.load(toml)
    assert found.inside == ("/api/stock",)
    assert "/openapi.json /api/stock /api/stock/*\n" in caddyfile(found)
    toml.write_text(TOML.replace('"/internal/stock"', '"/api/stock/{shop}/take"'))
    assert table.load(toml).inside == ("/api/stock",)
    toml.write_text(
        TOML.replace('"/internal/stock"', '"/api/stock"').replace('"/shop", ', '"/api/stock/x", ')
    )
    with pytest.raises(FleetError, match="/api/stock is for the fleet alone"):
        table.load(toml)


def test_a_sandbox_has_a_route_only_where_it_is_asked_for(toml: Path) -> None:
    found = table.load(toml)
    assert "/local" not in caddyfile(found)
    text = caddyfile(found, found.sandboxes.values())
    assert "@post path /local/post/*" in text
    assert "import to {$TRACEMYPODS_POST_UPSTREAM:post:8000}" in text


def test_what_is_committed_for_other_modes_knows_no_sandbox() -> None:
    assert "/local" not in checkout.CADDYFILE.read_text()


def test_a_sandbox_says_what_it_provides_and_where(toml: Path) -> None:
    found = table.load(toml)
    post = found.sandboxes["post"]
    assert found.provided == {"smtp": post, "stamps": post}
    at = {"http": "127.0.0.1:1", "smtp": "127.0.0.1:2"}
    assert post.address("smtp", at) == "smtp://127.0.0.1:2"
    assert post.address("stamps", at) == "http://127.0.0.1:1/local/post"
    assert post.module == "tracemypods.local.sandboxes.post"
    assert found.part_names == ("redis", "post", "shop", "site", "gateway")
    assert found.memory_mb("post") == 20


def test_sandboxes_have_a_table_of_their_own(toml: Path) -> None:
    lines = sandboxes_table(table.load(toml)).splitlines()
    assert lines[2] == "| post | `/local/post/*` | smtp, stamps | Takes letters |"


def test_every_pair_of_caller_and_callee_is_one_edge(toml: Path) -> None:
    assert table.load(toml).edges == (("pay", "shop"), ("site", "shop"))


def test_the_table_shows_the_catch_all_as_the_root(toml: Path) -> None:
    lines = services_table(table.load(toml)).splitlines()
    assert lines[2] == "| shop | `/shop`, `/shop/*` | redis | Sells |"
    assert lines[3].startswith("| site | `/` |")


def test_half_a_pair_of_markers_is_refused() -> None:
    with pytest.raises(FleetError, match="needs both"):
        with_table(f"{TABLE_END} {TABLE_BEGIN}", "")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"/shop/*"', '"shop"', "shop is not a route"),
        ('"/shop/*"', '"/shop/*/x"', "is not a route"),
        ('"/shop/*"', '"/shop/"', "is not a route"),
        ('"/shop/*"', '"/shop"', "/shop is listed twice"),
        ('["redis"]', '["kafka"]', "shop needs kafka, which is not a part"),
        ('["redis"]', '["post"]', "shop needs post, which is not a part"),
        ("[sandboxes.post", "[sandboxes.redis", "same name"),
        ("/local/post/*", "/post/*", "what is under /local/, and that only"),
        ("/local/post/*", "/local/*", "what is under /local/, and that only"),
        ("/local/post/*", "/*", "what is under /local/, and that only"),
        ('"/shop", ', '"/local/shop", ', "what is under /local/, and that only"),
        ('ports = ["smtp"]', "", "the address of smtp names a port that it has not"),
        ("smtp://{smtp}", "smtp://{smtp.x}", "names a port that it has not"),
        ("smtp://{smtp}", "smtp://{", "names a port that it has not"),
        ('ports = ["smtp"]', 'ports = ["smtp", "http"]', "are no ports"),
        ('ports = ["smtp"]', 'ports = ["smtp", "a.b"]', "are no ports"),
        ("stamps =", "redis =", "redis is what another part provides"),
        ("[services.shop", "[services.redis", "same name"),
        ("port = 8080", "", "lacks a value"),
        ("port = 8080", "port = [", "can't be read"),
        ('"/internal/stock"', '"stock"', "stock is no internal route"),
        ('"/internal/stock"', '"/internal/*"', "is no internal route"),
        ('"/internal/stock"', '"/shop"', "/shop is for the fleet alone, and /shop is public"),
        ('"/internal/stock"', '"/shop/x"', "/shop/x is for the fleet alone, and /shop/\\* is"),
        ('"/shop", ', '"/shop", "/internal/x/y", ', "is not public"),
        ('["pay", "site"]', '["shop"]', "shop is no caller"),
        ('["pay", "site"]', '["pay_ment"]', "pay_ment is no caller"),
        ('"/shop", ', '"/internal/shop", ', "is not public"),
        ('"/*"', '"/site"', "exactly one service must list"),
        ("memory_mb = 20", 'memory_mb = 20\nscales_by = "moon"', "scales_by = 'moon'"),
        ("memory_mb = 20", "memory_mb = 20\ndrain_seconds = 0", "post: no such memory or time"),
        ("memory_mb = 20", 'memory_mb = 20\nconfig = ["../a.toml"]', "is no file of config/"),
        ("memory_mb = 20", 'memory_mb = 20\npublic_egress = ["x"]', "x is public, but no need"),
        ('["redis"]', '["redis"]\ncluster_needs = ["x"]', "shop needs x, which is not"),
        ("[services.shop]", "[cluster.x]\nsummary = 'X'\nport = 0\n[services.shop]", "is no port"),
    ],
)
def test_a_wrong_table_is_refused(toml: Path, old: str, new: str, message: str) -> None:
    assert old in TOML
    toml.write_text(TOML.replace(old, new))
    with pytest.raises(FleetError, match=message):
        caddyfile(table.load(toml))
