"""The engine `typst`, which needs nothing from the system: one wheel, and the fonts beside it.

The template gets the sheet as JSON among its inputs, so that whatever is in it is text. Its root is
the folder of templates, its fonts are the bundled ones, and the folders of packages don't exist.
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

import typst

from tracemypods.deliver.pdf.errors import RenderFailed
from tracemypods.deliver.pdf.renderer import EngineName
from tracemypods.deliver.pdf.sheet import Sheet

_HERE = Path(__file__).parent
_TEMPLATES = _HERE / "templates"
_NOWHERE = _TEMPLATES / "no-packages"


class TypstEngine:
    """Renders with typst. One at a time."""

    name: EngineName = "typst"

    def __init__(self) -> None:
        fonts = typst.Fonts(
            include_system_fonts=False,
            include_embedded_fonts=False,
            font_paths=[_HERE / "fonts"],
        )
        self._compiler = typst.Compiler(
            _TEMPLATES / "invoice.typ",
            root=_TEMPLATES,
            font_paths=fonts,
            package_path=_NOWHERE,
            package_cache_path=_NOWHERE,
        )

    def render(self, sheet: Sheet) -> bytes:
        """A PDF file. Raises RenderFailed."""
        try:
            compiled = self._compiler.compile(
                format="pdf",
                sys_inputs={"sheet": sheet.to_json()},
                pdf_standards=["a-3u", "ua-1"],
                timestamp=sheet.issued_seconds,
            )
        except typst.TypstError as error:
            raise RenderFailed(_reason(error)) from None
        except ValueError:
            raise RenderFailed("typst: it has a time that is in no calendar") from None
        return cast("bytes", compiled)

    def picture(self, sheet: Sheet, pixels_per_inch: float = 144) -> bytes:
        """The first page as a PNG file. Raises RenderFailed."""
        try:
            compiled = self._compiler.compile(
                format="png", sys_inputs={"sheet": sheet.to_json()}, ppi=pixels_per_inch
            )
        except typst.TypstError as error:
            raise RenderFailed(_reason(error)) from None
        pages = compiled if isinstance(compiled, list) else [compiled]
        return cast("bytes", pages[0])


def _reason(error: typst.TypstError) -> str:
    """What typst complains of, less what it quotes, which may be a buyer's."""
    return f"typst: {error.message.partition('`')[0].strip()}"
