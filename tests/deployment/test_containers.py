"""Real containers, run as the chart runs them: a chat through two of them, pages, an invoice.

They take root, podman, and minutes the first time: `make test-long` runs them.
"""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx2
import pytest
from deliver_orders import paid, told
from deliver_service import OrderSide, environment
from image_limits import LARGER_MB, LIMIT_MB, MEGABYTE
from replicas import ASK_KEY, DERIVATION_KEY, ORDER_KEY

from tracemypods.deliver.pdf.renderer import EngineName
from tracemypods.local import checkout, images, table
from tracemypods.local.testing import podman
from tracemypods.local.testing.callers import caller
from tracemypods.local.testing.events import events
from tracemypods.local.testing.kafka import Kafka
from tracemypods.local.testing.mail import Inbox
from tracemypods.local.testing.model_stub import ModelStub
from tracemypods.local.testing.mongo import Mongo
from tracemypods.local.testing.podman import Container
from tracemypods.local.testing.pods import pod
from tracemypods.local.testing.replica import variables
from tracemypods.local.testing.s3 import S3
from tracemypods.local.testing.tokens import CHECKSUM_KEY, HASH_KEY
from tracemypods.local.testing.valkey import Valkey
from tracemypods.local.testing.waiting import until

FLEET = table.load()
BUILDS = {build.name: build for build in images.builds(FLEET)}
MARK = "# authorities that only the build of an image trusts"

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(bool(podman.missing()), reason=f"no containers: {podman.missing()}"),
]


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What this machine trusts, with a mark that must not be found in an image."""
    known = os.environ.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().cafile
    bundle = tmp_path_factory.mktemp("certificates") / "bundle.pem"
    bundle.write_text((Path(known).read_text() if known else "") + f"\n{MARK}\n")
    return bundle


class Containers:
    """Images and containers of a test, which end with it."""

    def __init__(self, folder: Path, certificates: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._certificates = certificates
        self._stack = stack

    def image(self, service: str) -> str:
        """A service's image, built if something of it has changed."""
        return podman.build(BUILDS[service], self._certificates)

    def start(self, service: str, settings: dict[str, str]) -> Container:
        """A service in a container of its own, ready."""
        secrets = self._folder / f"secrets-{service}"
        container = Container(self.image(service), pod(FLEET, service, settings, secrets))
        return self._stack.enter_context(container)


@pytest.fixture
def containers(tmp_path: Path, certificates: Path) -> Iterator[Containers]:
    # Its user has to get to what is mounted, and is nobody here.
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    with ExitStack() as stack:
        yield Containers(tmp_path, certificates, stack)


def stores(valkey: Valkey) -> dict[str, str]:
    return {
        "TRACEMYPODS_REDIS_URL": valkey.url,
        "TRACEMYPODS_REDIS_PASSWORD": valkey.password,
        "TRACEMYPODS_TOKEN_CHECKSUM_KEY": CHECKSUM_KEY.get_secret_value(),
        "TRACEMYPODS_TOKEN_HASH_KEY": HASH_KEY.get_secret_value(),
        "TRACEMYPODS_EDGE_ASK_TOKEN": ASK_KEY,
    }


def test_a_chat_through_two_containers(
    containers: Containers, valkey: Valkey, mongo: Mongo
) -> None:
    with ModelStub() as stub:
        token_service = containers.start(
            "token",
            {
                **stores(valkey),
                **variables(mongo.login()),
                "TRACEMYPODS_TOKEN_DERIVATION_KEY": DERIVATION_KEY,
                "TRACEMYPODS_EDGE_ORDER_TOKEN": ORDER_KEY,
            },
        )
        ask = containers.start(
            "ask",
            {
                **stores(valkey),
                "TRACEMYPODS_MODELS_URL": stub.url,
                "TRACEMYPODS_TOKEN_URL": token_service.url,
            },
        )
        with caller(token_service.url, None) as anonymous:
            token = anonymous.post("/api/token").json()["token"]
        question = {"prompt": "What is gravity?", "stream": True}
        with (
            caller(ask.url, token) as person,
            person.stream("POST", "/api/ask", json=question) as response,
        ):
            said = list(events(response))
        texts = [data["text"] for name, data in said if name == "delta"]
        assert "".join(texts) == "".join(stub.pieces)
        assert said[-1][0] == "done"
        for container in (ask, token_service):
            confined(container)
            assert container.stop() == 0


def confined(container: Container) -> None:
    """What a container may do, and what is in it."""
    assert container.python("import os; print(os.getuid(), os.getgid())").split() == ["10001"] * 2
    assert container.python(WRITES).split() == ["/tmp"]  # noqa: S108
    assert container.python(PROGRAMS).split() == []
    check = podman.configuration(container.reference)["Healthcheck"]["Test"]
    assert check[0] == "CMD"
    container.execute(*check[1:])


WRITES = """
import pathlib
for folder in ("/app", "/app/code", "/config", "/etc", "/secrets", "/tmp", "/usr/local", "/var"):
    try:
        pathlib.Path(folder, "written").touch()
        print(folder)
    except OSError:
        pass
"""
PROGRAMS = """
import importlib.util, shutil
for name in ("uv", "pip", "pip3", "gcc", "cc", "make", "npm", "node"):
    print(shutil.which(name) or "")
print("pip" if importlib.util.find_spec("pip") else "")
"""


def test_pages_and_what_they_load(containers: Containers) -> None:
    frontend = containers.start("frontend", {})
    for path in (
        "/",
        "/chat.html",
        "/design/tokens.css",
        "/packages/markdown-it.js",
        "/terms.html",
    ):
        assert httpx2.get(f"{frontend.url}{path}").status_code == 200, path
    confined(frontend)


@pytest.mark.parametrize("engine", ["typst", "html"])
def test_an_invoice(
    containers: Containers,
    engine: EngineName,
    mongo: Mongo,
    kafka: Kafka,
    s3: S3,
    tmp_path: Path,
) -> None:
    with Inbox(tmp_path / "mail") as inbox:
        deliver = containers.start(
            "deliver",
            {**environment(mongo, kafka, s3, inbox), "TRACEMYPODS_DELIVER_ENGINE": engine},
        )
        order = paid()
        OrderSide(kafka).tell([told(order)])
        (mail,) = until(inbox.messages, "the mail with the invoice")
        (attached,) = mail["attachments"]
        path = f"/local/inbox/messages/{mail['id']}/attachments/0"
        status, _, pdf = inbox.request("GET", path)
    assert mail["to"] == order.email
    assert attached["type"] == "application/pdf"
    assert status == 200
    assert pdf.startswith(b"%PDF-")
    confined(deliver)


@pytest.mark.parametrize("service", list(BUILDS))
def test_an_image_has_no_more_than_it_may_have(containers: Containers, service: str) -> None:
    image = containers.image(service)
    assert sum(podman.layers(image)) <= LARGER_MB.get(service, LIMIT_MB) * MEGABYTE
    configuration = podman.configuration(image)["Config"]
    assert configuration["User"] == "10001:10001"
    assert configuration["Cmd"] == ["python", "start.py"]
    assert podman.files_with(image, MARK) == []


def test_a_package_with_another_hash_than_the_lock_has_is_refused(
    certificates: Path, tmp_path: Path
) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],  # noqa: S607
        cwd=checkout.ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for path in map(Path, listed.splitlines()):
        if (checkout.ROOT / path).is_file():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(checkout.ROOT / path, tmp_path / path)
    lock = tmp_path / "requirements.lock"
    before, start, rest = lock.read_text().partition("\nuvicorn==")
    own, end, after = rest.partition("    # via")
    wrong = re.sub("sha256:[0-9a-f]{64}", f"sha256:{'0' * 64}", own)
    assert wrong != own
    lock.write_text(f"{before}{start}{wrong}{end}{after}")
    pins = dataclasses.replace(BUILDS["frontend"], name="refused", stage="pins")
    with pytest.raises(subprocess.CalledProcessError) as refused:
        podman.build(pins, certificates, context=tmp_path)
    assert "no overlapping hashes" in refused.value.output
    assert "uvicorn" in refused.value.output
