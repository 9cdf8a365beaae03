"""The frontend service's application: pages and what they load."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from fastapi import APIRouter, FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Scope

from tracemypods.contracts.seller import load_seller
from tracemypods.frontend import headers
from tracemypods.frontend.seller_pages import seller_routes
from tracemypods.frontend.settings import Settings
from tracemypods.kit.app import create_service
from tracemypods.kit.errors import answer_problem

PACKAGES = {"/packages/markdown-it.js": "markdown-it/dist/browser/markdown-it.esm.min.mjs"}
"""The files of npm packages that the pages load, by the path under which they load them."""

JAVASCRIPT = "text/javascript"


class Pages(StaticFiles):
    """The pages. Folders have no listing; the root is the front page."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        path = "index.html" if path == "." else path
        # Whatever the method: a path that is none is 404, also to those who post to it.
        if self.lookup_path(path)[1] is None:
            raise HTTPException(404)
        response = await super().get_response(path, scope)
        # Also of a 304: browsers put its headers in the place of those that they have kept.
        response.headers.update(headers.OF_PAGES.get(path, {}))
        return response


def package_routes(packages_dir: Path) -> APIRouter:
    """A route for each file of PACKAGES."""
    router = APIRouter()

    async def serve(request: Request) -> Response:
        return FileResponse(packages_dir / PACKAGES[request.url.path], media_type=JAVASCRIPT)

    for path in PACKAGES:
        router.add_route(path, serve, include_in_schema=False)
    return router


def create_app(settings: Settings) -> FastAPI:
    """Make the application. Raises SellerError where `seller.toml` has mistakes."""
    seller = load_seller(settings.config_dir)
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
        routers=[
            package_routes(settings.packages_dir),
            seller_routes(settings.site_dir / "seller", seller),
        ],
        mounts=mounts,
        headers=headers.SITE,
    )
    app.add_exception_handler(HTTPException, answer_error)
    return app
