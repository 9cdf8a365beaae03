"""How much memory a container of each service has, and how that is measured and written down."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from loadtest.budget.__main__ import MEBIBYTE, STEP_MB, budget_mb, with_budgets
from loadtest.budget.loads import GROUPS
from loadtest.budget.resident import Peak
from tracemypods.local import chart, checkout, table

FLEET = table.load()
IN_CONTAINERS = [*FLEET.services, *(one.name for one in chart.demo_sandboxes(FLEET))]


@pytest.mark.parametrize("service", IN_CONTAINERS)
def test_a_container_has_more_memory_than_its_service_takes_at_rest(service: str) -> None:
    one = FLEET.ours[service]
    assert one.container.memory_mb > one.memory_mb > 0
    assert one.container.memory_mb % STEP_MB == 0


def test_every_service_is_measured() -> None:
    assert {service for group in GROUPS for service in group.measured} == {*IN_CONTAINERS}


def test_a_budget_is_the_peak_and_a_margin_in_whole_steps() -> None:
    assert budget_mb(100 * MEBIBYTE) == 144  # 130
    assert budget_mb(160 * MEBIBYTE) == 208  # 208 exactly
    assert budget_mb(160 * MEBIBYTE + 1) == 224


def test_the_peak_counts_what_a_process_starts_and_has_given_back() -> None:
    held = "held = bytearray(64 * 2**20); del held; print(flush=True); input()"
    program = (
        "import subprocess, sys; "
        f"subprocess.run([sys.executable, '-c', {held!r}], check=True); print(flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        env={"PATH": os.defpath},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        with Peak(process.pid) as peak:
            process.stdout.readline()
        process.communicate(b"\n\n")
    assert 64 < peak.bytes / MEBIBYTE < 200


def test_budgets_are_written_and_nothing_else() -> None:
    before = checkout.FLEET_TABLE.read_text()
    after = with_budgets(before, {"token": 1008, "razorpay": 2000})
    changed = [
        (old, new)
        for old, new in zip(before.splitlines(), after.splitlines(), strict=True)
        if old != new
    ]
    assert [new for _, new in changed] == [
        "container_memory_mb = 2000",
        "container_memory_mb = 1008",
    ]
    assert all(old.startswith("container_memory_mb = ") for old, _ in changed)
    assert with_budgets(after, {}) == after
    with pytest.raises(ValueError, match="nobody"):
        with_budgets(before, {"nobody": 16})


def test_a_budget_is_added_where_there_was_none() -> None:
    fleet = "[services.a]\nmemory_mb = 50\nroutes = []\n\n[services.b]\nmemory_mb = 60\n"
    assert with_budgets(fleet, {"a": 80}) == (
        "[services.a]\nmemory_mb = 50\ncontainer_memory_mb = 80\nroutes = []\n\n"
        "[services.b]\nmemory_mb = 60\n"
    )
