"""What aiokafka's clients have in common here: how they connect, and when that is in vain.

A client asks the configured addresses once which brokers there are, and from then on only those
brokers. When all of them have moved (the embedded broker has another port after each start, a
cluster may be built anew), it would try their old addresses for ever. So clients are watched and
made again, from the configured addresses, once no broker that they know can be reached.
"""

from __future__ import annotations

import asyncio
import ssl
import traceback
from typing import Any

from aiokafka.errors import KafkaError  # pyright: ignore[reportMissingTypeStubs]

from tracemypods.events.liveness import Liveness
from tracemypods.events.settings import KafkaSettings
from tracemypods.kit import tasks

_LOOK_SECONDS = 0.5
_REACH_SECONDS = 2.0
_LOOKS = 2
"""So often in a row must all be away: a broker that restarts in its place is waited for."""


def connection(settings: KafkaSettings) -> dict[str, Any]:
    """The arguments that all of aiokafka's clients take."""
    brokers = settings.kafka_brokers
    found: dict[str, Any] = {
        "bootstrap_servers": list(brokers.addresses),
        "request_timeout_ms": int(settings.kafka_request_seconds * 1000),
        "security_protocol": "SSL" if brokers.encrypted else "PLAINTEXT",
    }
    if brokers.encrypted:
        found["ssl_context"] = ssl.create_default_context()
    if settings.kafka_username and settings.kafka_password:
        found |= {
            "security_protocol": "SASL_SSL" if brokers.encrypted else "SASL_PLAINTEXT",
            "sasl_mechanism": settings.kafka_mechanism,
            "sasl_plain_username": settings.kafka_username,
            "sasl_plain_password": settings.kafka_password.get_secret_value(),
        }
    return found


def leave_nothing_open(client: Any) -> None:
    """Have an AIOKafkaClient close its first connection when it is cancelled while it begins.

    It asks on it which brokers there are. aiokafka forgets it then, with its socket open.
    """
    begin: Any = client.bootstrap

    async def bootstrap() -> None:
        try:
            await begin()
        except asyncio.CancelledError as cancelled:
            for frame, _ in traceback.walk_tb(cancelled.__traceback__):
                if first := frame.f_locals.get("bootstrap_conn"):
                    first.close()
            raise

    client.bootstrap = bootstrap


async def close(client: Any) -> None:
    """Close an AIOKafkaClient for certain.

    The task that keeps its knowledge current may swallow a cancellation, when one comes at the
    moment a connection is refused; `close` alone would then wait for minutes, or leave it behind.
    """
    if client._sync_task is not None:
        await tasks.end(client._sync_task)
    await client.close()


async def until_unreachable(client: Any) -> None:
    """Return when none of the brokers that an AIOKafkaClient knows can be reached any more.

    aiokafka says that nowhere, so this looks at its connections (`_conns`), and tries the brokers'
    addresses when none is open.
    """
    missed = 0
    while missed < _LOOKS:
        await asyncio.sleep(_LOOK_SECONDS)
        known = [(broker.host, broker.port) for broker in client.cluster.brokers()]
        connected = any(one.connected() for one in client._conns.values())
        away = bool(known) and not connected and not await _any_listens(known)
        missed = missed + 1 if away else 0


async def _any_listens(addresses: list[tuple[str, int]]) -> bool:
    for host, port in addresses:
        try:
            async with asyncio.timeout(_REACH_SECONDS):
                _, writer = await asyncio.open_connection(host, port)
        except (OSError, TimeoutError):
            continue
        writer.close()
        return True
    return False


async def until_stuck(client: Any, liveness: Liveness, seconds: float) -> None:
    """Return when an AIOKafkaConsumer does not read, although it could.

    It has not been asked for records for so long, or it stays where it was although there are
    further ones, or it does not answer.
    """
    behind: dict[Any, int] = {}
    silent = 0
    while silent < _LOOKS:
        await asyncio.sleep(seconds)
        if liveness.seconds_since_poll > seconds:
            return
        try:
            async with asyncio.timeout(seconds):
                now = await _behind(client)
        except (KafkaError, TimeoutError):
            silent += 1
            continue
        silent = 0
        if any(behind.get(partition) == position for partition, position in now.items()):
            return
        behind = now


async def _behind(client: Any) -> dict[Any, int]:
    """Where it is in those partitions that have more, and that it is meant to read."""
    reading = client.assignment() - client.paused()
    if not reading:
        return {}
    ends = await client.end_offsets(list(reading))
    found: dict[Any, int] = {}
    for partition, end in ends.items():
        position = await client.position(partition)
        if end > position and partition not in client.paused():
            found[partition] = position
    return found
