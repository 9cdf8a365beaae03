"""The embedded model server as a part; what it does is in model_server.py."""

from __future__ import annotations

import importlib.util
import sys
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

from tracemypods.local import fingerprints, model_server, secrets
from tracemypods.local.data_directory import DataDirectory
from tracemypods.local.errors import FleetError, MissingPackage
from tracemypods.local.parts import Part
from tracemypods.local.ports import HOST
from tracemypods.local.probes import HttpProbe

NAME = "models"
URL_VARIABLE = "TRACEMYPODS_MODELS_URL"
"""Where a person has a model server of their own, it is used instead of the embedded one."""


_REACH_SECONDS = 3.0


def require_reachable(address: str) -> None:
    """Make sure that somebody answers at a person's own model server, whatever the answer.

    Raises FleetError.
    """
    if urlsplit(address).scheme not in ("http", "https"):
        raise FleetError(
            f"{URL_VARIABLE} is {address!r}: write it as http://HOST:PORT/v1 or https://HOST/v1"
        )
    try:
        with urllib.request.urlopen(f"{address}/models", timeout=_REACH_SECONDS):  # noqa: S310
            return
    except urllib.error.HTTPError as answer:
        answer.close()
    except (OSError, ValueError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise FleetError(
            f"no model server answers at {address} ({URL_VARIABLE}): {reason}; start it, or unset "
            "the variable to use the one that comes along"
        ) from None


def part(data: DataDirectory, port: int, environment: dict[str, str], restart: str) -> Part:
    """The server. Raises MissingPackage."""
    if importlib.util.find_spec("xllamacpp") is None:
        raise MissingPackage(
            "the package xllamacpp, which brings llama.cpp, is not installed: run `make up`, or "
            f"name a model server of your own in {URL_VARIABLE}"
        )
    weights = model_server.weights()
    folder = secrets.hand_out(data, NAME, [secrets.MODELS_API_KEY])
    files = [Path(model_server.__file__), *secrets.that_restart(data, NAME)]
    environment = {**environment, **secrets.environment_name(folder)}
    command = (sys.executable, "-I", "-m", model_server.__name__, str(port))
    return Part(
        name=NAME,
        kind="backend",
        port=port,
        url=url(port),
        environment=environment,
        probe=HttpProbe(port, "/health"),
        command=command,
        fingerprint=fingerprints.of_values(
            command,
            sorted(environment.items()),
            fingerprints.of_files(files),
            fingerprints.of_large_file(weights),
            fingerprints.of_installation(),
            restart,
        ),
        stop_seconds=3.0,
    )


def url(port: int) -> str:
    """Where OpenAI's wire format is spoken."""
    return f"http://{HOST}:{port}/v1"
