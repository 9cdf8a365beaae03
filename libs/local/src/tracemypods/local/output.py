"""The one place where the commands write to the terminal."""

from __future__ import annotations

import sys


def say(text: str = "") -> None:
    """One line (or several) of what the command was asked for."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def complain(text: str) -> None:
    """What went wrong, and what to do."""
    sys.stderr.write(f"error: {text}\n")
    sys.stderr.flush()


def warn(text: str) -> None:
    """What may go wrong, in one line."""
    sys.stderr.write(f"warning: {text}\n")
    sys.stderr.flush()


def tell(text: str) -> None:
    """One line for the person alone: what the command was asked for may go elsewhere."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
