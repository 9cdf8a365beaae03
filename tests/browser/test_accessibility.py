"""The pages for everybody: by keyboard, by screen reader, in both themes, on a phone."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import FRONTEND, Chat, OpenPage, problem, stream

pytestmark = pytest.mark.timeout(500)  # a busy machine\'s model may take its time

AXE = (FRONTEND / "node_modules/axe-core/axe.min.js").read_text()

RICH = """Some **bold** text, a [link](https://example.org/) and `code`.

### A heading

1. One
2. Two

```python
print("a line that is far too long for the width of a telephone, so that it has to scroll")
```

| Name | Meaning of this rather long column | And another one | And one more |
|------|------:|---|---|
| pod | one | two | three |

> Quoted
"""


def violations(page: Page) -> list[str]:
    """What axe finds wrong with a page as it is now."""
    page.evaluate(AXE)
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'], iframes: false })")
    return [
        f"{one['id']}: {node['target']} {node['failureSummary']}"
        for one in found["violations"]
        for node in one["nodes"]
    ]


def check_width(page: Page) -> None:
    """No page scrolls sideways."""
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


# axe is injected from outside the page, which its policy rightly does not allow.
AXE_IS_INJECTED = {"bypass_csp": True}

LOOKS = [
    pytest.param(scheme, width, id=f"{scheme}-{width}")
    for scheme in ("light", "dark")
    for width in (360, 1280)
]


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_pages_in_every_look(open_page: OpenPage, scheme: str, width: int) -> None:
    page = open_page(
        color_scheme=scheme,
        reduced_motion="reduce",
        viewport={"width": width, "height": 740},
        **AXE_IS_INJECTED,
    )
    page.goto("/")
    assert violations(page) == []
    check_width(page)

    page.goto("/404.html")
    assert violations(page) == []
    check_width(page)

    chat = Chat(page)
    chat.open()
    assert violations(page) == []
    check_width(page)

    chat.take_token()
    chat.answers(stream(RICH, finish_reason="length", dropped_messages=2))
    chat.ask("word " * 60 + "x" * 300)
    chat.wait_until("done")
    chat.turn.locator(".trace summary").click()
    assert violations(page) == []
    check_width(page)

    chat.answers(json.dumps(problem("token_expired", 401)), status=401)
    chat.ask("Expired?")
    expect(chat.problem).to_be_visible()
    if width < 1024:
        page.get_by_role("button", name="Model and token").click()
    page.get_by_text("About this model").click()
    assert violations(page) == []
    check_width(page)


def test_an_unknown_address_is_a_page_of_the_site(page: Page) -> None:
    seen: list[str] = []
    page.route("**/no/such/page", lambda route: seen.append(route.request.url) or route.fallback())
    answer = page.request.get("/no/such/page", headers={"Accept": "text/html"})
    assert answer.status == 404
    assert "The trace ends here." in answer.text()


def test_the_theme_is_kept_and_follows_the_system_until_chosen(open_page: OpenPage) -> None:
    page = open_page(color_scheme="dark")
    page.goto("/")
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(ground)
    switch = page.get_by_role("button", name="Theme: system")
    switch.click()
    light = page.evaluate(ground)
    assert light != dark
    page.goto("/chat.html")
    assert page.evaluate(ground) == light
    page.get_by_role("button", name="Theme: light").click()
    assert page.evaluate(ground) == dark
    page.get_by_role("button", name="Theme: dark").click()
    assert page.evaluate("'theme' in document.documentElement.dataset") is False


def tab_to(page: Page, name: str) -> None:
    """Move the focus with the Tab key until it is on something with this name."""
    pattern = re.compile(name)
    for _ in range(40):
        page.keyboard.press("Tab")
        focused = page.evaluate(
            """() => {
                const node = document.activeElement;
                if (node === document.body) return "";  // past the page's end
                const label = node.labels?.[0]?.textContent;
                return node.getAttribute("aria-label") || label || node.textContent || "";
            }"""
        )
        if pattern.search(focused.strip()):
            return
    raise AssertionError(f"Tab never reached {name!r}")


def test_the_whole_journey_by_keyboard(page: Page, chat: Chat) -> None:
    page.goto("/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    tab_to(page, "^Open the chat$")
    page.keyboard.press("Enter")
    page.wait_for_url("**/chat.html")
    expect(page.locator("#token-panel")).to_be_visible()
    tab_to(page, "^Get a free token$")
    page.keyboard.press("Enter")
    expect(page.locator("#token-panel")).to_be_hidden()
    expect(chat.question).to_be_focused()

    def ask(number: int) -> None:
        page.keyboard.type("Tell me a long story")
        page.keyboard.press("Shift+Enter")
        page.keyboard.type(f"about harbour {number}.")
        expect(chat.question).to_have_value(f"Tell me a long story\nabout harbour {number}.")
        page.keyboard.press("Enter")

    chat.stop_midway(ask, lambda: page.keyboard.press("Escape"))
    expect(chat.question).to_be_focused()

    chat.answers(stream("Short."))
    page.keyboard.type("A short one")
    page.keyboard.press("Enter")
    chat.wait_until("done")
    tab_to(page, "^Skip")
    page.keyboard.press("Enter")
    expect(chat.question).to_be_focused()
    tab_to(page, "^New conversation$")
    page.keyboard.press("Enter")
    expect(chat.turns).to_have_count(0)
    expect(chat.question).to_be_focused()


def test_screen_readers_hear_the_answer_once_and_not_the_stream(page: Page, chat: Chat) -> None:
    chat.start()
    assert (
        page.locator("#thread").evaluate("node => node.closest('[aria-live], [role=log]')") is None
    )
    expect(chat.announcement).to_have_attribute("role", "status")
    chat.answers(stream("A ", "short ", "answer."))
    chat.ask("Short, please")
    expect(chat.announcement).to_have_text("Answer finished. A short answer.")
    chat.answers(stream("word " * 1000))
    chat.ask("Long, please")
    expect(chat.announcement).to_have_text("Answer finished.")
    assert page.locator("#thread [aria-live], #thread [role=status]").count() == 0


def test_the_settings_sheet_of_a_phone(open_page: OpenPage) -> None:
    chat = Chat(open_page(viewport={"width": 360, "height": 640}))
    chat.start()
    page = chat.page
    button = page.get_by_role("button", name="Model and token")
    expect(button).to_have_text(re.compile(r"\d\d:\d\d"))
    expect(page.get_by_role("combobox", name="Model")).to_be_hidden()
    button.click()
    expect(button).to_have_attribute("aria-expanded", "true")
    expect(page.get_by_role("combobox", name="Model")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("combobox", name="Model")).to_be_hidden()
    expect(button).to_be_focused()
