"""What images are built with: the Dockerfile, docker-bake.hcl, and images that are not ours."""

from __future__ import annotations

import http.server
import os
import runpy
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tracemypods.local import checkout, cli, image_registry, images, table, third_party
from tracemypods.local.errors import FleetError

FLEET = table.load()
DOCKERFILE = images.DOCKERFILE.read_text()


def final_stage() -> str:
    """What becomes an image, as far as all images have it."""
    return DOCKERFILE.partition(f" AS {images.COMMON_STAGE}\n")[2].partition("\nFROM ")[0]


def test_the_dockerfile_is_well_written() -> None:
    linted = subprocess.run(
        [str(checkout.PROGRAMS / "hadolint"), str(images.DOCKERFILE)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert (linted.returncode, linted.stdout) == (0, "")


def test_what_runs_is_nobody_and_is_started_without_a_shell() -> None:
    final = final_stage()
    assert "USER 10001:10001\n" in final
    assert 'CMD ["python", "start.py"]\n' in final
    assert "ENTRYPOINT" not in DOCKERFILE
    assert "/readyz" in final
    # Stages of single services add to it, and change neither.
    assert DOCKERFILE.count("USER ") == DOCKERFILE.count("\nCMD ") == 1


def test_each_step_that_downloads_can_be_given_certificates() -> None:
    steps = DOCKERFILE.replace("\\\n", "").splitlines()
    downloading = [one for one in steps if "with-certificates " in one and one.startswith("RUN")]
    assert len(downloading) == 5
    assert all("--mount=type=secret,id=certificates" in one for one in downloading)


def test_the_base_is_the_one_that_is_pinned() -> None:
    base = third_party.load()[third_party.BASE]
    assert f"ARG BASE={base.repository}:{base.tag}\n" in DOCKERFILE


def test_every_service_has_an_image_and_its_own_stage_where_there_is_one() -> None:
    built = {build.name: build for build in images.builds(FLEET)}
    demo = {one.name for one in FLEET.sandboxes.values() if one.in_demo}
    assert built.keys() == {*FLEET.services, *demo}
    stages = {name: build.stage for name, build in built.items()}
    assert stages.pop("frontend") == "frontend"
    assert set(stages.values()) == {images.COMMON_STAGE}
    assert built["deliver"].arguments["EXTRAS"] == "[html]"
    assert built["razorpay"].arguments["MODULE"] == FLEET.sandboxes["razorpay"].module
    for name in built:
        assert f'tags     = tags("{name}")' in checkout.BAKE.read_text()


def test_every_argument_is_one_that_the_dockerfile_takes() -> None:
    for build in images.builds(FLEET):
        for name in build.arguments:
            assert f"ARG {name}" in DOCKERFILE


def test_an_image_starts_the_module_of_its_service(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda _program, command: started.append(command))
    monkeypatch.setenv("TRACEMYPODS_IMAGE_MODULE", "tracemypods.shop")
    runpy.run_path(str(checkout.IMAGES / "start.py"), run_name="__main__")
    assert started == [[sys.executable, "-m", "tracemypods.shop"]]
    assert "TRACEMYPODS_IMAGE_MODULE=${MODULE}" in final_stage()


def test_the_gateway_is_the_caddy_that_tests_run() -> None:
    lock = (checkout.ROOT / "requirements.lock").read_text()
    assert f"\ncaddy-bin=={third_party.load()['caddy'].tag} " in lock


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("tag", "latest", "valkey: latest pins no version"),
        ("tag", "", "valkey: nothing pins no version"),
        ("digest", "sha256:12", "valkey: sha256:12 is no digest"),
        ("repository", "valkey", "valkey: valkey is no repository"),
    ],
)
def test_an_image_that_is_not_pinned_is_refused(
    tmp_path: Path, field: str, value: str, said: str
) -> None:
    path = tmp_path / "third-party.toml"
    lines = third_party.FILE.read_text().partition("[valkey]")[2].partition("\n[")[0].splitlines()
    changed = [f'{field} = "{value}"' if one.startswith(field) else one for one in lines]
    path.write_text("[valkey]\n" + "\n".join(changed))
    with pytest.raises(FleetError, match=said):
        third_party.load(path)


class Registry(http.server.ThreadingHTTPServer):
    """An image registry that wants a token, and has tags with digests."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), RegistryHandler)
        self.host = f"127.0.0.1:{self.server_port}"
        self.digests: dict[str, str] = {}


class RegistryHandler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        asked = "?service=images&scope=repository%3Ashop%2Fcache%3Apull"
        body = b'{"token": "t0"}' if self.path == f"/token{asked}" else b"{}"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_HEAD(self) -> None:
        assert isinstance(self.server, Registry)
        digest = self.server.digests.get(self.path)
        if self.headers["Authorization"] != "Bearer t0":
            realm = f'realm="http://{self.server.host}/token"'
            scope = 'service="images",scope="repository:shop/cache:pull"'
            self.send_response(401)
            self.send_header("WWW-Authenticate", f"Bearer {realm},{scope}")
        elif digest is None or "image.index" not in self.headers["Accept"]:
            self.send_response(404)
        else:
            self.send_response(200)
            self.send_header("Docker-Content-Digest", digest)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the parent's name
        """Keep the tests' output clean."""


@pytest.fixture
def registry() -> Iterator[Registry]:
    with Registry() as registry:
        threading.Thread(target=registry.serve_forever, args=(0.02,), daemon=True).start()
        yield registry
        registry.shutdown()


TOML = """\
# Kept as it is.
[cache]
repository = "{host}/shop/cache"
tag = "1.2"
digest = ""
use = "Keeps what may be lost"
"""


@pytest.fixture
def listed(registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "third-party.toml"
    path.write_text(TOML.format(host=registry.host))
    monkeypatch.setattr(cli.third_party.pin, "__defaults__", (path,))
    monkeypatch.setattr(cli, "render", lambda check, say: True)  # noqa: ARG005
    return path


def test_digests_are_asked_for_and_written_down(
    registry: Registry, listed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    digest = f"sha256:{'ab' * 32}"
    registry.digests["/v2/shop/cache/manifests/1.2"] = digest
    assert cli.main(["pin-images"]) == 0
    assert f"cache: 1.2 is {digest}" in capsys.readouterr().out
    assert listed.read_text() == TOML.format(host=registry.host).replace('""', f'"{digest}"')
    (image,) = third_party.load(listed).values()
    assert image.reference == f"{registry.host}/shop/cache:1.2@{digest}"
    assert tomllib.loads(listed.read_text())["cache"]["digest"] == digest


def test_nothing_is_written_when_a_tag_is_not_there(
    registry: Registry, listed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["pin-images"]) == 1
    assert f"{registry.host}/shop/cache:1.2: the registry answered 404" in capsys.readouterr().err
    assert listed.read_text() == TOML.format(host=registry.host)


def test_a_registry_that_can_not_be_reached_is_named() -> None:
    with pytest.raises(FleetError, match=r"127\.0\.0\.1:9 can't be reached"):
        image_registry.digest_of("127.0.0.1:9/shop/cache", "1.2")
