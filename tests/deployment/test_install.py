"""The installer on a bad network: it tries again, keeps what it has, and does not hang."""

from __future__ import annotations

import hashlib
import http.server
import importlib.util
import sys
import threading
import time
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

from tracemypods.local import checkout

UV = checkout.PROGRAMS / "uv"


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """scripts/install.py, whose pauses are short and whose uv has a cache of its own."""
    spec = importlib.util.spec_from_file_location("install", checkout.ROOT / "scripts/install.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "PAUSES_SECONDS", (0.01, 0.02, 0.03))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    return module


def metadata(name: str) -> str:
    return f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"


def wheel(folder: Path, name: str) -> Path:
    """A package with nothing in it but 100 kB that do not compress."""
    path = folder / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    padding = b"".join(hashlib.sha256(f"{name}{n}".encode()).digest() for n in range(3000))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}.bin", padding)
        archive.writestr(f"{info}/METADATA", metadata(name))
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: x\n")
        archive.writestr(f"{info}/RECORD", "")
    return path


class Registry(http.server.ThreadingHTTPServer):
    """A package registry that breaks off, or hangs in, the first downloads of a package."""

    daemon_threads = True

    def __init__(self, folder: Path, *, breaks: str = "", hangs: str = "") -> None:
        super().__init__(("127.0.0.1", 0), RegistryHandler)
        self.folder = folder
        # uv tries once more by itself, whatever it is told.
        self.failures = [breaks, breaks] if breaks else [hangs]
        self.hangs = hangs
        self.whole: list[str] = []
        self.one_is_whole = threading.Event()
        self.done = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}/simple"

    def __enter__(self) -> Registry:
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.shutdown()
        self.server_close()


class RegistryHandler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        registry = self.server
        assert isinstance(registry, Registry)
        name = self.path.strip("/").rpartition("/")[2]
        if name.endswith(".metadata"):
            self.send(metadata(name.partition("-")[0]).encode(), "text/plain")
            return
        if not name.endswith(".whl"):
            link = f'<a href="/{name}-1.0-py3-none-any.whl" data-core-metadata="true">{name}</a>'
            self.send(link.encode(), "text/html")
            return
        package, content = name.partition("-")[0], (registry.folder / name).read_bytes()
        if package in registry.failures:
            registry.failures.remove(package)
            # By then, uv has what it could get.
            registry.one_is_whole.wait(10)
            time.sleep(0.3)
            self.send(content[: len(content) // 2], "application/zip", len(content))
            self.wfile.flush()
            if package == registry.hangs:
                registry.done.wait(60)
            return
        self.send(content, "application/zip")
        registry.whole.append(package)
        registry.one_is_whole.set()

    def send(self, content: bytes, kind: str, length: int | None = None) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(length or len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the parent's name
        """Keep the tests' output clean."""


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    folder = tmp_path / "packages"
    folder.mkdir()
    for name in ("first", "second"):
        wheel(folder, name)
    return folder


def install_both(install: ModuleType, registry: Registry, target: Path) -> None:
    command = [
        *(str(UV), "pip", "install", "--target", str(target), "--default-index", registry.url),
        *("--no-config", "--python", sys.executable, "first", "second"),
    ]
    install.download("two packages", command, "check the network")


def test_what_was_downloaded_is_kept(
    install: ModuleType, packages: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Registry(packages, breaks="second") as registry:
        install_both(install, registry, tmp_path / "target")
        assert sorted(registry.whole) == ["first", "second"]
    assert (tmp_path / "target" / "second.bin").exists()
    said = capsys.readouterr().out
    assert "trying again in 0.01 s (attempt 2 of 4), with what was downloaded so far" in said
    assert "two packages: done in " in said


def test_a_connection_that_hangs_is_given_up(
    install: ModuleType, packages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert int(install.NETWORK["UV_HTTP_TIMEOUT"]) <= 60
    monkeypatch.setenv("UV_HTTP_TIMEOUT", "1")
    with Registry(packages, hangs="second") as registry:
        started = time.monotonic()
        install_both(install, registry, tmp_path / "target")
        assert time.monotonic() - started < 20
    assert (tmp_path / "target" / "second.bin").exists()


def test_it_gives_up_after_a_few_attempts(
    install: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    count = tmp_path / "count"
    program = f"open({str(count)!r}, 'a').write('x'); print('no route'); raise SystemExit(1)"
    with pytest.raises(install.SetupError) as failed:
        install.download("a step", [sys.executable, "-c", program], "check the network")
    assert str(failed.value).splitlines() == ["a step failed: check the network", "    no route"]
    assert count.read_text() == "xxxx"
    said = capsys.readouterr().out
    assert [said.index(f"again in {pause} s") for pause in ("0.01", "0.02", "0.03")]
    assert said.count("no route") == 3


def test_an_environment_that_was_left_half_made_is_made_anew(
    install: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    monkeypatch.setattr(install, "VENV", tmp_path / "venv")
    monkeypatch.setattr(install, "BIN", tmp_path / "venv" / "bin")
    monkeypatch.setattr(install, "run", lambda title, *_: made.append(title))
    (tmp_path / "venv" / "bin").mkdir(parents=True)
    (tmp_path / "venv" / "bin" / "python").touch()
    install.make_environment()
    assert len(made) == 1
    assert not (tmp_path / "venv").exists()
    (tmp_path / "venv" / "bin").mkdir(parents=True)
    for name in ("python", "pip"):
        (tmp_path / "venv" / "bin" / name).touch()
    install.make_environment()
    assert len(made) == 1


def test_what_is_for_development_goes_on_top_and_stays_current(
    install: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    monkeypatch.setattr(install, "ROOT", tmp_path)
    monkeypatch.setattr(install, "MEMBERS", [])
    monkeypatch.setattr(install, "VENV", tmp_path)
    monkeypatch.setattr(install, "download", lambda _title, command, *_: done.append(command[-1]))
    locks = [tmp_path / f"requirements{ending}.lock" for ending in ("-uv", "", "-dev")]
    for lock in locks:
        lock.write_text("one==1")

    def installs(development: bool) -> list[str]:
        done.clear()
        install.install_python(development)
        return [name for name in done if name.endswith(".lock")]

    assert installs(development=False) == [str(lock) for lock in locks[:2]]
    stamp = (tmp_path / "tracemypods-installed").read_text()
    assert installs(development=True) == [str(locks[2])]
    assert (tmp_path / "tracemypods-installed").read_text() == stamp
    assert installs(development=True) == installs(development=False) == []
    locks[2].write_text("two==2")
    assert installs(development=False) == [str(locks[2])]
    # Installing what the fleet needs takes away all else.
    locks[1].write_text("two==2")
    assert installs(development=False) == [str(lock) for lock in locks]
