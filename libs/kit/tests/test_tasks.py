"""Tasks end, also those that swallow a cancellation."""

from __future__ import annotations

import asyncio

from tracemypods.kit.tasks import end


def test_a_swallowed_cancellation_is_repeated() -> None:
    async def stubborn() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.Event().wait()

    async def failing() -> None:
        raise RuntimeError("not raised again")

    async def run() -> None:
        tasks = [asyncio.create_task(work()) for work in (stubborn, failing)]
        await asyncio.sleep(0)
        await end(*tasks)
        assert all(task.done() for task in tasks)
        assert tasks[0].cancelled()
        assert isinstance(tasks[1].exception(), RuntimeError)
        await end()

    asyncio.run(run())
