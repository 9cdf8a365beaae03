"""`helm test` finds out whether public routes lead somewhere, tried on a fleet of this machine."""

from __future__ import annotations

import subprocess
import sys

from rendered_chart import CASES, render

from tracemypods.local.fleet import Fleet


def check(at: str, *paths: str, tries: int) -> subprocess.CompletedProcess[str]:
    """Run what a test pod runs, with its own script, at another address."""
    pod = render(CASES["demo"]).find("Pod", "test-token")["spec"]["containers"][0]
    command = [sys.executable, *pod["command"][1:], pod["args"][0], at, *paths]
    return subprocess.run(
        command, env={"TRIES": str(tries)}, capture_output=True, text=True, check=False
    )


def test_every_public_route_answers(fleet: Fleet, site: str) -> None:
    for pod in render(CASES["demo"]).of_kind("Pod"):
        _, at, *paths = pod["spec"]["containers"][0]["args"]
        assert at == "http://shop-gateway:8080"
        assert paths
        done = check(site, *paths, tries=3)
        assert done.returncode == 0, done.stderr
        assert len(done.stdout.splitlines()) >= len(paths)


def test_routes_that_lead_nowhere_are_named(fleet: Fleet, site: str) -> None:
    done = check(site, "/api/token", "/api/tokenz", "/internal/tokens", tries=1)
    assert done.returncode == 1
    assert done.stderr.split() == [
        *(f"{site}/api/tokenz:", "404", "text/html"),
        *(f"{site}/internal/tokens:", "404", "gateway_not_found"),
    ]
    nobody = check("http://127.0.0.1:9", "/api/token", tries=1)
    assert "no answer" in nobody.stderr
