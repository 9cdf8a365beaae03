"""The embedded S3: what it opens, what it shows, and what it keeps."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import urlsplit

import psutil
import pytest

from tracemypods.local.fleet import Fleet
from tracemypods.local.s3 import BUCKET
from tracemypods.local.s3_signature import signed_headers
from tracemypods.local.testing.s3 import S3
from tracemypods.local.testing.waiting import until

from .conftest import MakeFleet, processes_of, still_running

FILE = f"/{BUCKET}/kept.txt"


def fetch(
    port: int, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, body, dict(headers or {}))
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def signed(fleet: Fleet, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
    """What a fleet's S3 answers to whoever has its keys."""
    address = urlsplit(fleet.url("s3"))
    keys = fleet.secret("s3_access_key"), fleet.secret("s3_secret_key")
    headers = signed_headers(method, address.netloc, path, *keys, datetime.now(UTC), body)
    assert address.port
    return fetch(address.port, method, path, body, headers)


def listening(processes: list[psutil.Process]) -> set[tuple[str, int]]:
    return {
        (connection.laddr.ip, connection.laddr.port)
        for process in processes
        for connection in process.net_connections("inet")
        if connection.status == "LISTEN"
    }


def test_it_listens_on_loopback_and_on_its_own_ports_only(s3: S3) -> None:
    process = psutil.Process(s3.pid)
    family = [process, *process.children(recursive=True)]
    expected = {("127.0.0.1", port) for port in s3.ports.values()}
    assert len(expected) == 10
    # The last of its inner servers comes some time after S3 itself answers.
    until(lambda: listening(family) >= expected, "all of its servers listen")
    assert listening(family) == expected
    # Where its worker looks, whatever it is told; else that would be anybody's.
    assert s3.ports["admin.grpc"] == s3.ports["admin"] + 10_000


@pytest.mark.parametrize("name", ["s3", "filer", "master", "admin"])
@pytest.mark.parametrize("path", [f"/{BUCKET}", f"/buckets/{BUCKET}/", "/dir/assign"])
def test_without_keys_nothing_is_shown_or_changed(s3: S3, name: str, path: str) -> None:
    for method in ("GET", "PUT", "DELETE"):
        status, _ = fetch(s3.ports[name], method, path)
        assert status in (401, 403, 404, 405)


def test_the_inner_store_takes_nothing_from_others(s3: S3) -> None:
    status, said = fetch(s3.ports["volume"], "POST", "/1,01637037d6", b"forged")
    assert (status, b"wrong jwt" in said) == (401, True)


def test_a_file_is_kept_through_a_kill_and_down_and_up(make_fleet: MakeFleet) -> None:
    with make_fleet("s3") as fleet:
        assert signed(fleet, "PUT", FILE, b"before the kill")[0] == 200
        fleet.kill("s3")
        fleet.wait_until_ready("s3", after_restarts=0)
        # Ready is when files are taken.
        assert signed(fleet, "PUT", f"{FILE}.2", b"after it")[0] == 200
        processes, before = processes_of(fleet), fleet.url("s3")
        shown = " ".join(
            [
                *(word for process in processes for word in process.cmdline()),
                *(word for process in processes for word in process.environ().values()),
                fleet.log("s3").read_text(),
                fleet.data.state.read_text(),
            ]
        )
        for secret in ("s3_access_key", "s3_secret_key"):
            assert fleet.secret(secret) not in shown
    assert still_running(processes) == []
    # It ended by itself, with everything written.
    assert "Shut down successfully!" in fleet.log("s3").read_text()
    # Its files are found from other ports, too.
    fleet.data.ports.unlink()
    with make_fleet("s3") as fleet:
        assert fleet.url("s3") != before
        assert signed(fleet, "GET", FILE) == (200, b"before the kill")
        assert signed(fleet, "GET", f"{FILE}.2") == (200, b"after it")
