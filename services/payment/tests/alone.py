"""The payment service as a process of its own, which tests kill."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import contextmanager

from payment_service import FROM_ORDER, TO_ORDER, Service

from tracemypods.kit.internal import edge_variable
from tracemypods.local.testing.callers import caller
from tracemypods.local.testing.mongo import Mongo
from tracemypods.local.testing.razorpay import KEY_ID, KEY_SECRET, WEBHOOK_SECRET
from tracemypods.local.testing.replica import Replica, variables


class Alone(Replica):
    """The service. Its address is known before those of what it calls: tell it those, then use it
    as a context manager."""

    def __init__(self) -> None:
        super().__init__(
            "payment",
            {
                "TRACEMYPODS_RAZORPAY_KEY_ID": KEY_ID,
                "TRACEMYPODS_RAZORPAY_KEY_SECRET": KEY_SECRET,
                "TRACEMYPODS_RAZORPAY_WEBHOOK_SECRET": json.dumps([WEBHOOK_SECRET]),
                "TRACEMYPODS_PAYMENT_ORDER_SECONDS": "1",
                "TRACEMYPODS_PAYMENT_POLL_SECONDS": "0.05",
                "TRACEMYPODS_PAYMENT_RETRY_SECONDS": "0.2",
                edge_variable("payment", "order"): TO_ORDER,
                edge_variable("order", "payment"): FROM_ORDER,
            },
        )
        self.webhook_url = f"{self.url}/payment/webhook"

    def calls(self, mongo: Mongo, order_url: str, razorpay_url: str) -> Alone:
        """Tell it what it calls; returns it."""
        self.environment |= {
            **variables(mongo.login()),
            "TRACEMYPODS_ORDER_URL": order_url,
            "TRACEMYPODS_RAZORPAY_URL": razorpay_url,
        }
        return self

    @contextmanager
    def callers(self) -> Generator[Service]:
        """Those who call it."""
        with caller(self.url, None) as anonymous, caller(self.url, FROM_ORDER) as order:
            yield Service(self.url, anonymous, order)
