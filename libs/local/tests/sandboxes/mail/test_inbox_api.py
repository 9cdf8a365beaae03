"""`/local/inbox/*`: who may call it, paging, faults, and the settings that it refuses."""

from __future__ import annotations

import json
import smtplib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tracemypods.kit.settings import Mode, ServiceSettings
from tracemypods.local import checkout
from tracemypods.local.sandboxes.mail.settings import Settings
from tracemypods.local.settings_table import describe
from tracemypods.local.testing.mail import KEY, Inbox

MESSAGES = "/local/inbox/messages"
FAULTS = "/local/inbox/faults"


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    with Inbox(tmp_path / "mail") as started:
        yield started


def send(inbox: Inbox, subject: str = "x", to: str = "a@b.example") -> None:
    with smtplib.SMTP("127.0.0.1", inbox.smtp_port, local_hostname="test") as client:
        client.sendmail("shop@shop.example", [to], f"Subject: {subject}\r\n\r\nText")


def get(inbox: Inbox, path: str, **headers: str) -> tuple[int, Any]:
    status, _, body = inbox.request("GET", path, headers=headers)
    return status, json.loads(body)


def test_pages_follow_one_another_to_the_end(inbox: Inbox) -> None:
    for n in range(5):
        send(inbox, str(n))
    seen: list[str] = []
    cursor = ""
    while True:
        _, page = get(inbox, f"{MESSAGES}?limit=2{cursor}")
        seen += [one["subject"] for one in page["items"]]
        if page["cursor"] is None:
            break
        cursor = f"&cursor={page['cursor']}"
        send(inbox, "meanwhile")
    assert seen == ["4", "3", "2", "1", "0"]
    assert get(inbox, f"{MESSAGES}?cursor=mail_gone")[1] == {"items": [], "cursor": None}


def test_a_list_without_texts_is_short_and_says_what_there_is(inbox: Inbox) -> None:
    send(inbox)
    (found,) = get(inbox, f"{MESSAGES}?bodies=false")[1]["items"]
    assert (found["text"], found["has_text"], found["has_html"]) == (None, True, False)


def test_a_caller_who_is_up_to_date_is_told_so(inbox: Inbox) -> None:
    send(inbox)
    _, headers, _ = inbox.request("GET", MESSAGES)
    assert headers["cache-control"] == "no-store"
    known = {"If-None-Match": headers["etag"]}
    assert inbox.request("GET", MESSAGES, headers=known)[0] == 304
    send(inbox)
    assert inbox.request("GET", MESSAGES, headers=known)[0] == 200


def test_deleting_leaves_nothing(inbox: Inbox) -> None:
    send(inbox)
    (found,) = inbox.messages()
    assert inbox.request("DELETE", MESSAGES)[0] == 204
    assert inbox.messages() == []
    for path in ("", "/html", "/source", "/attachments/0"):
        status, problem = get(inbox, f"{MESSAGES}/{found['id']}{path}")
        assert (status, problem["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("?limit=0", 422),
        ("?limit=100000", 422),
        (f"?to={'x' * 321}", 422),
        ("/mail_x", 422),
        (f"/mail_{'0' * 32}/attachments/-1", 422),
    ],
)
def test_questions_that_make_no_sense(inbox: Inbox, path: str, status: int) -> None:
    assert get(inbox, f"{MESSAGES}{path}")[0] == status


PATHS = [MESSAGES, "/local/inbox", "/local/inbox/", "/local/inbox/inbox.js", FAULTS]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "10.0.0.1", ""),
        *("127.0.0.1@evil.example", "evil.example:8080", "localhost:80:80", "192.168.0.1"),
    ],
)
def test_a_name_that_was_made_to_point_here_is_refused(inbox: Inbox, path: str, host: str) -> None:
    status, problem = get(inbox, path, Host=host, **inbox.key_header)
    assert (status, problem["code"]) == (403, "local_host_refused")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8080", "127.0.0.1:1", "[::1]:8080"])
def test_this_machines_own_names_are_good(inbox: Inbox, host: str) -> None:
    assert get(inbox, MESSAGES, Host=host, Origin=f"http://{host}")[0] == 200


@pytest.mark.parametrize(
    "origin",
    [
        *("http://evil.example", "null", "http://localhost:3000", "https://localhost:8080", ""),
        *("http://localhost:8080.evil.example", "file://"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_pages_of_other_sites_are_refused(inbox: Inbox, origin: str, method: str) -> None:
    send(inbox)
    headers = {"Host": "localhost:8080", "Origin": origin}
    status, answered, body = inbox.request(method, MESSAGES, headers=headers)
    assert (status, json.loads(body)["code"]) == (403, "local_origin_refused")
    assert "access-control-allow-origin" not in answered
    assert len(inbox.messages()) == 1


@pytest.mark.parametrize("given", [None, "Bearer", "Bearer x", f"Basic {KEY}", f"Bearer {KEY}x"])
def test_faults_need_the_key(inbox: Inbox, given: str | None) -> None:
    headers = {"Authorization": given} if given else {}
    body = b'{"kind": "hang"}'
    for method in ("GET", "PUT", "DELETE"):
        assert inbox.request(method, FAULTS, body, headers)[0] == 401
    send(inbox)


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "explode"},
        {"kind": "refuse", "code": 250},
        {"kind": "hang", "at": "recipient"},
        {"kind": "hang", "sometimes": True},
        {"kind": "hang", "times": 0},
    ],
)
def test_faults_that_there_are_not(inbox: Inbox, fault: dict[str, Any]) -> None:
    body = json.dumps(fault).encode()
    assert inbox.request("PUT", FAULTS, body, inbox.key_header)[0] == 422


def test_a_refusal_is_for_as_many_messages_as_it_says_and_for_whom(inbox: Inbox) -> None:
    inbox.fail("refuse", code=554, times=2, to="A@b.example")
    send(inbox, to="c@d.example")
    for _ in range(2):
        with pytest.raises(smtplib.SMTPDataError) as refused:
            send(inbox)
        assert refused.value.smtp_code == 554
    assert get(inbox, FAULTS, **inbox.key_header)[1] == {"fault": None, "left": None}
    send(inbox, "now")
    assert [one["subject"] for one in inbox.messages()] == ["now", "x"]


def test_a_refused_recipient(inbox: Inbox) -> None:
    inbox.fail("refuse", code=450, at="recipient")
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        send(inbox)
    inbox.work_again()
    send(inbox)


def test_what_hangs_goes_on_when_the_fault_is_lifted(inbox: Inbox) -> None:
    inbox.fail("hang", times=1)
    sending = threading.Thread(target=send, args=(inbox, "late"))
    sending.start()
    while get(inbox, FAULTS, **inbox.key_header)[1]["fault"] is not None:
        pass  # until it hangs
    send(inbox, "another")
    assert [one["subject"] for one in inbox.messages()] == ["another"]
    inbox.work_again()
    sending.join()
    assert [one["subject"] for one in inbox.messages()] == ["late", "another"]


@pytest.mark.parametrize("kept", [True, False])
def test_a_connection_that_is_dropped_after_the_message(inbox: Inbox, kept: bool) -> None:
    inbox.fail("drop", kept=kept, times=1)
    with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionError)):
        send(inbox)
    assert len(inbox.messages()) == int(kept)
    send(inbox)


@pytest.mark.parametrize("mode", [Mode.DEMO, Mode.PRODUCTION])
def test_it_runs_in_local_mode_only(tmp_path: Path, mode: Mode) -> None:
    settings: dict[str, Any] = {"mode": mode, "data_dir": tmp_path, "key": KEY}
    with pytest.raises(ValidationError, match="TRACEMYPODS_MODE"):
        Settings(**settings)


def test_it_stops_while_mail_hangs(tmp_path: Path) -> None:
    with Inbox(tmp_path) as inbox:
        inbox.fail("hang")
        client = smtplib.SMTP("127.0.0.1", inbox.smtp_port)
        client.ehlo()
        client.mail("a@b.example")
        client.rcpt("c@d.example")
        client.docmd("DATA")
        client.send(b"Text\r\n.\r\n")
    with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionError)):
        client.getreply()
    client.close()


def test_the_readme_lists_the_settings() -> None:
    readme = (checkout.ROOT / "libs" / "local" / "README.md").read_text()
    shared = {name for name, _, _ in describe(ServiceSettings)}
    for name, default, meaning in describe(Settings):
        if name not in shared:
            assert f"| `{name}` | {default} | {meaning} |" in readme
