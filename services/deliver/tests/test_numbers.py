"""Numbers: none missing, none twice, whoever dies or overtakes whom."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest
from deliver_orders import NOW, paid

from tracemypods.deliver.invoices.document import Document
from tracemypods.deliver.invoices.making import invoice
from tracemypods.deliver.invoices.numbers import COLLECTION, Numbers, SeriesFull
from tracemypods.deliver.invoices.store import Invoices
from tracemypods.kit import mongo as kit_mongo
from tracemypods.kit.settings import Mode
from tracemypods.local.testing.mongo import Mongo

YEAR = 2026


class Killed(BaseException):
    """What a process ends of."""


class Desk:
    """A process that numbers documents."""

    def __init__(self, mongo: Mongo) -> None:
        values: dict[str, Any] = {"mode": Mode.LOCAL, **mongo.login()}
        self.client = kit_mongo.connect(kit_mongo.MongoSettings(**values))
        database = self.client[mongo.database]
        self.invoices = Invoices(database)
        self.numbers = Numbers(database, self.invoices)

    async def __aenter__(self) -> Desk:
        await self.invoices.create_indexes()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.close()

    async def number(self, job: int, series: str = "TMP", year: int = YEAR) -> str:
        order = paid(job)

        def make(number: str) -> Document:
            return invoice(order, number, NOW, None)

        made = await self.numbers.numbered(f"{order.order_id}:paid", series, year, make)
        assert made.order_id == order.order_id
        return made.number

    def dies(self, step: str, moment: str) -> None:
        """Have it die right before or after the first time that it does something."""
        owner: Any = self.invoices if step == "keep" else self.numbers
        real: Callable[..., Awaitable[Any]] = getattr(owner, step)

        async def fatal(*arguments: Any) -> Any:
            if moment == "after":
                await real(*arguments)
            raise Killed

        setattr(owner, step, fatal)


def run(main: Coroutine[Any, Any, None]) -> None:
    asyncio.run(main)


def expected(count: int, series: str = "TMP") -> list[str]:
    return [f"{series}/2627/{number:0{16 - len(series) - 6}d}" for number in range(1, count + 1)]


def test_many_at_once_in_two_processes(mongo: Mongo) -> None:
    async def main() -> None:
        async with Desk(mongo) as one, Desk(mongo) as other:
            # Each job is numbered by both, as when a lease has run out.
            given = await asyncio.gather(
                *(desk.number(job) for job in range(40) for desk in (one, other))
            )
        assert sorted(set(given)) == expected(40)
        assert all(a == b for a, b in zip(given[::2], given[1::2], strict=True))

    run(main())
    with mongo.client() as client:
        counter = client[mongo.database][COLLECTION].find_one({"_id": "TMP/2026"})
    assert counter is not None
    assert (counter["sequence"], counter.get("pending", {})) == (40, {})


STEPS = list(itertools.product(("_read", "_take", "keep", "_forget"), ("before", "after")))


@pytest.mark.parametrize(("step", "moment"), STEPS)
def test_killed_at_every_step(mongo: Mongo, step: str, moment: str) -> None:
    async def main() -> None:
        async with Desk(mongo) as first, Desk(mongo) as second:
            await first.number(1)
            first.dies(step, moment)
            with pytest.raises(Killed):
                await first.number(2)
            # Others go on before somebody looks at what the dead one had.
            others = [await second.number(job) for job in (3, 4)]
            found = [await second.number(job) for job in (1, 2)]
            assert sorted(found + others) == expected(4)

    run(main())


@pytest.mark.parametrize("step", ["_take", "keep", "_forget"])
def test_overtaken_at_every_step(mongo: Mongo, step: str) -> None:
    """A process that hangs, and goes on when its job has been done by another."""

    async def main() -> None:
        async with Desk(mongo) as slow, Desk(mongo) as fast:
            owner: Any = slow.invoices if step == "keep" else slow.numbers
            real: Callable[..., Awaitable[Any]] = getattr(owner, step)
            hangs, goes_on = asyncio.Event(), asyncio.Event()

            async def hanging(*arguments: Any) -> Any:
                hangs.set()
                await goes_on.wait()
                return await real(*arguments)

            setattr(owner, step, hanging)
            task = asyncio.create_task(slow.number(1))
            await hangs.wait()
            numbers = [await fast.number(job) for job in (1, 2)]
            goes_on.set()
            assert await task == numbers[0]
            numbers.append(await fast.number(3))
            assert sorted(numbers) == expected(3)

    run(main())


def test_series_and_years_count_for_themselves(mongo: Mongo) -> None:
    async def main() -> None:
        async with Desk(mongo) as desk:
            assert await desk.number(1) == "TMP/2627/0000001"
            assert await desk.number(2, "TEST") == "TEST/2627/000001"
            assert await desk.number(3, year=2027) == "TMP/2728/0000001"
            assert await desk.number(4) == "TMP/2627/0000002"

    run(main())


def test_a_document_that_cannot_be_made_takes_no_number(mongo: Mongo) -> None:
    async def main() -> None:
        def make(number: str) -> Document:
            raise SeriesFull(number)

        async with Desk(mongo) as desk:
            with pytest.raises(SeriesFull):
                await desk.numbers.numbered("job", "TMP", YEAR, make)
            assert await desk.number(1) == "TMP/2627/0000001"

    run(main())
