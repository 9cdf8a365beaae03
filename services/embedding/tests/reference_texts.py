"""Texts of many kinds, whose full-precision vectors are in `reference/vectors.npy`."""

from __future__ import annotations

import random

TEXTS = [
    # questions, close to each other and not
    "What is gravity?",
    "Explain gravity to me.",
    "What is gravity not?",
    "How do I bake bread?",
    "How do I reset my password?",
    "I forgot my password, what now?",
    "Turn on two-factor authentication.",
    "Turn off two-factor authentication.",
    "Where is my order 48213?",
    "Where is my order 48231?",
    # short, and not quite words
    "a",
    "?",
    "42",
    "-273.15 °C",
    "ok",
    "AAAAAAAA",
    "supercalifragilisticexpialidocious",
    "x" * 99,
    "x" * 101,
    " ",
    "\t\n\r",
    "\x00\x01\x02\x7f",
    "\ufffd\ufffe\u200b\u200d",
    "[CLS] [SEP] [MASK]",
    # case, accents, composed and not
    "Café, naïve, Ångström, Łódź",
    "CAFE, NAIVE, ANGSTROM, LODZ",
    "e\u0301 is \u00e9, and \ufb01 is a ligature",
    "ﬀ ① ² ｆｕｌｌｗｉｄｔｈ",  # noqa: RUF001 - that is the point
    # languages and directions
    "Was ist Schwerkraft?",
    "¿Qué es la gravedad?",
    "Что такое гравитация?",
    "ما هي الجاذبية؟",
    "\u202eמהי כוח הכבידה?\u202c",  # noqa: RUF001 - Hebrew
    "重力とは何ですか。",
    "什么是重力？",  # noqa: RUF001 - a full-width question mark
    "गुरुत्वाकर्षण क्या है?",
    "แรงโน้มถ่วงคืออะไร",
    # emoji
    "🎉",
    "🚀 to the 🌙, and back 👩🏽‍🚀",
    "🇮🇳🇩🇪",
    # code, data, markup
    "def add(a: int, b: int) -> int:\n    return a + b",
    "SELECT name, price FROM orders WHERE id = 17 ORDER BY price DESC;",
    '{"input": ["a", "b"], "model": "all-minilm-l6-v2"}',
    "<p>Hello, <b>world</b>!</p>",
    "https://example.com/a/b?c=d&e=f#g",
    "kubectl get pods -n default -o wide | grep -v Running",
    "E = mc^2, and ∫₀^∞ e^(-x) dx = 1",
    # prose of several lengths, the last two at the window and over it
    "The quick brown fox jumps over the lazy dog.",
    (
        "Gravity is the force by which a planet or other body draws objects toward its centre. "
        "The force of gravity keeps all of the planets in orbit around the sun."
    ),
    "A semantic cache keeps answers under the meaning of their questions rather than under their "
    "words. When a new question is close enough to an old one, the old answer is given again, "
    "which costs milliseconds in place of seconds. " * 4,
    "one two three four five six seven eight nine ten " * 25 + "eleven twelve thirteen fourteen",
    "This text goes on for far longer than the model can read. " * 60,
]

_WORDS = (
    "gravity bread password invoice planet river doctor payment light energy music engine school "
    "summer winter market policy network database cache token model answer history science water "
    "fire garden animal language travel health computer mountain ocean paper money order delivery "
    "city house family friend work time year question Müller naïve 量子 здоровье"
)
_FORMS = (
    "What is {a}?",
    "How do I {b} a {a}?",
    "Explain {a} and {b} to a child.",
    "The {a} of the {b} was {n} percent larger in {y}.",
    "{a} {b} {c}",
    "Why does {a} not work with {b}, but with {c}?",
    "def {a}_{n}({b}): return {c} + {n}",
    "Please write a short story about {a}, {b} and {c} that ends in {y}.",
    "SELECT {a}, {b} FROM {c} WHERE id = {n};",
    "¿Qué es {a} y por qué {b}?",
    "{a}是什么, {n}",
    "Was ist {a}? Über {b} und {c}.",
)
_SENTENCES = (1, 1, 1, 1, 2, 3, 5, 12)


def many_texts(count: int) -> list[str]:
    """Made-up texts, the same each time, most of them short."""
    chance = random.Random(count)  # noqa: S311 - not a secret

    def sentence() -> str:
        a, b, c = chance.sample(_WORDS.split(), 3)
        form = chance.choice(_FORMS)
        return form.format(a=a, b=b, c=c, n=chance.randrange(1000), y=chance.randrange(1900, 2030))

    return [" ".join(sentence() for _ in range(chance.choice(_SENTENCES))) for _ in range(count)]
