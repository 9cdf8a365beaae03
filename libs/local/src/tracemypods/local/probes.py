"""Whether a part answers yet. Plain sockets: the supervisor is to stay small."""

from __future__ import annotations

import asyncio
import struct
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from tracemypods.local.ports import HOST
from tracemypods.local.s3_signature import signed_headers

_ANSWER_BYTES = 4096
_SHOWN_CHARACTERS = 200


class NotYet(Exception):
    """The part does not answer as it should; the message says how, in a few words."""


class Probe(Protocol):
    """Asks a part whether it is ready."""

    async def ask(self) -> None:
        """Return when it is. Raises NotYet, or OSError from the socket."""
        ...


@dataclass(frozen=True)
class RedisProbe:
    """PING, with the password."""

    port: int
    password: str = field(repr=False)

    async def ask(self) -> None:
        """Return when the server answers PONG (while it still loads its data, it does not)."""
        question = f"AUTH {self.password}\r\nPING\r\nQUIT\r\n".encode()
        answer = (await _exchange(self.port, question)).decode(errors="replace")
        lines = answer.split("\r\n")
        if lines[:2] != ["+OK", "+PONG"]:
            raise NotYet(f"PING answers {lines[-3:]}"[:_SHOWN_CHARACTERS])


@dataclass(frozen=True)
class HttpProbe:
    """GET a path."""

    port: int
    path: str
    any_status: bool = False
    """Any answer will do, not only 200."""

    async def ask(self) -> None:
        """Return when the path is answered with 200."""
        question = (
            f"GET {self.path} HTTP/1.1\r\nHost: {HOST}:{self.port}\r\n"
            "Accept: application/json\r\nConnection: close\r\n\r\n"
        )
        answer = await _exchange(self.port, question.encode())
        head, _, body = answer.decode(errors="replace").partition("\r\n\r\n")
        status = head.split(" ", 2)[1] if head.startswith("HTTP/") and " " in head else ""
        if status == "200" or (self.any_status and status):
            return
        shown = " ".join(body.split())[:_SHOWN_CHARACTERS]
        raise NotYet(f"GET {self.path} answers {status or 'nothing'}: {shown}")


@dataclass(frozen=True)
class S3Probe:
    """PUT of a file, which is deleted again.

    Anything less says less: while SeaweedFS starts, it refuses everybody, then has no bucket, then
    has one and knows of no place for what is in files.
    """

    port: int
    bucket: str
    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)

    async def ask(self) -> None:
        """Return when the file was put and deleted."""
        await self._call("PUT", b"?")
        await self._call("DELETE")

    async def _call(self, method: str, body: bytes = b"") -> None:
        path, host = f"/{self.bucket}/.ready", f"{HOST}:{self.port}"
        headers = signed_headers(
            method, host, path, self.access_key, self.secret_key, datetime.now(UTC), body
        )
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"{method} {path} HTTP/1.1\r\n{lines}Content-Length: {len(body)}\r\n"
        question = f"{head}Connection: close\r\n\r\n".encode() + body
        status = (
            (await _exchange(self.port, question)).decode(errors="replace").partition("\r\n")[0]
        )
        if status.split(" ")[1:2] not in (["200"], ["204"]):
            raise NotYet(f"{method} {path} answers {status or 'nothing'}"[:_SHOWN_CHARACTERS])


@dataclass(frozen=True)
class MongoProbe:
    """MongoDB's `ping` command."""

    port: int

    async def ask(self) -> None:
        """Return when the server answers that it is well."""
        reader, writer = await asyncio.open_connection(HOST, self.port)
        try:
            writer.write(_PING)
            await writer.drain()
            try:
                (length,) = struct.unpack("<i", await reader.readexactly(4))
                answer = await reader.readexactly(min(max(length, 4), _ANSWER_BYTES) - 4)
            except asyncio.IncompleteReadError:
                raise NotYet("it closes connections without an answer") from None
        finally:
            writer.close()
        if not any(field in answer for field in _OK):
            raise NotYet(f"ping answers {answer[-100:]!r}"[:_SHOWN_CHARACTERS])


def _ping() -> bytes:
    """One OP_MSG with the document {ping: 1, $db: "admin"}, in BSON."""
    fields = b"\x10ping\0" + struct.pack("<i", 1) + b"\x02$db\0" + struct.pack("<i", 6) + b"admin\0"
    document = struct.pack("<i", len(fields) + 5) + fields + b"\0"
    body = struct.pack("<i", 0) + b"\0" + document
    return struct.pack("<iiii", 16 + len(body), 1, 0, _OP_MSG) + body


_OP_MSG = 2013
_PING = _ping()
# `ok` is a whole number of the embedded server, and a float of a real one.
_OK = (b"\x10ok\0" + struct.pack("<i", 1), b"\x01ok\0" + struct.pack("<d", 1.0))


@dataclass(frozen=True)
class KafkaProbe:
    """Kafka's ApiVersions request, which the broker itself answers, not the relay before it."""

    port: int

    async def ask(self) -> None:
        """Return when the broker answers which requests it knows."""
        reader, writer = await asyncio.open_connection(HOST, self.port)
        try:
            writer.write(_API_VERSIONS)
            await writer.drain()
            try:
                answer = await reader.readexactly(_API_VERSIONS_HEAD.size)
            except asyncio.IncompleteReadError:
                raise NotYet("it closes connections without an answer") from None
        finally:
            writer.close()
        _, correlation, error, known = _API_VERSIONS_HEAD.unpack(answer)
        if correlation != _CORRELATION or error != 0 or known < 1:
            raise NotYet(f"ApiVersions answers error {error}")


_CORRELATION = 7
# ApiVersions (18) in version 0, from a client without a name (-1).
_API_VERSIONS = struct.pack(">ihhih", 10, 18, 0, _CORRELATION, -1)
# Length, correlation, error, and of how many requests the versions follow.
_API_VERSIONS_HEAD = struct.Struct(">iihi")


async def _exchange(port: int, question: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        writer.write(question)
        await writer.drain()
        answer = b""
        while chunk := await reader.read(_ANSWER_BYTES):
            answer += chunk
            if len(answer) >= _ANSWER_BYTES:
                break
        return answer
    finally:
        writer.close()
