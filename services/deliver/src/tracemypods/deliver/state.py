"""What the deliver service's routes work with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from tracemypods.deliver.files.keeping import Files
from tracemypods.deliver.jobs.deadletters import DeadLetters
from tracemypods.deliver.jobs.store import Jobs
from tracemypods.deliver.jobs.working import Worker


@dataclass(frozen=True)
class State:
    """Made once, when the application is created. `now` tells the time in milliseconds."""

    jobs: Jobs
    worker: Worker
    files: Files
    dead_letters: DeadLetters
    now: Callable[[], int]


def get_state(request: Request) -> State:
    """The state of the application that handles this request."""
    return request.app.state.deliver


StateDep = Annotated[State, Depends(get_state)]
