"""Which environment each part gets, and what makes a part count as changed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tracemypods.kit.operators import OperatorKeys, new_key
from tracemypods.local import checkout, fingerprints, secrets, table
from tracemypods.local.data_directory import DataDirectory
from tracemypods.local.fleet import Fleet
from tracemypods.local.parts import Part
from tracemypods.local.plan import PRELOAD, plan
from tracemypods.local.ports import Ports
from tracemypods.local.request import Request, from_environment


@pytest.fixture
def data(tmp_path: Path) -> DataDirectory:
    directory = DataDirectory(tmp_path)
    directory.prepare()
    return directory


def parts_of(data: DataDirectory, **environment: str) -> dict[str, Part]:
    fleet = table.load()
    asked = Request(fleet.part_names, 0, environment)
    return {part.name: part for part in plan(fleet, data, asked, Ports(data))}


def test_services_get_only_what_they_need(data: DataDirectory) -> None:
    parts = parts_of(data)
    token, ask, frontend = (parts[name].environment for name in ("token", "ask", "frontend"))
    assert token["TRACEMYPODS_MODE"] == "local"
    assert token["TRACEMYPODS_HOST"] == "127.0.0.1"
    assert token["TRACEMYPODS_PORT"] == str(parts["token"].port)
    assert token["TRACEMYPODS_REDIS_URL"] == f"redis://127.0.0.1:{parts['redis'].port}/0"
    assert token["TRACEMYPODS_MONGO_URL"] == parts["mongo"].url
    assert "TRACEMYPODS_MONGO_URL" not in ask
    assert token["TRACEMYPODS_SECRETS_DIR"] == str(data.run / "secrets" / "token")
    assert token["TRACEMYPODS_CONFIG_DIR"] == str(checkout.CONFIG)
    assert "TRACEMYPODS_MODELS_URL" not in token
    assert ask["TRACEMYPODS_MODELS_URL"] == f"http://127.0.0.1:{parts['models'].port}/v1"
    assert ask["TRACEMYPODS_TOKEN_URL"] == parts["token"].url
    assert "TRACEMYPODS_REDIS_URL" not in frontend
    assert frontend["TRACEMYPODS_FRONTEND_SITE_DIR"] == str(checkout.FRONTEND)
    vector = parts["vector"].environment
    assert vector["TRACEMYPODS_VECTOR_DATA_DIR"] == str(data.root / "vector")
    assert vector["TRACEMYPODS_EMBEDDING_URL"] == parts["embedding"].url


def test_a_persons_settings_win_over_defaults_but_not_over_addresses(data: DataDirectory) -> None:
    environment = parts_of(
        data,
        TRACEMYPODS_MODE="demo",
        TRACEMYPODS_PORT="1",
        TRACEMYPODS_HOST="0.0.0.0",  # noqa: S104 - to be ignored
        TRACEMYPODS_REDIS_URL="redis://elsewhere",
        TRACEMYPODS_REDIS_USERNAME="asha",
        TRACEMYPODS_MONGO_URL="mongodb://elsewhere",
        TRACEMYPODS_SECRETS_DIR="/elsewhere",
        TRACEMYPODS_TOKEN_FREE_SECONDS="5",
        TRACEMYPODS_ASK_PROBE_SECONDS="1",
        TRACEMYPODS_TEST_ANYTHING="1",
    )["token"].environment
    assert environment["TRACEMYPODS_MODE"] == "demo"
    assert environment["TRACEMYPODS_HOST"] == "127.0.0.1"
    assert environment["TRACEMYPODS_PORT"] != "1"
    assert environment["TRACEMYPODS_REDIS_URL"].startswith("redis://127.0.0.1:")
    assert "TRACEMYPODS_REDIS_USERNAME" not in environment
    assert environment["TRACEMYPODS_MONGO_URL"].startswith("mongodb://127.0.0.1:")
    assert environment["TRACEMYPODS_SECRETS_DIR"] == str(data.run / "secrets" / "token")
    assert environment["TRACEMYPODS_TOKEN_FREE_SECONDS"] == "5"
    assert "TRACEMYPODS_ASK_PROBE_SECONDS" not in environment
    assert "TRACEMYPODS_TEST_ANYTHING" not in environment


def test_a_persons_model_server_replaces_the_embedded_one(data: DataDirectory) -> None:
    url = "http://127.0.0.1:11434/v1"
    with_theirs = {"TRACEMYPODS_MODELS_URL": url, "TRACEMYPODS_MODELS_API_KEY": "theirs"}
    parts = parts_of(data, **with_theirs)
    assert "models" not in parts
    assert parts["ask"].environment["TRACEMYPODS_MODELS_URL"] == url
    assert parts["ask"].environment["TRACEMYPODS_MODELS_API_KEY"] == "theirs"
    ours = parts_of(data, TRACEMYPODS_MODELS_API_KEY="theirs")
    assert "TRACEMYPODS_MODELS_API_KEY" not in ours["ask"].environment


@pytest.fixture
def with_s3(tmp_path: Path) -> Path:
    """A table in which token keeps files."""
    text = checkout.FLEET_TABLE.read_text()
    start = text.index("[services.token]")
    changed = text[:start] + text[start:].replace("needs = [", 'needs = ["s3", ', 1)
    path = tmp_path / "fleet.toml"
    path.write_text(changed)
    return path


def test_who_needs_s3_is_told_where_and_has_its_keys(data: DataDirectory, with_s3: Path) -> None:
    parts = parts_of_table(with_s3, data, TRACEMYPODS_S3_BUCKET="x", TRACEMYPODS_S3_SECRET_KEY="x")
    found = variables(parts["token"], "TRACEMYPODS_S3_")
    assert found == {
        "TRACEMYPODS_S3_URL": f"http://127.0.0.1:{parts['s3'].port}",
        "TRACEMYPODS_S3_BUCKET": "tracemypods",
    }
    assert {"s3_access_key", "s3_secret_key"} <= secrets_of(parts, "token")
    for name in parts.keys() - {"token", "deliver"}:
        assert "TRACEMYPODS_S3_URL" not in parts[name].environment, name
        if "TRACEMYPODS_SECRETS_DIR" in parts[name].environment:
            assert not {"s3_access_key", "s3_secret_key"} & secrets_of(parts, name), name


def test_a_persons_s3_replaces_the_embedded_one(data: DataDirectory, with_s3: Path) -> None:
    theirs = {
        "TRACEMYPODS_S3_URL": "https://s3.example.org",
        "TRACEMYPODS_S3_BUCKET": "theirs",
        "TRACEMYPODS_S3_ACCESS_KEY": "their-access",
        "TRACEMYPODS_S3_SECRET_KEY": "their-secret",
    }
    parts = parts_of_table(with_s3, data, **theirs)
    assert "s3" not in parts
    assert variables(parts["token"], "TRACEMYPODS_S3_") == theirs
    assert not {"s3_access_key", "s3_secret_key"} & secrets_of(parts, "token")
    assert variables(parts["frontend"], "TRACEMYPODS_S3_") == {}


def test_s3_has_many_ports_all_of_them_its_own(data: DataDirectory) -> None:
    parts = parts_of(data)
    mine = (parts["s3"].port, *parts["s3"].more_ports)
    assert len(set(mine)) == 10
    assert not set(mine) & {part.port for name, part in parts.items() if name != "s3"}
    again = parts_of(data)["s3"]
    assert (again.port, *again.more_ports) == mine


@pytest.fixture
def with_smtp(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A table in which token sends mail."""
    text = checkout.FLEET_TABLE.read_text()
    start = text.index("[services.token]")
    changed = text[:start] + text[start:].replace("needs = [", 'needs = ["smtp", ', 1)
    path = tmp_path / "fleet.toml"
    path.write_text(changed)
    return path


def variables(part: Part, prefix: str) -> dict[str, str]:
    return {name: value for name, value in part.environment.items() if name.startswith(prefix)}


def parts_of_table(path: Path, data: DataDirectory, **environment: str) -> dict[str, Part]:
    fleet = table.load(path)
    asked = Request(fleet.part_names, 0, environment)
    return {part.name: part for part in plan(fleet, data, asked, Ports(data))}


def test_who_needs_mail_is_told_where_and_nobody_else(data: DataDirectory, with_smtp: Path) -> None:
    parts = parts_of_table(with_smtp, data)
    mail = parts["mail"]
    (smtp_port,) = mail.more_ports
    assert parts["token"].environment["TRACEMYPODS_SMTP_URL"] == f"smtp://127.0.0.1:{smtp_port}"
    for name, part in parts.items():
        found = {variable for variable in part.environment if "SMTP" in variable}
        expected = {
            "token": {"TRACEMYPODS_SMTP_URL"},
            "order": {"TRACEMYPODS_SMTP_URL"},
            "deliver": {"TRACEMYPODS_SMTP_URL"},
            "mail": {"TRACEMYPODS_SANDBOX_MAIL_SMTP_PORT"},
        }
        assert found == expected.get(name, set()), name
    assert "TRACEMYPODS_SMTP_URL" not in parts_of(data)["token"].environment
    assert mail.kind == "sandbox"
    assert mail.module == "tracemypods.local.sandboxes.mail"
    assert mail.port != smtp_port
    assert mail.environment["TRACEMYPODS_SANDBOX_MAIL_SMTP_PORT"] == str(smtp_port)
    assert mail.environment["TRACEMYPODS_SANDBOX_MAIL_DATA_DIR"] == str(
        data.root / "sandboxes" / "mail"
    )
    assert parts_of_table(with_smtp, data)["mail"].more_ports == (smtp_port,)


def test_a_persons_mail_server_replaces_the_sandbox(data: DataDirectory, with_smtp: Path) -> None:
    theirs = {
        "TRACEMYPODS_SMTP_URL": "smtps://mail.example.org",
        "TRACEMYPODS_SMTP_PASSWORD": "theirs",
    }
    parts = parts_of_table(with_smtp, data, **theirs)
    assert "mail" not in parts
    assert theirs.items() <= parts["token"].environment.items()
    for name in parts.keys() - {"token", "order", "deliver"}:
        assert not theirs.keys() & parts[name].environment.keys(), name
    # A password without a server of one's own is for nobody.
    ours = parts_of_table(with_smtp, data, TRACEMYPODS_SMTP_PASSWORD="theirs")
    assert "TRACEMYPODS_SMTP_PASSWORD" not in ours["token"].environment


@pytest.mark.parametrize("mode", ["demo", "production", ""])
def test_sandboxes_and_their_routes_are_there_in_local_mode_only(
    data: DataDirectory, with_smtp: Path, mode: str
) -> None:
    local = parts_of_table(with_smtp, data)
    configuration = Path(local["gateway"].command[-1])
    assert "@mail path /local/inbox /local/inbox/*" in configuration.read_text()
    assert local["gateway"].environment["TRACEMYPODS_MAIL_UPSTREAM"] == (
        f"127.0.0.1:{local['mail'].port}"
    )
    parts = parts_of_table(with_smtp, data, TRACEMYPODS_MODE=mode)
    assert "mail" not in parts
    assert parts["gateway"].command[-1] == str(checkout.CADDYFILE)
    assert "TRACEMYPODS_MAIL_UPSTREAM" not in parts["gateway"].environment
    assert "TRACEMYPODS_SMTP_URL" not in parts["token"].environment


def test_a_sandboxs_settings_are_its_own(data: DataDirectory) -> None:
    parts = parts_of(
        data, TRACEMYPODS_SANDBOX_MAIL_KEPT_MESSAGES="5", TRACEMYPODS_SANDBOX_KEY="x" * 40
    )
    for name, part in parts.items():
        kept = part.environment.get("TRACEMYPODS_SANDBOX_MAIL_KEPT_MESSAGES")
        assert kept == ("5" if name == "mail" else None)
        assert "TRACEMYPODS_SANDBOX_KEY" not in part.environment
    assert secrets_of(parts, "mail") == {"sandbox_key"}


def test_no_secret_is_in_a_command_or_an_environment(data: DataDirectory) -> None:
    parts = parts_of(data)
    for file in data.secrets.iterdir():
        value = file.read_text().strip()
        for part in parts.values():
            assert value not in " ".join(part.command)
            assert value not in " ".join(part.environment.values())
            assert value not in repr(part)


def secrets_of(parts: dict[str, Part], name: str) -> set[str]:
    folder = Path(parts[name].environment["TRACEMYPODS_SECRETS_DIR"])
    return {file.name.removeprefix("tracemypods_") for file in folder.iterdir()}


def test_each_part_is_given_its_own_secrets_only(data: DataDirectory) -> None:
    parts = parts_of(data)
    assert secrets_of(parts, "token") == {
        *("token_checksum_key", "token_hash_key", "token_derivation_key"),
        *("redis_password", "operator_keys", "edge_order_token", "edge_ask_token"),
    }
    assert secrets_of(parts, "ask") == {
        *("token_checksum_key", "token_hash_key"),
        *("redis_password", "models_api_key", "operator_keys"),
        *("edge_ask_token", "edge_ask_embedding", "edge_ask_vector"),
    }
    assert secrets_of(parts, "embedding") == {"edge_ask_embedding", "edge_vector_embedding"}
    assert secrets_of(parts, "vector") == {
        *("operator_keys", "edge_ask_vector", "edge_vector_embedding"),
    }
    assert secrets_of(parts, "frontend") == set()
    assert secrets_of(parts, "models") == {"models_api_key"}
    for name in ("redis", "mongo", "s3", "gateway"):
        assert "TRACEMYPODS_SECRETS_DIR" not in parts[name].environment
    folder = data.run / "secrets"
    for path in folder.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0


def test_the_embedded_model_servers_key_is_not_shown_to_somebody_elses(
    data: DataDirectory,
) -> None:
    parts = parts_of(data, TRACEMYPODS_MODELS_URL="http://127.0.0.1:11434/v1")
    assert "models_api_key" not in secrets_of(parts, "ask")


def test_a_secret_that_is_not_a_services_any_more_is_taken_away(data: DataDirectory) -> None:
    parts_of(data)
    (data.run / "secrets" / "frontend" / "tracemypods_token_hash_key").write_text("left")
    assert secrets_of(parts_of(data), "frontend") == set()


def test_edge_keys_cannot_be_set_from_outside(data: DataDirectory) -> None:
    parts = parts_of(
        data,
        TRACEMYPODS_EDGE_ASK_TOKEN="x" * 40,
        TRACEMYPODS_TOKEN_DERIVATION_KEY="x" * 40,
        TRACEMYPODS_TOKEN_DERIVATION_KEY_PREVIOUS="x" * 40,
    )
    for part in parts.values():
        assert "x" * 40 not in part.environment.values()


def test_a_rotated_key_restarts_those_who_have_it(data: DataDirectory) -> None:
    before = parts_of(data)
    secrets.path(data, "token_derivation_key_previous").write_text("old" * 20)
    secrets.path(data, "token_derivation_key").write_text("new" * 20)
    after = parts_of(data)
    assert changed(before, after) == {"token"}
    assert "token_derivation_key_previous" in secrets_of(after, "token")
    assert "token_derivation_key_previous" not in secrets_of(after, "ask")
    secrets.path(data, "edge_ask_token").write_text("new" * 20)
    assert changed(after, parts_of(data)) == {"token", "ask"}


def test_operators_come_and_go_without_a_restart(data: DataDirectory) -> None:
    before = parts_of(data)
    with secrets.path(data, "operator_keys").open("a") as file:
        file.write('{"name": "asha"}\n')
    after = parts_of(data)
    assert changed(before, after) == set()
    folder = Path(after["token"].environment["TRACEMYPODS_SECRETS_DIR"])
    assert "asha" in (folder / "tracemypods_operator_keys").read_text()


def test_the_operator_that_is_made_is_one_as_services_know_them(data: DataDirectory) -> None:
    parts_of(data)
    file = secrets.path(data, "operator_keys")
    found = OperatorKeys(file).find(secrets.read(data, "operator_key"))
    assert found is not None
    assert (found.name, found.may("tokens:revoke")) == ("local", True)


def test_an_operators_key_that_was_lost_is_made_anew_beside_the_others(
    data: DataDirectory,
) -> None:
    parts_of(data)
    other, kept = new_key("asha", ("tokens:revoke",), datetime.now(UTC))
    file = secrets.path(data, "operator_keys")
    with file.open("a") as appended:
        appended.write(f"{kept.model_dump_json()}\n")
    secrets.path(data, "operator_key").unlink()
    parts_of(data)
    keys = OperatorKeys(file)
    for key, name in ((other, "asha"), (secrets.read(data, "operator_key"), "local")):
        found = keys.find(key)
        assert found is not None
        assert found.name == name
    assert len(file.read_text().splitlines()) == 2


def test_the_environment_of_a_service_that_was_never_started_is_whole(tmp_path: Path) -> None:
    environment = Fleet(tmp_path / "data", parts=["redis"]).environment("ask")
    folder = Path(environment["TRACEMYPODS_SECRETS_DIR"])
    assert (folder / "tracemypods_edge_ask_token").read_text()


def test_stray_variables_stay_outside() -> None:
    found = from_environment(
        {"HOME": "/home", "PYTHONPATH": "/x", "OLDPWD": "/y", "TRACEMYPODS_MODE": "demo"}
    )
    assert found == {"HOME": "/home", "TRACEMYPODS_MODE": "demo"}


def test_ports_differ_and_are_kept(data: DataDirectory) -> None:
    first = {name: part.port for name, part in parts_of(data).items()}
    assert len(set(first.values())) == len(first)
    assert {name: part.port for name, part in parts_of(data).items()} == first


def changed(before: dict[str, Part], after: dict[str, Part]) -> set[str]:
    return {
        name
        for name, part in before.items()
        if name not in after or part.fingerprint != after[name].fingerprint
    }


def test_only_what_a_setting_is_for_counts_as_changed(data: DataDirectory) -> None:
    before = parts_of(data)
    assert changed(before, parts_of(data)) == set()
    assert changed(before, parts_of(data, TRACEMYPODS_ASK_PROBE_SECONDS="1")) == {"ask"}
    proxies = parts_of(data, TRACEMYPODS_GATEWAY_TRUSTED_PROXIES="10.0.0.0/8")
    assert changed(before, proxies) == {"gateway"}
    # The gateway's routes to the sandboxes are gone, as are the sandboxes.
    services = set(table.load().services)
    demo = parts_of(data, TRACEMYPODS_MODE="demo")
    assert changed(before, demo) == {*services, *table.load().sandboxes, "gateway"}


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("services/token/src/tracemypods/token/routes.py", {"token"}),
        ("libs/contracts/src/tracemypods/contracts/tokens.py", {*table.load().services}),
        ("libs/mail/src/tracemypods/mail/message.py", {"order", "deliver"}),
        ("libs/events/src/tracemypods/events/sealing.py", {"order", "deliver"}),
        ("libs/kit/src/tracemypods/kit/redis.py", {*table.load().services}),
        ("config/models.toml", {*table.load().services}),
    ],
)
def test_a_service_changes_with_its_sources_and_those_it_depends_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, expected: set[str]
) -> None:
    for pattern in ("*/*/pyproject.toml", "*/*/src/**/*.py", "config/*.toml"):
        for path in checkout.ROOT.glob(pattern):
            copy = tmp_path / path.relative_to(checkout.ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    monkeypatch.setattr(checkout, "ROOT", tmp_path)
    monkeypatch.setattr(checkout, "CONFIG", tmp_path / "config")
    names = tuple(table.load().services)
    before = {name: fingerprints.of_service(name) for name in names}
    with (tmp_path / file).open("a") as changing:
        changing.write("# changed\n")
    assert {name for name in names if fingerprints.of_service(name) != before[name]} == expected


@pytest.mark.parametrize(
    ("file", "changes"),
    [
        ("libs/local/src/tracemypods/local/sandboxes/mail/page/inbox.js", True),
        ("libs/local/src/tracemypods/local/sandboxes/mail/smtp.py", True),
        ("libs/local/src/tracemypods/local/sandboxes/guard.py", True),
        ("libs/kit/src/tracemypods/kit/app.py", True),
        ("libs/local/src/tracemypods/local/plan.py", False),
        ("libs/local/src/tracemypods/local/sandboxes/other/app.py", False),
        ("services/token/src/tracemypods/token/routes.py", False),
    ],
)
def test_a_sandbox_changes_with_its_own_files_and_what_all_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, changes: bool
) -> None:
    for pattern in ("libs/*/pyproject.toml", "libs/*/src/**/*.*"):
        for path in checkout.ROOT.glob(pattern):
            copy = tmp_path / path.relative_to(checkout.ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    monkeypatch.setattr(checkout, "ROOT", tmp_path)
    before = fingerprints.of_sandbox("mail")
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    with (tmp_path / file).open("a") as changing:
        changing.write("\n")
    assert (fingerprints.of_sandbox("mail") != before) is changes


def test_the_forkserver_imports_nothing_of_ours() -> None:
    assert not any(package.startswith("tracemypods") for package in PRELOAD)
