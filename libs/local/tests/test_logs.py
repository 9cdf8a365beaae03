"""Logs are shown from their end and cannot fill a disk."""

from __future__ import annotations

import os
from pathlib import Path

from tracemypods.local import logs


def test_last_lines_since_a_start(tmp_path: Path) -> None:
    log = tmp_path / "token.log"
    log.write_text("before\n")
    began = logs.size(log)
    with log.open("a") as file:
        file.write("one\n\n" + "x" * 1000 + "\n\xff last")
    assert logs.last_lines(log, since=began) == ["one", "x" * 300, "ÿ last"]
    assert logs.last_lines(log, 1) == ["ÿ last"]
    assert logs.last_lines(log, since=10**9)[0] == "before"
    assert logs.last_lines(tmp_path / "none.log") == []


def test_a_large_log_is_emptied_under_its_writer(tmp_path: Path) -> None:
    log = tmp_path / "token.log"
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(descriptor, b"x" * 101)
        logs.cut(tmp_path, limit=101)
        assert logs.size(log) == 101
        logs.cut(tmp_path, limit=100)
        assert logs.size(log) == 0
        os.write(descriptor, b"goes on\n")
    finally:
        os.close(descriptor)
    assert log.read_bytes() == b"goes on\n"
