"""The access log: one line for each request, all lines of one event-loop turn in one write.

A line is what kit.log's formatter would make of a record, put together here: making and formatting
a record takes longer than the fastest routes do. Where somebody else's handler listens (in tests,
under another server), it gets its record.
"""

from __future__ import annotations

import asyncio
import json
import logging
from datetime import UTC, datetime
from functools import lru_cache
from typing import TextIO, cast

from tracemypods.kit.log import JsonFormatter

_log = logging.getLogger("tracemypods.request")

_quoted = lru_cache(1024)(json.dumps)


class AccessLog:
    """Writes the access log of one service."""

    def __init__(self, service: str) -> None:
        self._common = (
            f'"level": "info", "service": {json.dumps(service)}, "logger": "{_log.name}", '
            f'"message": "request", '
        )
        self._lines: list[str] = []
        self._time = ""

    def write(self, identifier: str, method: str, path: str, status: int, seconds: float) -> None:
        """Write one request's line, at the end of this turn at the latest."""
        milliseconds = round(seconds * 1000, 1)
        if not self._lines:
            if not _log.isEnabledFor(logging.INFO):
                return
            if _our_handler() is None:
                fields = {"method": method, "path": path, "status": status}
                _log.info("request", extra={**fields, "milliseconds": milliseconds})
                return
            self._time = datetime.now(UTC).isoformat(timespec="milliseconds")
            asyncio.get_running_loop().call_soon(self._flush)
        self._lines.append(
            f'{{"time": "{self._time}", {self._common}"request_id": "{identifier}", '
            f'"method": "{method}", "path": {_quoted(path)}, "status": {status}, '
            f'"milliseconds": {milliseconds}}}\n'
        )

    def _flush(self) -> None:
        lines, self._lines = "".join(self._lines), []
        if (handler := _our_handler()) is not None:
            handler.acquire()
            try:
                handler.stream.write(lines)
                handler.flush()
            finally:
                handler.release()


def _our_handler() -> logging.StreamHandler[TextIO] | None:
    """The handler that kit.log.configure sets up, if it alone would get the record as it is."""
    handlers = logging.root.handlers
    if len(handlers) != 1 or _log.handlers or _log.filters or not _log.propagate:
        return None
    handler = handlers[0]
    if (
        isinstance(handler, logging.StreamHandler)
        and type(handler.formatter) is JsonFormatter
        and handler.level <= logging.INFO
        and not handler.filters
    ):
        return cast("logging.StreamHandler[TextIO]", handler)
    return None
