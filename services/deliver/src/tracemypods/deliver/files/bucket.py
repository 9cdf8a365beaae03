"""The bucket: files are put there once, and never replaced.

boto3 waits in threads of the bucket's own. It tries nothing again by itself: whoever puts a file
does that, later and as often as it likes, since the same file put twice is there once.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from boto3.session import Session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tracemypods.deliver.files.disposition import content_disposition
from tracemypods.deliver.files.errors import (
    FileDiffers,
    FileUnknown,
    damaged,
    no_bucket,
    problem_of,
    problem_without_answer,
    status_of,
    unavailable,
)
from tracemypods.deliver.files.keys import require_key
from tracemypods.deliver.files.settings import S3Settings

LONGEST_LINK_SECONDS = 7 * 86400
"""What the signature allows."""

_SHA256 = "sha256"
_NAME = re.compile(r"[a-z0-9-]{1,40}")
_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,198}[\x21-\x7e])?")

_log = logging.getLogger("tracemypods.deliver.files")

ResultT = TypeVar("ResultT")


@dataclass(frozen=True)
class StoredFile:
    """A file in the bucket. `was_there`: it had been put before."""

    key: str
    size: int
    sha256: str
    etag: str
    was_there: bool


class Bucket:
    """Puts files into the bucket and gets them. Close it at the end.

    Every method raises Unavailable: `file_store_unavailable` when the store does not answer (in
    time, or sense), `file_store_refused` when it does not let us in, `file_bucket_missing`.
    """

    def __init__(self, settings: S3Settings) -> None:
        self._settings = settings
        self._bucket = settings.s3_bucket
        # In detail, they log headers, the access key's id and signatures among them.
        for name in ("boto3", "botocore", "urllib3"):
            logging.getLogger(name).setLevel(logging.WARNING)
        self._client = _client(settings, settings.s3_url)
        public = settings.s3_public_url or settings.s3_url
        self._public = self._client if public == settings.s3_url else _client(settings, public)
        self._threads = ThreadPoolExecutor(settings.s3_connections, "s3")
        self._knows_conditions = True

    def close(self) -> None:
        """Give up what still waits. Calls that are under way end by their own time limits."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._client.close()
        self._public.close()

    async def check(self) -> None:
        """Return when the store answers and the bucket is there for us."""
        try:
            await self._call("check", lambda: self._client.head_bucket(Bucket=self._bucket))
        except FileUnknown:
            # An answer to HEAD has no body that could say what is missing.
            raise no_bucket() from None

    async def put(
        self,
        key: str,
        content: bytes,
        *,
        content_type: str,
        filename: str,
        metadata: Mapping[str, str] | None = None,
    ) -> StoredFile:
        """Put a file there unless it is there already.

        Raises FileDiffers when another one is, which stays; ValueError for what is no key and for
        metadata that no header could hold.
        """
        digest = hashlib.sha256(content).hexdigest()
        wanted: dict[str, Any] = {
            "Bucket": self._bucket,
            "Key": require_key(key),
            "Body": content,
            "ContentType": content_type,
            "ContentDisposition": content_disposition(filename),
            "Metadata": {**_checked(metadata or {}), _SHA256: digest},
        }
        if self._settings.s3_encryption != "none":
            wanted["ServerSideEncryption"] = self._settings.s3_encryption
        if self._knows_conditions:
            try:
                answer = await self._call("put", lambda: self._put_new(wanted))
            except _NoConditions:
                self._knows_conditions = False
                _log.warning("this S3 knows no conditional puts: it is asked before each instead")
            else:
                if answer is not None:
                    return StoredFile(key, len(content), digest, _etag(answer), was_there=False)
                found = await self.head(key)
                if found is None:
                    # There a moment ago, and gone: somebody else is at work.
                    raise unavailable()
                return _same(found, digest, len(content))
        found = await self.head(key)
        if found is not None:
            return _same(found, digest, len(content))
        answer = await self._call("put", lambda: self._client.put_object(**wanted))
        return StoredFile(key, len(content), digest, _etag(answer), was_there=False)

    async def head(self, key: str) -> StoredFile | None:
        """What is known of a file; None when there is none."""
        place = {"Bucket": self._bucket, "Key": require_key(key)}
        try:
            answer = await self._call("head", lambda: self._client.head_object(**place))
        except FileUnknown:
            return None
        digest, size = _digest(answer) or "", int(answer["ContentLength"])
        return StoredFile(key, size, digest, _etag(answer), was_there=True)

    async def get(self, key: str) -> bytes:
        """A file's content.

        Raises FileUnknown, and Unavailable `file_damaged` when it is not what was put there.
        """
        place = {"Bucket": self._bucket, "Key": require_key(key)}

        def read() -> tuple[bytes, str | None]:
            answer = self._client.get_object(**place)
            body = answer["Body"]
            try:
                return body.read(), _digest(answer)
            finally:
                body.close()

        content, digest = await self._call("get", read)
        if digest is not None and hashlib.sha256(content).hexdigest() != digest:
            _log.error("a file is damaged", extra={"key": key})
            raise damaged()
        return content

    async def link(self, key: str, filename: str, seconds: int) -> str:
        """An address from which anybody can download a file as `filename`, for so many seconds.

        Whether the file is there is not looked at. Raises ValueError.
        """
        if not 0 < seconds <= LONGEST_LINK_SECONDS:
            raise ValueError(f"a link may hold for 1 to {LONGEST_LINK_SECONDS} seconds")
        wanted = {
            "Bucket": self._bucket,
            "Key": require_key(key),
            "ResponseContentDisposition": content_disposition(filename),
        }
        return await self._call(
            "link",
            lambda: self._public.generate_presigned_url(
                "get_object", Params=wanted, ExpiresIn=seconds
            ),
        )

    def _put_new(self, wanted: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Put a file where none is; None when one is, or is just being put by somebody else."""
        try:
            return self._client.put_object(**wanted, IfNoneMatch="*")
        except ClientError as error:
            if status_of(error) == 501:
                raise _NoConditions from None
            if status_of(error) in (409, 412):
                return None
            raise

    async def _call(self, what: str, call: Callable[[], ResultT]) -> ResultT:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._settings.s3_answer_seconds):
                return await loop.run_in_executor(self._threads, call)
        except ClientError as error:
            problem = problem_of(error)
            if not isinstance(problem, FileUnknown):
                # Its message may quote the access key's id.
                answered = {"call": what, "status": status_of(error), "code": problem.code}
                _log.warning("s3 refused", extra=answered)
            raise problem from None
        except (BotoCoreError, OSError, TimeoutError) as error:
            _log.warning("s3 failed", extra={"call": what, "reason": type(error).__name__})
            raise problem_without_answer(error) from None


class _NoConditions(Exception):
    """The server does not know conditional puts."""


def _client(settings: S3Settings, url: str | None) -> Any:
    access_key, secret_key = settings.s3_access_key, settings.s3_secret_key
    options: dict[str, Any] = {}
    if url is not None:
        # Servers of one's own have no names for buckets, and lie behind nobody's proxy.
        options = {"s3": {"addressing_style": "path"}, "proxies": {}}
    session = Session(
        aws_access_key_id=access_key.get_secret_value() if access_key else None,
        aws_secret_access_key=secret_key.get_secret_value() if secret_key else None,
        region_name=settings.s3_region,
    )
    return session.client(
        "s3",
        endpoint_url=url,
        config=Config(
            signature_version="s3v4",
            connect_timeout=settings.s3_connect_seconds,
            read_timeout=settings.s3_read_seconds,
            retries={"total_max_attempts": 1},
            max_pool_connections=settings.s3_connections,
            # Other servers than Amazon's stumble over checksums that nobody asked for.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            ignore_configured_endpoint_urls=True,
            **options,
        ),
    )


def _same(found: StoredFile, digest: str, size: int) -> StoredFile:
    """What is there already, which must be the same file. Raises FileDiffers."""
    if (found.sha256, found.size) != (digest, size):
        raise FileDiffers(found.key)
    return found


def _checked(metadata: Mapping[str, str]) -> Mapping[str, str]:
    for name, value in metadata.items():
        if not _NAME.fullmatch(name) or name == _SHA256 or not _VALUE.fullmatch(value):
            raise ValueError(f"{name!r} can't be metadata of a file")
    return metadata


def _digest(answer: Mapping[str, Any]) -> str | None:
    """The digest that was put with a file. Servers, and what is before them, spell its name as
    they like."""
    metadata: Mapping[str, str] = answer.get("Metadata", {})
    return {name.lower(): value for name, value in metadata.items()}.get(_SHA256)


def _etag(answer: Mapping[str, Any]) -> str:
    """What the server calls this content. Raises Unavailable: what gives none is no S3."""
    etag = str(answer.get("ETag", "")).strip('"')
    if not etag:
        raise unavailable()
    return etag
