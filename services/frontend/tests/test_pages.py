"""Pages, what they load, their headers, and paths that are none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tracemypods.frontend.app import PACKAGES, create_app
from tracemypods.frontend.settings import Settings
from tracemypods.kit.settings import Mode
from tracemypods.local.testing.callers import caller
from tracemypods.local.testing.served import ServedApp

FRONTEND = Path(__file__).parents[3] / "frontend"
HTML = {"Accept": "text/html,application/xhtml+xml"}


@pytest.fixture(scope="module")
def browser() -> Iterator[httpx2.Client]:
    settings = Settings.model_validate(
        {"mode": Mode.LOCAL, "site_dir": FRONTEND, "packages_dir": FRONTEND / "node_modules"}
    )
    with ServedApp(create_app(settings)) as served, caller(served.url, None) as client:
        yield client


@pytest.mark.parametrize("path", ["/", "/index.html", "/chat.html", "/404.html"])
def test_pages_have_safe_headers(browser: httpx2.Client, path: str) -> None:
    answer = browser.get(path, headers=HTML)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "'unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-cache"


def test_what_has_not_changed_is_not_sent_again(browser: httpx2.Client) -> None:
    etag = browser.get("/chat.html").headers["etag"]
    assert browser.get("/chat.html", headers={"If-None-Match": etag}).status_code == 304


@pytest.mark.parametrize("path", list(PACKAGES))
def test_packages_are_served_as_scripts(browser: httpx2.Client, path: str) -> None:
    answer = browser.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/javascript")


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/packages/axe-core.js",
        "/packages/markdown-it.js/x",
        "/package.json",
        "/node_modules/markdown-it/package.json",
        "/../package.json",
        "/%2e%2e/package.json",
        "/design/..%2fpackage.json",
        "/design/%2e%2e/site/chat.html",
        "/design",
        "/design/",
    ],
)
def test_paths_that_are_none(browser: httpx2.Client, path: str) -> None:
    page = browser.get(path, headers=HTML)
    assert page.status_code == 404
    assert "<html" in page.text
    problem = browser.get(path)
    assert problem.status_code == 404
    assert problem.json()["code"] == "not_found"


def test_only_reading(browser: httpx2.Client) -> None:
    assert browser.post("/chat.html").status_code == 405
    assert browser.post("/api/nothing").status_code == 404
    assert browser.head("/chat.html").status_code == 200
