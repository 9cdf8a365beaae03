"""The modules below the chat: event parsing, and answers that grow without being redrawn."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Chat, stream

PARSE = """async ([text, size]) => {
    const { EventParser } = await import("/chat/sse.js");
    const parser = new EventParser();
    const bytes = new TextEncoder().encode(text);
    const events = [];
    for (let at = 0; at < bytes.length; at += size) {
        events.push(...parser.push(bytes.subarray(at, at + size)));
    }
    return events.map(({ event, data }) => [event, data]);
}"""

EVENTS = (
    '\ufeff: a comment\n\nevent: delta\ndata: {"a":1}\n\n'
    "data: one\r\ndata:two\r\ndata\r\n\r\n:heartbeat\r\r"
    "event: delta\rdata:  schöne Grüße, 日本 💥\r\rid: 7\nretry: 9\nevent: none\n\n"
    "data: last\n\ndata: cut short\n"
)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 10_000])
def test_events_are_read_however_the_bytes_are_cut(page: Page, size: int) -> None:
    page.goto("/chat.html")
    assert page.evaluate(PARSE, [EVENTS, size]) == [
        ["delta", '{"a":1}'],
        ["message", "one\ntwo\n"],
        ["delta", " schöne Grüße, 日本 💥"],
        ["message", "last"],
    ]


SAMPLE = """# Title
A *first* paragraph
with a second line.

Setext
------
- one
- two

  still two
1. ordered
   ```js
   inside();
   ```

```python
def f():

    return "x"
```
| a | b |
|:-:|--:|
| 1 | 2 |
#no heading | 3
> quoted
lazy

    indented

***
https://example.org/path and config.py

Last `code` line"""

GROW = """async ([text, size]) => {
    const { GrowingAnswer, showAnswer } = await import("/chat/answer.js");
    const [grown, whole] = [document.createElement("div"), document.createElement("div")];
    const answer = new GrowingAnswer(grown);
    for (let at = 0; at < text.length; at += size) {
        answer.append(text.slice(at, at + size));
        answer.finish();  // draws at once, as a frame would
    }
    showAnswer(whole, text);
    return [grown.innerHTML, whole.innerHTML];
}"""


@pytest.mark.parametrize("size", [1, 2, 5, 13, 10_000])
def test_a_grown_answer_is_the_same_as_a_whole_one(page: Page, size: int) -> None:
    page.goto("/chat.html")
    grown, whole = page.evaluate(GROW, [SAMPLE, size])
    assert grown == whole
    for expected in ("<h3>Title</h3>", "<em>first</em>", '<td class="align-right">2</td>', "<ol>"):
        assert expected in whole


KEEP = """async () => {
    const { GrowingAnswer } = await import("/chat/answer.js");
    const container = document.createElement("div");
    const answer = new GrowingAnswer(container);
    const kept = [];
    let changed = 0;
    for (let n = 0; n < 300; n += 1) {
        answer.append(`Paragraph **${n}** of many.\\n\\n`);
        answer.finish();
        const blocks = [...container.children];
        // Every block but the last is finished, and must stay the very same node.
        blocks.slice(0, -1).forEach((block, at) => {
            if (kept[at] && kept[at] !== block) changed += 1;
            kept[at] = block;
        });
    }
    answer.append("```text\\nfirst\\n");
    answer.finish();
    const figure = container.lastElementChild;
    answer.append("second\\n");
    answer.finish();
    return {
        changed,
        blocks: container.children.length,
        sameFigure: figure === container.lastElementChild,
        code: figure.querySelector("code").textContent,
    };
}"""


def test_finished_blocks_are_never_touched_again(page: Page) -> None:
    page.goto("/chat.html")
    assert page.evaluate(KEEP) == {
        "changed": 0,
        "blocks": 301,
        "sameFigure": True,
        "code": "first\nsecond",
    }


LONG = """() => {
    const turns = Array.from({ length: 100 }, (_, n) => ({
        question: `Question ${n}`,
        answer: `Answer **${n}**\\n\\n- a\\n- b\\n\\n` + "```js\\ncode();\\n```\\n",
        state: "done",
    }));
    sessionStorage.setItem("tracemypods.conversation", JSON.stringify(turns));
}"""

WATCH_OTHERS = """() => {
    window.before = [...document.querySelectorAll("article.turn *")];
    window.touched = 0;
    const old = [...document.querySelectorAll("article.turn")];
    new MutationObserver((changes) => { window.touched += changes.length; }).observe(
        old.at(-1).parentNode, { childList: true });
    for (const turn of old) {
        new MutationObserver((changes) => { window.touched += changes.length; }).observe(
            turn, { childList: true, subtree: true, characterData: true, attributes: true });
    }
}"""


def test_two_hundred_messages_are_left_alone_by_the_next_answer(page: Page, chat: Chat) -> None:
    chat.start()
    page.evaluate(LONG)
    # Leaving saves the open conversation, so the new one is read by a tab that starts with it.
    saved = page.evaluate("sessionStorage.getItem('tracemypods.conversation')")
    page.goto("/")
    page.evaluate("saved => sessionStorage.setItem('tracemypods.conversation', saved)", saved)
    page.goto("/chat.html")
    expect(chat.turns).to_have_count(100)
    page.evaluate(WATCH_OTHERS)
    chat.answers(stream(*(f"Word {n} " for n in range(500))))
    chat.ask("One more")
    chat.wait_until("done")
    expect(chat.turns).to_have_count(101)
    assert page.evaluate("window.touched") == 1, "only the new turn was added"
    assert page.evaluate("window.before.every((node) => node.isConnected)")
    expect(chat.turn.locator(".turn-foot")).to_be_in_viewport()
