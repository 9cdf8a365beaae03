"""Buyers who come at a steady pace, whether or not the last one is done: `python -m
loadtest.bench.steady_buyers FILE` prints when each one's payment was told of, as JSON.

The file is as `loadtest.bench.buyers` wants it, with `per_second` instead of `seconds`: each wish
is bought once. Times are Unix times in seconds.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

import aiohttp
import uvloop

from loadtest.bench.buyers import Shop


async def _buy(asked: dict[str, Any]) -> list[float]:
    async with aiohttp.ClientSession() as session:
        shop = Shop(session, asked["urls"])
        began = time.monotonic()

        async def buy(number: int, wish: dict[str, Any]) -> float:
            due = began + number / asked["per_second"]
            await asyncio.sleep(due - time.monotonic())
            return await shop.buy(wish)

        return await asyncio.gather(
            *(buy(number, wish) for number, wish in enumerate(asked["wishes"]))
        )


def main() -> None:
    """Buy as the file says."""
    print(json.dumps(uvloop.run(_buy(json.loads(Path(sys.argv[1]).read_text())))))


if __name__ == "__main__":
    main()
