"""Who may call what, and where the sandbox does not start."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pydantic import ValidationError

from tracemypods.kit.serve import EXIT_BAD_SETTINGS
from tracemypods.local.testing.razorpay import (
    CONTROL_KEY,
    KEY_ID,
    KEY_SECRET,
    WEBHOOK_SECRET,
    RazorpaySandbox,
    sandbox_settings,
)

CONTROL_ROUTES = [
    ("GET", "/account"),
    ("POST", "/pay"),
    ("POST", "/payments/pay_00000000000000/authorise"),
    ("POST", "/payments/pay_00000000000000/refund"),
    ("POST", "/refunds/rfnd_00000000000000/process"),
    ("POST", "/refunds/rfnd_00000000000000/fail"),
    ("POST", "/disputes"),
    ("POST", "/disputes/disp_00000000000000/lost"),
    ("GET", "/faults"),
    ("POST", "/faults"),
    ("DELETE", "/faults"),
    ("GET", "/webhooks"),
    ("POST", "/webhooks/x/redeliver"),
]


def test_the_list_is_complete(refusing: RazorpaySandbox) -> None:
    paths = httpx2.get(f"{refusing.url}/openapi.json").json()["paths"]
    routes = {
        (method.upper(), path.removeprefix("/local/razorpay"))
        for path, methods in paths.items()
        for method, route in methods.items()
        if "control" in route.get("tags", [])
    }
    assert len(routes) == len(CONTROL_ROUTES)


@pytest.mark.parametrize(("method", "path"), CONTROL_ROUTES)
def test_control_routes_need_their_key(refusing: RazorpaySandbox, method: str, path: str) -> None:
    url = f"{refusing.url}/local/razorpay{path}"
    for headers in (
        {},
        {"Authorization": "Bearer"},
        {"Authorization": f"Bearer {CONTROL_KEY[:-1]}"},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Basic {CONTROL_KEY}"},
    ):
        response = httpx2.request(method, url, headers=headers, json={})
        assert response.status_code == 401
        assert response.json()["code"] == "sandbox_key_required"


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Host": "evil.example"}, "local_host_refused"),
        ({"Host": "127.0.0.1.evil.example"}, "local_host_refused"),
        ({"Host": ""}, "local_host_refused"),
        ({"Host": "["}, "local_host_refused"),
        ({"Origin": "https://evil.example"}, "local_origin_refused"),
        ({"Origin": "null"}, "local_origin_refused"),
        ({"Origin": "http://127.0.0.1:1"}, "local_origin_refused"),
    ],
)
@pytest.mark.parametrize("path", ["/account", "/checkout/open"])
def test_pages_of_other_sites(
    refusing: RazorpaySandbox, path: str, headers: dict[str, str], code: str
) -> None:
    method = "GET" if path == "/account" else "POST"
    asked = {"key": KEY_ID, "order_id": "order_00000000000000"}
    response = refusing.control.request(method, path, headers=headers, json=asked)
    assert (response.status_code, response.json()["code"]) == (403, code)


def test_names_that_the_settings_allow() -> None:
    with RazorpaySandbox(hosts=("demo.example",)) as sandbox:
        headers = {"Host": "demo.example:8443", "Origin": "https://demo.example:8443"}
        assert sandbox.control.get("/account", headers=headers).status_code == 200


def test_nothing_is_live(refusing: RazorpaySandbox) -> None:
    assert refusing.control.get("/account").json()["livemode"] is False
    assert refusing.control.get("/webhooks").json()["livemode"] is False


@pytest.mark.parametrize(
    "wrong",
    [
        {"mode": "production"},
        {"key_id": "rzp_live_SandboxOfTests"},
        {"key_id": "rzp_test_"},
        {"key_secret": "short"},
        {"webhook_secret": ""},
        {"webhook_secret": KEY_SECRET},
        {"key": "short"},
        {"webhook_url": "ftp://127.0.0.1"},
    ],
)
def test_settings_that_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        sandbox_settings(**wrong)


def started(mode: str | None, data: Path) -> subprocess.Popen[str]:
    """The sandbox as a process of its own."""
    environment = {
        **os.environ,
        "TRACEMYPODS_PORT": "0",
        "TRACEMYPODS_SANDBOX_RAZORPAY_KEY_ID": KEY_ID,
        "TRACEMYPODS_RAZORPAY_KEY_SECRET": KEY_SECRET,
        "TRACEMYPODS_RAZORPAY_WEBHOOK_SECRET": WEBHOOK_SECRET,
        "TRACEMYPODS_SANDBOX_KEY": CONTROL_KEY,
        "TRACEMYPODS_SANDBOX_RAZORPAY_DATA_DIR": str(data),
        "TRACEMYPODS_SANDBOX_RAZORPAY_HOSTS": json.dumps(["demo.example"]),
        **({"TRACEMYPODS_MODE": mode} if mode else {}),
    }
    command = [sys.executable, "-m", "tracemypods.local.sandboxes.razorpay"]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


@pytest.mark.parametrize("mode", [None, "production"])
def test_it_does_not_start_in_production(mode: str | None, tmp_path: Path) -> None:
    with started(mode, tmp_path) as process:
        errors, _ = process.communicate()
    assert process.returncode == EXIT_BAD_SETTINGS
    assert "no place in production" in errors
    assert KEY_SECRET not in errors


@pytest.mark.parametrize("mode", ["local", "demo"])
def test_it_starts_and_stops_by_itself(mode: str, tmp_path: Path) -> None:
    with started(mode, tmp_path / "new") as process:
        assert process.stdout is not None
        assert any("running on" in line for line in process.stdout)
        process.send_signal(signal.SIGTERM)
        process.communicate()
    assert (tmp_path / "new" / "razorpay.sqlite3").is_file()
