"""What the page makes of the answer cache and of the queue."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Chat, stream

RECORD_FETCHES = """
window.fetches = [];
const send = window.fetch;
window.fetch = (resource, options = {}) => {
    window.fetches.push({resource, cache: options.cache, headers: options.headers ?? {}});
    return send(resource, options);
};
"""


def test_an_answer_may_come_from_the_cache_and_asking_again_wants_a_fresh_one(
    page: Page, chat: Chat
) -> None:
    page.add_init_script(RECORD_FETCHES)
    chat.start()
    chat.answers(stream("Blue.", cache={"state": "exact", "age": 130}))
    chat.ask("Which colour?")
    chat.wait_until("done")
    chat.turn.locator(".trace summary").click()
    expect(chat.turn.locator(".trace")).to_contain_text("From the cache2 minutes old")

    chat.answers(stream("Green.", cache={"state": "bypass"}))
    chat.button("Ask again").click()
    expect(chat.prose).to_have_text("Green.")
    expect(chat.turn.locator(".trace")).not_to_contain_text("From the cache")

    sent = page.evaluate("window.fetches.filter(one => one.resource === '/api/ask')")
    assert [one["headers"].get("Cache-Control") for one in sent] == [None, "no-cache"]
    # With "no-store" the browser would send Cache-Control: no-cache with every question.
    assert {one["cache"] for one in sent} == {"default"}


SEMANTIC = {
    "state": "semantic",
    "similarity": 0.93,
    "age": 130,
    "question": "How do I list <b>pods</b>?",
    "entry": "0199c0de-0000-7000-8000-000000000000",
}


def test_an_answer_to_another_question_says_to_which(page: Page, chat: Chat) -> None:
    chat.start()
    chat.answers(stream("kubectl get pods", cache=SEMANTIC))
    chat.ask("How can I list pods?")
    chat.wait_until("done")
    notice = chat.turn.locator(".same-question")
    expect(notice.locator("blockquote")).to_have_text("How do I list <b>pods</b>?")
    expect(notice).to_contain_text("2 minutes old")

    chat.answers(stream("Fresh.", cache={"state": "miss"}))
    chat.button("Ask fresh").click()
    expect(chat.prose).to_have_text("Fresh.")
    expect(notice).to_have_count(0)


@pytest.mark.parametrize("words", [None, "In the operator's words?"])
def test_a_shared_answer_says_who_approved_it_and_shows_nobody_elses_words(
    page: Page, chat: Chat, words: str | None
) -> None:
    cache = {**SEMANTIC, "shared": True, "question": words}
    page.route("**/api/wrong-answer", lambda route: route.fulfill(status=204))
    chat.start()
    chat.answers(stream("kubectl get pods", cache=cache))
    chat.ask("How can I list pods?")
    notice = chat.turn.locator(".same-question")
    expect(notice).to_contain_text("operator has approved")
    expect(notice.locator("blockquote")).to_have_text([] if words is None else [words])
    chat.button("Wrong answer").click()
    expect(chat.turn.get_by_role("status")).to_contain_text("you won't get it again")


@pytest.mark.parametrize("status", [204, 404])
def test_a_wrong_answer_is_reported(page: Page, chat: Chat, status: int) -> None:
    said: list[Any] = []

    def take(route: Route) -> None:
        said.append(route.request.post_data_json)
        route.fulfill(status=status)

    page.route("**/api/wrong-answer", take)
    chat.start()
    chat.answers(stream("kubectl get pods", cache=SEMANTIC))
    chat.ask("How can I list pods?")
    chat.button("Wrong answer").click()
    expect(chat.turn.get_by_role("status")).to_contain_text("deleted")
    expect(chat.button("Wrong answer")).to_have_count(0)
    assert said == [{"entry": SEMANTIC["entry"]}]


def test_a_report_that_fails_can_be_made_again(page: Page, chat: Chat) -> None:
    page.route("**/api/wrong-answer", lambda route: route.abort())
    chat.start()
    chat.answers(stream("kubectl get pods", cache=SEMANTIC))
    chat.ask("How can I list pods?")
    chat.button("Wrong answer").click()
    expect(chat.turn.get_by_role("status")).to_contain_text("could not be said")
    expect(chat.button("Wrong answer")).to_be_enabled()


STATUS = """async ([status]) => {
    const { TurnView } = await import("/chat/turnview.js");
    const turn = {question: "Hi?", answer: "", state: "waiting"};
    const view = new TurnView(turn, {labelOf: () => "Model", grown: () => {}});
    view.begin();
    view.showStatus(status);
    const shown = view.node.querySelector(".waiting").textContent;
    turn.state = "done";
    view.settle();
    return shown;
}"""


@pytest.mark.parametrize(
    ("status", "shown"),
    [
        ({"state": "queued", "position": 3}, "In the queue, place 3"),
        ({"state": "queued"}, "In the queue"),
        ({"state": "loading"}, "The model is being loaded"),
        ({"state": "waiting"}, "Waiting for the model"),
        ({"state": "something new"}, "Waiting for the model"),
        ({}, "Waiting for the model"),
    ],
)
def test_what_a_question_waits_for(page: Page, status: dict[str, Any], shown: str) -> None:
    page.goto("/chat.html")
    assert page.evaluate(STATUS, [status]) == shown
