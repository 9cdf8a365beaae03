"""HTTP clients for tests."""

from __future__ import annotations

import httpx2


def caller(url: str, token: str | None, *, cached: bool = False) -> httpx2.Client:
    """A client with or without a token. Its timeout ends a test that would hang.

    Answers are made for it and not kept, unless they may be `cached`.
    """
    headers = {} if cached else {"Cache-Control": "no-store"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    return httpx2.Client(base_url=url, headers=headers, timeout=30)
