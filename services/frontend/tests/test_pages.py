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
        {
            "mode": Mode.LOCAL,
            "config_dir": FRONTEND.parent / "config",
            "site_dir": FRONTEND,
            "packages_dir": FRONTEND / "node_modules",
        }
    )
    with ServedApp(create_app(settings)) as served, caller(served.url, None) as client:
        yield client


SELLER_PAGES = ["/terms.html", "/privacy.html", "/refunds.html", "/contact.html"]


@pytest.mark.parametrize(
    "path", ["/", "/index.html", "/chat.html", "/404.html", "/pay/../chat.html", *SELLER_PAGES]
)
def test_pages_have_safe_headers(browser: httpx2.Client, path: str) -> None:
    answer = browser.get(path, headers=HTML)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "'unsafe" not in policy
    assert "razorpay" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-cache"


def directives(answer: httpx2.Response) -> dict[str, list[str]]:
    parts = [one.split() for one in answer.headers["content-security-policy"].split("; ")]
    return {name: values for name, *values in parts}


def test_razorpay_works_on_the_page_of_buying_alone(browser: httpx2.Client) -> None:
    page = browser.get("/pay.html", headers=HTML)
    assert page.status_code == 200
    site, pay = directives(browser.get("/chat.html")), directives(page)
    assert pay["script-src"] == [
        "'self'",
        "https://checkout.razorpay.com",
        "https://cdn.razorpay.com",
    ]
    assert "https://api.razorpay.com" in pay["frame-src"]
    assert "https://lumberjack.razorpay.com" in pay["connect-src"]
    assert all(
        value.removeprefix("https://").endswith(".razorpay.com") or value.startswith("'")
        for name, values in pay.items()
        for value in values
        if value not in site.get(name, [])
    )
    for name in ("default-src", "base-uri", "frame-ancestors"):
        assert pay[name] == site[name]
    assert page.headers["cross-origin-opener-policy"] == "same-origin-allow-popups"
    assert page.headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize("path", ["/chat.html", "/pay.html", "/terms.html"])
def test_what_has_not_changed_is_not_sent_again(browser: httpx2.Client, path: str) -> None:
    first = browser.get(path)
    again = browser.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304
    # A browser takes these into what it has kept, so they must be the page's own.
    for name in ("content-security-policy", "cross-origin-opener-policy", "permissions-policy"):
        assert again.headers[name] == first.headers[name]


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
