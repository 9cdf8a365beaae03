"""Makes the topics: `python -m tracemypods.events.topics`.

Each topic of the contracts and its topic of dead letters, where the broker has none of that name.
Those that are there are left as they are; one with another number of partitions is named, since
events of one order must stay in one partition. The embedded broker takes no such orders: it makes
a topic when it is first asked about one.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable, Iterable
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic  # pyright: ignore[reportMissingTypeStubs]
from aiokafka.errors import KafkaError, for_code  # pyright: ignore[reportMissingTypeStubs]

from tracemypods.contracts.events import DEAD_LETTERS, TOPICS, Topic
from tracemypods.events.clients import connection
from tracemypods.events.settings import KafkaSettings
from tracemypods.kit.settings import SettingsError, load

_THERE = 36
"""Kafka's error code for a topic that is there already."""
_SETTINGS = 78
"""The status of a command whose settings are wrong."""


async def make(
    settings: KafkaSettings,
    replication: int,
    say: Callable[[str], None],
    topics: Iterable[Topic] = TOPICS,
) -> bool:
    """Make what is not there; returns whether all topics are as they should be.

    Raises KafkaError when no broker answers.
    """
    wanted = {
        f"{topic.name}{ending}": topic.partitions
        for topic in topics
        for ending in ("", DEAD_LETTERS)
    }
    admin: Any = AIOKafkaAdminClient(**connection(settings))
    try:
        await admin.start()
        if admin._client.cluster.controller is None:
            say(
                "this broker takes no orders for topics: it makes them when it is first asked "
                "about them, as the embedded one does"
            )
            return True
        new = [NewTopic(name, number, replication) for name, number in wanted.items()]
        answer = await admin.create_topics(new)
        failed = False
        there: list[str] = []
        for name, code, *reason in answer.topic_errors:
            if code == _THERE:
                there.append(name)
            elif code:
                failed = True
                say(f"{name}: {for_code(code).__name__}: {(reason or [''])[0]}")
            else:
                say(f"{name}: made, {wanted[name]} partitions")
        found: list[Any] = await admin.describe_topics(there) if there else []
        for one in found:
            name, has = one["topic"], len(one["partitions"])
            if has == wanted[name]:
                say(f"{name}: there already")
            else:
                failed = True
                say(f"{name}: there already, with {has} partitions instead of {wanted[name]}")
        return not failed
    finally:
        await admin.close()


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its status."""
    parser = argparse.ArgumentParser(
        prog="python -m tracemypods.events.topics",
        description="Makes the topics of events, and those for dead letters, where they are not "
        "there yet. The broker's address comes from TRACEMYPODS_KAFKA_URL.",
    )
    parser.add_argument(
        "--replication",
        type=int,
        default=1,
        metavar="N",
        help="on how many brokers each topic lies (default: 1; three brokers: 3)",
    )
    given = parser.parse_args(arguments)

    def say(line: str) -> None:
        sys.stdout.write(f"{line}\n")

    try:
        settings = load(KafkaSettings)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return _SETTINGS
    try:
        return 0 if asyncio.run(make(settings, given.replication, say)) else 1
    except KafkaError as error:
        sys.stderr.write(f"Kafka does not answer as it should: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
