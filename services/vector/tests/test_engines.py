"""Which engine keeps vectors, and what is said where there is none."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from tracemypods.kit.settings import Mode, SettingsError
from tracemypods.vector.app import make_store
from tracemypods.vector.settings import Settings


def test_without_the_embedded_engine_a_server_has_to_be_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, Any] = {"mode": Mode.LOCAL, "data_dir": tmp_path}
    monkeypatch.setitem(sys.modules, "qdrant_edge", None)
    with pytest.raises(SettingsError, match="VECTOR_QDRANT_URL: needed here"):
        make_store(Settings(**given))
    make_store(Settings(**given, qdrant_url="http://127.0.0.1:9"))
