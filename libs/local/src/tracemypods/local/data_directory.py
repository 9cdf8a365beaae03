"""The folder that holds everything a fleet keeps: data, secrets, logs and what runs."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path

from tracemypods.local.errors import FleetError, Unwritable

PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700


class DataDirectory:
    """Paths inside one data directory. Nothing is made before `prepare`."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.run = self.root / "run"
        self.logs = self.root / "logs"
        self.secrets = self.root / "secrets"
        self.lock = self.run / "lock"
        self.command_lock = self.run / "command.lock"
        self.state = self.run / "state.json"
        self.request = self.run / "request.json"
        self.ports = self.run / "ports.json"

    def prepare(self) -> None:
        """Make the folders, readable by their owner only. Raises Unwritable."""
        try:
            for folder in (self.root, self.run, self.logs, self.secrets):
                folder.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
            self.secrets.chmod(PRIVATE_FOLDER)
        except OSError as error:
            raise unwritable(self.root, error) from None

    def log(self, part: str) -> Path:
        """Where a part's output goes."""
        return self.logs / f"{part}.log"

    def folder(self, name: str) -> Path:
        """A part's own folder, made when it is not there. Raises Unwritable."""
        path = self.root / name
        try:
            path.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
        except OSError as error:
            raise unwritable(path, error) from None
        return path

    def delete(self) -> None:
        """Delete everything. Raises FleetError when the folder is no data directory of ours."""
        if not self.root.exists():
            return
        if not self.lock.exists():
            raise FleetError(f"{self.root} does not look like a fleet's data: delete it yourself")
        try:
            shutil.rmtree(self.root)
        except OSError as error:
            raise unwritable(self.root, error) from None

    @contextlib.contextmanager
    def one_command_at_a_time(self) -> Generator[None, None, None]:
        """Hold back other commands that change this fleet until the block ends."""
        try:
            descriptor = os.open(self.command_lock, os.O_RDWR | os.O_CREAT, PRIVATE_FILE)
        except OSError as error:
            raise unwritable(self.command_lock, error) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def write_whole(path: Path, text: str) -> None:
    """Replace a file in one step, private to its owner, so that no reader sees half of it.

    Raises Unwritable.
    """
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise unwritable(path, error) from None
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        Path(name).replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise unwritable(path, error) from None


def unwritable(path: Path, error: OSError) -> Unwritable:
    """What to tell a person when a path can't be written."""
    return Unwritable(
        f"{path} can't be written ({error.strerror}): check its owner, its permissions and the "
        "space left on its disk"
    )
