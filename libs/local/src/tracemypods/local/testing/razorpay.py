"""A Razorpay sandbox for tests, in this process."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import httpx2

from tracemypods.kit.clock import Clock, utc_now
from tracemypods.kit.settings import Mode
from tracemypods.local.sandboxes.razorpay.app import create_app
from tracemypods.local.sandboxes.razorpay.settings import Settings
from tracemypods.local.testing.served import ServedApp

KEY_ID = "rzp_test_SandboxOfTests"
KEY_SECRET = "key-secret-of-the-sandbox-of-tests"  # noqa: S105 - opens nothing else
WEBHOOK_SECRET = "webhook-secret-of-the-sandbox-of-tests"  # noqa: S105 - opens nothing else
CONTROL_KEY = "control-key-of-the-sandbox-of-tests"

TIME_SCALE = 0.001
"""Minutes of waiting pass in milliseconds."""


def sandbox_settings(**settings: Any) -> Settings:
    """Settings with the keys above; `settings` win."""
    values: dict[str, Any] = {
        "mode": Mode.LOCAL,
        "key_id": KEY_ID,
        "key_secret": KEY_SECRET,
        "webhook_secret": WEBHOOK_SECRET,
        "key": CONTROL_KEY,
        "time_scale": TIME_SCALE,
        **settings,
    }
    return Settings(**values)


class RazorpaySandbox:
    """A sandbox behind a real socket. Use as a context manager.

    `url` is its address, `api` a client with the API's key, `control` one with the control key.
    A `data_dir` among the settings makes it remember what it knew; without one it forgets.
    """

    def __init__(self, clock: Clock = utc_now, **settings: Any) -> None:
        self.settings = sandbox_settings(**settings)
        self._served = ServedApp(create_app(self.settings, clock))
        self.url = self._served.url
        self.api = httpx2.Client(
            base_url=self.url,
            auth=(self.settings.key_id, self.settings.key_secret.get_secret_value()),
            timeout=30,
        )
        self.control = httpx2.Client(
            base_url=f"{self.url}/local/razorpay",
            headers={"Authorization": f"Bearer {self.settings.key.get_secret_value()}"},
            timeout=30,
        )

    def __enter__(self) -> RazorpaySandbox:
        self._served.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.api.close()
        self.control.close()
        self._served.__exit__()

    def tell_to_stop(self) -> None:
        """Do what SIGTERM does; returns at once."""
        self._served.tell_to_stop()

    def order(self, amount: int = 49900, **more: Any) -> dict[str, Any]:
        """A new order (paise)."""
        asked = {"amount": amount, "currency": "INR", **more}
        return self._object(self.api.post("/v1/orders", json=asked))

    def pay(
        self,
        order_id: str,
        outcome: str = "success",
        faults: Collection[str] = (),
        **more: Any,
    ) -> dict[str, Any] | None:
        """Pay an order; returns what the page would be told, None when its tab is closed."""
        asked = {"razorpay_order_id": order_id, "outcome": outcome, "faults": list(faults), **more}
        response = self.control.post("/pay", json=asked)
        return None if response.status_code == 204 else self._object(response)

    def payments(self, order_id: str) -> list[dict[str, Any]]:
        """The payments of an order, newest first."""
        return self.get(f"/v1/orders/{order_id}/payments")["items"]

    def get(self, path: str) -> dict[str, Any]:
        """What the API says at a path."""
        return self._object(self.api.get(path))

    def command(self, path: str, json: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """What a control route says."""
        return self._object(self.control.post(path, json=json or {}))

    def webhooks(self, **query: str) -> list[dict[str, Any]]:
        """The webhooks, oldest first, with what became of them."""
        answer = self._object(self.control.get("/webhooks", params={"count": "1000", **query}))
        return answer["items"][::-1]

    def _object(self, response: httpx2.Response) -> dict[str, Any]:
        response.raise_for_status()
        return response.json()
