"""How rendering a document fails, and whether it is worth another try."""

from __future__ import annotations


class RenderFailed(Exception):
    """This document can't be rendered, and never will be. The reason has nothing of it in it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NotRendered(Exception):
    """It was not rendered now; try again."""


class RendererDied(NotRendered):
    """The process that rendered it has ended meanwhile."""


class RenderTimedOut(NotRendered):
    """It took too long, and its process was ended."""


class EngineUnusable(Exception):
    """The engine that the settings name can't work on this machine; the message says why."""
