"""Kafka's wire protocol from librdkafka's mock cluster: `python -m …kafka_server PORT [TOPIC=N …]`.

The mock cluster is one broker inside librdkafka, in memory only: what lies in it is gone when it
ends. It makes a topic with four partitions when one is first asked about (those named on the
command line with as many as said there), knows idempotent producers and consumer groups, and
neither CreateTopics nor users.

It listens on a port of its own choice, another at each start. So that its address can be known
beforehand, PORT is a relay to it: a client asks there which brokers there are, and goes to the
mock's own port for all that follows. SIGTERM ends it at once: it keeps nothing.
"""

from __future__ import annotations

import asyncio
import ctypes
import importlib.util
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from importlib.machinery import PathFinder
from typing import Any

HOST = "127.0.0.1"
_CHUNK_BYTES = 65536
_ERROR_BYTES = 512
_PRODUCER = 0
_QUIET = b"3"


class MockCluster:
    """The cluster, by librdkafka's own C interface (rdkafka_mock.h).

    confluent-kafka for Python shows none of it but a setting that starts one, and every group then
    waits three seconds for further members before its first one gets a partition.
    """

    def __init__(self, topics: Mapping[str, int]) -> None:
        self._library = _librdkafka()
        error = ctypes.create_string_buffer(_ERROR_BYTES)
        configuration = self._call("rd_kafka_conf_new")
        self._call("rd_kafka_conf_set", configuration, b"log_level", _QUIET, error, _ERROR_BYTES)
        handle = self._call("rd_kafka_new", _PRODUCER, configuration, error, _ERROR_BYTES)
        self._cluster = self._call("rd_kafka_mock_cluster_new", handle, 1) if handle else None
        if not self._cluster:
            raise OSError(f"the mock cluster does not start: {error.value.decode()}")
        self._call("rd_kafka_mock_group_initial_rebalance_delay_ms", self._cluster, 0)
        for name, partitions in topics.items():
            self._call("rd_kafka_mock_topic_create", self._cluster, name.encode(), partitions, 1)

    @property
    def port(self) -> int:
        """Where its broker listens, on 127.0.0.1."""
        address = self._call("rd_kafka_mock_cluster_bootstraps", self._cluster)
        text = ctypes.cast(address, ctypes.c_char_p).value or b""
        return int(text.rpartition(b":")[2])

    def _call(self, name: str, *arguments: Any) -> Any:
        """Call a function. Pointers come as numbers, and go as pointers."""
        function = getattr(self._library, name)
        function.restype = ctypes.c_void_p
        # A plain number would go as an int, and lose half of an address.
        return function(
            *(ctypes.c_void_p(one) if isinstance(one, int) else one for one in arguments)
        )


def _librdkafka() -> ctypes.CDLL:
    """The library inside the wheel, without confluent_kafka's own modules (and their memory)."""
    package = importlib.util.find_spec("confluent_kafka")
    found = PathFinder.find_spec("cimpl", package.submodule_search_locations if package else [])
    if found is None or not found.origin:
        raise OSError("the package confluent-kafka has no library in it")
    return ctypes.CDLL(found.origin)


async def relay(port: int, to: int) -> None:
    """Pass on what comes to 127.0.0.1:`port`, and what is answered, until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    open_connections: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(_connect(reader, writer, to))
        open_connections.add(task)
        task.add_done_callback(open_connections.discard)

    server = await asyncio.start_server(connected, HOST, port)
    sys.stdout.write(f"listening on {HOST}:{port}\n")
    sys.stdout.flush()
    await stop.wait()
    server.close()
    for task in open_connections:
        task.cancel()
    await asyncio.gather(*open_connections, return_exceptions=True)


async def _connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, to: int) -> None:
    try:
        with suppress(OSError):
            their_reader, their_writer = await asyncio.open_connection(HOST, to)
            try:
                async with asyncio.TaskGroup() as both:
                    both.create_task(_pass_on(reader, their_writer))
                    both.create_task(_pass_on(their_reader, writer))
            finally:
                their_writer.close()
    finally:
        writer.close()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await reader.read(_CHUNK_BYTES):
            writer.write(chunk)
            await writer.drain()
    # Whoever has said all is answered nothing more either: Kafka's clients never close by halves.
    writer.close()


def main() -> None:
    """Serve until told to stop."""
    port, *topics = sys.argv[1:]
    named = (topic.partition("=") for topic in topics)
    cluster = MockCluster({name: int(partitions) for name, _, partitions in named})
    asyncio.run(relay(int(port), cluster.port))


if __name__ == "__main__":
    main()
