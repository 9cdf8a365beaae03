"""What can go wrong with files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from tracemypods.kit.errors import NotFound, Problem, Unavailable

UNAVAILABLE = "file_store_unavailable"
REFUSED = "file_store_refused"
NO_BUCKET = "file_bucket_missing"
DAMAGED = "file_damaged"

_OF_ACCESS = frozenset({401, 403})
_OF_SETTINGS = frozenset(
    {
        *("AuthorizationHeaderMalformed", "ExpiredToken", "InvalidToken", "PermanentRedirect"),
        *("NoCredentialsError", "PartialCredentialsError"),
    }
)
"""What the store, or boto3 before it asks, says of wrong or old keys and of a wrong region."""


class FileUnknown(NotFound):
    """There is no such file."""

    code = "file_unknown"


class FileDiffers(Problem):
    """Another file lies under this key already; it was left as it is."""

    status, code = 409, "file_differs"

    def __init__(self, key: str) -> None:
        super().__init__("Another file is kept under this key already; it was not replaced.")
        self.key = key


def unavailable() -> Unavailable:
    """The store gives no answer, or none that makes sense."""
    return Unavailable(
        "The store of files does not answer at the moment. Try again in a few seconds.",
        code=UNAVAILABLE,
    )


def refused() -> Unavailable:
    """The store does not let us in."""
    return Unavailable(
        "The store of files does not let this service in: check its keys, what they may do, and "
        "the region.",
        code=REFUSED,
        retry_after=60,
    )


def no_bucket() -> Unavailable:
    """There is no such bucket."""
    return Unavailable("The bucket for files is missing.", code=NO_BUCKET, retry_after=60)


def damaged() -> Unavailable:
    """The store gave something else than what was put there."""
    return Unavailable("The store of files gave a damaged file.", code=DAMAGED, retry_after=60)


def problem_without_answer(error: Exception) -> Unavailable:
    """What it means that there was no answer, or that nothing could be asked."""
    return refused() if type(error).__name__ in _OF_SETTINGS else unavailable()


def status_of(error: ClientError) -> int:
    """The status with which the store has answered."""
    details: Mapping[str, Any] = error.response.get("ResponseMetadata", {})
    return int(details.get("HTTPStatusCode", 0))


def problem_of(error: ClientError) -> Problem:
    """What an answer means: a wrong setting has a name of its own, since waiting mends none."""
    details: Mapping[str, Any] = error.response.get("Error", {})
    code = details.get("Code")
    if status_of(error) in _OF_ACCESS or code in _OF_SETTINGS:
        return refused()
    if code == "NoSuchBucket":
        return no_bucket()
    if status_of(error) == 404:
        return FileUnknown("There is no such file.")
    return unavailable()
