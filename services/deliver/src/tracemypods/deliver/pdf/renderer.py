"""What turns a sheet into a PDF file: one interface, and engines to choose from by name."""

from __future__ import annotations

from typing import Literal, Protocol, get_args

from tracemypods.deliver.pdf.errors import EngineUnusable
from tracemypods.deliver.pdf.sheet import Sheet

EngineName = Literal["typst", "html"]


class Engine(Protocol):
    """Renders sheets, the same one always to the same bytes: PDF/A-3u with the document's JSON in
    it. It opens nothing but the files beside it."""

    name: EngineName

    def render(self, sheet: Sheet) -> bytes:
        """A PDF file. Raises RenderFailed."""
        ...


def load_engine(name: str) -> Engine:
    """The engine of that name; its libraries are imported only now. Raises EngineUnusable."""
    if name == "typst":
        from tracemypods.deliver.pdf.typst_engine import TypstEngine

        return TypstEngine()
    if name == "html":
        from tracemypods.deliver.pdf.html_engine import HtmlEngine

        return HtmlEngine()
    raise EngineUnusable(
        f"there is no engine {name!r}: take one of {', '.join(get_args(EngineName))}"
    )
