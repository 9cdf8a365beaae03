"""Whatever a person or a model writes is data: it never runs, and loads nothing."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Chat, stream

ELSEWHERE = "http://elsewhere.invalid"

MARKUP = f"""<script>window.__xss = 1</script>
<img src=x onerror="window.__xss = 2"><img src="{ELSEWHERE}/a.png">
<svg onload="window.__xss = 3"><script>window.__xss = 4</script></svg>
<iframe src="javascript:window.__xss=5"></iframe>
<a href="javascript:window.__xss=6">click</a>
<!-- <script>window.__xss = 7</script> -->
<style>@import "{ELSEWHERE}/b.css"; body {{ display: none }}</style>
<link rel=stylesheet href="{ELSEWHERE}/c.css">
<form action="{ELSEWHERE}"><button>Send</button></form>
<math><mtext><img src=x onerror=alert(1)></mtext></math>
"""

MARKDOWN = f"""[script link](javascript:window.__xss=1)
[spelt out](&#106;avascript:window.__xss=2)
[newline](java
script:window.__xss=3)
[data](data:text/html,<script>window.__xss=4</script>)
[vb](vbscript:window.__xss=5) <javascript:window.__xss=6>
[ours](/api/token) [theirs](//elsewhere.invalid/x)
[ftp](ftp://elsewhere.invalid/x) ![png](data:image/png;base64,AAAA) [call](tel:1)
[title](https://example.org/ "x\\" onmouseover=\\"window.__xss=7")
![pixel]({ELSEWHERE}/pixel.png) ![d](data:image/svg+xml,<svg/onload=alert(1)>)
![<img src=x onerror=window.__xss=8>]({ELSEWHERE}/p.png)
[reference][r] &lt;script&gt;window.__xss=9&lt;/script&gt;

[r]: javascript:window.__xss=10

```html"><script>window.__xss=11</script>
</code></pre><script>window.__xss=12</script>
```
<details open ontoggle="window.__xss=13">
"""

NESTED = ">" * 400 + " deep\n\n" + "".join(f"{'  ' * n}- item\n" for n in range(200))

ANSWERS = {
    "markup": MARKUP,
    "markdown": MARKDOWN,
    "nested": NESTED,
    "brackets": "[" * 5000 + "](" * 5000,
    "emphasis": "*a **b _c " * 3000,
    "unclosed fence": "```js\n" + "let x = '<b>';\n" * 2000,
    "backticks": "`" * 200_000,
    "table": "|" + "a|" * 200 + "\n|" + "-|" * 200 + "\n" + ("|" + "x|" * 200 + "\n") * 100,
    "control characters": "\x00\x08\x1b[31m \u202e reversed \ufeff \ud83d\udca5 \r\n\r text",
}

FORBIDDEN = "script, img, svg:not(.icon), iframe, style, link, form, details, object, embed, math"


def check_harmless(page: Page, chat: Chat) -> None:
    """Nothing ran, nothing that could run is there, and links lead where links may."""
    assert page.evaluate("window.__xss") is None
    assert chat.prose.locator(FORBIDDEN).count() == 0
    links = chat.prose.locator("a").evaluate_all("all => all.map(a => [a.href, a.target, a.rel])")
    for address, target, relation in links:
        assert re.match(r"(https?|mailto):", address), address
        assert not address.startswith(page.url.split("/chat.html")[0]), address
        assert (target, relation) == ("_blank", "noopener noreferrer nofollow")
    active = "all => all.flatMap(e => e.getAttributeNames()).filter(n => /^on|^style$/.test(n))"
    assert chat.prose.locator("*").evaluate_all(active) == []


@pytest.mark.parametrize("name", ANSWERS)
def test_hostile_answers(page: Page, chat: Chat, name: str) -> None:
    text = ANSWERS[name]
    chat.start()
    # In pieces of 997 characters, so that constructs are met half-written too.
    chat.answers(stream(*(text[at : at + 997] for at in range(0, len(text), 997))))
    chat.ask("Answer badly")
    chat.wait_until("done")
    check_harmless(page, chat)
    expect(chat.announcement).to_have_text(re.compile("^Answer finished"))
    page.reload()
    chat.wait_until("done")
    check_harmless(page, chat)


def test_hostile_answers_a_character_at_a_time(page: Page, chat: Chat) -> None:
    chat.start()
    chat.answers(stream(*MARKUP, *MARKDOWN))
    chat.ask("Answer badly")
    chat.wait_until("done")
    check_harmless(page, chat)
    expect(chat.prose).to_contain_text("<script>window.__xss = 1</script>")
    expect(chat.prose).to_contain_text("onerror=alert(1)")
    assert chat.prose.get_by_role("link", name="Image: pixel").get_attribute("href") == (
        f"{ELSEWHERE}/pixel.png"
    )


def test_hostile_questions_are_shown_as_written(page: Page, chat: Chat) -> None:
    chat.start()
    chat.answers(stream("No."))
    question = f"{MARKUP}\n{MARKDOWN}".strip()
    chat.ask(question)
    chat.wait_until("done")
    shown = chat.turn.locator(".question-text")
    assert shown.evaluate("p => p.textContent") == question
    assert shown.locator("*").count() == 0
    assert page.evaluate("window.__xss") is None


def test_hostile_problems(page: Page, chat: Chat) -> None:
    chat.start()
    body = (
        '{"code": "<img src=x onerror=window.__xss=1>", "title": "<script>window.__xss=2</script>",'
        ' "detail": "<b>x</b>", "request_id": "<i>", "status": 500}'
    )
    chat.answers(body, status=500)
    chat.ask("Fail badly")
    expect(chat.problem).to_contain_text("<script>window.__xss=2</script>")
    assert chat.problem.locator("script, img, b, i").count() == 0
    assert page.evaluate("window.__xss") is None


def test_hostile_storage(page: Page, chat: Chat) -> None:
    chat.open()
    page.evaluate(
        """() => {
            localStorage.setItem("tracemypods.token", '{"token": 7, "expires_at": "<b>"}');
            localStorage.setItem("tracemypods.theme", '"><script>');
            sessionStorage.setItem("tracemypods.conversation", '[null, {"question": 1}, {}, 3]');
        }"""
    )
    page.reload()
    chat.take_token()
    assert chat.turns.count() == 0
