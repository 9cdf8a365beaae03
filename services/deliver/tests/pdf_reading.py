"""Reading what is in a PDF file, as a program for reading it aloud does.

pypdf's own text has the glyphs only. Where several make one sign together, as in Devanagari, the
file says the sign's text beside them (`ActualText`), which counts instead.
"""

from __future__ import annotations

import io
import re
from typing import Any

from pypdf import PdfReader
from pypdf.generic import ContentStream

_RANGE = re.compile(r"<([0-9a-fA-F]+)>\s*<([0-9a-fA-F]+)>\s*<([0-9a-fA-F]+)>")
_PAIR = re.compile(r"<([0-9a-fA-F]+)>\s*<([0-9a-fA-F]+)>")


def reader(pdf: bytes) -> PdfReader:
    return PdfReader(io.BytesIO(pdf))


def text(pdf: bytes) -> str:
    """All text without white space, which engines don't write alike."""
    return squeezed("".join(_page_text(page) for page in reader(pdf).pages))


def squeezed(text: str) -> str:
    """Text without white space."""
    return "".join(text.split())


def catalogue(pdf: bytes) -> Any:
    """The root of the file's objects."""
    return reader(pdf).trailer["/Root"]


def attachment(pdf: bytes) -> bytes:
    (found,) = reader(pdf).attachments["invoice.json"]
    return found


def fonts(pdf: bytes) -> list[Any]:
    """The descriptors of all fonts."""
    found = {}
    pages: list[Any] = list(reader(pdf).pages)
    for page in pages:
        for font in page["/Resources"]["/Font"].values():
            font = font.get_object()
            for one in font.get("/DescendantFonts", [font]):
                descriptor = one.get_object()["/FontDescriptor"].get_object()
                found[descriptor["/FontName"]] = descriptor
    return list(found.values())


def _page_text(page: Any) -> str:
    fonts = {name: _Codes(font.get_object()) for name, font in page["/Resources"]["/Font"].items()}
    shown: list[str] = []
    marked: list[bool] = []
    codes = None
    for operands, operator in ContentStream(page.get_contents(), page.pdf).operations:
        if operator == b"BDC":
            actual = operands[1].get("/ActualText") if isinstance(operands[1], dict) else None
            if actual is not None and not any(marked):
                shown.append(str(actual))
            marked.append(actual is not None)
        elif operator == b"BMC":
            marked.append(False)
        elif operator == b"EMC":
            marked.pop()
        elif operator == b"Tf":
            codes = fonts[operands[0]]
        elif operator in (b"Tj", b"TJ") and codes is not None and not any(marked):
            parts = operands[0] if operator == b"TJ" else operands
            shown += [
                codes.text(one.original_bytes) for one in parts if hasattr(one, "original_bytes")
            ]
    return "".join(shown)


class _Codes:
    """What the codes of a font mean."""

    def __init__(self, font: Any) -> None:
        cmap = font["/ToUnicode"].get_data().decode("latin-1")
        spaces = re.search(r"begincodespacerange\s*<([0-9a-fA-F]+)>", cmap)
        self._size = len(spaces[1]) // 2 if spaces else 2
        self._meaning: dict[int, str] = {}
        for block in re.findall(r"beginbfchar(.*?)endbfchar", cmap, re.DOTALL):
            for code, means in _PAIR.findall(block):
                self._meaning[int(code, 16)] = bytes.fromhex(means).decode("utf-16-be")
        for block in re.findall(r"beginbfrange(.*?)endbfrange", cmap, re.DOTALL):
            for first, last, means in _RANGE.findall(block):
                start = bytes.fromhex(means).decode("utf-16-be")
                for step in range(int(last, 16) - int(first, 16) + 1):
                    self._meaning[int(first, 16) + step] = start[:-1] + chr(ord(start[-1]) + step)

    def text(self, codes: bytes) -> str:
        return "".join(
            self._meaning.get(int.from_bytes(codes[at : at + self._size], "big"), "")
            for at in range(0, len(codes), self._size)
        )
