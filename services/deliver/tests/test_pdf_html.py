"""The engine `html`, which could ask for files: it gets the bundled fonts, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from tracemypods.deliver.pdf.errors import EngineUnusable
from tracemypods.deliver.pdf.renderer import load_engine
from tracemypods.local.testing.http_stub import HttpStub

# WeasyPrint leaves closing its colour profile to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed file.*sRGB2014.icc:ResourceWarning")


@pytest.fixture
def files() -> Any:
    try:
        load_engine("html")
    except EngineUnusable as error:
        pytest.skip(str(error))
    from tracemypods.deliver.pdf.html_engine import BundledFiles

    return BundledFiles()


@pytest.mark.parametrize(
    "address",
    [
        "file:///etc/passwd",
        "http://127.0.0.1:1/x.ttf",
        "data:text/plain,x",
        "bundled:../html_engine.py",
        "bundled:/etc/passwd",
        "bundled:OFL.txt",
        "",
    ],
)
def test_other_addresses_are_refused(files: Any, address: str) -> None:
    with pytest.raises(ValueError, match="only bundled files"):
        files.fetch(address)


def test_bundled_fonts_are_served(files: Any) -> None:
    assert files.fetch("bundled:NotoSans-Regular.ttf").read()[:4] == b"\0\1\0\0"


def test_a_template_that_asks_gets_nothing(files: Any) -> None:
    import weasyprint

    with HttpStub() as stub:
        page = (
            f'<link rel="stylesheet" href="{stub.url}/a.css"><img src="{stub.url}/b.png">'
            f"<style>@import url({stub.url}/c.css); p {{ background: url({stub.url}/d.png) }}"
            f"</style><p>x</p><object data='{stub.url}/e.svg'></object>"
        )
        weasyprint.HTML(string=page, url_fetcher=files).write_pdf()
        assert stub.requests == []


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("sys.modules['jinja2'] = None", "the extra tracemypods-deliver"),
        ("sys.modules['weasyprint'] = None", "the extra tracemypods-deliver"),
        (
            "import cffi; cffi.FFI.dlopen = lambda *_: (_ for _ in ()).throw(OSError('no'))",
            "needs Pango",
        ),
    ],
)
def test_what_is_missing_is_said(missing: str, said: str) -> None:
    if "cffi" in missing:
        pytest.importorskip("cffi", reason="cffi comes with the extra `html`")
    program = (
        f"import sys\n{missing}\n"
        "from tracemypods.deliver.pdf.renderer import load_engine\n"
        "from tracemypods.deliver.pdf.errors import EngineUnusable\n"
        "try:\n    load_engine('html')\nexcept EngineUnusable as error:\n    print(error)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert said in ran.stdout
