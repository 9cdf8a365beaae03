"""LiteLLM's proxy with one worker, set up as its manual says."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2

from loadtest.bench.peers import install
from tracemypods.local import ports

KEY = "sk-bench"
_START_SECONDS = 120  # it imports for some twenty


@dataclass(frozen=True)
class Proxy:
    """A proxy that runs."""

    url: str
    pid: int


def redis_cache(redis_url: str, password: str) -> dict[str, Any]:
    """Settings with which it keeps answers in Redis."""
    address = urlsplit(redis_url)
    return {
        "cache": True,
        "cache_params": {
            "type": "redis",
            "host": address.hostname,
            "port": address.port,
            "password": password,
            "ttl": 3600,
        },
    }


def start(
    stack: ExitStack, folder: Path, upstream: str, model: str, settings: Mapping[str, Any]
) -> Proxy:
    """Start it with settings of its own; `stack` ends it.

    Raises RuntimeError when it does not come up.
    """
    configuration = {
        "model_list": [
            {
                "model_name": model,
                "litellm_params": {
                    "model": f"openai/{model}",
                    "api_base": upstream,
                    "api_key": "none",
                },
            }
        ],
        "litellm_settings": dict(settings),
        "general_settings": {"master_key": KEY},
    }
    file = folder / "litellm.json"  # YAML, of which JSON is a part
    file.write_text(json.dumps(configuration))
    port = ports.unused()
    process = subprocess.Popen(
        [
            str(install.litellm() / "bin" / "litellm"),
            *("--config", str(file), "--host", "127.0.0.1", "--port", str(port)),
            *("--num_workers", "1"),
        ],
        env={
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(folder),
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # or it downloads one
            "LITELLM_LOG": "ERROR",
            "LITELLM_TELEMETRY": "False",
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    stack.callback(process.wait)
    stack.callback(process.terminate)
    url = f"http://127.0.0.1:{port}"
    give_up = time.monotonic() + _START_SECONDS
    while True:
        try:
            if httpx2.get(f"{url}/health/liveliness").status_code == 200:
                return Proxy(url, process.pid)
        except httpx2.TransportError:
            pass
        if process.poll() is not None or time.monotonic() > give_up:
            raise RuntimeError("LiteLLM's proxy did not start")
        time.sleep(0.2)
