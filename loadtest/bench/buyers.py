"""Buyers who order, pay and wait for their tokens, one order after another: `python -m
loadtest.bench.buyers FILE` prints what came of it, as JSON.

The file says at which URLs an order is made, a webhook is taken and a payment is verified, for how
many seconds is bought, and what each buyer sends to have an order made.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import aiohttp
import uvloop

from loadtest.bench import razorpay

_PATIENCE_SECONDS = 20.0
_PAUSE_SECONDS = 0.01


class Shop:
    """Where is bought."""

    def __init__(self, session: aiohttp.ClientSession, urls: dict[str, str]) -> None:
        self._session = session
        self._urls = urls
        self.seconds: list[float] = []
        self.tokens: set[str] = set()

    async def buy(self, wish: dict[str, Any]) -> float:
        """Order, have Razorpay tell of the payment, and verify it until the token is there.

        Returns the Unix time at which Razorpay told. Raises RuntimeError.
        """
        began = time.perf_counter()
        order = await self._post(
            "create", json.dumps(wish).encode(), {"Idempotency-Key": uuid.uuid4().hex}
        )
        order_id, amount = order["razorpay"]["order_id"], order["razorpay"]["amount"]
        paid_at = time.time()
        await self._post("webhook", *razorpay.webhook(order_id, amount))
        paid = {name: order[name] for name in ("order_id", "order_secret") if name in order}
        paid |= razorpay.handed_to_page(order_id, amount)
        body = json.dumps(paid).encode()
        while not (token := (await self._post("verify", body)).get("token")):
            if time.perf_counter() - began > _PATIENCE_SECONDS:
                raise RuntimeError(f"no token for {order}")
            await asyncio.sleep(_PAUSE_SECONDS)
        self.seconds.append(time.perf_counter() - began)
        self.tokens.add(token)
        return paid_at

    async def _post(self, what: str, body: bytes, headers: dict[str, str] | None = None) -> Any:
        sent = {"Content-Type": "application/json", **(headers or {})}
        async with self._session.post(self._urls[what], data=body, headers=sent) as answer:
            text = await answer.text()
            if answer.status not in (200, 201):
                raise RuntimeError(f"{self._urls[what]} answered {answer.status}: {text}")
            return json.loads(text)


async def _buy(asked: dict[str, Any]) -> dict[str, Any]:
    wishes = asked["wishes"]
    connector = aiohttp.TCPConnector(limit=len(wishes))
    async with aiohttp.ClientSession(connector=connector) as session:
        shop = Shop(session, asked["urls"])
        began = time.perf_counter()

        async def keep_buying(wish: dict[str, Any]) -> None:
            while time.perf_counter() - began < asked["seconds"]:
                await shop.buy(wish)

        await asyncio.gather(*(keep_buying(wish) for wish in wishes))
        seconds = time.perf_counter() - began
    return {"seconds": seconds, "took": shop.seconds, "tokens": len(shop.tokens)}


def main() -> None:
    """Buy as the file says."""
    print(json.dumps(uvloop.run(_buy(json.loads(Path(sys.argv[1]).read_text())))))


if __name__ == "__main__":
    main()
