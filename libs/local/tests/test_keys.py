"""Keys of a cluster: who gets which, that both ends have the same, and that none is lost."""

from __future__ import annotations

import base64
import json
import stat
from pathlib import Path

import pytest

from tracemypods.kit.operators import OperatorKeys
from tracemypods.kit.settings import DEV_ONLY, MINIMUM_SECRET_LENGTH
from tracemypods.local import checkout, cli, key_files, table
from tracemypods.local.errors import BadRequest, FleetError
from tracemypods.local.keys import (
    PASSWORDS,
    USER_NAMES,
    Keys,
    fixed,
    make,
    needed,
    random_operator,
    random_value,
)

FLEET = table.load()


def made(**options: object) -> Keys:
    return make(FLEET, random_value, lambda: random_operator("first"), **options)  # pyright: ignore[reportArgumentType]


def all_values(keys: Keys) -> list[str]:
    return [value for values in keys.services.values() for value in values.values()]


@pytest.fixture
def without_vector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the keys of the fleet as it was before the vector service came."""
    text = checkout.FLEET_TABLE.read_text()
    before, _, rest = text.partition("[services.vector]")
    after = "[services.order]" + rest.partition("[services.order]")[2]
    older = (before + after).replace(', "embedding", "vector"]', ', "embedding"]', 1)
    older = older.replace('"/api/embedding" = ["ask", "vector"]', '"/api/embedding" = ["ask"]')
    path = tmp_path / "older.toml"
    path.write_text(older)
    folder = tmp_path / "keys"
    with monkeypatch.context() as patch:
        fleet = table.load(path)
        patch.setattr(table, "load", lambda: fleet)
        assert cli.main(["keys", "--out", str(folder), "--namespace", "shop"]) == 0
    return folder


def test_each_service_gets_what_the_table_says_and_no_more() -> None:
    keys = made(given={"razorpay_key_secret": "k" * 20, "razorpay_webhook_secret": "w" * 20})
    for name, service in FLEET.services.items():
        assert set(keys.services[name]) == set(needed(FLEET, service))
    assert keys.missing == ()
    assert keys.services["frontend"] == {}
    assert set(keys.services["vector"]) == {
        *("edge_ask_vector", "edge_vector_embedding", "operator_keys", "vector_qdrant_api_key")
    }


def test_both_ends_of_an_edge_have_its_key_and_no_one_else_has() -> None:
    keys = made()
    for caller, callee in FLEET.edges:
        name = f"edge_{caller}_{callee}"
        holders = {one for one, values in keys.services.items() if name in values}
        assert holders == {caller, callee}
        assert keys.services[caller][name] == keys.services[callee][name]
    for name in ("token_hash_key", "token_checksum_key"):
        assert keys.services["ask"][name] == keys.services["token"][name]


def test_keys_differ_and_users_are_called_as_their_services() -> None:
    keys = made()
    for name in USER_NAMES:
        assert all(values.get(name, one) == one for one, values in keys.services.items())
    passwords = [v[n] for v in keys.services.values() for n in PASSWORDS if n in v]
    assert len(set(passwords)) == len(passwords)
    assert all(len(one) >= MINIMUM_SECRET_LENGTH for one in passwords)
    assert set(passwords).isdisjoint(all_values(made()))


def test_the_operators_key_is_known_by_its_hash_alone(tmp_path: Path) -> None:
    keys = made()
    assert keys.operator_key
    assert all(keys.operator_key not in value for value in all_values(keys))
    for name, service in FLEET.services.items():
        assert ("operator_keys" in keys.services[name]) == ("operator_keys" in service.secrets)
    file = tmp_path / "tracemypods_operator_keys"
    file.write_text(keys.services["token"]["operator_keys"])
    found = OperatorKeys(file).find(keys.operator_key)
    assert found is not None
    assert (found.name, found.scopes) == ("first", ("*",))


def test_the_servers_know_the_services_passwords() -> None:
    keys = made()
    users = json.loads(keys.servers["mongo"]["users.json"])["users"]
    assert {one["user"]: one["pwd"] for one in users} == {
        name: values["mongo_password"]
        for name, values in keys.services.items()
        if "mongo_password" in values
    }
    assert set(keys.servers) == {"redis", "mongo", "kafka", "s3", "qdrant"}
    assert keys.servers["qdrant"]["api_key"] == keys.services["vector"]["vector_qdrant_api_key"]


def test_what_others_make_is_named_when_it_is_not_given() -> None:
    assert {name for service, name in made().missing if service == "payment"} == {
        *("razorpay_key_secret", "razorpay_webhook_secret")
    }
    smtp = {"smtp_username": "asha", "smtp_password": "given"}
    given = made(given=smtp).services
    assert [name for name, values in given.items() if "smtp_password" in values] == [
        *("order", "deliver")
    ]
    for wrong in ("smtp_port", "operator_keys", "redis_password"):
        with pytest.raises(BadRequest, match=f"called {wrong}"):
            made(given={wrong: "x"})


def test_with_sandboxes_what_they_stand_for_is_made_too() -> None:
    keys = made(sandboxes=True)
    secret = keys.services["payment"]["razorpay_webhook_secret"]
    assert keys.services["razorpay"]["razorpay_webhook_secret"] == secret
    assert keys.missing == ()


def test_fixed_keys_are_always_the_same_and_recognisable() -> None:
    keys = fixed(FLEET)
    assert keys == fixed(FLEET)
    assert not keys.missing
    for service, values in keys.services.items():
        wanted = needed(FLEET, FLEET.ours[service])
        assert set(values) == set(wanted), service
        for name, value in values.items():
            if name == "operator_keys":
                assert f'"name":"{DEV_ONLY}operator"' in value
            elif name not in USER_NAMES:
                assert value.startswith(DEV_ONLY), name
                assert len(value) >= MINIMUM_SECRET_LENGTH, name
    edges = [
        fixed(FLEET).services[caller][f"edge_{caller}_{callee}"] for caller, callee in FLEET.edges
    ]
    assert len(set(edges)) == len(edges)
    assert base64.b64decode(keys.servers["mongo"]["keyfile"]).startswith(DEV_ONLY.encode())


def test_fixed_keys_have_the_names_and_the_shape_of_made_ones() -> None:
    fixed_entries = key_files.entries(fixed(FLEET))
    made_entries = key_files.entries(made(sandboxes=True))
    assert {name: set(one) for name, one in fixed_entries.items()} == {
        name: set(one) for name, one in made_entries.items()
    }


def test_files_are_private_and_never_overwritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "keys"
    assert cli.main(["keys", "--out", str(folder), "--release", "shop"]) == 0
    said = capsys.readouterr()
    assert "razorpay_key_secret" in said.err
    (key,) = [line.rpartition(" ")[2] for line in said.err.splitlines() if "operator" in line]
    assert key not in said.out
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    before = {file: file.read_text() for file in folder.iterdir()}
    assert {file.name for file in before} >= {"order.yaml", "redis.yaml"}
    assert not (folder / "frontend.yaml").exists()
    for file, text in before.items():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert f"  name: shop-{file.stem}\n" in text
        assert key not in text
    assert cli.main(["keys", "--out", str(folder)]) == 1
    assert "is not overwritten" in capsys.readouterr().err
    assert {file: file.read_text() for file in folder.iterdir()} == before


def test_what_is_printed_is_one_stream_of_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["keys", "--namespace", "shop"]) == 0
    documents = capsys.readouterr().out.split("---\n")
    with_keys = [one for one in FLEET.services.values() if needed(FLEET, one)]
    assert len(documents) == len(with_keys) + 5
    for document in documents:
        assert document.startswith("apiVersion: v1\nkind: Secret\nmetadata:\n  name: tracemypods-")
        assert "\n  namespace: shop\n" in document


def test_a_secret_is_read_as_it_was_written(tmp_path: Path) -> None:
    keys, place = made(sandboxes=True), key_files.Place("shop", "apart")
    key_files.write(tmp_path, key_files.documents(keys, place))
    read, where = key_files.read(tmp_path, FLEET)
    services = {name: values for name, values in keys.services.items() if values}
    assert (read.services, read.servers, where) == (services, keys.servers, place)


def test_a_new_services_keys_are_added_and_the_others_stay(
    without_vector: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, _ = key_files.read(without_vector, FLEET)
    assert "vector" not in before.services
    assert cli.main(["keys", "--add", str(without_vector)]) == 0
    said = capsys.readouterr()
    assert "key of the operator" not in said.out + said.err.partition("wrote")[2]
    after, place = key_files.read(without_vector, FLEET)
    assert place.namespace == "shop"
    for name, values in before.services.items():
        assert values.items() <= after.services[name].items()
    vector, ask = after.services["vector"], after.services["ask"]
    assert vector["edge_ask_vector"] == ask["edge_ask_vector"]
    assert vector["operator_keys"] == ask["operator_keys"]
    assert cli.main(["keys", "--add", str(without_vector)]) == 0
    assert "nothing was missing" in capsys.readouterr().out
    assert key_files.read(without_vector, FLEET)[0] == after


def test_a_rotated_token_key_leaves_the_one_before_beside_it(tmp_path: Path) -> None:
    known = made()
    keys = make(FLEET, random_value, None, known=known, rotate=["token_hash_key"])
    old = known.services["token"]["token_hash_key"]
    new = keys.services["token"]["token_hash_key"]
    assert new != old
    for name in ("token", "ask"):
        assert keys.services[name]["token_hash_key"] == new
        assert keys.services[name]["token_hash_key_previous"] == old
    for name in set(FLEET.services) - {"token", "ask"}:
        assert keys.services[name] == known.services[name]
    assert keys.servers == known.servers
    assert keys.operator_key is None


def test_a_rotated_edge_or_password_is_new_wherever_it_is(tmp_path: Path) -> None:
    known = made()
    rotate = ["edge_order_token", "redis_password"]
    keys = make(FLEET, random_value, None, known=known, rotate=rotate)
    changed = {
        (name, key)
        for name, values in keys.services.items()
        for key in values
        if known.services[name].get(key) != values[key]
    }
    assert changed == {
        *(("order", "edge_order_token"), ("token", "edge_order_token")),
        *((name, "redis_password") for name in ("ask", "token", "order")),
    }
    assert keys.services["order"]["edge_order_token"] == keys.services["token"]["edge_order_token"]
    assert keys.servers["redis"]["users.acl"] != known.servers["redis"]["users.acl"]
    assert keys.servers["redis"]["root_password"] == known.servers["redis"]["root_password"]
    one = make(FLEET, random_value, None, known=known, rotate=["redis_password"], only=["ask"])
    assert set(one.services) == {"ask"}
    assert one.services["ask"]["redis_password"] != known.services["ask"]["redis_password"]
    with pytest.raises(BadRequest, match="together with token_hash_key only"):
        make(FLEET, random_value, None, known=known, rotate=["token_checksum_key"])
    theirs = made(sandboxes=True)
    with pytest.raises(BadRequest, match="razorpay_key_secret is made by others"):
        make(FLEET, random_value, None, known=theirs, rotate=["razorpay_key_secret"])
    for wrong in ("nothing", "operator_keys", "redis_username"):
        with pytest.raises(BadRequest, match=f"no {wrong} to rotate"):
            make(FLEET, random_value, None, known=known, rotate=[wrong])


def test_half_an_edge_is_not_made() -> None:
    with pytest.raises(BadRequest, match="needs it, too: name both"):
        made(only=["order"])
    known = made()
    with pytest.raises(BadRequest, match="edge_order_token is new, and token needs it"):
        make(FLEET, random_value, None, known=known, rotate=["edge_order_token"], only=["order"])
    assert set(made(only=["frontend"]).services) == {"frontend"}
    with pytest.raises(BadRequest, match="no service called orders"):
        made(only=["orders"])


def test_a_further_operator_comes_beside_the_first() -> None:
    known = made()
    keys = make(FLEET, random_value, lambda: random_operator("asha"), known=known)
    for service in ("token", "deliver"):
        lines = keys.services[service]["operator_keys"].splitlines()
        assert [json.loads(line)["name"] for line in lines] == ["first", "asha"]
        assert lines[:1] == known.services[service]["operator_keys"].splitlines()
    left = make(FLEET, random_value, None, known=keys, withdraw=["first"])
    for service in ("token", "deliver"):
        (line,) = left.services[service]["operator_keys"].splitlines()
        assert json.loads(line)["name"] == "asha"
    with pytest.raises(BadRequest, match="no operator called first"):
        make(FLEET, random_value, None, known=left, withdraw=["first"])
    with pytest.raises(BadRequest, match="an operator called first already"):
        make(FLEET, random_value, lambda: random_operator("first"), known=known)
    with pytest.raises(BadRequest, match="an operator is for all services"):
        make(FLEET, random_value, lambda: random_operator("b"), known=known, only=["token"])


def test_services_that_know_different_keys_are_named() -> None:
    keys = made()
    services = {name: dict(values) for name, values in keys.services.items()}
    services["order"]["edge_order_token"] = "x" * 40
    with pytest.raises(FleetError, match="order and token have different values of edge_order"):
        make(FLEET, random_value, None, known=Keys(services, keys.servers))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--rotate", "edge_order_token"], "this needs --add"),
        (["--withdraw", "first"], "this needs --add"),
        (["--given", "razorpay_key_secret"], "is not NAME=FILE"),
        (["--given", "razorpay_key_secret=/nowhere"], "/nowhere can't be read"),
        (["--release", "Shop"], "no name that Kubernetes takes"),
        (["--add", "/nowhere"], "there is nothing in /nowhere"),
    ],
)
def test_what_makes_no_sense_is_refused(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["keys", *arguments]) == 1
    said = capsys.readouterr()
    assert message in said.err
    assert said.out == ""


@pytest.mark.parametrize(
    ("old", "new"),
    [("kind: Secret", "kind: {Secret"), ('  tracemypods_edge_ask_token: "', '  x: "%')],
)
def test_a_file_that_somebody_has_spoilt_is_named(
    tmp_path: Path, old: str, new: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "keys"
    assert cli.main(["keys", "--out", str(folder)]) == 0
    file = folder / "ask.yaml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))
    assert cli.main(["keys", "--add", str(folder)]) == 1
    assert str(file) in capsys.readouterr().err


def test_another_releases_folder_is_not_added_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = str(tmp_path / "keys")
    assert cli.main(["keys", "--out", folder, "--release", "shop"]) == 0
    assert cli.main(["keys", "--add", folder, "--release", "other"]) == 1
    assert "Secrets are of shop" in capsys.readouterr().err
