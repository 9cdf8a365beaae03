"""The engine `html`: a template and a style sheet that a shop can change, rendered by WeasyPrint.

It is the extra `html`, and needs Pango and HarfBuzz's subsetter from the system. Whatever the
template or a value in it asks for, only the files beside it are served; the system's fonts are
hidden by `fonts.conf`.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from tracemypods.deliver.pdf.errors import EngineUnusable, RenderFailed
from tracemypods.deliver.pdf.renderer import EngineName
from tracemypods.deliver.pdf.sheet import ATTACHMENT, LANGUAGE, REGION, Sheet

_HERE = Path(__file__).parent
_TEMPLATES = _HERE / "templates"
_FONTS = _HERE / "fonts"

# What fontconfig reads when Pango is loaded; it would look through the system's fonts.
os.environ["FONTCONFIG_FILE"] = str(_FONTS / "fonts.conf")
try:
    # Without its subsetter WeasyPrint would go on with another, whose files differ.
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "HarfBuzz-Subset", DeprecationWarning)
        import jinja2
        import weasyprint
        from weasyprint.text.fonts import FontConfiguration
        from weasyprint.urls import URLFetcher, URLFetcherResponse
except ImportError as error:
    raise EngineUnusable(
        f"the engine `html` needs the extra tracemypods-deliver[html]: {error.name} is missing"
    ) from None
except (OSError, DeprecationWarning) as error:
    raise EngineUnusable(
        "the engine `html` needs Pango and HarfBuzz's subsetter from the system (libpango-1.0-0, "
        "libpangoft2-1.0-0 and libharfbuzz-subset0 on Debian): "
        f"{str(error).splitlines()[0]}"
    ) from None

BUNDLED = "bundled:"
"""Begins the address of a file beside the templates, the only ones that there are."""


class BundledFiles(URLFetcher):
    """Serves bundled fonts by their name, and nothing else: no network, no path, no redirect."""

    def __init__(self) -> None:
        super().__init__(allowed_protocols=(), allow_redirects=False)
        self._files = {f"{BUNDLED}{one.name}": one for one in _FONTS.glob("*.ttf")}

    def fetch(self, url: str, headers: object = None) -> URLFetcherResponse:
        """A bundled file. Raises ValueError for any other address."""
        del headers
        file = self._files.get(url)
        if file is None:
            raise ValueError("only bundled files are served")
        return URLFetcherResponse(url, file.read_bytes(), {"Content-Type": "font/ttf"})


class HtmlEngine:
    """Renders with WeasyPrint. One at a time."""

    name: EngineName = "html"

    def __init__(self) -> None:
        environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(_TEMPLATES),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
        )
        self._template = environment.get_template("invoice.html")
        self._fetcher = BundledFiles()
        self._fonts = FontConfiguration()
        self._style = weasyprint.CSS(
            string=(_TEMPLATES / "invoice.css").read_text(),
            font_config=self._fonts,
            url_fetcher=self._fetcher,
        )

    def render(self, sheet: Sheet) -> bytes:
        """A PDF file. Raises RenderFailed."""
        issued = datetime.fromtimestamp(sheet.issued_seconds, UTC)
        try:
            html = self._template.render(
                sheet=sheet, issued=issued.isoformat(), language=f"{LANGUAGE}-{REGION}"
            )
        except jinja2.TemplateError as error:
            raise RenderFailed(f"the template invoice.html: {type(error).__name__}") from None
        page = weasyprint.HTML(string=html, base_url=BUNDLED, url_fetcher=self._fetcher)
        attachment = weasyprint.Attachment(
            string=sheet.document.encode(),
            name=ATTACHMENT,
            description="The data of this document",
            relationship="Data",
            created=issued,
            modified=issued,
        )
        made = page.write_pdf(
            stylesheets=[self._style],
            font_config=self._fonts,
            attachments=[attachment],
            pdf_variant="pdf/a-3u",
            pdf_tags=True,
            pdf_identifier=hashlib.sha256(html.encode()).digest()[:16],
        )
        return cast("bytes", cast("Any", made))
