"""The inbox page and its files; how pages look comes from the frontend's `/design/`."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response

from tracemypods.local.sandboxes.guard import from_this_machine

PATH = "/local/inbox"

POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        # Messages are shown in a frame, and it goes nowhere else.
        "frame-src 'self'",
        "form-action 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ]
)

_FOLDER = Path(__file__).with_name("page")
_TYPES = {".css": "text/css", ".js": "text/javascript"}


def page_router() -> APIRouter:
    """The routes of the page."""
    router = APIRouter(dependencies=[Depends(from_this_machine)], include_in_schema=False)

    @router.get(PATH)
    async def move() -> Response:
        return RedirectResponse(f"{PATH}/", status_code=308)

    @router.get(f"{PATH}/", response_class=FileResponse)
    async def page() -> FileResponse:
        return _file(_FOLDER / "inbox.html", "text/html")

    async def file(request: Request) -> FileResponse:
        path = _FOLDER / request.url.path.rpartition("/")[2]
        return _file(path, _TYPES[path.suffix])

    for path in sorted(_FOLDER.iterdir()):
        if path.suffix in _TYPES:
            router.add_api_route(f"{PATH}/{path.name}", file, response_class=FileResponse)
    return router


def _file(path: Path, kind: str) -> FileResponse:
    # Browsers ask each time whether it changed.
    return FileResponse(path, media_type=kind, headers={"Cache-Control": "no-cache"})
