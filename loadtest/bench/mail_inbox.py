"""The captured mail of a fleet, as a bench looks at it."""

from __future__ import annotations

from typing import Any

import httpx2


class MailInbox:
    """What came to the mail sandbox at `url`."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/local/inbox/messages"

    def messages(self) -> list[dict[str, Any]]:
        """All messages that are kept, without their texts."""
        found: list[dict[str, Any]] = []
        asked: dict[str, str] = {"limit": "1000", "bodies": "false"}
        while True:
            page = httpx2.get(self._url, params=asked).raise_for_status().json()
            found += page["items"]
            if page["cursor"] is None:
                return found
            asked["cursor"] = page["cursor"]

    def empty(self) -> None:
        """Forget all of them."""
        httpx2.delete(self._url).raise_for_status()
