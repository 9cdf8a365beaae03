"""The embedded Kafka as a part, its topics, and somebody's own brokers in its place."""

from __future__ import annotations

import asyncio
import importlib.util
import struct
from pathlib import Path

import pytest

from tracemypods.contracts.events import TOPICS
from tracemypods.local import checkout, kafka, table
from tracemypods.local.data_directory import DataDirectory
from tracemypods.local.errors import FleetError, MissingPackage
from tracemypods.local.parts import Part
from tracemypods.local.plan import plan
from tracemypods.local.ports import Ports
from tracemypods.local.probes import KafkaProbe, NotYet
from tracemypods.local.request import Request
from tracemypods.local.testing.kafka import Kafka


@pytest.fixture
def data(tmp_path: Path) -> DataDirectory:
    directory = DataDirectory(tmp_path / "data")
    directory.prepare()
    return directory


def parts_of(path: Path, data: DataDirectory, **environment: str) -> dict[str, Part]:
    fleet = table.load(path)
    asked = Request(fleet.part_names, 0, environment)
    return {part.name: part for part in plan(fleet, data, asked, Ports(data))}


def secrets_of(parts: dict[str, Part], name: str) -> set[str]:
    folder = Path(parts[name].environment["TRACEMYPODS_SECRETS_DIR"])
    return {file.name.removeprefix("tracemypods_") for file in folder.iterdir()}


def test_topics_are_as_the_contracts_have_them() -> None:
    topics = {
        one.name: table.Topic(one.name, one.producer, one.consumers, one.partitions)
        for one in TOPICS
    }
    assert table.load().topics == topics


@pytest.fixture
def with_kafka(tmp_path: Path) -> Path:
    """A table in which token deals in events."""
    text = checkout.FLEET_TABLE.read_text()
    start = text.index("[services.token]")
    path = tmp_path / "fleet.toml"
    path.write_text(text[:start] + text[start:].replace("needs = [", 'needs = ["kafka", ', 1))
    return path


def test_who_needs_kafka_is_told_where(data: DataDirectory, with_kafka: Path) -> None:
    parts = parts_of(with_kafka, data)
    kafka = parts["kafka"]
    assert parts["token"].environment["TRACEMYPODS_KAFKA_URL"] == kafka.url
    assert "TRACEMYPODS_KAFKA_URL" not in parts["frontend"].environment
    assert {"orders=4", "orders.dlt=4", "deliveries=4"} <= set(kafka.command)
    assert {"edge_order_deliver", "edge_deliver_order"} <= secrets_of(parts, "order")


def test_a_persons_brokers_replace_the_embedded_one(data: DataDirectory, with_kafka: Path) -> None:
    theirs = {
        "TRACEMYPODS_KAFKA_URL": "kafka+ssl://kafka.example.org:9093",
        "TRACEMYPODS_KAFKA_PASSWORD": "theirs",
    }
    parts = parts_of(with_kafka, data, **theirs)
    assert "kafka" not in parts
    assert theirs.items() <= parts["token"].environment.items()
    assert not theirs.keys() & parts["frontend"].environment.keys()
    # A password without brokers of one's own is for nobody.
    ours = parts_of(with_kafka, data, TRACEMYPODS_KAFKA_PASSWORD="theirs")
    assert "TRACEMYPODS_KAFKA_PASSWORD" not in ours["token"].environment


@pytest.mark.parametrize(
    ("topic", "said"),
    [
        ('producer = "order"\nconsumers = ["order"]', "no end of it"),
        ('producer = "redis"\nconsumers = ["order"]', "not a service"),
        ('producer = "order"\nconsumers = []', "no such name"),
    ],
)
def test_topics_that_cannot_be_are_refused(tmp_path: Path, topic: str, said: str) -> None:
    path = tmp_path / "fleet.toml"
    path.write_text(f"{checkout.FLEET_TABLE.read_text()}\n[topics.wrong]\n{topic}\n")
    with pytest.raises(FleetError, match=said):
        table.load(path)


def test_the_package_is_named_when_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(_name: str) -> None:
        return None

    monkeypatch.setattr(importlib.util, "find_spec", nothing)
    with pytest.raises(MissingPackage, match=r"confluent-kafka.* is not installed"):
        kafka.part({}, 1, {}, "")


def ask(answer: bytes) -> None:
    async def work() -> None:
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            (length,) = struct.unpack(">i", await reader.readexactly(4))
            await reader.readexactly(length)
            writer.write(answer)
            writer.close()

        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        async with server:
            await KafkaProbe(server.sockets[0].getsockname()[1]).ask()

    asyncio.run(work())


def test_a_broker_that_answers_is_ready_and_others_are_not() -> None:
    ask(struct.pack(">iihi", 10, 7, 0, 50))
    with pytest.raises(NotYet, match="error 35"):
        ask(struct.pack(">iihi", 10, 7, 35, 0))
    with pytest.raises(NotYet, match="without an answer"):
        ask(b"")


def test_the_embedded_broker_answers_until_it_ends_and_when_it_starts_again() -> None:
    with Kafka({"orders": 1}) as broker:
        asyncio.run(KafkaProbe(broker.port).ask())
        broker.kill()
        with pytest.raises(OSError, match=r"refused|failed"):
            asyncio.run(KafkaProbe(broker.port).ask())
        broker.start()
        asyncio.run(KafkaProbe(broker.port).ask())
