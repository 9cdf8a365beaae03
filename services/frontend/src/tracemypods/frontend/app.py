"""The frontend service's application: files, and the headers that keep the pages safe."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from tracemypods.frontend.settings import Settings
from tracemypods.kit.app import create_service
from tracemypods.kit.errors import answer_problem

PACKAGES = {"/packages/markdown-it.js": "markdown-it/dist/browser/markdown-it.esm.min.mjs"}
"""The files of npm packages that the pages load, by the path under which they load them."""

HEADERS = {
    # Nothing is loaded from elsewhere, nothing inline runs, and no string becomes HTML or script.
    "Content-Security-Policy": "; ".join(
        [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data:",
            "font-src 'self'",
            "connect-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        ]
    ),
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    # Browsers keep the files but ask each time whether they changed (by ETag).
    "Cache-Control": "no-cache",
}


class PackageFile:
    """Serves one file of an npm package."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await FileResponse(self._path, media_type="text/javascript")(scope, receive, send)


def create_app(settings: Settings) -> FastAPI:
    """Make the application."""
    not_found_page = settings.site_dir / "site" / "404.html"
    mounts: Mapping[str, ASGIApp] = {
        **{path: PackageFile(settings.packages_dir / file) for path, file in PACKAGES.items()},
        "/design": StaticFiles(directory=settings.site_dir / "design"),
        "/": StaticFiles(directory=settings.site_dir / "site", html=True),
    }

    async def answer_error(request: Request, error: Exception) -> Response:
        missing = isinstance(error, HTTPException) and error.status_code == 404
        if missing and "text/html" in request.headers.get("accept", ""):
            return FileResponse(not_found_page, status_code=404)
        return await answer_problem(request, error)

    app = create_service("frontend", settings, mounts=mounts, headers=HEADERS)
    app.add_exception_handler(HTTPException, answer_error)
    return app
