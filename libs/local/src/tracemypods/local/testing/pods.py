"""How a pod of ours runs its container: what images are run with when they are tested.

It is what the chart renders: user, read-only root, folders, and which settings are in files. The
command is the image's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tracemypods.local import chart, checkout
from tracemypods.local.table import Sandbox, Table

USER = 10001
PORT = 8000
CONFIG, SECRETS, DATA, TEMPORARY = "/config", "/secrets", "/data", "/tmp"  # noqa: S108


@dataclass(frozen=True)
class Pod:
    """One container: its environment, and folders of this machine that it may read."""

    environment: Mapping[str, str]
    mounts: Mapping[str, Path]
    """Folders by the paths under which they are mounted."""
    memory_mb: int
    writable: tuple[str, ...]
    """Empty folders that it may write to; all else is read-only."""
    user: int = USER


def pod(table: Table, service: str, settings: Mapping[str, str], secrets: Path) -> Pod:
    """The pod of a service in demo mode.

    What of `settings` is a secret is written into the folder `secrets`, one file each.
    """
    one = table.ours[service]
    hidden = set(chart.development_keys(table)["services"].get(service, {}))
    environment = {
        "PYTHONUNBUFFERED": "1",
        "TRACEMYPODS_MODE": "demo",
        "TRACEMYPODS_HOST": "0.0.0.0",  # noqa: S104 - a container of its own
        "TRACEMYPODS_PORT": str(PORT),
        "TRACEMYPODS_SECRETS_DIR": SECRETS,
    }
    mounts = {SECRETS: secrets}
    writable = [TEMPORARY]
    if one.container.config:
        environment["TRACEMYPODS_CONFIG_DIR"] = CONFIG
        mounts[CONFIG] = checkout.CONFIG
    if isinstance(one, Sandbox):
        environment[f"{one.prefix}DATA_DIR"] = DATA
        writable.append(DATA)
    secrets.mkdir(parents=True)
    for name, value in settings.items():
        if name.lower() in hidden:
            (secrets / name.lower()).write_text(value)
        else:
            environment[name] = value
    return Pod(environment, mounts, one.container.memory_mb, tuple(writable))
