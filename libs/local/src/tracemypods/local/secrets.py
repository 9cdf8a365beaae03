"""Secrets of a local fleet: made once, kept in files that only their owner can read.

All of them lie in `secrets/`; each part gets a folder of its own in `run/secrets/` with copies of
those that it needs, which is where TRACEMYPODS_SECRETS_DIR points. A file is called as the setting
that it stands for, in lower case, which is how pydantic-settings looks for it.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from tracemypods.local.data_directory import (
    PRIVATE_FILE,
    PRIVATE_FOLDER,
    DataDirectory,
    unwritable,
    write_whole,
)
from tracemypods.local.errors import FleetError
from tracemypods.local.table import Service, Table

REDIS_PASSWORD = "redis_password"  # noqa: S105 - a name, not a secret
MODELS_API_KEY = "models_api_key"
OPERATOR_KEY = "operator_key"
"""The key of LOCAL_OPERATOR. No service gets it, only its hash."""
LOCAL_OPERATOR = "local"
OPERATOR_KEYS = "operator_keys"
"""The operators' names, hashes and scopes, one a line; see kit.operators."""

S3_ACCESS_KEY = "s3_access_key"
S3_SECRET_KEY = "s3_secret_key"  # noqa: S105 - a name, not a secret

OF_BACKENDS: dict[str, tuple[str, ...]] = {
    "redis": (REDIS_PASSWORD,),
    "models": (MODELS_API_KEY,),
    "s3": (S3_ACCESS_KEY, S3_SECRET_KEY),
}
"""What whoever needs a backend must know."""

PREVIOUS = "_previous"
"""Ends the name of a key that is being rotated away. It is handed out where it is there."""

_BYTES = 32
_PREFIX = "tracemypods_"


def path(data: DataDirectory, name: str) -> Path:
    """The file of one secret, such as `redis_password`."""
    return data.secrets / f"{_PREFIX}{name}"


def edge(caller: str, callee: str) -> str:
    """The name of the key with which one service calls another; see kit.internal."""
    return f"edge_{caller}_{callee}"


def names(table: Table) -> tuple[str, ...]:
    """The secrets that a fleet has, without the operators'."""
    own = [name for service in table.ours.values() for name in service.secrets]
    edges = [edge(*ends) for ends in table.edges]
    backends = [name for names_of_one in OF_BACKENDS.values() for name in names_of_one]
    found = dict.fromkeys([*backends, *own, *edges])
    found.pop(OPERATOR_KEYS, None)
    return tuple(found)


def make(data: DataDirectory, table: Table) -> None:
    """Make those secrets that are not there yet. Raises Unwritable."""
    for name in names(table):
        if not _is_there(path(data, name)):
            write_whole(path(data, name), secrets.token_urlsafe(_BYTES))
    if not _is_there(path(data, OPERATOR_KEYS)) or not _is_there(path(data, OPERATOR_KEY)):
        _make_operator(data)


def of_service(table: Table, service: Service) -> tuple[str, ...]:
    """What a service or sandbox gets: its own, its backends', and the keys of its own edges."""
    own = [*service.secrets, *(f"{name}{PREVIOUS}" for name in service.secrets)]
    backends = [name for need in service.needs for name in OF_BACKENDS.get(need, ())]
    edges = [edge(*ends) for ends in table.edges if service.name in ends]
    return (*own, *backends, *edges)


def hand_out(data: DataDirectory, part: str, chosen: Iterable[str]) -> Path:
    """A part's folder, with those of the chosen secrets that there are and nothing else.

    Raises Unwritable.
    """
    folder = data.run / "secrets" / part
    try:
        folder.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
        wanted = {
            f"{_PREFIX}{name}": path(data, name).read_text()
            for name in chosen
            if path(data, name).is_file()
        }
        for file in list(folder.glob(f"{_PREFIX}*")):
            if file.name not in wanted:
                file.unlink()
    except OSError as error:
        raise unwritable(folder, error) from None
    for name, text in wanted.items():
        file = folder / name
        if not file.is_file() or file.read_text() != text:
            write_whole(file, text)
    return folder


def that_restart(data: DataDirectory, part: str) -> list[Path]:
    """Those of a part's files that it reads only when it starts. Operators come and go."""
    folder = data.run / "secrets" / part
    return [file for file in folder.glob(f"{_PREFIX}*") if not file.name.endswith(OPERATOR_KEYS)]


def read(data: DataDirectory, name: str) -> str:
    """One secret. Raises FleetError when it is not there."""
    try:
        return path(data, name).read_text().strip()
    except OSError as error:
        raise FleetError(f"the secret {name} can't be read: {error.strerror}") from None


def is_variable(table: Table, variable: str) -> bool:
    """Whether one of the files stands for this environment variable."""
    name = variable.lower().removeprefix(_PREFIX)
    return name in names(table) or name.removesuffix(PREVIOUS) in names(table)


def environment_name(folder: Path) -> dict[str, str]:
    """What tells a process where its secrets are."""
    return {"TRACEMYPODS_SECRETS_DIR": os.fspath(folder)}


def _is_there(file: Path) -> bool:
    try:
        status = file.stat()
    except OSError:
        return False
    if status.st_mode & 0o077:
        file.chmod(PRIVATE_FILE)
    return status.st_size > 0


def _make_operator(data: DataDirectory) -> None:
    """Make the key of the operator "local", who may do everything. Others stay as they are.

    In the form that kit.operators reads.
    """
    key = f"tmpods_op_{secrets.token_urlsafe(_BYTES)}"
    kept = {
        "name": LOCAL_OPERATOR,
        "sha256": hashlib.sha256(key.encode()).hexdigest(),
        "scopes": ["*"],
        "created": datetime.now(UTC).isoformat(),
    }
    file = path(data, OPERATOR_KEYS)
    lines = file.read_text().splitlines() if file.is_file() else []
    others = [line for line in lines if f'"{LOCAL_OPERATOR}"' not in line and line.strip()]
    write_whole(file, "".join(f"{line}\n" for line in (*others, json.dumps(kept))))
    write_whole(path(data, OPERATOR_KEY), key)
