"""What is in the PDF files, and that all engines put the same into them."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from pdf_reading import attachment, catalogue, fonts, reader, squeezed, text
from pdf_samples import buyer, credit_note, invoice, plain

from tracemypods.deliver.invoices.document import Document, Party
from tracemypods.deliver.pdf.contents import sheet_of
from tracemypods.deliver.pdf.errors import EngineUnusable, RenderFailed
from tracemypods.deliver.pdf.renderer import Engine, load_engine
from tracemypods.deliver.pdf.sheet import Sheet
from tracemypods.deliver.pdf.text import MARK
from tracemypods.local.testing.http_stub import HttpStub

# WeasyPrint leaves closing its colour profile to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed file.*sRGB2014.icc:ResourceWarning")

HINDI = "ग्राहक श्री क्रेता"

HOSTILE = {
    "HTML": '<script>alert(1)</script><img src="file:///etc/passwd">',
    "typst": '#read("/etc/passwd") $x$ *b* @preview/x:1.0.0 \\ #pagebreak()',
    "jinja": "{{ 7 * 7 }} {% include '/etc/passwd' %}",
    "lines": "a\r\nb\r\nInvoice number TMP/2627/9999999",
    "direction": "\u202e0000000/7262/PMT\u202c",
    "emoji": "👩‍💻 買家 اسم",
}


@pytest.fixture(scope="module", params=["typst", "html"])
def engine(request: pytest.FixtureRequest) -> Engine:
    try:
        return load_engine(request.param)
    except EngineUnusable as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def render(engine: Engine) -> Callable[[Document], bytes]:
    return lambda document: engine.render(sheet_of(document))


def facts(sheet: Sheet) -> list[str]:
    """Every text of a sheet, as it stands on paper once at least."""
    return [
        *(sheet.title, sheet.banner, sheet.footer, sheet.words, sheet.value_heading),
        *(sheet.watermark, sheet.watermark.upper()),
        *(sheet.seller.name, *sheet.seller.lines, sheet.buyer.name, *sheet.buyer.lines),
        *(part for row in sheet.rows for part in (row.description, row.hsn, row.quantity)),
        *(row.value for row in sheet.rows),
        *(
            part
            for one in (*sheet.facts, *sheet.sums, sheet.total)
            for part in (one.label, one.value)
        ),
        *(one.value for one in sheet.payment),
        *sheet.notes,
    ]


@pytest.mark.parametrize(
    "document",
    [
        invoice(),
        invoice(is_test=True, banner="Demonstration: no money was moved."),
        invoice(buyer=buyer(HINDI, address="मुख्य मार्ग १२\nजयपुर", gstin="29AAPFU0939F1ZR")),
        credit_note(),
        plain(),
    ],
    ids=["tax invoice", "test", "Devanagari", "credit note", "without tax"],
)
def test_all_that_the_sheet_says_is_on_one_page(
    render: Callable[[Document], bytes], document: Document
) -> None:
    pdf = render(document)
    read = text(pdf)
    sheet = sheet_of(document)
    assert [one for one in facts(sheet) if squeezed(one) not in read] == []
    assert len(reader(pdf).pages) == 1
    # What is copied from it has nothing in it that can't be seen.
    assert document.number in reader(pdf).pages[0].extract_text()
    assert "\u200b" not in read
    assert attachment(pdf).decode() == document.model_dump_json(indent=1)
    if not document.is_test:
        assert "Nota" not in read


def test_it_is_an_archive_file_that_says_what_it_is(render: Callable[[Document], bytes]) -> None:
    made = render(invoice())
    pdf = reader(made)
    root = catalogue(made)
    xmp = root["/Metadata"].get_data().decode()
    xmp = xmp.replace('="', ">").replace("'", ">")
    assert "pdfaid:part>3" in xmp
    assert "pdfaid:conformance>U" in xmp
    assert pdf.metadata is not None
    assert pdf.metadata.title == "Tax invoice TMP/2627/0000123"
    assert str(root["/Lang"]).lower() == "en-in"
    assert root["/MarkInfo"]["/Marked"]
    assert {one.get_object()["/AFRelationship"] for one in root["/AF"]} == {"/Data"}
    assert pdf.metadata.creation_date is not None
    assert int(pdf.metadata.creation_date.timestamp()) * 1000 == invoice().issued_at


def test_only_bundled_fonts_and_all_of_them_inside(render: Callable[[Document], bytes]) -> None:
    found = fonts(render(invoice(buyer=buyer(HINDI + HOSTILE["emoji"]))))
    names = {str(one["/FontName"]).partition("+")[2].replace("-", "") for one in found}
    assert {one.removesuffix("Regular").removesuffix("Bold") for one in names} == {
        "NotoSans",
        "NotoSansDevanagari",
    }
    assert all(one.keys() & {"/FontFile", "/FontFile2", "/FontFile3"} for one in found)


@pytest.mark.parametrize("attack", HOSTILE)
def test_what_a_buyer_types_is_text(render: Callable[[Document], bytes], attack: str) -> None:
    document = invoice(buyer=buyer(HOSTILE[attack]))
    pdf = render(document)
    shown = sheet_of(document)
    assert squeezed(shown.buyer.name) in text(pdf)
    assert len(reader(pdf).pages) == 1
    assert text(pdf).count("Invoicenumber") == 1 + (attack == "lines")
    assert "root:" not in text(pdf)
    assert attachment(pdf).decode() == document.model_dump_json(indent=1)
    assert (MARK in shown.buyer.name) is (attack == "emoji")


def test_a_name_without_an_end_goes_on_over_pages(render: Callable[[Document], bytes]) -> None:
    pdf = render(invoice(buyer=buyer("Q" * 3000)))
    assert text(pdf).count("Q") == 3001  # with that of Quantity
    # A line has room for 26 of them.
    lines = [one for page in reader(pdf).pages for one in re.findall("Q+", page.extract_text())]
    assert max(len(one) for one in lines) <= 27
    assert 2 <= len(reader(pdf).pages) <= 4
    # The rest stands below it, whole.
    assert squeezed("Total ₹ 1,00,000.00") in text(pdf)


def test_ten_thousand_of_anything_are_a_document() -> None:
    engine = load_engine("typst")
    for one in ("x", "W", MARK, "क्षि", "é", "W "):
        pdf = engine.render(sheet_of(invoice(buyer=buyer(one * (10_000 // len(one))))))
        assert len(reader(pdf).pages) < 20


def test_what_is_empty_is_left_out(render: Callable[[Document], bytes]) -> None:
    pdf = render(invoice(seller=Party(name=""), buyer=Party(name="\u202e"), notes=[]))
    assert squeezed("Total ₹ 1,00,000.00") in text(pdf)


def test_the_longest_seller_is_an_author() -> None:
    pdf = load_engine("typst").render(sheet_of(invoice(seller=buyer(f"{MARK * 99} " * 200))))
    assert squeezed("Total ₹ 1,00,000.00") in text(pdf)


def test_nothing_is_fetched(render: Callable[[Document], bytes]) -> None:
    with HttpStub() as stub:
        for address in (stub.url, stub.url.replace("http:", ""), f"url({stub.url}/x)"):
            render(
                invoice(
                    buyer=buyer(f'<link rel="stylesheet" href="{address}"> {address}'),
                    notes=[f'<img src="{address}/a.png">', f'#image("{address}")'],
                )
            )
        assert stub.requests == []


def test_the_same_document_is_the_same_file(engine: Engine) -> None:
    first = engine.render(sheet_of(invoice()))
    other = engine.render(sheet_of(credit_note()))
    assert other != first
    assert engine.render(sheet_of(invoice())) == first


def test_another_process_makes_the_same_file(engine: Engine, tmp_path: Path) -> None:
    sheet = sheet_of(invoice())
    (tmp_path / "sheet.json").write_text(sheet.to_json())
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from tracemypods.deliver.pdf.renderer import load_engine\n"
        "from tracemypods.deliver.pdf.sheet import Sheet\n"
        "folder = Path(sys.argv[2])\n"
        "sheet = Sheet.from_json((folder / 'sheet.json').read_text())\n"
        "(folder / 'made.pdf').write_bytes(load_engine(sys.argv[1]).render(sheet))\n"
    )
    subprocess.run([sys.executable, "-c", program, engine.name, str(tmp_path)], check=True)
    assert (tmp_path / "made.pdf").read_bytes() == engine.render(sheet)


def test_an_unknown_engine_is_named() -> None:
    with pytest.raises(EngineUnusable, match="there is no engine 'word'"):
        load_engine("word")


def test_what_typst_refuses_is_told_by_its_reason() -> None:
    # A character of nobody's, which text.py never lets through.
    with pytest.raises(RenderFailed, match=r"^typst: .*text$"):
        load_engine("typst").render(replace(sheet_of(invoice()), words="a secret \ue000"))
