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
        "TRACEMYPODS_TOKEN_CHECKSUM_KEY",
        "TRACEMYPODS_TOKEN_HASH_KEY",
        "TRACEMYPODS_TOKEN_URL",
    },
    "order": {
        "TRACEMYPODS_ASK_URL",
        "TRACEMYPODS_EDGE_ORDER_PAYMENT",
        "TRACEMYPODS_EDGE_ORDER_TOKEN",
        "TRACEMYPODS_KAFKA_URL",
        "TRACEMYPODS_MONGO_URL",
        "TRACEMYPODS_ORDER_SECRET_KEY",
        "TRACEMYPODS_PAYMENT_URL",
        "TRACEMYPODS_REDIS_URL",
        "TRACEMYPODS_SMTP_URL",
        "TRACEMYPODS_TOKEN_URL",
    },
    "payment": {
        "TRACEMYPODS_MONGO_URL",
        "TRACEMYPODS_ORDER_URL",
        "TRACEMYPODS_RAZORPAY_KEY_ID",  # nobody sells on the sandbox's in production
        "TRACEMYPODS_RAZORPAY_KEY_SECRET",
        "TRACEMYPODS_RAZORPAY_WEBHOOK_SECRET",
    },
    "deliver": {
        "TRACEMYPODS_KAFKA_URL",
        "TRACEMYPODS_MONGO_URL",
        "TRACEMYPODS_S3_BUCKET",
        "TRACEMYPODS_SMTP_URL",
    },
    "frontend": {"TRACEMYPODS_FRONTEND_SITE_DIR", "TRACEMYPODS_FRONTEND_PACKAGES_DIR"},
}


def test_every_service_that_needs_settings_is_listed() -> None:
    assert {*REQUIRED, "embedding", "vector"} == set(table.load().services)


@pytest.mark.parametrize("service", list(REQUIRED))
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
