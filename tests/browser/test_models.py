"""The picker and the token panel: tiers, terms, base models, and a premium token in hand."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx2
import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.conftest import ANSWER_TIMEOUT_MS, Chat, OpenPage, problem, stream
from tests.browser.test_accessibility import AXE_IS_INJECTED, LOOKS, check_width, violations
from tracemypods.local.fleet import Fleet
from tracemypods.local.secrets import OPERATOR_KEY

pytestmark = pytest.mark.timeout(500)  # a busy machine's model may take its time

LICENCE = {
    "name": "Apache-2.0",
    "url": "https://www.apache.org/licenses/LICENSE-2.0",
    "use_policy": None,
    "notice": None,
}
LLAMA = {
    "name": "Llama 2 Community License",
    "url": "https://ai.meta.com/llama/license/",
    "use_policy": "https://ai.meta.com/llama/use-policy/",
    "notice": "Llama 2 is licensed under the LLAMA 2 Community License.",
}


def model(name: str, label: str, status: str = "ready", **fields: Any) -> dict[str, Any]:
    """An entry of the catalogue."""
    return {
        "name": name,
        "label": label,
        "notes": f"Notes on {label}.",
        "tier": "free",
        "kind": "chat",
        "size_bytes": 98_000_000,
        "size_most_bytes": None,
        "memory_bytes": 330_000_000,
        "memory_most_bytes": None,
        "gpu": "None needed",
        "context_tokens": 2048,
        "limits": {"max_answer_tokens": 1024, "default_answer_tokens": 512},
        "licence": LICENCE,
        "terms": None,
        "source": "javascript:alert(1)",
        "allowed": True,
        "status": status,
        **fields,
    }


def catalogue(*, premium: bool) -> list[dict[str, Any]]:
    """One model of each kind, as a plan sees them. The first one is locked on purpose."""
    paid = {"tier": "premium", "allowed": premium}
    sizes: dict[str, Any] = {
        "size_bytes": 4_500_000_000,
        "size_most_bytes": 40_000_000_000,
        "memory_bytes": 16_000_000_000,
        "memory_most_bytes": 80_000_000_000,
    }
    return [
        model("plus", "Small, premium profile", **paid),
        model("small", "Small"),
        model("base", "Basic", kind="base"),
        model("terms", "Termed", terms="llama2", licence=LLAMA, **sizes),
        model("locked", "Locked and gone", "not_installed", **paid),
        model("gone", "Gone", "not_installed"),
        model("gone-base", "Gone basic", "not_installed", kind="base"),
        model("dead", "Dead", "down"),
    ]


def offer(page: Page, models: list[dict[str, Any]]) -> None:
    """From now on /api/models says this."""
    page.unroute("**/api/models")
    page.route("**/api/models", lambda route: route.fulfill(json={"items": models}))


def picker(page: Page) -> Locator:
    """The list of models."""
    return page.get_by_role("combobox", name="Model")


def rows(page: Page) -> dict[str, list[tuple[str, bool]]]:
    """What the picker shows: for each group its rows' texts and whether each can be chosen."""
    return picker(page).evaluate(
        """select => Object.fromEntries([...select.querySelectorAll("optgroup")].map(group => [
            group.label,
            [...group.querySelectorAll("option")].map(one => [
                one.textContent.replace(/\\s+/g, " ").trim(), !one.disabled])]))"""
    )


def test_every_kind_of_model_is_shown_with_what_stands_in_the_way(page: Page, chat: Chat) -> None:
    offer(page, catalogue(premium=False))
    chat.start()
    assert rows(page) == {
        "Ready": [["Small", True], ["Basic (base model)", True], ["Termed", True]],
        "Needs a premium token": [
            ["🔒 Small, premium profile (needs a premium token)", False],
            ["🔒 Locked and gone (needs a premium token, not installed)", False],
        ],
        "Not answering": [["Dead (not answering)", False]],
        "Not installed": [
            ["Gone (not installed)", False],
            ["Gone basic (base model, not installed)", False],
        ],
    }
    expect(picker(page)).to_have_value("small")  # not the first one, which is locked
    expect(page.locator("#model-state")).to_have_text("Ready.")
    locked = page.locator("#model-locked")
    expect(locked.get_by_role("link", name="Buy a token")).to_have_attribute("href", "/pay.html")

    asked = chat.answers(stream("Yes."))
    picker(page).select_option("base")
    expect(page.locator("#model-state")).to_contain_text("It continues text")
    chat.ask("Hi")
    chat.wait_until("done")
    assert asked[0]["model"] == "base"
    page.get_by_text("About this model").click()
    about = page.locator(".about")
    expect(about).to_contain_text("Notes on Basic.")
    expect(about.locator(".facts")).to_contain_text("base model")
    expect(about.get_by_role("link", name="Apache-2.0")).to_have_attribute("href", LICENCE["url"])
    assert about.locator("a[href^='javascript']").count() == 0
    expect(about).to_contain_text("often wrong")
    expect(about).to_contain_text("TRACEMYPODS_MODELS_URL=http://127.0.0.1:11434/v1 make up")


def test_the_picker_by_keyboard(page: Page, chat: Chat) -> None:
    offer(page, catalogue(premium=False))
    chat.start()
    picker(page).focus()
    page.keyboard.press("Space")
    expect(page.get_by_role("option", name="Termed")).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(picker(page)).to_have_value("base")
    page.keyboard.press("Space")
    for _ in range(9):  # past the end: rows that can't be chosen are never chosen
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(picker(page)).to_have_value("terms")
    page.keyboard.press("Space")
    page.keyboard.press("Escape")
    expect(page.get_by_role("option", name="Termed")).to_be_hidden()


@pytest.mark.parametrize(
    ("models", "said"),
    [
        ([model("a", "A", tier="premium", allowed=False)], "Every model needs a premium token."),
        ([model("a", "A", "down"), model("b", "B", "down")], "The model server is not answering."),
        (
            [model("a", "A", "not_installed"), model("b", "B", allowed=False)],
            "No model that you may use is installed.",
        ),
        ([], "There is no model in the catalogue."),
    ],
)
def test_no_model_is_chosen_when_none_can_be_asked(
    page: Page, chat: Chat, models: list[dict[str, Any]], said: str
) -> None:
    offer(page, models)
    chat.start()
    expect(page.locator("#model-state")).to_have_text(said)
    expect(picker(page)).to_have_value("")
    asked = chat.answers(json.dumps(problem("model_locked", 403)), status=403)
    chat.ask("Hi")
    buy = chat.problem.get_by_role("link", name="Buy a premium token")
    expect(buy).to_have_attribute("href", "/pay.html")
    assert "model" not in asked[0]
    offer(page, catalogue(premium=False))
    page.get_by_role("button", name="Check again").click()
    expect(picker(page)).to_have_value("small")


def test_terms_are_shown_until_they_were_seen(page: Page, chat: Chat) -> None:
    offer(page, catalogue(premium=False))
    chat.start()
    terms = page.locator("#model-terms")
    expect(terms).to_be_hidden()
    picker(page).select_option("terms")
    expect(terms).to_contain_text("Termed has terms of its own")
    expect(terms).to_contain_text(LLAMA["notice"])
    expect(chat.announcement).to_contain_text("bound by the Llama 2 Community License")
    expect(terms.get_by_role("link", name="its use policy")).to_have_attribute(
        "href", LLAMA["use_policy"]
    )
    page.reload()
    expect(picker(page)).to_have_value("terms")
    expect(terms).to_be_visible()
    terms.get_by_role("button", name="Understood").click()
    expect(terms).to_be_hidden()
    expect(picker(page)).to_be_focused()

    page.reload()
    expect(picker(page)).to_have_value("terms")
    expect(terms).to_be_hidden()
    page.get_by_text("About this model").click()
    about = page.locator(".about")
    expect(about).to_contain_text(LLAMA["notice"])
    expect(about).to_contain_text("4.5 to 40 GB")
    expect(about).to_contain_text("16 to 80 GB")
    expect(about.get_by_role("link", name="Llama 2 Community License")).to_be_visible()


PREMIUM = "tmpods_premium_" + "a" * 38


def checks(page: Page, **tokens: tuple[int, dict[str, Any]]) -> None:
    """GET /api/token answers for the given tokens; each model list is that of its caller's plan."""

    def check(route: Route) -> None:
        if route.request.method != "GET":
            route.fallback()
            return
        sent = route.request.headers.get("authorization", "").removeprefix("Bearer ")
        status, body = tokens.get(sent, (401, problem("token_revoked", 401)))
        kind = "application/json" if status == 200 else "application/problem+json"
        route.fulfill(status=status, headers={"content-type": kind}, body=json.dumps(body))

    def list_models(route: Route) -> None:
        premium = "premium" in route.request.headers.get("authorization", "")
        route.fulfill(json={"items": catalogue(premium=premium)})

    page.route("**/api/token", check)
    page.route("**/api/models", list_models)


HOLDS = {
    "plan": "premium",
    "issued_at": "2026-01-01T00:00:00Z",
    "expires_at": "2126-01-01T00:00:00Z",
}


def test_a_pasted_premium_token_opens_what_was_locked(page: Page, chat: Chat) -> None:
    checks(page, **{PREMIUM: (200, HOLDS)})
    chat.open()
    panel = page.locator("#token-panel")
    panel.get_by_text("I have a token").click()
    panel.get_by_label("Your token").fill(f"  {PREMIUM}\n")
    panel.get_by_role("button", name="Use this token").click()
    expect(panel).to_be_hidden()
    expect(chat.question).to_be_focused()
    expect(chat.announcement).to_have_text("Your premium token is in use.")
    expect(page.get_by_role("heading", name="Premium token")).to_be_visible()
    expect(page.locator(".token-time")).to_have_text(re.compile(r"^\d+ days left$"))
    expect(page.locator("#model-locked")).to_be_hidden()
    assert [row for row, _ in rows(page)["Ready"]] == [
        "Small, premium profile",
        "Small",
        "Basic (base model)",
        "Termed",
    ]
    assert "Needs a premium token" not in rows(page)
    picker(page).select_option("plus")
    asked = chat.answers(stream("Yes."))
    chat.ask("Hi")
    chat.wait_until("done")
    assert asked[0]["model"] == "plus"

    page.reload()
    expect(picker(page)).to_have_value("plus")
    deleted: list[str] = []
    page.on("request", lambda one: deleted.append(one.url) if one.method == "DELETE" else None)
    page.get_by_role("button", name="Forget it here").click()
    expect(panel).to_be_visible()
    expect(picker(page)).to_have_value("small")
    expect(page.locator("#model-state")).to_have_text(
        "Small, premium profile: needs a premium token. Small is used."
    )
    assert deleted == [], "a token that was paid for is not revoked by a click"


@pytest.mark.parametrize(
    ("token", "said"),
    [
        ("hello", "This is not a token of this site"),
        ("", "This is not a token of this site"),
        ("tmpods_premium_über", "This is not a token of this site"),
        ("tmpods_premium_" + "r" * 38, "This token is no longer accepted"),
        ("tmpods_premium_" + "e" * 38, "This token has expired"),
        ("tmpods_premium_" + "d" * 38, "Tokens can't be checked just now"),
    ],
)
def test_a_token_that_does_not_hold_is_not_taken(
    page: Page, chat: Chat, token: str, said: str
) -> None:
    checks(
        page,
        **{
            "tmpods_premium_" + "e" * 38: (401, problem("token_expired", 401)),
            "tmpods_premium_" + "d" * 38: (503, problem("token_store_unavailable", 503)),
        },
    )
    chat.start()
    mine = chat.token()
    # With a free token in hand the field is in the side bar, and the padlock's hint leads to it.
    page.get_by_role("button", name="Enter a token").click()
    field = page.get_by_label("Your token")
    expect(field).to_be_focused()
    field.fill(token)
    field.press("Enter")
    message = page.locator("#token-entry").get_by_role("alert")
    expect(message).to_contain_text(said)
    expect(field).to_be_focused()
    expect(field).to_have_attribute("aria-invalid", "true")
    assert chat.token() == mine
    expect(page.get_by_role("heading", name="Free token")).to_be_visible()


def test_the_way_to_the_field_on_a_phone(open_page: OpenPage) -> None:
    page = open_page(viewport={"width": 360, "height": 640})
    checks(page, **{PREMIUM: (200, HOLDS)})
    chat = Chat(page)
    chat.open()
    page.get_by_role("button", name="Model and token").click()
    page.get_by_role("button", name="Enter a token").click()
    expect(picker(page)).to_be_hidden()  # the sheet is out of the way of the panel
    field = page.locator("#token-panel").get_by_label("Your token")
    expect(field).to_be_focused()
    page.keyboard.type(PREMIUM)
    page.keyboard.press("Enter")
    expect(page.locator("#token-panel")).to_be_hidden()
    button = page.get_by_role("button", name="Model and token")
    expect(button).to_have_text(re.compile(r"\d+ days"))
    check_width(page)


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_the_picker_in_every_look(open_page: OpenPage, scheme: str, width: int) -> None:
    page = open_page(
        color_scheme=scheme,
        reduced_motion="reduce",
        viewport={"width": width, "height": 740},
        **AXE_IS_INJECTED,
    )
    checks(page)
    chat = Chat(page)
    chat.open()
    page.locator("#token-panel").get_by_text("I have a token").click()
    assert violations(page) == []
    check_width(page)
    chat.take_token()
    if width < 1024:
        page.get_by_role("button", name="Model and token").click()
    picker(page).select_option("terms")
    page.locator("#token-entry").get_by_text("I have a token").click()
    page.get_by_text("About this model").click()
    assert violations(page) == []
    check_width(page)
    picker(page).scroll_into_view_if_needed()
    picker(page).focus()
    page.keyboard.press("Space")
    expect(page.get_by_role("option", name="Gone basic")).to_be_visible()
    assert violations(page) == []
    check_width(page)
    page.keyboard.press("Escape")
    expect(page.get_by_role("option", name="Gone basic")).to_be_hidden()
    expect(picker(page)).to_be_visible()  # the sheet of a phone stays open


def test_the_real_catalogue_without_and_with_a_premium_token(
    page: Page, chat: Chat, fleet: Fleet, site: str
) -> None:
    chat.start()
    expect(page.locator("#model-state")).to_have_text("Ready.", timeout=ANSWER_TIMEOUT_MS)
    expect(picker(page)).to_have_value("smollm2:135m")
    shown = rows(page)
    assert shown["Ready"] == [["SmolLM2 135M Instruct", True]]
    assert any("premium profile" in row for row, _ in shown["Needs a premium token"])
    missing = " ".join(row for row, _ in shown["Not installed"])
    assert "TinyLlama" in missing
    assert "Phi-2 (base model, not installed)" in missing
    assert "Gemma" not in json.dumps(shown), "its terms were accepted by nobody"

    issued = httpx2.post(
        f"{site}/api/tokens",
        json={"order_id": "ord_of_the_picker_test"},
        headers={"Authorization": f"Bearer {fleet.secret(OPERATOR_KEY)}"},
    )
    assert issued.status_code in (200, 201)
    page.get_by_role("button", name="Enter a token").click()
    page.get_by_label("Your token").fill(issued.json()["token"])
    page.get_by_role("button", name="Use this token").click()
    expect(page.get_by_role("heading", name="Premium token")).to_be_visible()
    picker(page).select_option("smollm2:135m-plus")
    chat.ask("What is the sea? Answer in one sentence.")
    chat.wait_until("done")
    assert chat.prose.inner_text().strip()
