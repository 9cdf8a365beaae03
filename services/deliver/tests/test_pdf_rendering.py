"""Rendering beside the event loop, whatever happens to the process that does it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import psutil
import pytest
from pdf_reading import text
from pdf_samples import buyer, credit_note, invoice

from tracemypods.deliver.invoices.document import Document
from tracemypods.deliver.pdf import worker
from tracemypods.deliver.pdf.contents import LARGEST_BYTES, sheet_of
from tracemypods.deliver.pdf.errors import (
    EngineUnusable,
    RendererDied,
    RenderFailed,
    RenderTimedOut,
)
from tracemypods.deliver.pdf.rendering import Limits, Rendering
from tracemypods.deliver.pdf.typst_engine import TypstEngine
from tracemypods.deliver.pdf.worker import FAILED, HEAD, READY, RENDERED, SHEET, message
from tracemypods.local.testing.waiting import until

PATIENT = Limits(seconds=100)


async def come(condition: Callable[[], bool]) -> None:
    """Wait until something holds, while the loop goes on."""
    await asyncio.to_thread(until, condition)


def gone(pid: int) -> bool:
    """Whether a process has ended, be it that nobody has asked after it yet."""
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    return True


def test_it_makes_what_the_engine_makes() -> None:
    async def run() -> list[bytes]:
        async with Rendering(limits=PATIENT) as rendering:
            documents = [invoice(), credit_note(), invoice()]
            return list(await asyncio.gather(*(rendering.render(one) for one in documents)))

    engine = TypstEngine()
    expected = [engine.render(sheet_of(one)) for one in (invoice(), credit_note(), invoice())]
    assert asyncio.run(run()) == expected


def test_the_loop_goes_on_meanwhile() -> None:
    """In the loop itself a document would cost it one turn."""

    async def run() -> int:
        async with Rendering(limits=PATIENT) as rendering:
            made = asyncio.create_task(rendering.render(invoice(buyer=buyer("x" * 10_000))))
            turns = 0
            while not made.done():
                await asyncio.sleep(0)
                turns += 1
            await made
            return turns

    assert asyncio.run(run()) > 50


def test_a_killed_worker_fails_one_document_only() -> None:
    async def run() -> bytes:
        async with Rendering(limits=PATIENT) as rendering:
            (pid,) = rendering.pids
            os.kill(pid, signal.SIGSTOP)  # so that it is in the midst of it
            made = asyncio.create_task(rendering.render(invoice()))
            await asyncio.sleep(0)
            os.kill(pid, signal.SIGKILL)
            with pytest.raises(RendererDied):
                await made
            return await rendering.render(invoice())

    assert "TMP/2627/0000123" in text(asyncio.run(run()))


def test_a_worker_that_died_at_rest_is_replaced_or_told() -> None:
    async def run() -> bytes:
        async with Rendering(limits=PATIENT) as rendering:
            (pid,) = rendering.pids
            os.kill(pid, signal.SIGKILL)
            await come(lambda: gone(pid))
            with suppress(RendererDied):
                return await rendering.render(invoice())
            return await rendering.render(invoice())

    assert "TMP/2627/0000123" in text(asyncio.run(run()))


def test_a_worker_that_hangs_is_ended() -> None:
    async def run() -> bytes:
        async with Rendering(limits=Limits(seconds=1)) as rendering:
            (pid,) = rendering.pids
            os.kill(pid, signal.SIGSTOP)
            with pytest.raises(RenderTimedOut):
                await rendering.render(invoice())
            assert gone(pid)
            while True:
                with suppress(RenderTimedOut):  # on a machine that is busy
                    return await rendering.render(invoice())

    assert "TMP/2627/0000123" in text(asyncio.run(run()))


def test_a_caller_that_leaves_leaves_the_worker_to_others() -> None:
    async def run() -> tuple[bytes, bool]:
        async with Rendering(limits=PATIENT) as rendering:
            before = rendering.pids
            leaving = [asyncio.create_task(rendering.render(invoice())) for _ in range(5)]
            await asyncio.sleep(0)
            for one in leaving:
                one.cancel()
            await asyncio.gather(*leaving, return_exceptions=True)
            return await rendering.render(credit_note()), rendering.pids == before

    made, same = asyncio.run(run())
    assert same
    assert made == TypstEngine().render(sheet_of(credit_note()))


@pytest.mark.parametrize(
    "document",
    [
        invoice(notes=["x" * LARGEST_BYTES]),
        invoice(issued_at=10**18),
        invoice(issued_at=-(10**18)),
        invoice(notes=["\ud800"]),
    ],
    ids=["too large", "too late", "too early", "half a character"],
)
def test_bad_data_is_told_and_costs_no_worker(document: Document) -> None:
    async def run() -> None:
        async with Rendering(limits=PATIENT) as rendering:
            before = rendering.pids
            with pytest.raises(RenderFailed):
                await rendering.render(document)
            assert rendering.pids == before

    asyncio.run(run())


def test_what_an_engine_refuses_costs_no_worker() -> None:
    good = sheet_of(invoice())
    sheets = [replace(good, words="\ue000"), good]
    sent = b"".join(message(SHEET, one.to_json().encode()) for one in sheets)
    command = [sys.executable, "-m", worker.__name__, "typst", str(os.getpid()), "512"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(sent)
        process.stdin.flush()
        kinds = []
        for _ in range(3):
            kind, size = HEAD.unpack(process.stdout.read(HEAD.size))
            process.stdout.read(size)
            kinds.append(kind)
    assert kinds == [READY, FAILED, RENDERED]
    assert process.returncode == 0


def test_a_worker_is_replaced_after_so_many_documents() -> None:
    async def run() -> list[int]:
        pids = []
        async with Rendering(limits=Limits(seconds=100, documents=2)) as rendering:
            for _ in range(4):
                pids += rendering.pids
                await rendering.render(invoice())
            pids += rendering.pids
        return pids

    assert len(set(asyncio.run(run()))) == 2


def test_workers_work_side_by_side() -> None:
    async def run() -> None:
        async with Rendering(limits=Limits(workers=2, seconds=100)) as rendering:
            stopped, _ = rendering.pids
            os.kill(stopped, signal.SIGSTOP)
            waiting = [asyncio.create_task(rendering.render(invoice())) for _ in range(6)]
            await come(lambda: sum(one.done() for one in waiting) == 5)
            os.kill(stopped, signal.SIGCONT)
            assert len({await one for one in waiting}) == 1

    asyncio.run(run())


def test_close_ends_what_is_under_way() -> None:
    async def run() -> list[int]:
        rendering = Rendering(limits=PATIENT)
        await rendering.start()
        pids = rendering.pids
        os.kill(pids[0], signal.SIGSTOP)
        waiting = [asyncio.create_task(rendering.render(invoice())) for _ in range(2)]
        await asyncio.sleep(0)
        await rendering.close()
        found = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(isinstance(one, RendererDied | asyncio.CancelledError) for one in found)
        return pids

    assert all(gone(pid) for pid in asyncio.run(run()))


def test_the_worker_knows_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TRACEMYPODS_MONGO_URL", "AWS_SECRET_ACCESS_KEY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "secret")

    async def run() -> dict[str, str]:
        async with Rendering(limits=PATIENT) as rendering:
            return psutil.Process(rendering.pids[0]).environ()

    assert "secret" not in asyncio.run(run()).values()


def test_an_engine_that_can_t_work_stops_the_start() -> None:
    with pytest.raises(EngineUnusable, match="there is no engine"):
        asyncio.run(Rendering("word").start())  # pyright: ignore[reportArgumentType]


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel ends it on Linux only")
def test_no_worker_outlives_a_killed_parent() -> None:
    program = (
        "import asyncio\n"
        "from tracemypods.deliver.pdf.rendering import Rendering\n"
        "async def main():\n"
        "    async with Rendering() as rendering:\n"
        "        print(*rendering.pids, flush=True)\n"
        "        await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        os.kill(pid, signal.SIGSTOP)  # in the midst of something, as it were
        parent.kill()
    until(lambda: gone(pid), "the worker's end")
