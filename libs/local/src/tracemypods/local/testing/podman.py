"""Real containers, where podman is installed and this process is root: no Docker, no registry.

Images are built on a base that is made on the spot (`debootstrap`) and kept in the user's cache.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Self

import httpx2

from tracemypods.local import checkout, ports
from tracemypods.local.images import DOCKERFILE, Build
from tracemypods.local.testing.pods import Pod
from tracemypods.local.testing.waiting import until

RELEASE = "trixie"
BASE = f"localhost/tracemypods-tests/base:{RELEASE}"
PYTHON = "/usr/bin/python3"
_PACKAGES = ("ca-certificates", "python-is-python3", "python3-venv")

# Where a machine may not raise its own limits, containers must not ask for more than there is.
_LIMITS = ("--runtime=runc", "--ulimit=nofile=1024:1024", "--ulimit=nproc=1000:1000")
_NETWORK = "--network=host"


def missing() -> str:
    """What there is not here that containers take, or nothing."""
    if os.geteuid():
        return "containers take root here"
    lacks = [name for name in ("podman", "runc", "debootstrap") if not shutil.which(name)]
    return f"not installed: {', '.join(lacks)}" if lacks else ""


@cache
def base_image() -> str:
    """The base's reference, once it is there: Debian with the Python that images have.

    Raises CalledProcessError where Debian's packages can't be downloaded.
    """
    if not _is_there(BASE):
        cache_folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        kept = cache_folder / "tracemypods" / f"base-{RELEASE}.tar"
        if not kept.exists():
            kept.parent.mkdir(parents=True, exist_ok=True)
            _make_base(kept)
        _run("podman", "import", "--quiet", str(kept), BASE)
    return BASE


def build(build: Build, certificates: Path | None = None, context: Path = checkout.ROOT) -> str:
    """Build an image as `docker-bake.hcl` says; returns its reference.

    `certificates` are the authorities to trust while it is built, `context` is a checkout. Raises
    CalledProcessError.
    """
    reference = f"localhost/tracemypods-tests/{build.name}"
    arguments = {"BASE": base_image(), **build.arguments}
    _run(
        *("podman", "build", "--format=docker", *_LIMITS, _NETWORK),
        *(
            "--file",
            str(context / DOCKERFILE.relative_to(checkout.ROOT)),
            "--target",
            build.stage,
            "--tag",
            reference,
        ),
        *(f"--build-arg={name}={value}" for name, value in arguments.items()),
        *((f"--secret=id=certificates,src={certificates}",) if certificates else ()),
        str(context),
    )
    return reference


def layers(reference: str) -> list[int]:
    """The sizes in bytes of what an image has above its base, the newest first."""
    history = json.loads(_run("podman", "history", "--format=json", reference))
    return [int(one["size"]) for one in history[:-1]]


def configuration(reference: str) -> dict[str, Any]:
    """How an image is run: user, command, health check, labels."""
    return json.loads(_run("podman", "image", "inspect", reference))[0]


def files_with(reference: str, text: str) -> list[str]:
    """The files of an image in which a text stands."""
    outside = " ".join(f"--exclude-dir={name}" for name in ("proc", "sys", "dev"))
    found = _run(
        *("podman", "run", "--rm", "--no-healthcheck", *_LIMITS, _NETWORK, "--user=0"),
        *("--entrypoint=sh", reference, "-c"),
        f'grep --recursive --files-with-matches --fixed-strings {outside} -e "$0" / || true',
        text,
    )
    return found.split()


class Container:
    """A container that runs as a pod says, with a port of this machine in place of its own.

    Use as a context manager; it is ready then, and `url` is its address.
    """

    def __init__(self, reference: str, pod: Pod) -> None:
        self.reference = reference
        self._pod = pod
        self._name = f"tracemypods-tests-{secrets.token_hex(6)}"
        self.port = ports.unused()
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        pod = self._pod
        environment = {**pod.environment, "TRACEMYPODS_PORT": str(self.port)}
        _run(
            *("podman", "run", "--detach", f"--name={self._name}", *_LIMITS, _NETWORK),
            *("--no-healthcheck", f"--memory={pod.memory_mb}m"),
            *(f"--user={pod.user}:{pod.user}", "--read-only", "--read-only-tmpfs=false"),
            *("--cap-drop=all", "--security-opt=no-new-privileges"),
            *(f"--tmpfs={folder}:mode=1777" for folder in pod.writable),
            *(f"--volume={folder}:{path}:ro" for path, folder in pod.mounts.items()),
            *(f"--env={name}={value}" for name, value in environment.items()),
            self.reference,
        )
        try:
            until(self._is_ready, f"{self.reference} is ready")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        _run("podman", "rm", "--force", "--time=0", self._name)

    def python(self, program: str) -> str:
        """Run a program inside, as its user; returns what it prints. Raises CalledProcessError."""
        return _run("podman", "exec", self._name, "python", "-I", "-c", program)

    def execute(self, *command: str) -> str:
        """Run a command inside; returns what it prints. Raises CalledProcessError."""
        return _run("podman", "exec", self._name, *command)

    def stop(self) -> int:
        """Tell it to stop, as an orchestrator does; returns its exit status."""
        _run("podman", "kill", "--signal=TERM", self._name)
        return int(_run("podman", "wait", self._name))

    def log(self) -> str:
        """What it has said."""
        return _run("podman", "logs", self._name)

    def _is_ready(self) -> bool:
        if _run("podman", "inspect", "--format={{.State.Running}}", self._name).strip() != "true":
            raise AssertionError(f"{self.reference} ended:\n{self.log()}")
        with suppress(httpx2.TransportError):
            return httpx2.get(f"{self.url}/readyz").status_code == 200
        return False


def _make_base(kept: Path) -> None:
    """Write the base as an archive."""
    with tempfile.TemporaryDirectory(prefix="tracemypods-base-", dir=kept.parent) as folder:
        root, archive = Path(folder) / "root", Path(folder) / "base.tar"
        _run(
            "debootstrap",
            *("--variant=minbase", f"--include={','.join(_PACKAGES)}", RELEASE, str(root)),
        )
        left_out = ("./var/cache/apt/archives", "./var/lib/apt/lists", "./var/log")
        _run(
            *("tar", "--create", f"--file={archive}", f"--directory={root}"),
            *(f"--exclude={path}/*" for path in left_out),
            ".",
        )
        archive.replace(kept)


def _is_there(reference: str) -> bool:
    return (
        subprocess.run(["podman", "image", "exists", reference], check=False).returncode == 0  # noqa: S607
    )


def _run(*command: str) -> str:
    """What a command prints. Raises CalledProcessError, with what it said as a note."""
    try:
        return subprocess.run(
            command,
            cwd=checkout.ROOT,
            check=True,
            text=True,
            errors="replace",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ).stdout
    except subprocess.CalledProcessError as error:
        error.add_note(error.output[-2000:])
        raise
