"""MongoDB as the fleet knows it, as a part; what it does is in mongo_server.py."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from tracemypods.local import fingerprints, mongo_server
from tracemypods.local.data_directory import DataDirectory
from tracemypods.local.errors import MissingPackage
from tracemypods.local.parts import Part
from tracemypods.local.ports import HOST
from tracemypods.local.probes import MongoProbe

NAME = "mongo"
URL_VARIABLE = "TRACEMYPODS_MONGO_URL"


def part(data: DataDirectory, port: int, environment: dict[str, str], restart: str) -> Part:
    """The server. Raises MissingPackage, Unwritable.

    It has no notion of users: whoever can connect to this machine's 127.0.0.1 can read and write.
    What lies in it is hashes of tokens and records about them, and this fleet is for one person's
    machine; elsewhere a real MongoDB with a user for each service takes its place.
    """
    command = server_command(port, data.folder("mongo"))
    return Part(
        name=NAME,
        kind="backend",
        port=port,
        url=url(port),
        environment=environment,
        probe=MongoProbe(port),
        command=command,
        fingerprint=fingerprints.of_values(
            command,
            sorted(environment.items()),
            fingerprints.of_files([Path(mongo_server.__file__)]),
            fingerprints.of_installation(),
            restart,
        ),
    )


def server_command(port: int, folder: Path) -> tuple[str, ...]:
    """What starts the server with its databases in `folder`. Raises MissingPackage."""
    if importlib.util.find_spec("nx_27017") is None:
        raise MissingPackage(
            "the package nx-27017, which brings the embedded MongoDB, is not installed: run "
            "`make up`"
        )
    return (sys.executable, "-I", "-m", mongo_server.__name__, str(port), str(folder))


def url(port: int) -> str:
    """Its address. It is one server alone, so no client should look for others."""
    return f"mongodb://{HOST}:{port}/?directConnection=true"
