"""What a person does, from the landing page on, with the real model answering."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from playwright.sync_api import Page, expect
from playwright.sync_api import TimeoutError as TimedOut

from tests.browser.conftest import Chat, stream
from tracemypods.local.fleet import Fleet
from tracemypods.local.testing.callers import caller
from tracemypods.local.testing.waiting import until

pytestmark = pytest.mark.timeout(500)  # a busy machine's model may take its time

RECORD = """() => {
    window.lengths = new Set();
    const thread = document.querySelector("#thread");
    new MutationObserver(() => {
        const prose = [...thread.querySelectorAll("article.turn .prose")].at(-1);
        if (prose) window.lengths.add(prose.textContent.length);
    }).observe(thread, {childList: true, subtree: true, characterData: true});
    window.said = [];
    const announcements = document.querySelector("#announcements");
    new MutationObserver(() => window.said.push(announcements.textContent)).observe(
        announcements, {childList: true, subtree: true, characterData: true});
}"""


def test_landing_token_streamed_answer_stop_and_new_token(page: Page, chat: Chat) -> None:
    page.goto("/")
    expect(page).to_have_title(re.compile("TraceMyPods"))
    page.get_by_role("link", name="Open the chat").click()
    expect(page).to_have_url(re.compile(r"/chat\.html$"))

    chat.take_token()
    expect(page.locator(".token-time [data-time-left]")).to_have_text(re.compile(r"^\d\d:\d\d$"))

    page.evaluate(RECORD)
    chat.ask("What is the sea? Answer in two sentences.")
    chat.wait_until("done")
    assert "Generating…" in page.evaluate("window.said")
    assert page.evaluate("window.lengths.size") > 3, "the text did not grow in steps"
    assert chat.prose.locator("p, ul, ol, pre").count() >= 1
    expect(chat.announcement).to_have_text(re.compile("^Answer finished"))
    expect(chat.turn.locator(".trace summary")).to_contain_text(" s")

    def stop() -> None:
        with suppress(TimedOut):  # it is not there once the answer has ended
            page.get_by_role("button", name="Stop").click(timeout=5_000)

    def ask(number: int) -> None:
        chat.ask(f"Write a very long story about lighthouse {number}, with many chapters.")

    chat.stop_midway(ask, stop, length=41)
    partial = chat.prose.inner_text()
    assert len(partial) > 40
    expect(chat.turn.locator(".stopped")).to_have_text("Stopped")
    expect(chat.question).to_be_focused()

    revoked = page.request.delete("/api/token", headers={"Authorization": f"Bearer {chat.token()}"})
    assert revoked.status == 204
    chat.ask("Say hello.")
    expect(chat.problem).to_contain_text("Your token is no longer accepted")
    expect(chat.turn.locator(".question-text")).to_have_text("Say hello.")
    chat.button("Get a free token and ask").click()
    chat.wait_until("done")
    assert chat.prose.inner_text().strip()
    assert chat.turns.count() == 3, "asking again takes the place of the failed attempt"


@pytest.fixture
def entries(fleet: Fleet, site: str) -> Iterator[Callable[[], int]]:
    """How many entries the semantic cache has, by the word of an operator's key."""
    with caller(site, fleet.secret("operator_key")) as operator:
        yield lambda: sum(
            one["entries"] for one in operator.get("/api/vector-entries").json()["items"]
        )


def test_a_question_in_other_words_is_answered_from_the_cache(
    page: Page, chat: Chat, entries: Callable[[], int]
) -> None:
    """And one that only looks like it is not."""
    before = entries()
    chat.start()
    chat.ask("What is the capital of France?")
    chat.wait_until("done")
    while chat.turn.locator(
        ".cut"
    ).count():  # the small model rambles at times, and that is not kept
        page.get_by_role("button", name="New conversation").click()
        chat.ask("What is the capital of France?")
        chat.wait_until("done")
    until(lambda: entries() > before, "an entry, which is written beside the answer")
    told = chat.prose.inner_text()
    page.get_by_role("button", name="New conversation").click()
    chat.ask("Which city is the capital of France?")
    chat.wait_until("done")
    same = chat.turn.locator(".same-question")
    expect(same.locator("blockquote")).to_have_text("What is the capital of France?")
    assert chat.prose.inner_text() == told

    page.get_by_role("button", name="New conversation").click()
    chat.ask("What is the capital of Germany?")
    chat.wait_until("done")
    expect(same).to_have_count(0)

    page.get_by_role("button", name="New conversation").click()
    chat.ask("Tell me what the capital of France is")
    chat.wait_until("done")
    chat.button("Wrong answer").click()
    expect(same.get_by_role("status")).to_contain_text("deleted")
    chat.button("Ask fresh").click()
    chat.wait_until("done")
    expect(same).to_have_count(0)


def test_the_landing_page_hands_its_question_over(page: Page, chat: Chat) -> None:
    page.goto("/")
    page.get_by_label("Your first question").fill("What is a <b>pod</b>?")
    page.get_by_role("button", name="Ask").click()
    expect(chat.turn.locator(".question-text")).to_have_text("What is a <b>pod</b>?")
    expect(chat.problem).to_contain_text("This question needs a token")
    expect(page.locator("#token-panel")).to_be_hidden()
    chat.button("Get a free token and ask").click()
    chat.wait_until("done")
    assert "pod" not in page.url


def test_a_conversation_survives_a_reload_and_is_sent_as_history(page: Page, chat: Chat) -> None:
    chat.start()
    chat.answers(stream("Paris, ", "**of course**."))
    chat.ask("What is the capital of France?")
    chat.wait_until("done")
    page.reload()
    expect(chat.prose.locator("strong")).to_have_text("of course")

    asked = chat.answers(stream("Two million."))
    chat.ask("How many live there?")
    chat.wait_until("done")
    assert asked[0]["messages"] == [
        {"role": "user", "content": "What is the capital of France?"},
        {"role": "assistant", "content": "Paris, **of course**."},
        {"role": "user", "content": "How many live there?"},
    ]
    assert asked[0]["stream"] is True

    page.get_by_role("button", name="New conversation").click()
    expect(chat.turns).to_have_count(0)
    expect(page.get_by_text("What would you like to ask?")).to_be_visible()
    asked = chat.answers(stream("Hello."))
    chat.ask("Hi")
    chat.wait_until("done")
    assert asked[0]["messages"] == [{"role": "user", "content": "Hi"}]


def test_a_new_conversation_while_an_answer_is_awaited(page: Page, chat: Chat) -> None:
    chat.start()
    page.route("**/api/ask", lambda _: None)  # accepts, and says nothing
    chat.ask("Never answered")
    chat.wait_until("waiting")
    page.get_by_role("button", name="New conversation").click()
    expect(chat.turns).to_have_count(0)
    expect(chat.announcement).to_have_text("New conversation.")
    chat.answers(stream("Hello."))
    chat.ask("Hi")
    chat.wait_until("done")
    expect(chat.turns).to_have_count(1)


def test_ask_again_continue_and_dropped_messages(chat: Chat) -> None:
    chat.start()
    chat.answers(stream("One", finish_reason="length", dropped_messages=4))
    chat.ask("Count")
    chat.wait_until("done")
    expect(chat.turn).to_contain_text("The oldest 4 messages no longer fit")
    expect(chat.turn).to_contain_text("cut at the model's limit")

    chat.answers(stream("One, two"))
    chat.button("Ask again").click()
    expect(chat.prose).to_have_text("One, two")
    expect(chat.turn).not_to_contain_text("cut at the model's limit")

    chat.answers(stream("One", finish_reason="length"))
    chat.button("Ask again").click()
    asked = chat.answers(stream(", three"))
    chat.button("Continue").click()
    expect(chat.turns).to_have_count(2)
    chat.wait_until("done")
    assert asked[0]["messages"][-1]["content"] == "Continue where you stopped."
    assert asked[0]["messages"][-2] == {"role": "assistant", "content": "One"}


def test_a_suggestion_is_asked(page: Page, chat: Chat) -> None:
    chat.start()
    asked = chat.answers(stream("A pod."))
    page.get_by_role("button", name="What is a Kubernetes pod?").click()
    chat.wait_until("done")
    assert asked[0]["messages"][0]["content"].startswith("What is a Kubernetes pod?")


def test_copying_an_answer_and_its_code(open_page) -> None:
    chat = Chat(open_page(permissions=["clipboard-read", "clipboard-write"])).start()
    answer = "Here:\n\n```python\nprint('<b>')\n```\n"
    chat.answers(stream(answer))
    chat.ask("Code, please")
    chat.wait_until("done")
    expect(chat.turn.locator(".code-head")).to_contain_text("python")
    chat.button("Copy code").click()
    expect(chat.button("Copied: code")).to_be_visible()
    assert chat.page.evaluate("navigator.clipboard.readText()") == "print('<b>')"
    chat.button("Copy answer").click()
    expect(chat.button("Copied: answer")).to_be_visible()
    assert chat.page.evaluate("navigator.clipboard.readText()") == answer


def test_the_token_can_be_removed(page: Page, chat: Chat) -> None:
    chat.start()
    token = chat.token()
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_role("button", name="Get a free token")).to_be_visible()
    assert page.evaluate("localStorage.getItem('tracemypods.token')") is None
    gone = page.request.get("/api/token", headers={"Authorization": f"Bearer {token}"})
    assert gone.json()["code"] == "token_revoked"


def test_a_token_that_expires_while_the_page_is_open(page: Page, chat: Chat) -> None:
    page.clock.install()
    chat.start()
    page.clock.fast_forward("01:00:05")
    expect(page.get_by_role("heading", name="Your token has expired")).to_be_visible()
    chat.ask("Still there?")
    expect(chat.problem).to_contain_text("Your token has expired")
    expect(chat.turn.locator(".question-text")).to_have_text("Still there?")
