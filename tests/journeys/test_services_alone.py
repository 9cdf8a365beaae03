"""Each service starts alone, and says all that it lacks at once."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tracemypods.local import table

REQUIRED = {
    "token": {
        "TRACEMYPODS_MONGO_URL",
        "TRACEMYPODS_REDIS_URL",
        "TRACEMYPODS_TOKEN_CHECKSUM_KEY",
        "TRACEMYPODS_TOKEN_DERIVATION_KEY",
        "TRACEMYPODS_TOKEN_HASH_KEY",
    },
    "ask": {
        "TRACEMYPODS_REDIS_URL",
        "TRACEMYPODS_EDGE_ASK_TOKEN",
        "TRACEMYPODS_MODELS_URL",
        "TRACEMYPODS_TOKEN_CHECKSUM_KEY",
        "TRACEMYPODS_TOKEN_HASH_KEY",
        "TRACEMYPODS_TOKEN_URL",
    },
    "frontend": {"TRACEMYPODS_FRONTEND_SITE_DIR", "TRACEMYPODS_FRONTEND_PACKAGES_DIR"},
}


@pytest.mark.parametrize("service", list(table.load().services))
def test_a_service_without_settings_names_them_all(service: str) -> None:
    alone = subprocess.run(
        [sys.executable, "-m", f"tracemypods.{service}"],
        env={"PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert alone.returncode == 78
    first, *problems = alone.stderr.splitlines()
    assert first == f"{service}: settings are missing or wrong:"
    assert {problem.split(":")[0] for problem in problems} == REQUIRED[service]
