"""MongoDB's wire protocol over SQLite: `python -m …mongo_server PORT FOLDER`.

nx-27017 keeps one SQLite file for each database in FOLDER. It is right for plain operations on
single documents and for unique and TTL indexes, and no more is asked of it (`$push`, `$pull`,
transactions and compound indexes with `_id` are not; a date that an update sets becomes text, so
what is updated is stored as a number). SIGTERM ends it once what it was asked for
is written.

This stands in for its own command, which writes a log and a process id to fixed places in /tmp,
and which does not close its databases when it is told to stop.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import signal
import sys
from typing import Any

HOST = "127.0.0.1"
LAST_ANSWERS_SECONDS = 5.0
"""How long commands that have begun may take once the server is told to stop."""


async def serve(handler: Any, port: int) -> None:
    """Answer on 127.0.0.1 until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    answer = importlib.import_module("nx_27017.server").handle_client
    open_connections: dict[asyncio.Task[None], tuple[asyncio.StreamReader, asyncio.StreamWriter]]
    open_connections = {}

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(answer(reader, writer, handler))
        open_connections[task] = reader, writer
        task.add_done_callback(open_connections.pop)

    server = await asyncio.start_server(connected, HOST, port)
    logging.info("listening on %s:%s", HOST, port)
    await stop.wait()
    server.close()
    for reader, writer in open_connections.values():
        # As if the caller had nothing more to ask: what it did ask is answered.
        transport: Any = writer.transport
        transport.pause_reading()
        reader.feed_eof()
    if open_connections:
        await asyncio.wait(open_connections, timeout=LAST_ANSWERS_SECONDS)


def main() -> None:
    """Serve until told to stop, then close the databases."""
    # Below warnings, it writes a line or more for each command.
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    for name in ("nx_27017", "neosqlite"):
        logging.getLogger(name).setLevel(logging.WARNING)
    port, folder = int(sys.argv[1]), sys.argv[2]
    handler: Any = importlib.import_module("nx_27017.handler").NeoSQLiteHandler(data_dir=folder)
    try:
        # Commands run in threads, which this waits for.
        asyncio.run(serve(handler, port))
    finally:
        handler.close_all()


if __name__ == "__main__":
    main()
