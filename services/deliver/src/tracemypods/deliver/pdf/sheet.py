"""What stands on a document's pages, word for word, before anything is laid out.

Every engine lays the same sheet out, so that they can't differ in a fact or an amount. All text in
it is safe to print (`text.py`); an engine has to take it as text and never as markup. It is plain
data, with nothing to import, since it goes to a process that is to stay small.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

ATTACHMENT = "invoice.json"
"""What the document's JSON is called inside the PDF file."""

LANGUAGE, REGION = "en", "IN"


@dataclass(frozen=True)
class Fact:
    """A label and what belongs to it."""

    label: str
    value: str


@dataclass(frozen=True)
class Block:
    """Seller or buyer: a name, and lines below it."""

    heading: str
    name: str
    lines: list[str]


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    description: str
    hsn: str
    quantity: str
    value: str


@dataclass(frozen=True)
class Sheet:
    """A document in print; `document` is the JSON that goes along with it."""

    title: str
    number: str
    issued_seconds: int
    facts: list[Fact]
    seller: Block
    buyer: Block
    value_heading: str
    rows: list[Row]
    sums: list[Fact]
    total: Fact
    words: str
    payment: list[Fact]
    notes: list[str]
    watermark: str
    banner: str
    footer: str
    document: str

    def to_json(self) -> str:
        """Itself, for the process that renders it."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str | bytes) -> Sheet:
        """What `to_json` gave."""
        raw = json.loads(text)
        return cls(
            **{
                **raw,
                "facts": [Fact(**one) for one in raw["facts"]],
                "seller": Block(**raw["seller"]),
                "buyer": Block(**raw["buyer"]),
                "rows": [Row(**one) for one in raw["rows"]],
                "sums": [Fact(**one) for one in raw["sums"]],
                "total": Fact(**raw["total"]),
                "payment": [Fact(**one) for one in raw["payment"]],
            }
        )
