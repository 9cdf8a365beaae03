"""The deliver service, killed with SIGKILL right before or after its n-th step outside itself.

    python dying_deliver.py <n>

A step is a write to MongoDB, a document rendered, a file kept, a mail sent or an event published.
Steps are counted over both moments: the first is before the first step, the second after it. With 0
it lives.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from tracemypods.deliver.app import create_app
from tracemypods.deliver.files.bucket import Bucket
from tracemypods.deliver.files.index import FileIndex
from tracemypods.deliver.invoices.numbers import Numbers
from tracemypods.deliver.invoices.store import Invoices
from tracemypods.deliver.jobs.store import Jobs
from tracemypods.deliver.pdf.rendering import Rendering
from tracemypods.deliver.settings import Settings
from tracemypods.events.publishing import Publisher
from tracemypods.kit.serve import run
from tracemypods.mail.sending import Mailer

STEPS: dict[type, tuple[str, ...]] = {
    Jobs: ("add", "lease", "date", "note"),
    Numbers: ("_take", "_forget"),
    Invoices: ("keep",),
    Rendering: ("render",),
    Bucket: ("put",),
    FileIndex: ("add",),
    Mailer: ("send",),
    Publisher: ("publish",),
}


class Moments:
    """Counts moments, and kills this process at one of them."""

    def __init__(self, fatal: int) -> None:
        self._fatal = fatal
        self._passed = 0

    def passed(self) -> None:
        self._passed += 1
        if self._passed == self._fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    def watch(self, owner: type, name: str) -> None:
        """Let a step pass a moment before and after it is done."""
        real: Callable[..., Awaitable[Any]] = getattr(owner, name)

        async def watched(*arguments: Any, **options: Any) -> Any:
            self.passed()
            done = await real(*arguments, **options)
            self.passed()
            return done

        setattr(owner, name, watched)


if __name__ == "__main__":
    moments = Moments(int(sys.argv[1]))
    for owner, names in STEPS.items():
        for name in names:
            moments.watch(owner, name)
    run("deliver", Settings, create_app)
