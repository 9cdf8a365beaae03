"""From events to mails: every order once, whatever comes twice, late or in another order."""

from __future__ import annotations

import random
from collections.abc import Callable

import boto3
import httpx2
import pytest
from deliver_orders import INTRA, paid, price, refunded, told, told_refund
from deliver_service import OrderSide

from tracemypods.deliver.invoices.document import Document
from tracemypods.deliver.invoices.store import COLLECTION as INVOICES
from tracemypods.local.testing.mail import Inbox
from tracemypods.local.testing.mongo import Mongo
from tracemypods.local.testing.s3 import S3
from tracemypods.local.testing.waiting import until


def documents(mongo: Mongo) -> list[Document]:
    with mongo.client() as client:
        return [
            Document.model_validate_json(one["document"])
            for one in client[mongo.database][INVOICES].find()
        ]


def objects(s3: S3, order_ids: set[str]) -> list[str]:
    """Keys of the files of these orders."""
    client = boto3.client(
        "s3",
        endpoint_url=s3.url,
        region_name="us-east-1",
        aws_access_key_id=s3.access_key,
        aws_secret_access_key=s3.secret_key,
    )
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=s3.bucket)
    keys = [one["Key"] for page in pages for one in page.get("Contents", [])]
    client.close()
    return [key for key in keys if key.split("/")[2] in order_ids]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("count", [100, pytest.param(1000, marks=pytest.mark.long)])
def test_every_paid_order_has_one_invoice(
    service: httpx2.Client,
    order: OrderSide,
    mongo: Mongo,
    s3: S3,
    inbox: Inbox,
    base: int,
    count: int,
) -> None:
    orders = [paid(base + number) for number in range(count)]
    refunds = [refunded(one, 4900) for one in orders[:10]]
    events = [told(one) for one in orders] * 2 + [told_refund(one) for one in refunds] * 2
    random.shuffle(events)
    order.tell(events)
    until(lambda: len(inbox.messages()) == count + 10, "all mails")
    made = documents(mongo)
    invoices = [one for one in made if one.kind == "invoice"]
    notes = [one for one in made if one.kind == "credit_note"]
    assert sorted(one.number for one in invoices) == [
        f"TMP/2627/{number:07d}" for number in range(1, count + 1)
    ]
    assert sorted(one.number for one in notes) == [
        f"TCN/2627/{number:07d}" for number in range(1, 11)
    ]
    assert sum(one.total for one in invoices) == sum(one.price.total for one in orders)
    assert sum(one.total for one in notes) == 10 * 4900
    keys = objects(s3, {one.order_id for one in orders})
    assert len(keys) == len(set(keys)) == count + 10
    mails = inbox.messages()
    assert len({mail["message_id"] for mail in mails}) == len(mails)
    by_address = {mail["to"]: mail for mail in mails if "credit note" not in mail["subject"]}
    numbers = {one.order_id: one.number for one in invoices}
    for one in orders:
        assert numbers[one.order_id] in by_address[one.email]["subject"]
    assert service.get("/readyz").status_code == 200


def test_a_refund_that_is_heard_of_first_waits_for_the_invoice(
    service: httpx2.Client, order: OrderSide, mongo: Mongo, inbox: Inbox, base: int
) -> None:
    bought = paid(base, price=price(9900, INTRA))
    order.tell([told_refund(refunded(bought, 9900))])
    until(lambda: service.get("/readyz").status_code == 200)
    order.tell([told(bought)])
    until(lambda: len(inbox.messages()) == 2)
    note = next(one for one in documents(mongo) if one.kind == "credit_note")
    invoice = next(one for one in documents(mongo) if one.kind == "invoice")
    assert note.refers_to is not None
    assert note.refers_to.number == invoice.number
    assert (note.total, note.taxes) == (invoice.total, invoice.taxes)


def test_test_orders_have_a_series_of_their_own(
    service: httpx2.Client, order: OrderSide, mongo: Mongo, inbox: Inbox, base: int
) -> None:
    order.tell([told(paid(base, livemode=False)), told(paid(base + 1))])
    until(lambda: len(inbox.messages()) == 2)
    found = {one.is_test: one.number for one in documents(mongo)}
    assert found == {True: "TEST/2627/000001", False: "TMP/2627/0000001"}
    assert any("This was a test" in mail["text"] for mail in inbox.messages())


def test_production_takes_no_test_orders(
    make_deliver_service: Callable[..., httpx2.Client],
    order: OrderSide,
    inbox: Inbox,
    mongo: Mongo,
    base: int,
) -> None:
    make_deliver_service(mode="production", mail_from="shop@example.com")
    order.tell([told(paid(base, livemode=False)), told(paid(base + 1))])
    until(lambda: len(inbox.messages()) == 1)
    assert [one.is_test for one in documents(mongo)] == [False]
