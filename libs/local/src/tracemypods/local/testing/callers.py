"""HTTP clients for tests."""

from __future__ import annotations

import httpx2


def caller(url: str, token: str | None) -> httpx2.Client:
    """A client with or without a token. Its timeout ends a test that would hang."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx2.Client(base_url=url, headers=headers, timeout=30)
