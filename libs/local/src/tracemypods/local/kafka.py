"""Kafka as the fleet knows it, as a part; what it does is in kafka_server.py."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping
from pathlib import Path

from tracemypods.local import fingerprints, kafka_server
from tracemypods.local.errors import MissingPackage
from tracemypods.local.parts import Part
from tracemypods.local.ports import HOST
from tracemypods.local.probes import KafkaProbe

NAME = "kafka"
URL_VARIABLE = "TRACEMYPODS_KAFKA_URL"
"""Where a person has brokers of their own, they are used instead of the embedded one."""
DEAD_LETTERS = ".dlt"


def part(topics: Mapping[str, int], port: int, environment: dict[str, str], restart: str) -> Part:
    """The broker, with these topics and their partitions. Raises MissingPackage.

    It keeps everything in memory, and knows no users: whoever can connect to this machine's
    127.0.0.1 can read and write. Who sent an event shows in its signature.
    """
    command = server_command(port, topics)
    return Part(
        name=NAME,
        kind="backend",
        port=port,
        url=url(port),
        environment=environment,
        probe=KafkaProbe(port),
        command=command,
        fingerprint=fingerprints.of_values(
            command,
            sorted(environment.items()),
            fingerprints.of_files([Path(kafka_server.__file__)]),
            fingerprints.of_installation(),
            restart,
        ),
        stop_seconds=3.0,
    )


def server_command(port: int, topics: Mapping[str, int]) -> tuple[str, ...]:
    """What starts the broker, with a topic of dead letters for each. Raises MissingPackage."""
    if importlib.util.find_spec("confluent_kafka") is None:
        raise MissingPackage(
            "the package confluent-kafka, which brings the embedded Kafka, is not installed: run "
            f"`make up`, or name brokers of your own in {URL_VARIABLE}"
        )
    named = [
        f"{name}{ending}={partitions}"
        for name, partitions in topics.items()
        for ending in ("", DEAD_LETTERS)
    ]
    return (sys.executable, "-I", "-m", kafka_server.__name__, str(port), *named)


def url(port: int) -> str:
    """Its address, where one asks which brokers there are."""
    return f"kafka://{HOST}:{port}"
