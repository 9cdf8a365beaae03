"""What the supervisor is to run, as a command or a test asks for it (run/request.json)."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, cast

from tracemypods.local.data_directory import DataDirectory, write_whole
from tracemypods.local.errors import FleetError

PREFIX = "TRACEMYPODS_"

_PASSED_ON = frozenset(
    {
        "HOME",
        "LANG",
        "LC_ALL",
        "LC_CTYPE",
        "TMPDIR",
        "TZ",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "NO_PROXY",
        "http_proxy",
        "https_proxy",
        "no_proxy",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
    }
)
"""What a part may see of a person's environment besides our own variables. All else would only
make a part look changed, and be restarted, when `up` comes from another terminal."""


@dataclass(frozen=True)
class Request:
    """What is to run. It is private: an environment can hold somebody's key."""

    parts: tuple[str, ...]
    port: int
    """The gateway's; 0 for any free one."""
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    restart: Mapping[str, str] = field(default_factory=dict[str, str])
    """A new word for a part has it started anew."""
    id: str = field(default_factory=lambda: uuid.uuid4().hex)


def from_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Those of a person's variables that parts get."""
    return {
        name: value
        for name, value in environment.items()
        if name in _PASSED_ON or name.startswith(PREFIX)
    }


def write(data: DataDirectory, request: Request) -> None:
    """Replace the file. Raises Unwritable."""
    write_whole(data.request, json.dumps(asdict(request), indent=1))


def read(data: DataDirectory) -> Request:
    """The request as last written. Raises FleetError when it can't be understood."""
    try:
        raw = cast("dict[str, Any]", json.loads(data.request.read_text()))
        return Request(
            parts=tuple(raw["parts"]),
            port=int(raw["port"]),
            environment=dict(raw["environment"]),
            restart=dict(raw["restart"]),
            id=str(raw["id"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise FleetError(f"{data.request} can't be read ({error!r}): run `make up` again") from None
