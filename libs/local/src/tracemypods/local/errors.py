"""What can go wrong with a fleet. Every message is for a person: what happened, what to do."""

from __future__ import annotations


class FleetError(Exception):
    """The fleet can't do what it was asked to. The message's first line stands alone."""


class PortInUse(FleetError):
    """Somebody else listens where the gateway is to listen."""


class PartDied(FleetError):
    """A part ended before it was ready; the message carries its last log lines."""


class NotReady(FleetError):
    """A part runs, but does not become ready."""


class MissingPackage(FleetError):
    """Something that scripts/install.py installs is not there."""


class BadRequest(FleetError):
    """What was asked for makes no sense, such as a port of 70000."""


class Unwritable(FleetError):
    """The data directory can't be written."""
