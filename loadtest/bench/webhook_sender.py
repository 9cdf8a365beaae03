"""Razorpay sending webhooks at a steady pace, whether or not the last one was answered: `python -m
loadtest.bench.webhook_sender URL COUNT PER_SECOND` prints how long each answer took, as JSON.

All are signed, and each is of another payment. They are made before the first is sent.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

import aiohttp

from loadtest.bench import razorpay
from tracemypods.local.sandboxes.razorpay.ids import new_id

CONNECTIONS = 32
AMOUNT = 9900


async def _send(url: str, count: int, per_second: int) -> list[float]:
    """Seconds from when each was due until it was answered. Raises RuntimeError."""
    webhooks = [razorpay.webhook(new_id("order"), AMOUNT) for _ in range(count)]
    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    async with aiohttp.ClientSession(connector=connector) as session:
        began = time.perf_counter() + 0.1

        async def send(number: int) -> float:
            body, headers = webhooks[number]
            due = began + number / per_second
            await asyncio.sleep(due - time.perf_counter())
            async with session.post(url, data=body, headers=headers) as answer:
                text = await answer.text()
                if answer.status != 200:
                    raise RuntimeError(f"{url} answered {answer.status}: {text}")
            return time.perf_counter() - due

        return await asyncio.gather(*(send(number) for number in range(count)))


def main() -> None:
    """Send them all."""
    url, count, per_second = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    print(json.dumps(asyncio.run(_send(url, count, per_second))))


if __name__ == "__main__":
    main()
