"""Secrets of a local fleet: made once, kept in files that only their owner can read.

Their names are the settings' own in lower case, which is how pydantic-settings looks for them in
the folder that TRACEMYPODS_SECRETS_DIR names.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from tracemypods.local.data_directory import PRIVATE_FILE, DataDirectory, write_whole
from tracemypods.local.errors import FleetError

REDIS_PASSWORD = "redis_password"  # noqa: S105 - a name, not a secret
MODELS_API_KEY = "models_api_key"
NAMES = ("token_hash_key", "token_checksum_key", MODELS_API_KEY, REDIS_PASSWORD)

_BYTES = 32


def path(data: DataDirectory, name: str) -> Path:
    """The file of one secret, such as `redis_password`."""
    return data.secrets / f"tracemypods_{name}"


def make(data: DataDirectory) -> None:
    """Make those secrets that are not there yet. Raises Unwritable."""
    for name in NAMES:
        file = path(data, name)
        if file.exists() and file.stat().st_size:
            if file.stat().st_mode & 0o077:
                file.chmod(PRIVATE_FILE)
            continue
        write_whole(file, secrets.token_urlsafe(_BYTES))


def read(data: DataDirectory, name: str) -> str:
    """One secret. Raises FleetError when it is not there."""
    try:
        return path(data, name).read_text().strip()
    except OSError as error:
        raise FleetError(f"the secret {name} can't be read: {error.strerror}") from None


def variables() -> frozenset[str]:
    """The environment variables that the files stand for."""
    return frozenset(f"TRACEMYPODS_{name}".upper() for name in NAMES)


def environment_name(data: DataDirectory) -> dict[str, str]:
    """What tells a process where its secrets are."""
    return {"TRACEMYPODS_SECRETS_DIR": os.fspath(data.secrets)}
