"""The captured mail in this process, for tests of what sends mail."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

from tracemypods.kit.settings import Mode
from tracemypods.local.sandboxes.mail.app import create_app
from tracemypods.local.sandboxes.mail.settings import Settings
from tracemypods.local.testing.served import ServedApp

Headers = Mapping[str, str] | None
KEY = "key-of-the-sandboxes-in-tests-0123456789"
_CODE = re.compile(r"\b(\d{6}) is your code\.")


def codes(messages: Iterable[Mapping[str, Any]]) -> list[str]:
    """The codes that messages bring, in their order; an invoice's number is none, long as it is."""
    found = (_CODE.search(one["text"]) for one in messages)
    return [code[1] for code in found if code]


class Inbox:
    """The sandbox. Use as a context manager; `smtp_url` is where it takes mail.

    With the same folder again it has what it had. Options are those of its Settings.
    """

    def __init__(self, folder: Path, **options: Any) -> None:
        chosen: dict[str, Any] = {"smtp_port": 0, "key": KEY, **options}
        settings = Settings(mode=Mode.LOCAL, data_dir=folder, **chosen)
        self._served = ServedApp(create_app(settings))

    @property
    def url(self) -> str:
        """Where its HTTP is."""
        return self._served.url

    @property
    def smtp_port(self) -> int:
        """Where its SMTP is."""
        return self._served.app.state.smtp.port

    @property
    def smtp_url(self) -> str:
        """What services get as TRACEMYPODS_SMTP_URL."""
        return f"smtp://127.0.0.1:{self.smtp_port}"

    def __enter__(self) -> Self:
        self._served.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._served.__exit__()

    def messages(self, to: str | None = None) -> list[dict[str, Any]]:
        """All messages (to an address), the newest first."""
        found: list[dict[str, Any]] = []
        query = {"limit": "1000"} | ({} if to is None else {"to": to})
        while True:
            path = f"/local/inbox/messages?{urlencode(query)}"
            page = json.loads(self._well("GET", path))
            found += page["items"]
            if page["cursor"] is None:
                return found
            query["cursor"] = page["cursor"]

    def fail(self, kind: str, **how: Any) -> None:
        """Fail with the next messages; see sandboxes.mail.faults."""
        body = json.dumps({"kind": kind, **how}).encode()
        self._well("PUT", "/local/inbox/faults", body, self.key_header)

    def work_again(self) -> None:
        """Fail no more."""
        self._well("DELETE", "/local/inbox/faults", headers=self.key_header)

    @property
    def key_header(self) -> dict[str, str]:
        """What opens the routes for faults."""
        return {"Authorization": f"Bearer {KEY}"}

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, dict[str, str], bytes]:
        """One request; returns status, headers with names in lower case, and body."""
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc)
        try:
            sent = {"Content-Type": "application/json", **(headers or {})}
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            received = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, received, answer.read()
        finally:
            connection.close()

    def _well(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        status, _, said = self.request(method, path, body, headers)
        if status not in (200, 204):
            raise RuntimeError(f"{method} {path} answers {status}: {said!r}")
        return said
