"""The coalescing client: order, faults of the server, callers that leave, and one write a turn."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import exceptions

from tracemypods.coalescing.client import Busy, CoalescingRedis, Script
from tracemypods.local.testing.valkey import Valkey

Work = Callable[[CoalescingRedis], Awaitable[Any]]


def use(valkey: Valkey, work: Work, **options: Any) -> Any:
    """Run `work` with a client, and close that."""

    async def run() -> Any:
        # Nothing fails because the machine has other things to do.
        patient = {"connect_seconds": 60, "answer_seconds": 60}
        client = CoalescingRedis(valkey.url, **{"password": valkey.password, **patient, **options})
        try:
            return await work(client)
        finally:
            await client.aclose()

    return asyncio.run(run())


async def outcome(awaitable: Awaitable[Any]) -> Any:
    """The answer, or the type of the error."""
    try:
        return await awaitable
    except exceptions.RedisError as error:
        return type(error)


def test_answers_of_every_kind(valkey: Valkey) -> None:
    async def work(client: CoalescingRedis) -> list[Any]:
        return [
            await client.execute("SET", "a", "ü"),
            await client.execute("MGET", "a", b"b"),
            await client.execute("INCRBY", "n", 3),
            await client.execute("GET", "missing"),
            await client.execute("EVAL", "return {1, {2, 'x'}}", 0),
        ]

    assert use(valkey, work) == [b"OK", ["ü".encode(), None], 3, None, [1, [2, b"x"]]]


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    callers=st.lists(
        st.lists(st.tuples(st.integers(0, 3), st.integers(0, 300)), max_size=6), max_size=20
    )
)
def test_everybody_gets_their_own_answers(
    valkey: Valkey, callers: list[list[tuple[int, int]]]
) -> None:
    """Each caller sends texts of its own, pausing for some turns before each."""

    async def work(client: CoalescingRedis) -> None:
        async def call(number: int, texts: list[tuple[int, int]]) -> None:
            for step, (turns, length) in enumerate(texts):
                for _ in range(turns):
                    await asyncio.sleep(0)
                text = f"{number}:{step}:" + "x" * length
                assert await client.execute("ECHO", text) == text.encode()

        await asyncio.gather(*(call(*one) for one in enumerate(callers)))

    use(valkey, work)


def test_the_commands_of_one_turn_are_one_write(valkey: Valkey) -> None:
    async def work(client: CoalescingRedis) -> int:
        await client.ping()
        before = client.writes
        answers = await asyncio.gather(*(client.execute("ECHO", n) for n in range(100)))
        assert answers == [str(n).encode() for n in range(100)]
        return client.writes - before

    assert use(valkey, work) == 1


def test_commands_of_one_caller_are_run_in_their_order(valkey: Valkey) -> None:
    async def work(client: CoalescingRedis) -> list[int]:
        return await asyncio.gather(*(client.execute("INCR", "n") for _ in range(500)))

    assert use(valkey, work) == list(range(1, 501))


def test_an_error_is_only_its_own_callers(valkey: Valkey) -> None:
    async def work(client: CoalescingRedis) -> list[Any]:
        await client.execute("SET", "text", "x")
        sent = [
            client.execute("ECHO", 1),
            client.execute("INCR", "text"),
            client.execute("NONSENSE"),
            client.execute("ECHO", 2),
        ]
        return [await outcome(one) for one in sent]

    error = exceptions.ResponseError
    assert use(valkey, work) == [b"1", error, error, b"2"]


def test_large_answers(valkey: Valkey) -> None:
    async def work(client: CoalescingRedis) -> list[bytes]:
        await client.execute("SET", "large", b"x" * 2**20)
        return await asyncio.gather(*(client.execute("GET", "large") for _ in range(8)))

    assert use(valkey, work) == [b"x" * 2**20] * 8


def test_large_commands_wait_until_the_server_reads_on(valkey: Valkey) -> None:
    async def work(client: CoalescingRedis) -> int:
        await client.ping()
        sent: list[asyncio.Future[Any]] = []
        for number in range(40):
            sent.append(client.execute("SET", f"large:{number}", b"x" * 2**20))
            await asyncio.sleep(0)
        await asyncio.gather(*sent)
        return await client.execute("DBSIZE")

    assert use(valkey, work, answer_seconds=20) == 40


def test_callers_that_leave_disturb_nobody(valkey: Valkey) -> None:
    async def work(client: CoalescingRedis) -> None:
        async def echo(text: str) -> bytes:
            return await client.execute("ECHO", text)

        tasks = [asyncio.create_task(echo(str(number))) for number in range(100)]
        await asyncio.sleep(0)
        for task in tasks[::3]:
            task.cancel()
        await asyncio.sleep(0)
        for task in tasks[1::3]:
            task.cancel()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        assert answers[2::3] == [str(number).encode() for number in range(2, 100, 3)]
        assert await echo("after") == b"after"

    use(valkey, work)


SCRIPT = Script("return {KEYS[1], ARGV[1]}")


def test_a_script_is_sent_whole_only_when_the_server_does_not_know_it(valkey: Valkey) -> None:
    async def work(client: CoalescingRedis) -> None:
        for flush in (True, False):
            if flush:
                await client.execute("SCRIPT", "FLUSH")
            assert await client.script(SCRIPT, ["k"], [7]) == [b"k", b"7"]
        assert await client.execute("SCRIPT", "EXISTS", SCRIPT.sha) == [1]
        assert await outcome(client.script(Script("return nonsense("))) is exceptions.ResponseError

    use(valkey, work)


def test_a_server_that_hangs(valkey: Valkey) -> None:
    async def work(client: CoalescingRedis) -> None:
        await client.ping()
        valkey.pause()
        started = time.monotonic()
        answers = await asyncio.gather(*(outcome(client.ping()) for _ in range(10)))
        assert set(answers) == {exceptions.TimeoutError}
        assert time.monotonic() - started >= 2
        # It takes connections, and says nothing.
        assert await outcome(client.ping()) is exceptions.TimeoutError
        valkey.resume()
        assert await client.execute("ECHO", "back") == b"back"

    use(valkey, work, connect_seconds=2, answer_seconds=2)


def test_a_short_pause_loses_nothing(valkey: Valkey) -> None:
    async def work(client: CoalescingRedis) -> list[bytes]:
        await client.ping()
        valkey.pause()
        sent = [client.execute("ECHO", number) for number in range(10)]
        await asyncio.sleep(0.2)
        valkey.resume()
        return await asyncio.gather(*sent)

    assert use(valkey, work) == [str(number).encode() for number in range(10)]


def test_a_server_that_is_away_and_comes_back(valkey: Valkey) -> None:
    async def work(client: CoalescingRedis) -> None:
        await client.ping()
        valkey.stop()
        answers = await asyncio.gather(*(outcome(client.ping()) for _ in range(10)))
        assert set(answers) == {exceptions.ConnectionError}
        assert await outcome(client.ping()) is exceptions.ConnectionError
        valkey.start()
        assert await client.execute("ECHO", "back") == b"back"

    use(valkey, work)


def test_a_restart_between_commands_is_not_noticed(valkey: Valkey) -> None:
    async def work(client: CoalescingRedis) -> None:
        await client.execute("SET", "kept", 1)
        valkey.stop()
        valkey.start()
        await asyncio.sleep(0.05)
        assert await client.execute("GET", "kept") == b"1"

    use(valkey, work)


def test_what_was_written_is_not_sent_again(valkey: Valkey) -> None:
    async def work(client: CoalescingRedis) -> None:
        me = await client.execute("CLIENT", "ID")
        sent = [
            client.execute("INCR", "n"),
            client.execute("CLIENT", "KILL", "ID", me, "SKIPME", "no"),
            client.execute("INCR", "n"),
        ]
        answers = [await outcome(one) for one in sent]
        assert answers[2] is exceptions.ConnectionError
        assert await client.execute("GET", "n") == b"1"

    use(valkey, work)


def test_what_was_not_written_goes_out_on_the_next_connection(valkey: Valkey) -> None:
    async def work(client: CoalescingRedis) -> None:
        me = await client.execute("CLIENT", "ID")
        killed = outcome(client.execute("CLIENT", "KILL", "ID", me, "SKIPME", "no"))
        kill = asyncio.ensure_future(killed)
        large = client.execute("ECHO", b"x" * 2**24)  # the server does not read on
        for _ in range(3):
            await asyncio.sleep(0)
        later = client.execute("INCR", "n")
        await kill
        assert await outcome(large) is exceptions.ConnectionError
        assert await later == 1

    use(valkey, work)


@pytest.mark.parametrize("password", ["wrong", None])
def test_a_wrong_password(valkey: Valkey, password: str | None) -> None:
    async def work(client: CoalescingRedis) -> None:
        for _ in range(2):
            assert await outcome(client.ping()) is exceptions.AuthenticationError

    use(valkey, work, password=password)


def test_another_database_and_one_that_is_not_there(valkey: Valkey) -> None:
    async def work() -> None:
        base = valkey.url.removesuffix("/0")
        for number, expected in ((3, b"OK"), (3000, exceptions.ConnectionError)):
            client = CoalescingRedis(f"{base}/{number}", valkey.password)
            assert await outcome(client.execute("SET", "here", 1)) == expected
            await client.aclose()
        client = CoalescingRedis(valkey.url, valkey.password)
        assert await client.execute("GET", "here") is None
        await client.aclose()

    asyncio.run(work())


def test_more_than_it_takes_is_refused_at_once(valkey: Valkey) -> None:
    async def work(client: CoalescingRedis) -> None:
        sent = [client.execute("ECHO", number) for number in range(5)]
        with pytest.raises(Busy):
            client.execute("ECHO", "one too many")
        assert await asyncio.gather(*sent) == [b"0", b"1", b"2", b"3", b"4"]
        assert await client.execute("ECHO", "again") == b"again"

    use(valkey, work, in_flight=5)


def test_closing_ends_what_waits(valkey: Valkey) -> None:
    async def work(client: CoalescingRedis) -> None:
        unwritten = client.execute("ECHO", 1)
        await client.aclose()
        assert await outcome(unwritten) is exceptions.ConnectionError
        with pytest.raises(exceptions.ConnectionError):
            client.execute("ECHO", 2)

    use(valkey, work)


def test_closing_while_the_server_hangs(valkey: Valkey) -> None:
    async def work(client: CoalescingRedis) -> None:
        await client.ping()
        valkey.pause()
        written = client.execute("ECHO", 1)
        await asyncio.sleep(0.01)
        await client.aclose()
        assert await outcome(written) is exceptions.ConnectionError

    use(valkey, work)


def test_what_does_not_answer_like_redis() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async def work() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        client = CoalescingRedis(f"redis://127.0.0.1:{port}")
        assert await outcome(client.ping()) is exceptions.ConnectionError
        await client.aclose()
        server.close()
        await server.wait_closed()

    asyncio.run(work())
