"""Renders invoices on demand, in a process of its own with an event loop that does nothing else.

    pdf_worker.py ours-typst|ours-html|weasyprint|fpdf2 DOCUMENTS.json FONTS RESULT.pdf

Ours render beside the loop, the others in it, as one writes it first. Each line of standard input
is an order, each line of output its answer: `many` renders all documents one after another, and
says the seconds and the longest that the loop did not turn; `one` writes the first document to
RESULT.pdf.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

_BREATH = 0.001

Render = Callable[[dict[str, Any]], Awaitable[bytes]]


async def ours(engine: str) -> Render:
    """The service's own."""
    document: Any = importlib.import_module("tracemypods.deliver.invoices.document")
    rendering: Any = importlib.import_module("tracemypods.deliver.pdf.rendering")
    errors: Any = importlib.import_module("tracemypods.deliver.pdf.errors")
    renderer = rendering.Rendering(engine, rendering.Limits(documents=1_000_000))
    try:
        await renderer.start()
    except errors.EngineUnusable:
        say(None)
        raise SystemExit(0) from None

    async def render(one: dict[str, Any]) -> bytes:
        return await renderer.render(document.Document.model_validate(one["document"]))

    return render


async def weasyprint(fonts: Path) -> Render:
    """WeasyPrint with our template and style, its fonts as files."""
    jinja: Any = importlib.import_module("jinja2")
    weasy: Any = importlib.import_module("weasyprint")
    templates = fonts.with_name("templates")
    template = jinja.Environment(autoescape=True).from_string(
        (templates / "invoice.html").read_text()
    )
    style = (templates / "invoice.css").read_text().replace("bundled:", f"{fonts.as_uri()}/")

    async def render(one: dict[str, Any]) -> bytes:
        sheet = one["sheet"]
        html = template.render(sheet=sheet, issued="2026-11-24T06:00:00+00:00", language="en-IN")
        attachment = weasy.Attachment(
            string=sheet["document"], name="invoice.json", relationship="Data"
        )
        return weasy.HTML(string=html, base_url=fonts.as_uri()).write_pdf(
            stylesheets=[weasy.CSS(string=style)],
            attachments=[attachment],
            pdf_variant="pdf/a-3u",
            pdf_tags=True,
        )

    return render


async def fpdf2(fonts: Path) -> Render:
    """fpdf2, drawn line by line: the same words, neither PDF/A nor tags."""
    fpdf: Any = importlib.import_module("fpdf")

    async def render(one: dict[str, Any]) -> bytes:
        sheet = one["sheet"]
        pdf = fpdf.FPDF(format="A4")
        pdf.add_font("Noto", "", str(fonts / "NotoSans-Regular.ttf"))
        pdf.add_font("Noto", "B", str(fonts / "NotoSans-Bold.ttf"))
        pdf.set_title(f"{sheet['title']} {sheet['number']}")
        pdf.set_lang("en-IN")
        pdf.add_page()
        pdf.set_font("Noto", "B", 24)
        pdf.cell(90, 12, sheet["title"], new_x="LMARGIN", new_y="NEXT")
        pdf.set_font("Noto", "", 9.5)
        for fact in (*sheet["facts"], *sheet["payment"]):
            pdf.cell(40, 5, fact["label"])
            pdf.cell(0, 5, fact["value"], new_x="LMARGIN", new_y="NEXT")
        for party in (sheet["seller"], sheet["buyer"]):
            pdf.ln(4)
            pdf.set_font("Noto", "B", 11)
            pdf.multi_cell(0, 5, party["name"], new_x="LMARGIN", new_y="NEXT")
            pdf.set_font("Noto", "", 9.5)
            pdf.multi_cell(0, 5, "\n".join(party["lines"]), new_x="LMARGIN", new_y="NEXT")
        pdf.ln(4)
        with pdf.table(col_widths=(90, 25, 25, 40)) as table:
            table.row(["Description", "HSN/SAC", "Quantity", sheet["value_heading"]])
            for row in sheet["rows"]:
                table.row([row["description"], row["hsn"], row["quantity"], row["value"]])
        for one_sum in (*sheet["sums"], sheet["total"]):
            pdf.cell(140, 6, one_sum["label"], align="R")
            pdf.cell(0, 6, one_sum["value"], align="R", new_x="LMARGIN", new_y="NEXT")
        for note in (sheet["words"], *sheet["notes"], sheet["footer"]):
            pdf.multi_cell(0, 5, note, new_x="LMARGIN", new_y="NEXT")
        pdf.embed_file(bytes=sheet["document"].encode(), basename="invoice.json")
        return bytes(pdf.output())

    return render


async def pauses(longest: list[float]) -> None:
    """Note the longest that the loop was late to wake this."""
    while True:
        due = time.perf_counter() + _BREATH
        await asyncio.sleep(_BREATH)
        longest[0] = max(longest[0], time.perf_counter() - due)


async def many(render: Render, documents: list[dict[str, Any]]) -> dict[str, float]:
    """Render all; returns the seconds, and the longest pause of the loop."""
    longest = [0.0]
    watching = asyncio.create_task(pauses(longest))
    await asyncio.sleep(0)
    started = time.perf_counter()
    for one in documents:
        await render(one)
        await asyncio.sleep(0)
    seconds = time.perf_counter() - started
    watching.cancel()
    return {"seconds": seconds, "pause": longest[0]}


def say(what: Any) -> None:
    """Answer an order."""
    print(json.dumps(what), flush=True)


async def main(which: str, asked: list[dict[str, Any]], fonts: Path, result: Path) -> None:
    """Take orders until the input ends."""
    if which.startswith("ours-"):
        render = await ours(which.removeprefix("ours-"))
    else:
        render = await {"weasyprint": weasyprint, "fpdf2": fpdf2}[which](fonts)
    for _ in range(3):
        await render(asked[-1])
    say("ready")
    while order := (await asyncio.to_thread(sys.stdin.readline)).strip():
        if order == "one":
            made = await render(asked[0])
            await asyncio.to_thread(result.write_bytes, made)
            say("done")
        else:
            say(await many(render, asked))


if __name__ == "__main__":
    asyncio.run(
        main(
            sys.argv[1],
            json.loads(Path(sys.argv[2]).read_text()),
            Path(sys.argv[3]),
            Path(sys.argv[4]),
        )
    )
