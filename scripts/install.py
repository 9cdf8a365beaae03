#!/usr/bin/env python3
"""Make this checkout ready: Python packages into .venv, front-end packages into frontend/.

Standard library only, since it runs before anything is installed. What is already there and
current is left alone, so a second run takes no noticeable time. What was downloaded before
something failed is in pip's, uv's and npm's caches, and is not downloaded again.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
BIN = VENV / "bin"
FRONTEND = ROOT / "frontend"
MEMBERS = sorted(path.parent for path in ROOT.glob("libs/*/pyproject.toml")) + sorted(
    path.parent for path in ROOT.glob("services/*/pyproject.toml")
)
MINIMUM = (3, 11)
HEARTBEAT_SECONDS = 10.0
PAUSES_SECONDS = (2.0, 6.0, 18.0)
"""How long is waited before each new attempt at a step that needs a network."""

NETWORK = {
    # Seconds without a byte until a connection counts as hung.
    "PIP_DEFAULT_TIMEOUT": "20",
    "UV_HTTP_TIMEOUT": "30",
    "npm_config_fetch_timeout": "30000",
    # Their own attempts at one file.
    "PIP_RETRIES": "3",
    "UV_HTTP_RETRIES": "3",
    "npm_config_fetch_retries": "3",
    "npm_config_fetch_retry_mintimeout": "1000",
    "npm_config_fetch_retry_maxtimeout": "10000",
}
"""What a person has set of these wins."""

ONLINE = "check that the package registry can be reached, then run this again"


class SetupError(Exception):
    """A step failed; the message says what happened and what to do."""

    def __init__(self, title: str, lines: list[str], hint: str) -> None:
        super().__init__("\n    ".join([f"{title} failed: {hint}", *lines[-6:]]))
        self.reason = lines[-1] if lines else f"{title} failed"


def digest(*paths: Path) -> str:
    """One hash over the names and contents of files."""
    total = hashlib.sha256()
    for path in paths:
        total.update(path.relative_to(ROOT).as_posix().encode())
        total.update(path.read_bytes())
    return total.hexdigest()


def download(title: str, command: list[str], hint: str, cwd: Path = ROOT) -> None:
    """Run one step that needs a network, a few times if need be.

    Raises SetupError when the last attempt fails, too.
    """
    attempts = len(PAUSES_SECONDS) + 1
    for attempt, pause in enumerate(PAUSES_SECONDS, start=2):
        try:
            return run(title, command, hint, cwd)
        except SetupError as error:
            print(
                f"    {error.reason}\n"
                f"    trying again in {pause:g} s (attempt {attempt} of {attempts}), "
                "with what was downloaded so far",
                flush=True,
            )
            time.sleep(pause)
    return run(title, command, hint, cwd)


def run(title: str, command: list[str], hint: str, cwd: Path = ROOT) -> None:
    """Run one step with its own progress shown, and a sign of life when it prints none.

    Raises SetupError with the step's last lines and `hint` when it fails.
    """
    started = time.monotonic()
    print(f"  {title} …", flush=True)
    environment = {
        **NETWORK,
        **os.environ,
        "VIRTUAL_ENV": str(VENV),
        "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }
    with subprocess.Popen(
        command,
        cwd=cwd,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        finished = threading.Event()

        def heartbeat() -> None:
            while not finished.wait(HEARTBEAT_SECONDS):
                print(f"    still at it, {time.monotonic() - started:.0f} s", flush=True)

        threading.Thread(target=heartbeat, daemon=True).start()
        lines: list[str] = []
        for line in process.stdout or ():
            lines.append(line.rstrip())
            if line.startswith(("Downloading", " Downloaded", "Prepared", "Installed")):
                print(f"    {line.strip()}", flush=True)
        finished.set()
    if process.returncode:
        raise SetupError(title, [line for line in lines if line], hint)
    print(f"  {title}: done in {time.monotonic() - started:.1f} s", flush=True)


def make_environment() -> None:
    """Create .venv, once, with the Python that runs this script."""
    # pip comes last: without it, something ended the making of the environment half-way.
    if (BIN / "python").exists() and (BIN / "pip").exists():
        return
    if VENV.exists():
        shutil.rmtree(VENV)
    run(
        f"Python {sys.version_info.major}.{sys.version_info.minor} environment in .venv",
        [sys.executable, "-m", "venv", str(VENV)],
        "on Debian and Ubuntu, install the package python3-venv and run this again",
    )


def install_python(development: bool) -> None:
    """Install the locked packages and this repository's own, when either has changed.

    What is for development goes on top, and stays once it is there.
    """
    locks = [ROOT / "requirements-uv.lock", ROOT / "requirements.lock"]
    current = digest(*locks, *(member / "pyproject.toml" for member in MEMBERS))
    stamp = VENV / "tracemypods-installed"
    if not stamp.exists() or stamp.read_text() != current:
        stamp.unlink(missing_ok=True)
        install_fleet(locks)
        stamp.write_text(current)
    more = ROOT / "requirements-dev.lock"
    # What is installed for the fleet is not touched here, so its stamp, after which running
    # services are started again, stays as it is.
    further, both = VENV / "tracemypods-development", f"{current} {digest(more)}"
    if not (development or further.exists()) or (further.exists() and further.read_text() == both):
        return
    download(
        "Python packages for tests of the chart and the images (about 100 MB)",
        [
            *(str(BIN / "uv"), "pip", "install", "--no-deps", "--require-hashes"),
            *("--python", str(BIN / "python"), "-r", str(more)),
        ],
        ONLINE,
    )
    further.write_text(both)


def install_fleet(locks: list[Path]) -> None:
    """Install what the fleet needs and nothing besides, from uv's lock and the packages'."""
    python = str(BIN / "python")
    download(
        "uv, the installer",
        [python, "-m", "pip", "install", "--quiet", "--require-hashes", "-r", str(locks[0])],
        ONLINE,
    )
    uv = [str(BIN / "uv"), "pip"]
    download(
        "Python packages (about 360 MB the first time)",
        [*uv, "sync", "--require-hashes", "--python", python, str(locks[1])],
        ONLINE,
    )
    editable = [argument for member in MEMBERS for argument in ("-e", str(member))]
    download(
        "the fleet's own packages",
        [*uv, "install", "--no-deps", "--python", python, *editable],
        ONLINE,
    )


def install_frontend(development: bool) -> None:
    """Install the pages' packages from the npm registry, and with `development` the tests' too."""
    current = digest(FRONTEND / "package.json", FRONTEND / "package-lock.json")
    stamp = FRONTEND / "node_modules" / ".tracemypods-installed"
    done = stamp.read_text().split() if stamp.exists() else []
    if done and done[0] == current and (done[1] == "development" or not development):
        return
    command = [str(BIN / "npm"), "ci", "--ignore-scripts", "--prefer-offline"]
    if not development:
        command.append("--omit=dev")
    download(
        "packages for the pages" + (" and the browser tests (about 70 MB)" if development else ""),
        command,
        "check that the npm registry can be reached, then run this again",
        cwd=FRONTEND,
    )
    stamp.write_text(f"{current} {'development' if development else 'production'}")


def main() -> int:
    parser = argparse.ArgumentParser(description="Install what this checkout needs to run.")
    parser.add_argument(
        "--development",
        action="store_true",
        help="also install what only the tests need (a Chromium for the browser tests, and what "
        "checks the chart and the images)",
    )
    arguments = parser.parse_args()
    if sys.version_info < MINIMUM:
        print(
            f"Python {'.'.join(map(str, MINIMUM))} or newer is needed, this is {sys.version}. "
            "Run `make PYTHON=/path/to/python3.11 up`.",
            file=sys.stderr,
        )
        return 1
    try:
        make_environment()
        install_python(arguments.development)
        install_frontend(arguments.development)
    except SetupError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
