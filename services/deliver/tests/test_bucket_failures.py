"""A store of files that refuses, breaks off, or answers nonsense."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Awaitable

import pytest
from file_store import new_key, put, run, settings
from s3_stub import Asked, Respond, S3Stub, answer, error

from tracemypods.deliver.files.bucket import Bucket
from tracemypods.deliver.files.errors import FileDiffers
from tracemypods.deliver.files.keys import document_key
from tracemypods.kit.errors import Unavailable

CONTENT = b"%PDF-1.7"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


def always(said: bytes) -> Respond:
    return lambda _asked: said


FAILURES = [
    (error("500 Internal Server Error", "InternalError"), "file_store_unavailable"),
    (error("503 Slow Down", "SlowDown"), "file_store_unavailable"),
    (answer("502 Bad Gateway", b"<html>nginx"), "file_store_unavailable"),
    (answer("400 Bad Request", b"\xff\xfe not XML"), "file_store_unavailable"),
    (b"garbage\r\n\r\n", "file_store_unavailable"),
    (b"", "file_store_unavailable"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n", "file_store_unavailable"),
    (error("403 Forbidden", "AccessDenied"), "file_store_refused"),
    (error("400 Bad Request", "ExpiredToken"), "file_store_refused"),
    (error("404 Not Found", "NoSuchBucket"), "file_bucket_missing"),
]
OF_PUT = [(answer("200 OK", b"<html>Please sign in"), "file_store_unavailable")]
OF_GET = [
    (answer("200 OK", CONTENT * 100, ETag='"e"')[:-1], "file_store_unavailable"),
    (answer("200 OK", b"%PDF-1.8", ETag='"e"', X_Amz_Meta_Sha256=DIGEST), "file_damaged"),
]


async def code_of(call: Awaitable[object]) -> str:
    """The code with which a call fails."""
    with pytest.raises(Unavailable) as failed:
        await call
    return failed.value.code


def test_each_failure_has_a_name(caplog: pytest.LogCaptureFixture) -> None:
    said: list[bytes] = []

    async def work(bucket: Bucket) -> None:
        for case, code in [*FAILURES, *OF_PUT]:
            said[:] = [case]
            assert await code_of(put(bucket, new_key())) == code, case
        for case, code in [*FAILURES, *OF_GET]:
            said[:] = [case]
            assert await code_of(bucket.get(new_key())) == code, case

    caplog.set_level("DEBUG")
    with S3Stub(lambda _asked: said[0]) as stub:
        run(settings(stub.url), work)
        # Whoever wants it done tries again, not the client.
        assert len(stub.requests) == 2 * len(FAILURES) + len(OF_PUT) + len(OF_GET)
    shown = "\n".join(str(record.__dict__) for record in caplog.records)
    assert "s3 refused" in shown
    for secret in ("AKIA-SHOWN", "access-key-of-tests", "secret-key-of-tests"):
        assert secret not in shown


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    chosen = settings(f"http://127.0.0.1:{port}")
    code = run(chosen, lambda bucket: code_of(put(bucket, new_key())))
    assert code == "file_store_unavailable"


def test_no_proxy_is_asked_for_a_server_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    with S3Stub(always(answer("200 OK", ETag='"e"'))) as stub:
        run(settings(stub.url), lambda bucket: put(bucket, new_key()))
        (asked,) = stub.requests
    assert asked.path.startswith("/tracemypods/invoices/")


class Unconditional:
    """A server that knows no conditional puts; `there` is the digest of what it has."""

    def __init__(self, there: str | None = None) -> None:
        self.there = there

    def __call__(self, asked: Asked) -> bytes:
        if "if-none-match" in asked.headers:
            return error("501 Not Implemented", "NotImplemented")
        if asked.method == "HEAD":
            if self.there is None:
                return answer("404 Not Found")
            # The size belongs to a body that HEAD has not.
            head = answer("200 OK", CONTENT, ETag='"e"', X_Amz_Meta_Sha256=self.there)
            return head.removesuffix(CONTENT)
        self.there = asked.headers["x-amz-meta-sha256"]
        return answer("200 OK", ETag='"e"')


def test_without_conditions_it_is_looked_first() -> None:
    async def work(bucket: Bucket) -> None:
        key = new_key()
        assert not (await put(bucket, key, CONTENT)).was_there
        assert (await put(bucket, key, CONTENT)).was_there
        with pytest.raises(FileDiffers):
            await put(bucket, key, b"other")

    with S3Stub(Unconditional()) as stub:
        run(settings(stub.url), work)
        methods = [asked.method for asked in stub.requests]
    # It is found out once.
    assert methods == ["PUT", "HEAD", "PUT", "HEAD", "HEAD"]


@pytest.mark.parametrize("encryption", ["none", "AES256", "aws:kms"])
def test_what_is_sent_with_a_file(encryption: str) -> None:
    async def work(bucket: Bucket) -> None:
        await bucket.put(
            document_key("2026-27", "ord_1", "TMP/1"),
            CONTENT,
            content_type="application/pdf",
            filename="rechnung ü.pdf",
            metadata={"kind": "invoice"},
        )

    with S3Stub(always(answer("200 OK", ETag='"e"'))) as stub:
        run(settings(stub.url, s3_encryption=encryption), work)
        (asked,) = stub.requests
    wanted = None if encryption == "none" else encryption
    assert asked.path == "/tracemypods/invoices/2026-27/ord_1/TMP-1.pdf"
    assert asked.headers.get("x-amz-server-side-encryption") == wanted
    assert asked.headers["if-none-match"] == "*"
    assert asked.headers["content-type"] == "application/pdf"
    assert asked.headers["x-amz-meta-sha256"] == DIGEST
    assert asked.headers["x-amz-meta-kind"] == "invoice"
    assert asked.headers["content-disposition"] == (
        "attachment; filename=\"rechnung_u.pdf\"; filename*=UTF-8''rechnung%20%C3%BC.pdf"
    )
    assert not [name for name in asked.headers if "checksum" in name or name == "x-amz-trailer"]


def test_metadata_that_no_header_could_hold() -> None:
    async def work(bucket: Bucket) -> None:
        for metadata in ({"kind": "a\r\nb"}, {"Kind": "a"}, {"kind": "ü"}, {"sha256": "0" * 64}):
            with pytest.raises(ValueError, match="metadata"):
                await bucket.put(
                    new_key(), b"", content_type="text/plain", filename="a", metadata=metadata
                )

    run(settings("http://127.0.0.1:9"), work)
