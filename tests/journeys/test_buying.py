"""Buying through the whole fleet: what is killed meanwhile, and what Razorpay does to a shop."""

from __future__ import annotations

import io
import json
import random
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import httpx2
import pytest
from pypdf import PdfReader

from tracemypods.local import cli
from tracemypods.local.fleet import Fleet
from tracemypods.local.testing.callers import caller
from tracemypods.local.testing.mail import codes
from tracemypods.local.testing.waiting import GIVE_UP_SECONDS, until

pytestmark = pytest.mark.timeout(400)

FAULTS = ([], ["duplicate"], ["reorder"], ["lose"], ["closed_tab"], ["double_payment"])


class Shop:
    """What buyers and Razorpay do, through the gateway."""

    def __init__(self, site: str, fleet: Fleet) -> None:
        self.client = httpx2.Client(base_url=site, timeout=30)
        self._sandbox_key = {"Authorization": f"Bearer {fleet.secret('sandbox_key')}"}

    def insist(self, call: Callable[[], httpx2.Response]) -> httpx2.Response:
        """Call until it is answered well: pages and payers try again."""
        give_up = time.monotonic() + GIVE_UP_SECONDS
        while True:
            with suppress(httpx2.TransportError):
                answer = call()
                if answer.is_success:
                    return answer
                assert answer.status_code in (502, 503, 504), answer.text
            assert time.monotonic() < give_up

    def verified(self, purpose: str = "buy", **fields: str) -> str:
        """A verification of a new address, or of `email`."""
        email = fields.pop("email", f"{uuid.uuid4().hex}@example.test")
        body = {"email": email, "purpose": purpose, **fields}
        before = len(codes(self.mails(email)))
        challenge = self.insist(lambda: self.client.post("/send-otp", json=body)).json()
        while len(found := codes(self.mails(email))) == before:
            pass
        said = {"challenge_id": challenge["challenge_id"], "code": found[0]}
        answer = self.insist(lambda: self.client.post("/verify-otp", json=said))
        return answer.json()["verification"]

    def mails(self, email: str) -> list[Any]:
        """All mails to an address, the newest first."""
        return self.client.get("/local/inbox/messages", params={"to": email}).json()["items"]

    def try_to_order(self, verification: str, key: str | None = None) -> httpx2.Response:
        body = {
            "verification": verification,
            "plan": "premium-30",
            "buyer": {"name": "Asha", "country": "IN", "state": "29"},
        }
        headers = {"Idempotency-Key": key or uuid.uuid4().hex}
        return self.client.post("/create-order", json=body, headers=headers)

    def ordered(self, verification: str) -> dict[str, Any]:
        key = uuid.uuid4().hex
        return self.insist(lambda: self.try_to_order(verification, key)).json()

    def pay(self, order: dict[str, Any], faults: list[str]) -> None:
        """Somebody pays at Razorpay; the page does not hear of it."""
        body = {
            "razorpay_order_id": order["razorpay"]["order_id"],
            "outcome": "success",
            "faults": faults,
        }
        paid = self.client.post("/local/razorpay/pay", json=body, headers=self._sandbox_key)
        assert paid.status_code in (200, 204), paid.text

    def refund(self, operator: httpx2.Client, order: dict[str, Any], amount: int) -> None:
        """Have an operator give money back."""
        path, key = (
            f"/api/orders/{order['order_id']}/refunds",
            {"Idempotency-Key": uuid.uuid4().hex},
        )
        self.insist(lambda: operator.post(path, json={"amount": amount}, headers=key))

    def look(self, order: dict[str, Any]) -> dict[str, Any]:
        """The order as its buyer sees it."""
        secret = {"Authorization": f"Bearer {order['order_secret']}"}
        path = f"/order/{order['order_id']}"
        return self.insist(lambda: self.client.get(path, headers=secret)).json()

    def wait_for(self, order: dict[str, Any], status: str) -> None:
        until(lambda: self.look(order)["status"] == status, status)

    def documents(self, email: str) -> dict[str, dict[str, Any]]:
        """What was mailed to an address, by Message-ID: the data in each PDF."""
        found: dict[str, dict[str, Any]] = {}
        for mail in self.mails(email):
            if mail["attachments"]:
                path = f"/local/inbox/messages/{mail['id']}/attachments/0"
                pdf = PdfReader(io.BytesIO(self.client.get(path).content))
                (data,) = pdf.attachments["invoice.json"]
                document = json.loads(data)
                assert found.setdefault(mail["message_id"], document) == document
        return found


@pytest.fixture
def shop(site: str, fleet: Fleet) -> Iterator[Shop]:
    shop = Shop(site, fleet)
    yield shop
    shop.client.close()


@pytest.fixture
def operator(fleet: Fleet, site: str) -> Iterator[httpx2.Client]:
    with caller(site, fleet.secret("operator_key")) as operator:
        yield operator


def test_services_killed_while_people_pay_lose_no_paid_order(
    shop: Shop, fleet: Fleet, operator: httpx2.Client
) -> None:
    killed = ("order", "payment", "kafka", "deliver", "token", "mongo", "razorpay", "redis")
    restarts = {name: fleet.part(name).restarts for name in killed}
    addresses = [f"{uuid.uuid4().hex}@example.test" for _ in range(4)]
    verifications = [shop.verified(email=email) for email in addresses]
    orders = [shop.ordered(one) for one in verifications for _ in range(5)]
    dice = random.Random(4)  # noqa: S311 - which faults
    paying = {"razorpay"}

    def buy(order: dict[str, Any]) -> None:
        give_up = time.monotonic() + GIVE_UP_SECONDS
        while True:
            with suppress(httpx2.TransportError, AssertionError):
                shop.pay(order, dice.choice(FAULTS))
                return
            assert time.monotonic() < give_up

    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(buy, order) for order in orders]
        for name in killed:
            if name not in paying:
                fleet.kill(name)
        for one in running:
            one.result()
    for name in killed:
        if name not in paying:
            fleet.wait_until_ready(name, after_restarts=restarts[name])
    # Now there are invoices under way.
    again = ("deliver", "kafka", "order")
    restarts = {name: fleet.part(name).restarts for name in again}
    for name in again:
        fleet.kill(name)
    for name in again:
        fleet.wait_until_ready(name, after_restarts=restarts[name])
    # A webhook that was lost is found by asking; an operator need not wait for the next look.
    for order in orders:
        body = {"receipt": order["order_id"]}
        shop.insist(lambda body=body: operator.post("/api/payments/reconcile", json=body))
    for order in orders:
        shop.wait_for(order, "fulfilled")
    seen = [operator.get(f"/api/orders/{order['order_id']}").json()["order"] for order in orders]
    for one in seen:
        came_in = [p for p in one["payments"].values() if p["status"] in ("captured", "refunded")]
        given_back = sum(
            refund["amount"]
            for refund in one.get("refunds", {}).values()
            if refund["state"] in ("reserved", "pending", "processed")
        )
        assert sum(payment["amount"] for payment in came_in) - given_back == 9900
    for amount in (900, 9000):
        shop.refund(operator, orders[0], amount)
    shop.wait_for(orders[0], "refunded")
    every_order_has_its_documents(shop, operator, orders, addresses)


def every_order_has_its_documents(
    shop: Shop, operator: httpx2.Client, orders: list[dict[str, Any]], addresses: list[str]
) -> None:
    """One invoice each, and two credit notes for the first, mailed once, and without a gap."""
    for order in orders:
        until(lambda order=order: shop.look(order)["steps"]["invoice"] == "sent")

    def all_is_done() -> list[dict[str, Any]] | None:
        items = deliveries(operator)
        return items if all(one["status"] == "done" for one in items) else None

    def all_is_told() -> bool:
        """Whether deliver has confirmed all that it has to know, two refunds of the first too."""
        outboxes = [
            operator.get(f"/api/orders/{order['order_id']}").json()["order"]["outbox"]
            for order in orders
        ]
        told = [one["state"] == "delivered" for outbox in outboxes for one in outbox.values()]
        return all(told) and len(outboxes[0]) == 3

    until(all_is_told, "everything that deliver has to know")
    items = until(all_is_done, "all deliveries, of other tests too")
    for series in ("TEST/", "TSTC/"):
        numbers = [one["number"] for one in items if one["number"].startswith(series)]
        sequence = sorted(int(one.rpartition("/")[2]) for one in numbers)
        assert sequence == list(range(1, len(numbers) + 1))
    mailed = [one for email in addresses for one in shop.documents(email).values()]
    ours = {order["order_id"] for order in orders}
    assert sorted(one["number"] for one in mailed) == sorted(
        one["number"] for one in items if one["order_id"] in ours
    )
    invoices = [one for one in mailed if one["kind"] == "invoice"]
    notes = [one for one in mailed if one["kind"] == "credit_note"]
    assert sorted(one["order_id"] for one in invoices) == sorted(ours)
    assert {one["total"] for one in invoices} == {9900}
    assert [one["order_id"] for one in notes] == [orders[0]["order_id"]] * 2
    assert sorted(one["total"] for one in notes) == [900, 9000]


def deliveries(operator: httpx2.Client) -> list[dict[str, Any]]:
    """All that there are."""
    found: list[dict[str, Any]] = []
    query: dict[str, Any] = {"limit": 100}
    while True:
        page = operator.get("/api/deliveries", params=query).json()
        found += page["items"]
        if page.get("cursor") is None:
            return found
        query["cursor"] = page["cursor"]


@pytest.mark.parametrize(
    ("part", "code"),
    [
        ("mongo", "order_store_unavailable"),
        ("redis", "code_store_unavailable"),
        ("mail", "mail_unavailable"),
        ("razorpay", "razorpay_unavailable"),
    ],
)
def test_what_hangs_while_people_pay_is_named_and_costs_nobody_an_order(
    shop: Shop, fleet: Fleet, operator: httpx2.Client, part: str, code: str
) -> None:
    verification = shop.verified()
    orders = [shop.ordered(verification) for _ in range(3)]
    fleet.pause(part)
    try:
        if part != "razorpay":
            for order in orders:
                shop.pay(order, [])
        said = {"email": f"{uuid.uuid4().hex}@example.test"}
        seen: set[str] = set()
        give_up = time.monotonic() + GIVE_UP_SECONDS
        while code not in seen:  # at once, but for mail, of which the first failure tells
            assert time.monotonic() < give_up, seen
            for answer in (
                shop.client.post("/send-otp", json=said),
                shop.try_to_order(verification),
            ):
                if answer.status_code != 201 and answer.status_code != 202:
                    assert answer.status_code in (409, 429, 503), answer.text
                    seen.add(answer.json()["code"])
    finally:
        fleet.resume(part)
    if part == "razorpay":
        for order in orders:
            shop.pay(order, [])
    for order in orders:
        body = {"receipt": order["order_id"]}
        shop.insist(lambda body=body: operator.post("/api/payments/reconcile", json=body))
        shop.wait_for(order, "fulfilled")


def test_a_refund_ends_the_token_and_a_dispute_suspends_it(
    shop: Shop, operator: httpx2.Client, fleet: Fleet, capsys: pytest.CaptureFixture[str]
) -> None:
    email = f"{uuid.uuid4().hex}@example.test"
    order = shop.ordered(shop.verified(email=email))
    shop.pay(order, [])
    shop.wait_for(order, "fulfilled")
    again = {"verification": shop.verified("token", email=email, order_id=order["order_id"])}
    token = shop.client.post(f"/order/{order['order_id']}/token", json=again).json()["token"]

    def is_valid() -> bool:
        body = {"token": token}
        return shop.client.post("/api/validate-premium-token", json=body).json()["valid"]

    assert is_valid()
    (payment,) = operator.get(f"/api/orders/{order['order_id']}").json()["order"]["payments"]
    key = {"Authorization": f"Bearer {fleet.secret('sandbox_key')}"}
    opened = shop.client.post("/local/razorpay/disputes", json={"payment_id": payment}, headers=key)
    assert opened.status_code == 200, opened.text
    shop.wait_for(order, "disputed")
    until(lambda: not is_valid())
    won = shop.client.post(f"/local/razorpay/disputes/{opened.json()['id']}/won", headers=key)
    assert won.status_code == 200, won.text
    shop.wait_for(order, "fulfilled")
    until(is_valid)
    data = ["--data", str(fleet.data.root)]
    for _ in range(2):  # the same refund
        assert cli.main([*data, "refund", order["order_id"], "--paise", "900"]) == 0
    shop.wait_for(order, "partially_refunded")
    assert is_valid()
    assert cli.main([*data, "refund", order["order_id"]]) == 0
    shop.wait_for(order, "refunded")
    until(lambda: not is_valid())
    assert cli.main([*data, "refund", order["order_id"], "--paise", "1"]) == 1
    said = capsys.readouterr()
    assert "900 paise, " in said.out
    assert "9000 paise, " in said.out
    assert "0 paise are left" in said.err
