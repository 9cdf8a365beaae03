"""What the page makes of the answer cache and of the queue."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

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
