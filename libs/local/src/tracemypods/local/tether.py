"""Run a program that ends when the process that started it ends, however that one ends.

    python -I -S tether.py PARENT_PID PROGRAM [ARGUMENT ...]

On Linux the kernel is asked to kill this process when its parent is gone (PR_SET_PDEATHSIG),
which outlives the exec that follows. SIGKILL and not SIGTERM, since a program that hangs or is
stopped must go too. macOS has no such thing: there a service ends when the forkserver's channel
closes, and a program that a killed supervisor left behind is found by the next `up` or `down`
from its process id and start time in state.json.

Only the standard library, and without `site`: this takes 15 ms.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when `parent`, which must be its parent, ends.

    The wish is the calling thread's parent thread's: start this from a thread that stays.
    """
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    # The parent may have ended before the wish was made; then nothing would ever come of it.
    if os.getppid() != parent:
        os._exit(1)


def set_process_name(name: str) -> None:
    """Show as `name` (15 bytes) in ps and top, where the command line is the forkserver's."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_NAME, name.encode()[:15], 0, 0, 0)


if __name__ == "__main__":
    die_with_parent(int(sys.argv[1]))
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606 - no shell is the point
