"""Up, down and up again."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import redis
from pymongo import MongoClient

from tracemypods.local.errors import BadRequest, FleetError, PartDied, PortInUse, Unwritable
from tracemypods.local.fleet import Fleet
from tracemypods.local.state import PartState

from .conftest import MakeFleet, processes_of, still_running


def valkey(fleet: Fleet) -> redis.Redis:
    return redis.from_url(fleet.url("redis"), password=fleet.secret("redis_password"))


def pids(fleet: Fleet) -> dict[str, int | None]:
    current = fleet.state()
    assert current is not None
    return {part.name: part.pid for part in current.parts}


def test_data_and_ports_survive_down_and_up(make_fleet: MakeFleet) -> None:
    with make_fleet("redis") as fleet, valkey(fleet) as client:
        client.set("kept", "value")
        url = fleet.url("redis")
    with make_fleet("redis") as fleet, valkey(fleet) as client:
        assert client.get("kept") == b"value"
        assert fleet.url("redis") == url


def test_what_mongo_holds_survives_down_and_up_and_a_kill(make_fleet: MakeFleet) -> None:
    with make_fleet("mongo") as fleet, MongoClient(fleet.url("mongo")) as client:
        client["tracemypods"]["tokens"].insert_one({"_id": "before down"})
        assert (fleet.data.root / "mongo" / "tracemypods.db").exists()
    with make_fleet("mongo") as fleet, MongoClient(fleet.url("mongo")) as client:
        tokens = client["tracemypods"]["tokens"]
        tokens.insert_one({"_id": "before kill"})
        fleet.kill("mongo")
        fleet.wait_until_ready("mongo", after_restarts=0)
        assert {found["_id"] for found in tokens.find()} == {"before down", "before kill"}


def test_mongo_stops_quietly_under_a_client(make_fleet: MakeFleet) -> None:
    fleet = make_fleet("mongo")
    fleet.start()
    with MongoClient(fleet.url("mongo")) as client:
        client["tracemypods"]["tokens"].insert_one({"_id": "a"})
        fleet.stop()
    said = fleet.log("mongo").read_text().splitlines()
    assert [line for line in said if "listening on" not in line] == []
    # Closed as it should be: nothing is left to be written from the log of changes.
    folder = fleet.data.root / "mongo"
    assert sorted(file.name for file in folder.iterdir()) == ["admin.db", "tracemypods.db"]


def test_mongo_listens_on_one_port(make_fleet: MakeFleet) -> None:
    with make_fleet("mongo") as fleet:
        port = int(fleet.url("mongo").split(":")[2].split("/")[0])
        listening = [
            (connection.laddr.ip, connection.laddr.port)
            for process in processes_of(fleet)
            for connection in process.net_connections("inet")
            if connection.status == "LISTEN"
        ]
        assert listening == [("127.0.0.1", port)]


def test_kafka_starts_again_on_its_address_and_leaves_nothing(make_fleet: MakeFleet) -> None:
    with make_fleet("kafka") as fleet:
        url = fleet.url("kafka")
        fleet.kill("kafka")
        fleet.wait_until_ready("kafka", after_restarts=0)
        assert fleet.url("kafka") == url
        processes = processes_of(fleet)
        assert len(processes) == 2  # the broker, the supervisor
    assert still_running(processes) == []


def test_down_leaves_no_process(make_fleet: MakeFleet) -> None:
    fleet = make_fleet("redis", "mongo", "token", "frontend", "gateway")
    fleet.start()
    processes = processes_of(fleet)
    assert len(processes) == 7  # five parts, the forkserver, the supervisor
    assert fleet.stop()
    assert still_running(processes) == []
    assert fleet.state() is None
    assert not fleet.stop()


def test_up_again_leaves_alone_what_runs(make_fleet: MakeFleet) -> None:
    with make_fleet("redis", "mongo", "token") as fleet:
        before = pids(fleet)
        fleet.start()
        assert pids(fleet) == before


def test_up_again_restarts_only_what_changed(make_fleet: MakeFleet) -> None:
    with make_fleet("redis", "mongo", "token", "frontend") as fleet:
        before = pids(fleet)
        changed = make_fleet(
            *("redis", "mongo", "token", "frontend"),
            environment={"TRACEMYPODS_TOKEN_FREE_SECONDS": "60"},
        )
        changed.start()
        after = pids(fleet)
        assert after["token"] != before["token"]
        assert {**after, "token": None} == {**before, "token": None}
        current = fleet.part("token")
        assert current.restarts == 0  # nothing went wrong


def test_parts_come_and_go_with_what_is_asked_for(make_fleet: MakeFleet) -> None:
    with make_fleet("redis") as fleet:
        before = pids(fleet)
        make_fleet("redis", "frontend").start()
        assert list(pids(fleet)) == ["redis", "frontend"]
        make_fleet("redis").start()
        assert pids(fleet) == before


def test_restart_of_one_part(make_fleet: MakeFleet) -> None:
    with make_fleet("redis", "frontend") as fleet:
        before = pids(fleet)
        fleet.restart("frontend")
        after = pids(fleet)
        assert after["redis"] == before["redis"]
        assert after["frontend"] != before["frontend"]


def test_what_was_restarted_is_not_restarted_by_the_next_up(make_fleet: MakeFleet) -> None:
    with make_fleet("redis", "frontend") as fleet:
        fleet.restart("frontend")
        before = pids(fleet)
        make_fleet("redis", "frontend").start()
        assert pids(fleet) == before


def test_progress_is_reported(make_fleet: MakeFleet) -> None:
    heard: list[tuple[str, str]] = []

    def report(part: PartState) -> None:
        heard.append((part.name, part.state))

    fleet = make_fleet("redis")
    state = fleet.start(report)
    assert heard[-1] == ("redis", "ready")
    assert state.parts[0].seconds is not None


def test_two_fleets_side_by_side(make_fleet: MakeFleet) -> None:
    with (
        make_fleet("redis", "gateway") as one,
        make_fleet("redis", "gateway", at="other") as other,
    ):
        assert one.url("redis") != other.url("redis")
        assert one.url() != other.url()
        with valkey(one) as client:
            client.set("only", "here")
        with valkey(other) as client:
            assert client.get("only") is None


def test_everything_listens_on_loopback_only(make_fleet: MakeFleet) -> None:
    with make_fleet("redis", "mongo", "kafka", "frontend", "gateway") as fleet:
        listening = {
            connection.laddr.ip
            for process in processes_of(fleet)
            for connection in process.net_connections("inet")
            if connection.status == "LISTEN"
        }
        assert listening == {"127.0.0.1"}


def test_the_gateways_port_is_kept_while_it_runs_and_moved_on_request(
    make_fleet: MakeFleet,
) -> None:
    with make_fleet("redis", "gateway") as fleet:
        first = fleet.url()
        redis_before = fleet.part("redis").pid
        make_fleet("redis", "gateway", port=None).start()
        assert fleet.url() == first
        with make_fleet("gateway", at="elsewhere") as elsewhere:
            free = int(elsewhere.url().rpartition(":")[2])
        make_fleet("redis", "gateway", port=free).start()
        assert fleet.url() == f"http://127.0.0.1:{free}"
        assert fleet.part("redis").pid == redis_before


def test_a_port_in_use_is_said_with_its_holder(make_fleet: MakeFleet) -> None:
    with make_fleet("gateway", at="other") as other:
        port = int(other.url().rpartition(":")[2])
        with pytest.raises(PortInUse) as caught:
            make_fleet("gateway", port=port).start()
        message = str(caught.value)
        assert f"port {port} is in use by caddy (pid {other.part('gateway').pid}" in message
        assert "PORT=" in message


def test_an_inner_port_that_was_taken_is_replaced(
    data: Path, make_fleet: MakeFleet, tmp_path: Path
) -> None:
    with make_fleet("redis") as fleet:
        taken = fleet.url("redis")
    other = tmp_path / "other" / "run"
    other.mkdir(parents=True)
    (other / "ports.json").write_text((data / "run" / "ports.json").read_text())
    with make_fleet("redis", at="other") as first, make_fleet("redis") as second:
        assert first.url("redis") == taken
        assert second.url("redis") != taken


def test_a_part_that_dies_at_start_is_reported_with_its_last_lines(make_fleet: MakeFleet) -> None:
    broken = {"TRACEMYPODS_TOKEN_FREE_SECONDS": "-1"}
    fleet = make_fleet("redis", "mongo", "token", environment=broken)
    with pytest.raises(PartDied) as caught:
        fleet.start()
    first, *rest = str(caught.value).splitlines()
    assert "token did not start: it ended with status 78" in first
    assert any("TRACEMYPODS_TOKEN_FREE_SECONDS" in line for line in rest)
    # What did start goes on, and a right setting is all that it takes.
    assert fleet.part("token").state == "failed"
    redis_before = fleet.part("redis").pid
    make_fleet("redis", "mongo", "token").start()
    assert fleet.part("token").state == "ready"
    assert fleet.part("redis").pid == redis_before


def test_secrets_are_private_and_made_once(make_fleet: MakeFleet) -> None:
    with make_fleet("redis") as fleet:
        first = {file.name: file.read_text() for file in fleet.data.secrets.iterdir()}
        assert stat.S_IMODE(fleet.data.secrets.stat().st_mode) == 0o700
        for file in (*fleet.data.secrets.iterdir(), fleet.data.run / "valkey.conf"):
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(fleet.data.request.stat().st_mode) == 0o600
        shown = [
            *(" ".join(process.cmdline()) for process in processes_of(fleet)),
            *(log.read_text() for log in fleet.data.logs.iterdir()),
            fleet.data.state.read_text(),
        ]
        assert sorted(first) == [
            "tracemypods_edge_ask_embedding",
            "tracemypods_edge_ask_token",
            "tracemypods_edge_ask_vector",
            "tracemypods_edge_deliver_order",
            "tracemypods_edge_order_deliver",
            "tracemypods_edge_order_payment",
            "tracemypods_edge_order_token",
            "tracemypods_edge_payment_order",
            "tracemypods_edge_vector_embedding",
            "tracemypods_models_api_key",
            "tracemypods_operator_key",
            "tracemypods_operator_keys",
            "tracemypods_order_secret_key",
            "tracemypods_razorpay_key_secret",
            "tracemypods_razorpay_webhook_secret",
            "tracemypods_redis_password",
            "tracemypods_s3_access_key",
            "tracemypods_s3_secret_key",
            "tracemypods_sandbox_key",
            "tracemypods_token_checksum_key",
            "tracemypods_token_derivation_key",
            "tracemypods_token_hash_key",
        ]
        assert len(set(first.values())) == len(first)
        for name, secret in first.items():
            if name != "tracemypods_operator_keys":
                assert len(secret.removeprefix("tmpods_op_")) == 43  # 32 bytes
            assert not any(secret in text for text in shown)
    with make_fleet("redis") as fleet:
        again = {file.name: file.read_text() for file in fleet.data.secrets.iterdir()}
    assert again == first


def test_reset_deletes_everything_and_nothing_else(
    data: Path, make_fleet: MakeFleet, tmp_path: Path
) -> None:
    fleet = make_fleet("redis")
    fleet.start()
    processes = processes_of(fleet)
    fleet.reset()
    assert still_running(processes) == []
    assert not data.exists()
    foreign = tmp_path / "photographs"
    foreign.mkdir()
    (foreign / "one.jpg").touch()
    with pytest.raises(FleetError, match="does not look like"):
        Fleet(foreign, parts=["redis"]).reset()
    assert (foreign / "one.jpg").exists()


def test_a_file_where_the_folder_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    with pytest.raises(Unwritable, match="data can't be written"):
        Fleet(tmp_path / "data", parts=["redis"]).start()


def test_unknown_parts_are_refused(make_fleet: MakeFleet) -> None:
    with pytest.raises(BadRequest, match="no part called nothing"):
        make_fleet("nothing")
