"""E-mail codes: what is sent, what it proves, and what nobody gets around."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest
from order_beside import PaymentStub
from order_buyer import Buyer
from redis import Redis

from tracemypods.local.testing.mail import Inbox
from tracemypods.local.testing.valkey import Valkey


def another(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06}"


def later(valkey: Valkey, challenge_id: str, seconds: int) -> None:
    """As if a challenge had begun so long ago."""
    with Redis(port=valkey.port, password=valkey.password, decode_responses=True) as redis:
        key = f"order:challenge:{challenge_id}"
        for field in ("sent_at", "code_until"):
            redis.hincrby(key, field, -seconds)


def test_a_code_that_is_right_proves_the_address_once(buyer: Buyer) -> None:
    sent = buyer.send()
    assert sent.status_code == 202
    body = sent.json()
    assert (body["expires_in"], body["resend_after"]) == (300, 60)
    code = buyer.code()
    assert buyer.say(body["challenge_id"], another(code)).json()["code"] == "code_wrong"
    assert buyer.say(body["challenge_id"], code).status_code == 200
    again = buyer.say(body["challenge_id"], code)
    assert (again.status_code, again.json()["code"]) == (410, "challenge_over")


def test_one_code_said_twice_at_once_gives_one_proof(buyer: Buyer) -> None:
    challenge = buyer.send().json()["challenge_id"]
    code = buyer.code()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: buyer.say(challenge, code).status_code, range(16)))
    assert sorted(answers) == [200] + [410] * 15


def test_two_hundred_guesses_at_once_compare_at_most_five(buyer: Buyer) -> None:
    challenge = buyer.send().json()["challenge_id"]
    code = buyer.code()
    guesses = [f"{number:06}" for number in range(200) if f"{number:06}" != code]
    with ThreadPoolExecutor(16) as pool:
        codes = list(pool.map(lambda guess: buyer.say(challenge, guess).json()["code"], guesses))
    assert codes.count("code_wrong") == 4  # the fifth has no attempt left to tell of
    assert set(codes) == {"code_wrong", "challenge_over"}
    assert buyer.say(challenge, code).json()["code"] == "challenge_over"
    # There is no way to have more attempts within it either.
    assert buyer.send(challenge_id=challenge).status_code in (410, 429)


def test_sending_again_replaces_the_code(buyer: Buyer, valkey: Valkey) -> None:
    challenge = buyer.send().json()["challenge_id"]
    first = buyer.code()
    too_soon = buyer.send(challenge_id=challenge)
    assert (too_soon.status_code, too_soon.json()["code"]) == (429, "resend_too_soon")
    assert 0 < int(too_soon.headers["Retry-After"]) <= 60
    later(valkey, challenge, 61)
    assert buyer.send(challenge_id=challenge).json()["challenge_id"] == challenge
    second = buyer.code(mails=2)
    if first != second:
        assert buyer.say(challenge, first).json()["code"] == "code_wrong"
    assert buyer.say(challenge, second).status_code == 200


def test_a_code_lasts_five_minutes(buyer: Buyer, valkey: Valkey) -> None:
    challenge = buyer.send().json()["challenge_id"]
    code = buyer.code()
    later(valkey, challenge, 301)
    assert buyer.say(challenge, code).json()["code"] == "challenge_over"
    assert buyer.send(challenge_id=challenge).status_code == 202


def test_strangers_neither_spend_nor_void_a_code(buyer: Buyer, inbox: Inbox) -> None:
    challenge = buyer.send().json()["challenge_id"]
    code = buyer.code()
    stranger = buyer.send().json()["challenge_id"]
    assert stranger != challenge
    for _ in range(6):
        buyer.say(stranger, another(code))
    assert buyer.say(stranger, code).status_code in (410, 422)
    assert buyer.say(challenge, code).status_code == 200


def test_a_code_cannot_be_had_for_another_address(
    buyer: Buyer, service: httpx2.Client, inbox: Inbox, payment: PaymentStub, valkey: Valkey
) -> None:
    challenge = buyer.send().json()["challenge_id"]
    later(valkey, challenge, 61)
    thief = Buyer(service, inbox, payment, "thief@example.test")
    assert thief.send(challenge_id=challenge).json()["code"] == "challenge_over"
    assert buyer.send(challenge_id=challenge, purpose="token", order_id="ord_" + "0" * 32).json()[
        "code"
    ] == ("challenge_over")


def test_ten_mails_a_day_and_the_code_one_has_still_works(buyer: Buyer) -> None:
    challenges = [buyer.send().json()["challenge_id"] for _ in range(10)]
    refused = buyer.send()
    assert (refused.status_code, refused.json()["code"]) == (429, "mail_limit")
    assert int(refused.headers["Retry-After"]) > 3600
    code = buyer.code(mails=10)
    answers = [buyer.say(challenge, code).status_code for challenge in challenges]
    assert 200 in answers


def test_limits_of_a_client_and_of_all(
    make_order_service: Callable[..., httpx2.Client], inbox: Inbox, payment: PaymentStub
) -> None:
    service = make_order_service(mails_per_client=2, mails_per_minute=3)
    people = [Buyer(service, inbox, payment, f"p{number}@example.test") for number in range(5)]
    assert [one.send().status_code for one in people[:3]] == [202, 202, 429]
    for one in people[3:]:
        service.headers["X-Forwarded-For"] = f"198.51.100.{people.index(one)}"
        status = one.send().status_code
        assert status == (202 if one is people[3] else 429)


@pytest.mark.parametrize(
    "email",
    [
        "",
        "no-at-sign",
        "a@b@c.test",
        "one@example.test, two@example.test",
        "one@example.test two@example.test",
        "Asha <asha@example.test>",
        "asha@example.test\r\nBcc: other@example.test",
        "asha@example.test\n",
        '"quoted"@example.test',
        "asha@[127.0.0.1]",
        "asha@" + "x" * 300 + ".test",
        "x" * 70 + "@example.test",
        "äsha@example.test",
        "asha@exa mple.test",
        "asha\0@example.test",
    ],
)
def test_what_is_not_one_plain_address_is_refused(
    service: httpx2.Client, inbox: Inbox, email: str
) -> None:
    answer = service.post("/send-otp", json={"email": email})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert answer.json()["errors"][0]["field"] == "email"
    assert inbox.messages() == []


def test_a_domain_with_other_letters_is_written_in_ascii(
    service: httpx2.Client, inbox: Inbox, payment: PaymentStub
) -> None:
    assert service.post("/send-otp", json={"email": "asha@BÜCHER.example.com"}).status_code == 202
    assert Buyer(service, inbox, payment, "asha@xn--bcher-kva.example.com").code()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"challenge_id": "x", "code": "12345"}, "code"),
        ({"challenge_id": "x", "code": "१२३४५६"}, "code"),
        ({"challenge_id": "x y", "code": "123456"}, "challenge_id"),
        ({"challenge_id": "x", "code": 123456}, "code"),
        ({"challenge_id": "x", "code": "123456", "extra": 1}, "extra"),
    ],
)
def test_malformed_answers_name_the_field(
    service: httpx2.Client, body: dict[str, object], field: str
) -> None:
    answer = service.post("/verify-otp", json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field


def test_an_order_is_named_for_its_token_and_only_then(buyer: Buyer) -> None:
    for fields in ({"purpose": "token"}, {"order_id": "ord_" + "0" * 32}):
        answer = buyer.send(**fields)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "order_id"


def test_no_code_is_logged_or_kept(
    buyer: Buyer, valkey: Valkey, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    challenge = buyer.send().json()["challenge_id"]
    code = buyer.code()
    with Redis(port=valkey.port, password=valkey.password, decode_responses=True) as redis:
        kept = redis.hgetall(f"order:challenge:{challenge}")
    assert kept["address"] == buyer.address
    assert code not in kept.values()
    buyer.say(challenge, another(code))
    buyer.say(challenge, code)
    logged = " ".join(str(vars(record)) for record in caplog.records)
    assert "/verify-otp" in logged
    assert code not in logged
    assert buyer.address not in logged


def test_a_mail_server_that_is_away_is_named_to_the_next(buyer: Buyer, inbox: Inbox) -> None:
    inbox.fail("refuse")
    assert buyer.send().status_code == 202  # nobody knew
    while (answer := buyer.send()).status_code == 202:
        pass
    assert (answer.status_code, answer.json()["code"]) == (503, "mail_unavailable")
    assert int(answer.headers["Retry-After"]) > 0


@pytest.mark.impatient
@pytest.mark.parametrize("fault", ["stop", "pause"])
def test_redis_away_is_named(buyer: Buyer, valkey: Valkey, fault: str) -> None:
    challenge = buyer.send().json()["challenge_id"]
    getattr(valkey, fault)()
    for answer in (buyer.send(), buyer.say(challenge, "123456")):
        assert (answer.status_code, answer.json()["code"]) == (503, "code_store_unavailable")
