"""The process that renders: takes sheets on its standard input, gives PDF files on its output.

    python -I -m tracemypods.deliver.pdf.worker ENGINE PARENT_PID MEMORY_MIB

It ends with the process that started it, however that one ends: its input closes, which a thread
of its own hears, and on Linux the kernel kills it. What an engine prints goes to standard error; an
exception that no engine foresees ends the process, and shows there without the text that it was
about.

Each message is one byte that says what it is, four bytes of length, and so much content.
"""

from __future__ import annotations

import ctypes
import os
import queue
import resource
import signal
import struct
import sys
import threading
import traceback
import warnings
from types import TracebackType
from typing import BinaryIO

from tracemypods.deliver.pdf.errors import EngineUnusable, RenderFailed
from tracemypods.deliver.pdf.renderer import load_engine
from tracemypods.deliver.pdf.sheet import Sheet

READY, UNUSABLE, SHEET, RENDERED, FAILED = b"R", b"U", b"S", b"P", b"F"
HEAD = struct.Struct("!cI")

_PR_SET_PDEATHSIG = 1


def message(kind: bytes, content: bytes = b"") -> bytes:
    """A message as it is sent."""
    return HEAD.pack(kind, len(content)) + content


def end_with(parent: int) -> None:
    """Have the kernel kill this process when its parent ends; elsewhere than on Linux its input
    has to do."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    # The parent may have ended before the wish was made; then nothing would ever come of it.
    if os.getppid() != parent:
        os._exit(1)


def _read_all(source: BinaryIO, sheets: queue.SimpleQueue[bytes]) -> None:
    """Hand on what comes; end the process when nothing more will, whatever it does just then."""
    while len(head := source.read(HEAD.size)) == HEAD.size:
        _, size = HEAD.unpack(head)
        content = source.read(size)
        if len(content) < size:
            break
        sheets.put(content)
    os._exit(0)


def _say_where(
    kind: type[BaseException], error: BaseException, where: TracebackType | None
) -> None:
    """Show an exception without its message, which may hold what is in a document."""
    del error
    frames = "".join(traceback.format_tb(where))
    sys.stderr.write(f"the renderer ends: {kind.__name__}\n{frames}")


def main(name: str, parent: int, memory_mib: int) -> None:
    """Serve until the input ends."""
    sys.excepthook = _say_where
    warnings.simplefilter("ignore")
    end_with(parent)
    if sys.platform == "linux":
        limit = memory_mib * 2**20
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    source, target = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sheets: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_read_all, args=(source, sheets), daemon=True).start()
    try:
        engine = load_engine(name)
    except EngineUnusable as error:
        target.write(message(UNUSABLE, str(error).encode()))
        target.flush()
        return
    target.write(message(READY))
    target.flush()
    while True:
        sheet = Sheet.from_json(sheets.get())
        try:
            answer = message(RENDERED, engine.render(sheet))
        except RenderFailed as error:
            answer = message(FAILED, error.reason.encode())
        target.write(answer)
        target.flush()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
