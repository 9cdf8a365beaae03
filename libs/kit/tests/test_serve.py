"""How a service ends: what is asked on a connection that was open before is still answered."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import urlsplit

import pytest

from tracemypods.kit.app import create_service
from tracemypods.kit.settings import Mode, ServiceSettings
from tracemypods.local.testing.served import ServedApp
from tracemypods.local.testing.waiting import GIVE_UP_SECONDS, until

PATIENCE = round(GIVE_UP_SECONDS)


@pytest.fixture
def served() -> Iterator[ServedApp]:
    """A service that leaves open connections to their callers until they let go of them."""
    app = create_service("token", ServiceSettings.model_validate({"mode": Mode.LOCAL}))
    with ServedApp(app, drain_seconds=PATIENCE, linger=PATIENCE) as served:
        yield served


def test_an_idle_connection_is_left_to_its_caller(served: ServedApp) -> None:
    address = urlsplit(served.url)
    with closing(http.client.HTTPConnection(address.netloc)) as kept:
        assert ask(kept) == (200, None)
        served.tell_to_stop()
        until(lambda: is_refused(address.netloc), "it listens no more")
        # Its caller does not know that yet, or has sent this before.
        assert ask(kept) == (200, "close")


def ask(connection: http.client.HTTPConnection) -> tuple[int, str | None]:
    """An answer's status, and whether it says that it is the last one."""
    connection.request("GET", "/livez")
    answer = connection.getresponse()
    answer.read()
    return answer.status, answer.getheader("Connection")


def is_refused(address: str) -> bool:
    host, _, port = address.partition(":")
    try:
        socket.create_connection((host, int(port))).close()
    except ConnectionRefusedError:
        return True
    return False
