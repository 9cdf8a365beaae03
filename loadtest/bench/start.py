"""How long a start takes and how much memory what it starts takes."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import httpx2
import psutil

from tracemypods.local.fleet import Fleet

CHECKOUT = Path(__file__).parents[2]


def start_seconds(data: Path) -> float:
    """Seconds until everything is ready, when all is installed; the fleet is stopped again."""
    started = time.perf_counter()
    with Fleet(data):
        return time.perf_counter() - started


def memory_by_part(fleet: Fleet) -> dict[str, int]:
    """Proportional set size in bytes of all that runs for a fleet, by part."""
    current = fleet.state()
    if current is None:
        raise RuntimeError("the fleet does not run")
    names = {part.pid: part.name for part in current.parts}
    return {
        names.get(process.pid, f"launcher ({process.pid})"): psutil.Process(process.pid)
        .memory_full_info()
        .pss
        for process in current.processes()
    }


def clone_to_first_text(folder: Path, port: int) -> tuple[float, float]:
    """Clone this checkout's HEAD, `make up`, and stream an answer.

    Returns the seconds until `make up` returned and until the first text of an answer. What pip,
    uv and npm keep in their caches is not used, so everything is downloaded.
    """
    clone = folder / "clone"
    environment = {
        "PORT": str(port),
        "UV_CACHE_DIR": str(folder / "uv-cache"),
        "PIP_NO_CACHE_DIR": "1",
        "npm_config_cache": str(folder / "npm-cache"),
    }
    started = time.perf_counter()
    _run(["git", "clone", "--quiet", str(CHECKOUT), str(clone)], folder, {})
    try:
        _run(["make", "up"], clone, environment)
        up = time.perf_counter() - started
        site = f"http://127.0.0.1:{port}"
        token = httpx2.post(f"{site}/api/token").json()["token"]
        with httpx2.stream(
            "POST",
            f"{site}/api/ask",
            json={"prompt": "What is gravity?", "stream": True},
            headers={"Authorization": f"Bearer {token}"},
            timeout=60,
        ) as response:
            for line in response.iter_lines():
                if line == "event: delta":
                    return up, time.perf_counter() - started
        raise RuntimeError("no answer")
    finally:
        subprocess.run(["make", "down"], cwd=clone, check=False, stdout=subprocess.DEVNULL)
        shutil.rmtree(clone, ignore_errors=True)


def _run(command: list[str], folder: Path, environment: dict[str, str]) -> None:
    subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **environment},
        check=True,
        stdout=subprocess.DEVNULL,
    )
