"""The frontend service's application: files, and the headers that keep the pages safe."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from fastapi import APIRouter, FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Scope

from tracemypods.frontend.settings import Settings
from tracemypods.kit.app import create_service
from tracemypods.kit.errors import answer_problem

PACKAGES = {"/packages/markdown-it.js": "markdown-it/dist/browser/markdown-it.esm.min.mjs"}
"""The files of npm packages that the pages load, by the path under which they load them."""

JAVASCRIPT = "text/javascript"

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


class Pages(StaticFiles):
    """The pages. Folders have no listing; the root is the front page."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        path = "index.html" if path == "." else path
        # Whatever the method: a path that is none is 404, also to those who post to it.
        if self.lookup_path(path)[1] is None:
            raise HTTPException(404)
        return await super().get_response(path, scope)


def package_routes(packages_dir: Path) -> APIRouter:
    """A route for each file of PACKAGES."""
    router = APIRouter()

    async def serve(request: Request) -> Response:
        return FileResponse(packages_dir / PACKAGES[request.url.path], media_type=JAVASCRIPT)

    for path in PACKAGES:
        router.add_route(path, serve, include_in_schema=False)
    return router


def create_app(settings: Settings) -> FastAPI:
    """Make the application."""
    not_found_page = settings.site_dir / "site" / "404.html"
    mounts: Mapping[str, ASGIApp] = {
        "/design": StaticFiles(directory=settings.site_dir / "design"),
        "/": Pages(directory=settings.site_dir / "site"),
    }

    async def answer_error(request: Request, error: Exception) -> Response:
        missing = isinstance(error, HTTPException) and error.status_code == 404
        if missing and "text/html" in request.headers.get("accept", ""):
            return FileResponse(not_found_page, status_code=404)
        return await answer_problem(request, error)

    app = create_service(
        "frontend",
        settings,
        routers=[package_routes(settings.packages_dir)],
        mounts=mounts,
        headers=HEADERS,
    )
    app.add_exception_handler(HTTPException, answer_error)
    return app
