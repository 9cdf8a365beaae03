"""AWS Signature Version 4, as much of it as a probe needs."""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime

REGION = "us-east-1"
"""Embedded servers take any; this is the one that they name themselves."""


def signed_headers(
    method: str,
    host: str,
    path: str,
    access_key: str,
    secret_key: str,
    now: datetime,
    body: bytes = b"",
) -> dict[str, str]:
    """The headers that make S3 believe a request to `path`, which has nothing to escape.

    `now` is in UTC.
    """
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    scope = f"{stamp[:8]}/{REGION}/s3/aws4_request"
    content = hashlib.sha256(body).hexdigest()
    headers = {"host": host, "x-amz-content-sha256": content, "x-amz-date": stamp}
    names = ";".join(headers)
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    request = f"{method}\n{path}\n\n{lines}\n{names}\n{content}"
    digest = hashlib.sha256(request.encode()).hexdigest()
    key = f"AWS4{secret_key}".encode()
    for step in scope.split("/"):
        key = _keyed(key, step).digest()
    signature = _keyed(key, f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}").hexdigest()
    credential = f"Credential={access_key}/{scope}"
    return {
        **headers,
        "authorization": (
            f"AWS4-HMAC-SHA256 {credential}, SignedHeaders={names}, Signature={signature}"
        ),
    }


def _keyed(key: bytes, text: str) -> hmac.HMAC:
    return hmac.new(key, text.encode(), hashlib.sha256)
