"""Every failure has a message that says what happened and what to do next."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Chat, event, problem, stream

TOKEN = "Get a free token and ask"
EDIT = "Edit the question"
MODEL = "Choose a model"
RETRY = "Try again"

FAILURES = [
    ("token_missing", 401, "This question needs a token", TOKEN),
    ("token_malformed", 401, "The token is not a valid one", TOKEN),
    ("token_expired", 401, "Your token has expired", TOKEN),
    ("token_revoked", 401, "Your token is no longer accepted", TOKEN),
    ("token_store_unavailable", 503, "Tokens can't be checked just now", RETRY),
    ("model_unavailable", 503, "The model is not answering", RETRY),
    ("model_busy", 503, "The model is busy", RETRY),
    ("model_failed", 502, "The model could not answer this", RETRY),
    ("model_timeout", 504, "The model took too long", RETRY),
    ("model_not_installed", 409, "This model is not installed", MODEL),
    ("model_unknown", 404, "There is no such model", MODEL),
    ("model_locked", 403, "Your token does not cover this model", MODEL),
    ("context_exceeded", 422, "The question is too long for this model", EDIT),
    ("invalid_request", 422, "The question was not accepted", EDIT),
    ("prompt_too_large", 413, "The question is too long", EDIT),
    ("body_too_large", 413, "The conversation is too long to send", EDIT),
    ("rate_limited", 429, "Too many questions at once", RETRY),
    ("quota_exceeded", 429, "Today's allowance is used up", RETRY),
    ("shutting_down", 503, "The service is restarting", RETRY),
    ("gateway_unreachable", 502, "The service can't be reached", RETRY),
    ("something_new", 500, "title of something_new", RETRY),
]


@pytest.mark.parametrize(("code", "status", "title", "remedy"), FAILURES)
def test_a_refused_question(chat: Chat, code: str, status: int, title: str, remedy: str) -> None:
    chat.start()
    chat.answers(json.dumps(problem(code, status)), status=status, headers={"retry-after": "20"})
    chat.ask("Is anybody there?")
    expect(chat.problem).to_contain_text(title)
    expect(chat.problem).to_contain_text(f"{code} · req_2")
    if remedy == RETRY:
        expect(chat.problem).to_contain_text("Suggested wait: 20 seconds")
    assert chat.turn.get_attribute("data-state") == "failed"
    asked = chat.answers(stream("Yes."))
    chat.button(remedy).click()
    if remedy == EDIT:
        expect(chat.question).to_have_value("Is anybody there?")
        expect(chat.turns).to_have_count(0)
        return
    if remedy == MODEL:
        expect(chat.page.get_by_role("combobox", name="Model")).to_be_focused()
        chat.button(RETRY).click()
    expect(chat.prose).to_have_text("Yes.")
    expect(chat.turns).to_have_count(1)
    assert asked[0]["messages"] == [{"role": "user", "content": "Is anybody there?"}]


def test_who_is_blocked_is_not_asked_to_try_again(chat: Chat) -> None:
    chat.start()
    chat.answers(json.dumps(problem("blocked", 403)), status=403)
    chat.ask("Is anybody there?")
    expect(chat.problem).to_contain_text("This site's operator has blocked this token")
    expect(chat.problem.get_by_role("button")).to_have_count(0)


def test_what_is_invalid_is_named(chat: Chat) -> None:
    chat.start()
    errors = [{"field": "messages.0.content", "message": "a message must not be empty"}]
    chat.answers(json.dumps(problem("invalid_request", 422, errors=errors)), status=422)
    chat.ask("x")
    expect(chat.problem).to_contain_text("messages.0.content: a message must not be empty")


@pytest.mark.parametrize(
    ("end", "title"),
    [
        (event("error", problem("answer_interrupted", 502)), "The answer broke off"),
        (event("error", problem("model_timeout", 504)), "The model took too long"),
        (event("error", problem("shutting_down", 503)), "The service is restarting"),
        ("", "The connection ended too early"),
        ("event: done\ndata: {broken\n\n", "an answer that this page can't read"),
    ],
)
def test_a_stream_that_goes_wrong_keeps_what_had_arrived(chat: Chat, end: str, title: str) -> None:
    chat.start()
    begun = event("status", {"state": "waiting"}) + event("delta", {"text": "It *began*"})
    chat.answers(begun + end)
    chat.ask("Go on")
    expect(chat.problem).to_contain_text(title)
    expect(chat.prose.locator("em")).to_have_text("began")
    chat.answers(stream("All of it."))
    chat.button("Try again").click()
    expect(chat.prose).to_have_text("All of it.")


def test_no_network(page: Page, chat: Chat) -> None:
    chat.start()
    page.route("**/api/ask", lambda route: route.abort())
    chat.ask("Hello?")
    expect(chat.problem).to_contain_text("The connection failed")


def test_something_in_between_answers(chat: Chat) -> None:
    chat.start()
    chat.answers("<h1>Bad gateway</h1>", status=502, headers={"content-type": "text/html"})
    chat.ask("Hello?")
    expect(chat.problem).to_contain_text("The service can't be reached behind its gateway")
    chat.answers("<h1>Sign in</h1>", headers={"content-type": "text/html"})
    chat.button("Try again").click()
    expect(chat.problem).to_contain_text("an answer that this page can't read")


def test_thirty_seconds_of_silence_are_a_lost_connection(page: Page, chat: Chat) -> None:
    page.clock.install()
    chat.start()
    page.route("**/api/ask", lambda _: None)  # accepts, and says nothing
    with page.expect_request("**/api/ask"):
        chat.ask("Hello?")
    page.clock.run_for(29_000)
    expect(chat.turn).to_have_attribute("data-state", "waiting")
    page.clock.run_for(2_000)
    expect(chat.problem).to_contain_text("The connection seems lost")


def test_no_more_tokens_today(page: Page, chat: Chat) -> None:
    detail = "This address has taken all 10 free tokens of today."
    page.route(
        "**/api/token",
        lambda route: route.fulfill(
            status=429,
            headers={"content-type": "application/problem+json", "retry-after": "7200"},
            body=json.dumps(problem("rate_limited", 429, detail=detail)),
        ),
    )
    chat.open()
    page.get_by_role("button", name="Get a free token").click()
    message = page.locator("#token-panel").get_by_role("alert")
    expect(message).to_contain_text(detail)
    expect(message).to_contain_text("2 hours")


def test_a_failed_question_is_not_part_of_the_history(chat: Chat) -> None:
    chat.start()
    chat.answers(json.dumps(problem("model_unavailable", 503)), status=503)
    chat.ask("First")
    expect(chat.problem).to_be_visible()
    asked = chat.answers(stream("Answer."))
    chat.ask("Second")
    chat.wait_until("done")
    assert asked[0]["messages"] == [{"role": "user", "content": "Second"}]


def test_a_question_over_the_limit_is_not_sent(page: Page, chat: Chat) -> None:
    chat.start()
    asked = chat.answers(stream("No."))
    chat.question.fill("é" * 32_768)
    expect(page.locator("#byte-count")).to_have_text("65,536 of 65,536 bytes")
    expect(page.get_by_role("button", name="Send")).to_be_enabled()
    chat.question.fill("é" * 32_769)
    expect(page.locator("#byte-count")).to_contain_text("too long to send")
    expect(page.get_by_role("button", name="Send")).to_be_disabled()
    chat.question.press("Enter")
    assert chat.turns.count() == 0
    assert asked == []


def test_blank_questions_are_not_sent(page: Page, chat: Chat) -> None:
    chat.start()
    chat.ask("  \n ")
    expect(page.get_by_role("button", name="Send")).to_be_disabled()
    assert chat.turns.count() == 0


def test_an_unreadable_catalogue_does_not_stop_the_chat(page: Page, chat: Chat) -> None:
    page.route("**/api/models", lambda route: route.abort())
    chat.start()
    expect(page.locator("#model-state")).to_have_text("The list of models can't be read just now.")
    asked = chat.answers(stream("Still."))
    chat.ask("Working?")
    chat.wait_until("done")
    assert "model" not in asked[0]
    page.unroute("**/api/models")
    page.get_by_role("button", name="Check again").click()
    expect(page.locator("#model-state")).to_have_text("Ready.")
