"""Sandboxes as parts of a fleet: their further ports, and what survives a restart."""

from __future__ import annotations

import smtplib
import socket
import urllib.request
from urllib.parse import urlsplit

import pytest

from tracemypods.local.errors import FleetError
from tracemypods.local.fleet import Fleet

from .conftest import MakeFleet


def smtp_port(fleet: Fleet) -> int:
    port = urlsplit(fleet.provided("smtp")).port
    assert port
    return port


def send(port: int) -> None:
    with smtplib.SMTP("127.0.0.1", port, local_hostname="test") as client:
        client.sendmail("shop@shop.example", ["a@b.example"], "Subject: Hello\r\n\r\nText")


def inbox(fleet: Fleet) -> bytes:
    with urllib.request.urlopen(f"{fleet.url('mail')}/local/inbox/messages") as answer:  # noqa: S310
        return answer.read()


def test_mail_survives_a_kill_and_a_new_start(make_fleet: MakeFleet) -> None:
    with make_fleet("mail") as fleet:
        send(smtp_port(fleet))
        before = inbox(fleet)
        assert b"Hello" in before
        fleet.kill("mail")
        fleet.wait_until_ready("mail", after_restarts=0)
        assert inbox(fleet) == before
        port = smtp_port(fleet)
    with make_fleet("mail") as fleet:
        assert smtp_port(fleet) == port
        assert inbox(fleet) == before


def test_a_further_port_that_is_taken_is_replaced_while_it_runs(make_fleet: MakeFleet) -> None:
    with make_fleet("mail") as fleet:
        port = smtp_port(fleet)
        fleet.kill("mail")
        holder = socket.socket()
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        while True:
            try:
                holder.bind(("127.0.0.1", port))
                break
            except OSError:
                continue  # until its process is gone
        holder.listen()
        with holder:
            fleet.wait_until_ready("mail")
            while smtp_port(fleet) == port:
                fleet.wait_until_ready("mail")
            fleet.wait_until_ready("mail")
            send(smtp_port(fleet))
            assert b"Hello" in inbox(fleet)


def test_what_no_part_provides_has_no_address(make_fleet: MakeFleet) -> None:
    fleet = make_fleet("redis")
    for need in ("smtp", "redis", "nothing"):
        with pytest.raises(FleetError, match=f"nothing that runs provides {need}"):
            fleet.provided(need)
