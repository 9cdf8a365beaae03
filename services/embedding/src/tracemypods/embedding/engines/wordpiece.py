"""BERT's tokens, as all-MiniLM-L6-v2 was trained with them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from tokenizers import Encoding, Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import BertProcessing

from tracemypods.embedding.engines.engine import Prepared

VOCABULARY = Path(__file__).with_name("vocabulary.txt")
VOCABULARY_SHA256 = "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")

FIRST_LOOK = 2048
"""Characters that are enough for almost any text to fill the window."""

LAST_LOOK = 64 * 1024
"""Characters that are looked at of any text. What fills no window with so many is blanks or words
without end, and taking tokens of a million of them would keep others waiting for a second."""


class WordPieces:
    """Makes tokens of texts, at most `window` of them a text, the two that enclose it included."""

    def __init__(self, window: int) -> None:
        """Raises ValueError when the vocabulary's file is not the one that it should be."""
        raw = VOCABULARY.read_bytes()
        if hashlib.sha256(raw).hexdigest() != VOCABULARY_SHA256:
            raise ValueError(f"{VOCABULARY.name} is not the vocabulary of the model")
        numbers = {word: number for number, word in enumerate(raw.decode().splitlines())}
        self._window = window
        self._tokenizer = Tokenizer(WordPiece(numbers, unk_token="[UNK]"))  # noqa: S106 - a token
        self._tokenizer.add_special_tokens(list(SPECIAL))
        self._tokenizer.normalizer = BertNormalizer(lowercase=True)
        self._tokenizer.pre_tokenizer = BertPreTokenizer()
        self._tokenizer.post_processor = BertProcessing(
            ("[SEP]", numbers["[SEP]"]), ("[CLS]", numbers["[CLS]"])
        )

    def prepare(self, texts: Sequence[str]) -> list[Prepared]:
        """Tokens of texts. Other threads go on meanwhile."""
        looked_at = [text[:FIRST_LOOK] for text in texts]
        encodings = self._tokenizer.encode_batch(looked_at)
        return [
            self._prepared(text, look, encoding)
            for text, look, encoding in zip(texts, looked_at, encodings, strict=True)
        ]

    def _prepared(self, text: str, look: str, encoding: Encoding) -> Prepared:
        """Cut at the window. Only as much of a long text is looked at as fills it."""
        longest = min(len(text), LAST_LOOK)
        while len(look) < longest and _certain(encoding) < self._window:
            look = text[: min(8 * len(look), longest)]
            (encoding,) = self._tokenizer.encode_batch([look])
        ids = encoding.ids
        truncated = len(ids) > self._window or len(look) < len(text)
        if truncated:
            ids = [*ids[: self._window - 1], ids[-1]]
        return Prepared(text, len(ids), truncated, ids)


def _certain(encoding: Encoding) -> int:
    """How many tokens will not change when the text goes on: all but those of the last word."""
    words = encoding.word_ids[1:-1]
    last = words[-1] if words else None
    return 1 + sum(word != last for word in words)
