"""What tests of files share: settings of a bucket, and calls to it from plain tests."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from tracemypods.deliver.files.bucket import Bucket, StoredFile
from tracemypods.deliver.files.settings import S3Settings
from tracemypods.kit.ids import new_id
from tracemypods.kit.settings import Mode
from tracemypods.local.testing.s3 import S3

ResultT = TypeVar("ResultT")

PDF = "application/pdf"
LONG = 60.0
"""Seconds; no test waits for it to end."""


def settings(url: str, **changed: Any) -> S3Settings:
    """Settings for a server, that wait as long as a slow machine needs."""
    values: dict[str, Any] = {
        "mode": Mode.LOCAL,
        "s3_url": url,
        "s3_bucket": S3.bucket,
        "s3_access_key": "access-key-of-tests",
        "s3_secret_key": "secret-key-of-tests",
        "s3_connect_seconds": LONG,
        "s3_read_seconds": LONG,
        "s3_answer_seconds": LONG,
        **changed,
    }
    return S3Settings(**values)


def of_server(s3: S3, **changed: Any) -> S3Settings:
    """Settings for the real server."""
    keys = {"s3_access_key": s3.access_key, "s3_secret_key": s3.secret_key}
    return settings(s3.url, **{**keys, **changed})


def run(chosen: S3Settings, work: Callable[[Bucket], Awaitable[ResultT]]) -> ResultT:
    """Do something with a bucket."""

    async def whole() -> ResultT:
        bucket = Bucket(chosen)
        try:
            return await work(bucket)
        finally:
            bucket.close()

    return asyncio.run(whole())


def new_key() -> str:
    """A key that no test has used."""
    return f"invoices/2026-27/{new_id('ord')}/TMP-2627-0000001.pdf"


async def put(
    bucket: Bucket, key: str, content: bytes = b"%PDF-1.7", filename: str = "invoice.pdf"
) -> StoredFile:
    """Put a file as deliver does."""
    return await bucket.put(key, content, content_type=PDF, filename=filename)
