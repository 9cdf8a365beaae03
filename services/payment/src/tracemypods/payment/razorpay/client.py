"""A client of Razorpay's API (version 1), with its own names of routes and fields."""

from __future__ import annotations

import asyncio
import base64
import logging
import random
from collections.abc import AsyncGenerator, Mapping
from typing import Any, TypeVar
from urllib.parse import urlencode

from pydantic import BaseModel, SecretStr, ValidationError

from tracemypods.kit.http import (
    DependencyError,
    DependencyTimeout,
    DependencyUnreachable,
    HttpClient,
)
from tracemypods.payment.razorpay.entities import (
    Collection,
    DisputeEntity,
    EntityT,
    OrderEntity,
    PaymentEntity,
    RefundEntity,
)
from tracemypods.payment.razorpay.errors import RazorpayAway, RazorpayError

_log = logging.getLogger("tracemypods.payment.razorpay")

CONNECT_SECONDS = 3.0
TOTAL_SECONDS = 10.0
"""For a call, and for all tries of a read together."""

READ_TRIES = 3
FIRST_PAUSE_SECONDS = 0.2

PAGE = 100
"""Razorpay's largest `count`."""

LATE_CAPTURE_MINUTES = 7200
"""A payment that its bank confirms late is captured by itself for five days, Razorpay's longest,
so that it is never given back for want of a capture."""

ModelT = TypeVar("ModelT", bound=BaseModel)


class RazorpayClient:
    """Calls of one account. All raise RazorpayError and RazorpayAway.

    Money is in the currency's smallest unit, times are Unix times in seconds. Only what reads is
    tried again here.
    """

    def __init__(self, http: HttpClient, key_id: str, key_secret: SecretStr) -> None:
        pair = f"{key_id}:{key_secret.get_secret_value()}".encode()
        self._http = http
        self._authorization = f"Basic {base64.b64encode(pair).decode()}"

    async def close(self) -> None:
        """Close all connections."""
        await self._http.close()

    async def create_order(
        self, receipt: str, amount: int, currency: str, notes: Mapping[str, str]
    ) -> OrderEntity:
        """Make an order whose payments are captured by themselves.

        A receipt that was used before is refused (RazorpayError.receipt_taken).
        """
        body = {
            "amount": amount,
            "currency": currency,
            "receipt": receipt,
            "notes": dict(notes),
            "payment": {
                "capture": "automatic",
                "capture_options": {
                    "automatic_expiry_period": LATE_CAPTURE_MINUTES,
                    "manual_expiry_period": LATE_CAPTURE_MINUTES,
                    "refund_speed": "normal",
                },
            },
        }
        return _read_as(OrderEntity, await self._call("POST", "/v1/orders", body))

    async def find_order(self, receipt: str) -> OrderEntity | None:
        """The order with this receipt; of several the oldest."""
        found = await self._get(Collection[OrderEntity], "/v1/orders", receipt=receipt, count=PAGE)
        ours = [one for one in found.items if one.receipt == receipt]
        return min(ours, key=lambda one: (one.created_at, one.id), default=None)

    async def order_payments(self, order_id: str) -> list[PaymentEntity]:
        """All payments that were tried for an order."""
        path = f"/v1/orders/{order_id}/payments"
        return (await self._get(Collection[PaymentEntity], path)).items

    async def payment(self, payment_id: str) -> PaymentEntity:
        """A payment by its id (RazorpayError.unknown_id when there is none)."""
        return await self._get(PaymentEntity, f"/v1/payments/{payment_id}")

    async def refund(
        self, payment_id: str, amount: int, refund_id: str, reason: str
    ) -> RefundEntity:
        """Give money back; a repeated `refund_id` is the same refund.

        It is Razorpay's idempotency key (at least 10 characters, A-Z, a-z, 0-9, _ and -, with the
        same body each time) and the refund's receipt.
        """
        body = {
            "amount": amount,
            "speed": "normal",
            "receipt": refund_id,
            "notes": {"reason": reason},
        }
        path = f"/v1/payments/{payment_id}/refund"
        headers = {"X-Refund-Idempotency": refund_id}
        return _read_as(RefundEntity, await self._call("POST", path, body, headers))

    async def payment_refunds(self, payment_id: str) -> list[RefundEntity]:
        """The refunds of a payment, at most PAGE of them."""
        path = f"/v1/payments/{payment_id}/refunds"
        return (await self._get(Collection[RefundEntity], path, count=PAGE)).items

    def payments(self, since: int, until: int) -> AsyncGenerator[list[PaymentEntity]]:
        """Pages of the payments that were made in a span of time, both ends included."""
        return self._pages(Collection[PaymentEntity], "/v1/payments", since, until)

    def refunds(self, since: int, until: int) -> AsyncGenerator[list[RefundEntity]]:
        """Pages of the refunds that were made in a span of time, both ends included."""
        return self._pages(Collection[RefundEntity], "/v1/refunds", since, until)

    def disputes(self, since: int, until: int) -> AsyncGenerator[list[DisputeEntity]]:
        """Pages of the disputes that were raised in a span of time, both ends included."""
        return self._pages(Collection[DisputeEntity], "/v1/disputes", since, until)

    async def _pages(
        self, model: type[Collection[EntityT]], path: str, since: int, until: int
    ) -> AsyncGenerator[list[EntityT]]:
        skip = 0
        while True:
            query = {"from": since, "to": until, "count": PAGE, "skip": skip}
            items = (await self._get(model, path, **query)).items
            if items:
                yield items
            if len(items) < PAGE:
                return
            skip += PAGE

    async def _get(self, model: type[ModelT], path: str, **query: str | int) -> ModelT:
        whole = f"{path}?{urlencode(query)}" if query else path
        try:
            async with asyncio.timeout(TOTAL_SECONDS):
                return _read_as(model, await self._tried_again(whole))
        except TimeoutError:
            raise RazorpayAway("no answer in time", asked=True, late=True) from None

    async def _tried_again(self, path: str) -> bytes:
        pause = FIRST_PAUSE_SECONDS
        for _ in range(READ_TRIES - 1):
            try:
                return await self._call("GET", path)
            except RazorpayAway:
                pass
            except RazorpayError as error:
                if not error.worth_another_try:
                    raise
            await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - jitter is no secret
            pause *= 2
        return await self._call("GET", path)

    async def _call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        all_headers = {"Authorization": self._authorization, **(headers or {})}
        try:
            status, content = await self._http.call(method, path, body, all_headers)
        except DependencyUnreachable as error:
            raise RazorpayAway(error.reason, asked=False) from error
        except DependencyError as error:
            late = isinstance(error, DependencyTimeout)
            raise RazorpayAway(error.reason, asked=True, late=late) from error
        if 200 <= status < 300:
            return content
        if status == 401:
            _log.error("razorpay refuses our key")
        raise RazorpayError(status, content)


def _read_as(model: type[ModelT], content: bytes) -> ModelT:
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        fields = ", ".join(".".join(map(str, one["loc"])) for one in error.errors()[:3])
        reason = f"an answer that is no {model.__name__} ({fields or 'whole body'})"
        raise RazorpayAway(reason, asked=True) from None
