"""An order service that takes every fact: `python -m loadtest.bench.order_taker` prints its URL."""

from __future__ import annotations

import socket
from contextlib import ExitStack

import httpx2
from aiohttp import web

from loadtest.bench import own_process
from tracemypods.contracts.payments import FACTS_PATH


class OrderTaker:
    """The server, until `stack` ends it."""

    def __init__(self, stack: ExitStack) -> None:
        self.url = own_process.serve(stack, __name__)

    def facts(self) -> tuple[int, int]:
        """How many facts it was handed so far, and how many of them were different ones."""
        handed, different = httpx2.get(f"{self.url}/facts").json()
        return handed, different


class _Server:
    def __init__(self) -> None:
        self._handed = 0
        self._payments: set[str] = set()

    def application(self) -> web.Application:
        application = web.Application()
        application.router.add_post(FACTS_PATH, self._take)
        application.router.add_get("/facts", self._show)
        return application

    async def _take(self, request: web.Request) -> web.Response:
        self._handed += 1
        self._payments.add((await request.json())["fact"]["id"])
        return web.json_response({"outcome": "applied", "order_id": "ord_1"})

    async def _show(self, _request: web.Request) -> web.Response:
        return web.json_response([self._handed, len(self._payments)])


def main() -> None:
    """Serve until told to stop."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        print(f"http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
        web.run_app(_Server().application(), sock=listening, print=None)


if __name__ == "__main__":
    main()
