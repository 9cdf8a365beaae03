"""kill -9 in the middle of writing: what was acknowledged is there when the service is back."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import httpx2
from vector_service import SMALL, Alone, Caller, labels, point

from tracemypods.local.testing.waiting import until

KILLS = 3
WRITES = 100


class Writer:
    """Upserts one entry after the other, deletes every third again, and notes what was answered."""

    def __init__(self, alone: Alone) -> None:
        self._alone = alone
        self.there: set[int] = set()
        self.in_doubt: int | None = None
        self.written = 0

    def write(self) -> None:
        """Write until the service is gone."""
        with self._alone.caller() as client:
            ask = Caller(client)
            try:
                while True:
                    number = self.in_doubt = self.written + 1
                    ask.upsert(entry(number))
                    self.there.add(number)
                    self.written = number
                    if number % 3 == 0:
                        self.there.discard(number)
                        assert ask.delete(ids=[number]) == 1
            except httpx2.TransportError:
                pass


def test_what_was_acknowledged_outlives_kill_9(tmp_path: Path) -> None:
    with Alone(tmp_path) as alone:
        writer = Writer(alone)
        for _ in range(KILLS):
            writing = threading.Thread(target=writer.write)
            writing.start()
            enough = writer.written + WRITES
            until(lambda enough=enough: writer.written >= enough)
            alone.kill()
            writing.join()
            alone.start()
            with alone.caller() as client:
                found = kept(client)
            assert writer.there - found == set()
            assert found - writer.there <= {writer.in_doubt}
            if writer.in_doubt is not None and writer.in_doubt in found:
                writer.there.add(writer.in_doubt)


def entry(number: int) -> dict[str, Any]:
    """An entry that is alone with its labels."""
    return point(number, [1, 0, 0, 0], labels=labels(epoch=str(number)), expires_at=2**52)


def kept(client: httpx2.Client) -> set[int]:
    """The ids of everything that is kept, found one by one by their labels."""
    ask = Caller(client)
    found: set[int] = set()
    number, missing = 0, 0
    while missing < 10:
        number += 1
        matches = ask.search([1, 0, 0, 0], labels=labels(epoch=str(number)))
        missing = 0 if matches else missing + 1
        for one in matches:
            assert one["id"] == number
            assert one["payload"]["answer"] == f"Because of {number}."
            found.add(number)
    return found


def test_a_collection_that_was_being_made_is_made_anew(tmp_path: Path) -> None:
    half = tmp_path / "data" / f"{SMALL.name}.unfinished" / "segments"
    half.mkdir(parents=True)
    with Alone(tmp_path) as alone, alone.caller() as client:
        assert not half.exists()
        ask = Caller(client)
        ask.upsert(point(1, [1, 0, 0, 0], expires_at=2**52))
        assert ask.ids([1, 0, 0, 0]) == [1]


def test_it_is_all_there_after_a_stop(tmp_path: Path) -> None:
    with Alone(tmp_path) as alone:
        with alone.caller() as client:
            Caller(client).upsert(point(1, [1, 0, 0, 0], expires_at=2**52))
        alone.stop()
        alone.start()
        with alone.caller() as client:
            assert Caller(client).ids([1, 0, 0, 0]) == [1]
