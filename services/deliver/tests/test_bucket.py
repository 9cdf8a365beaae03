"""Files in a real S3: put once, never replaced, and kept once that is said."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

import boto3  # pyright: ignore[reportMissingTypeStubs]
import httpx2
import pytest
from botocore.config import Config  # pyright: ignore[reportMissingTypeStubs]
from botocore.exceptions import ClientError  # pyright: ignore[reportMissingTypeStubs]
from file_store import LONG, new_key, of_server, put, run

from tracemypods.deliver.files.bucket import Bucket, StoredFile
from tracemypods.deliver.files.errors import FileDiffers, FileUnknown
from tracemypods.kit.errors import Unavailable
from tracemypods.local.testing.s3 import S3

CONTENT = b"%PDF-1.7 " + bytes(range(256)) * 120


def test_a_file_is_put_once_and_read_again(s3: S3) -> None:
    key = new_key()

    async def work(bucket: Bucket) -> tuple[StoredFile, StoredFile, StoredFile | None, bytes]:
        await bucket.check()
        first = await bucket.put(
            key,
            CONTENT,
            content_type="application/pdf",
            filename="invoice.pdf",
            metadata={"order-id": "ord_1"},
        )
        return first, await put(bucket, key, CONTENT), await bucket.head(key), await bucket.get(key)

    first, second, found, content = run(of_server(s3), work)
    assert (first.size, first.sha256) == (len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
    assert not first.was_there
    assert second == found == StoredFile(key, first.size, first.sha256, first.etag, was_there=True)
    assert content == CONTENT


def test_an_empty_place(s3: S3) -> None:
    async def work(bucket: Bucket) -> None:
        assert await bucket.head(new_key()) is None
        with pytest.raises(FileUnknown):
            await bucket.get(new_key())

    run(of_server(s3), work)


def test_another_file_under_the_same_key_is_refused(s3: S3) -> None:
    key = new_key()

    async def work(bucket: Bucket) -> bytes:
        await put(bucket, key, CONTENT)
        for other in (b"other", CONTENT + b"x", CONTENT[:-1] + b"?"):
            with pytest.raises(FileDiffers) as refused:
                await put(bucket, key, other)
            assert refused.value.key == key
        return await bucket.get(key)

    assert run(of_server(s3), work) == CONTENT


def test_of_many_puts_at_once_one_makes_the_file(s3: S3) -> None:
    key = new_key()

    async def work(bucket: Bucket) -> list[StoredFile]:
        return await asyncio.gather(*(put(bucket, key, CONTENT) for _ in range(8)))

    stored = run(of_server(s3), work)
    assert sorted(one.was_there for one in stored) == [False] + [True] * 7
    assert len({one.etag for one in stored}) == 1


def test_of_different_files_at_once_one_is_kept(s3: S3) -> None:
    key = new_key()
    contents = [f"content {number}".encode() for number in range(8)]

    async def work(bucket: Bucket) -> tuple[list[StoredFile | BaseException], bytes]:
        puts = (put(bucket, key, content) for content in contents)
        return await asyncio.gather(*puts, return_exceptions=True), await bucket.get(key)

    outcomes, kept = run(of_server(s3), work)
    (winner,) = (one for one in outcomes if isinstance(one, StoredFile))
    assert hashlib.sha256(kept).hexdigest() == winner.sha256
    assert sum(isinstance(one, FileDiffers) for one in outcomes) == 7


NAMES = {
    "TMP-2627-0000001.pdf": "TMP-2627-0000001.pdf",
    '"; filename="evil.exe': "filename__evil.exe",
    "a\r\nSet-Cookie: x=1.pdf": "aSet-Cookie__x_1.pdf",
    "चालान.pdf": "pdf",
    "": "file",
}


def test_a_link_downloads_the_file_under_its_name(s3: S3) -> None:
    key = new_key()

    async def work(bucket: Bucket) -> dict[str, str]:
        await put(bucket, key, CONTENT, "put.pdf")
        return {name: await bucket.link(key, name, 60) for name in NAMES}

    for name, link in run(of_server(s3), work).items():
        answer = httpx2.get(link, timeout=LONG)
        assert (answer.status_code, answer.content) == (200, CONTENT)
        assert answer.headers["content-type"] == "application/pdf"
        said = answer.headers["content-disposition"]
        assert said.startswith(f'attachment; filename="{NAMES[name]}";')
        assert "set-cookie" not in answer.headers


def test_a_link_is_for_this_file_and_name_only(s3: S3) -> None:
    key, other = new_key(), new_key()

    async def work(bucket: Bucket) -> str:
        await put(bucket, key)
        await put(bucket, other)
        return await bucket.link(key, "invoice.pdf", 60)

    link = run(of_server(s3), work)
    for forged in (
        link.replace(key, other),
        link.replace("invoice.pdf", "invoice.exe"),
        link.partition("?")[0],
    ):
        assert forged != link
        assert httpx2.get(forged, timeout=LONG).status_code == 403


def test_a_link_leads_to_the_public_address(s3: S3) -> None:
    public = of_server(s3, s3_public_url="https://files.shop.example")
    link = run(public, lambda bucket: bucket.link("invoices/a.pdf", "a.pdf", 300))
    assert link.startswith(f"https://files.shop.example/{S3.bucket}/invoices/a.pdf?")
    assert "X-Amz-Expires=300" in link
    assert s3.secret_key not in link


def test_a_link_holds_for_a_while_only(s3: S3) -> None:
    async def work(bucket: Bucket) -> None:
        for seconds in (0, -1, 604801):
            with pytest.raises(ValueError, match="may hold"):
                await bucket.link("a.pdf", "a.pdf", seconds)

    run(of_server(s3), work)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"s3_secret_key": "wrong-secret"}, "file_store_refused"),
        ({"s3_access_key": "nobody", "s3_secret_key": "x"}, "file_store_refused"),
        # Whoever may not use a bucket is not told whether it is there.
        ({"s3_bucket": "no-such-bucket"}, "file_store_refused"),
    ],
)
def test_wrong_settings_have_names_of_their_own(
    s3: S3, changed: dict[str, str], code: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def work(bucket: Bucket) -> None:
        with pytest.raises(Unavailable) as failed:
            await bucket.check()
        assert failed.value.code == code

    caplog.set_level("DEBUG")
    run(of_server(s3, **changed), work)
    shown = "\n".join(str(record.__dict__) for record in caplog.records)
    assert shown
    for secret in (s3.access_key, s3.secret_key, "wrong-secret", "nobody"):
        assert secret not in shown


def test_a_bucket_that_is_not_there_is_named_to_those_who_may_know(s3: S3) -> None:
    async def work(bucket: Bucket) -> None:
        with pytest.raises(Unavailable) as failed:
            await bucket.check()
        assert failed.value.code == "file_bucket_missing"

    root = {"s3_access_key": s3.root[0], "s3_secret_key": s3.root[1]}
    run(of_server(s3, **root, s3_bucket="no-such-bucket"), work)


def test_the_services_key_opens_its_bucket_alone(s3: S3) -> None:
    client: Any = boto3.client(
        "s3",
        endpoint_url=s3.url,
        region_name="us-east-1",
        aws_access_key_id=s3.access_key,
        aws_secret_access_key=s3.secret_key,
        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}),
    )
    try:
        client.put_object(Bucket=s3.bucket, Key=new_key(), Body=CONTENT)
        with pytest.raises(ClientError, match="AccessDenied"):
            client.create_bucket(Bucket="another")
        with pytest.raises(ClientError, match="AccessDenied"):
            client.put_object(Bucket="another", Key=new_key(), Body=CONTENT)
        with pytest.raises(ClientError, match="AccessDenied"):
            client.delete_bucket(Bucket=s3.bucket)
    finally:
        client.close()


def test_what_was_put_when_the_server_was_killed_is_there(s3: S3) -> None:
    keys = [new_key() for _ in range(20)]

    async def work(bucket: Bucket) -> set[str]:
        kept: set[str] = set()
        some = asyncio.Event()

        async def one(key: str) -> None:
            await put(bucket, key, CONTENT + key.encode())
            kept.add(key)
            some.set()

        puts = [asyncio.create_task(one(key)) for key in keys]
        await some.wait()
        s3.kill()
        outcomes = await asyncio.gather(*puts, return_exceptions=True)
        failures = [one for one in outcomes if one is not None]
        assert {one.code for one in failures if isinstance(one, Unavailable)} == {
            "file_store_unavailable"
        }
        assert len(kept) + len(failures) == len(keys)
        return kept

    kept = run(of_server(s3, s3_connections=2), work)
    assert 0 < len(kept) < len(keys)
    s3.start()

    async def look(bucket: Bucket) -> None:
        for key in kept:
            assert await bucket.get(key) == CONTENT + key.encode()
        # What was not confirmed is put again, whether it was there or not.
        for key in keys:
            await put(bucket, key, CONTENT + key.encode())

    run(of_server(s3), look)


@pytest.mark.parametrize("limit", ["s3_read_seconds", "s3_answer_seconds"])
def test_a_server_that_hangs_is_given_up_by_name(s3: S3, limit: str) -> None:
    async def work(bucket: Bucket) -> None:
        with pytest.raises(Unavailable) as failed:
            await put(bucket, new_key())
        assert failed.value.code == "file_store_unavailable"
        # The thread that waits, too, may end.
        s3.resume()

    s3.pause()
    run(of_server(s3, **{limit: 0.3}), work)
