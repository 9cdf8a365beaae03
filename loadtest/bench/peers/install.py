"""Installs what the peers need, on demand, under .local/bench: nothing else ever uses it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
INSTALLED = HERE.parents[2] / ".local" / "bench"


def node_environment() -> dict[str, str]:
    """An environment in which `node` and `npm` are found: the checkout's own, if there are none."""
    own = Path(sys.executable).parent
    return {**os.environ, "PATH": f"{os.environ.get('PATH', os.defpath)}:{own}"}


def express() -> Path:
    """The folder of the Express peer with its locked packages. Raises CalledProcessError."""
    return _node("express")


def invoices() -> Path:
    """That of the peer that makes invoices. Raises CalledProcessError."""
    return _node("invoices")


def litellm() -> Path:
    """The virtual environment with LiteLLM's locked packages. Raises CalledProcessError."""
    return _environment("litellm")


def sentence_transformers() -> Path:
    """That of sentence-transformers, some 3 GB with torch. Raises CalledProcessError."""
    return _environment("sentence_transformers")


def redisvl() -> Path:
    """That of redisvl, which has sentence-transformers as well. Raises CalledProcessError."""
    return _environment("redisvl")


def fpdf2() -> Path:
    """That of fpdf2. Raises CalledProcessError."""
    return _environment("fpdf2")


def _node(peer: str) -> Path:
    folder = INSTALLED / peer
    folder.mkdir(parents=True, exist_ok=True)
    lock = folder / "package-lock.json"
    current = lock.exists() and (folder / "node_modules").is_dir()
    current = current and lock.read_bytes() == (HERE / peer / lock.name).read_bytes()
    for source in (HERE / peer).iterdir():
        if source.is_file():
            shutil.copy(source, folder / source.name)
    if not current:
        subprocess.run(
            ["npm", "ci", "--ignore-scripts", "--no-progress"],
            cwd=folder,
            env=node_environment(),
            check=True,
            stdout=subprocess.DEVNULL,
        )
    return folder


def _environment(peer: str) -> Path:
    folder = INSTALLED / peer
    lock = HERE / peer / "requirements.lock"
    done = folder / lock.name
    if done.exists() and done.read_bytes() == lock.read_bytes():
        return folder
    uv = Path(sys.executable).with_name("uv")
    subprocess.run(
        [str(uv), "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)], check=True
    )
    subprocess.run(
        [
            *(str(uv), "pip", "sync", "--quiet", "--require-hashes"),
            *("--python", str(folder / "bin" / "python"), str(lock)),
        ],
        check=True,
    )
    shutil.copy(lock, done)
    return folder
