"""`python -m loadtest.budget` measures what containers need; `--write` puts it into fleet.toml.

Each service runs alone under the load that `make bench` puts on it. Its container's memory is the
peak of its resident set, and a margin.
"""

from __future__ import annotations

import argparse
import math
import re
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from loadtest.budget.alone import Alone
from loadtest.budget.loads import GROUPS, Group
from loadtest.budget.resident import Peak
from tracemypods.local import checkout

MARGIN = 0.3
STEP_MB = 16
MEBIBYTE = 2**20


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m loadtest.budget", description="Measure what containers need."
    )
    parser.add_argument("--seconds", type=int, default=20, help="how long a load lasts (20)")
    parser.add_argument("--only", help="one service, instead of all")
    parser.add_argument("--write", action="store_true", help="put it into fleet.toml")
    arguments = parser.parse_args()
    budgets: dict[str, int] = {}
    for group in GROUPS:
        if arguments.only and arguments.only not in group.measured:
            continue
        for service, peak in measure(group, arguments.seconds).items():
            budget = budget_mb(peak)
            # A service that is loaded in several ways needs what the worst of them takes.
            budgets[service] = max(budget, budgets.get(service, 0))
            print(
                f"{service:<10} peak {peak / MEBIBYTE:6.1f} MiB   container {budget} MiB",
                flush=True,
            )
    if arguments.write:
        text = checkout.FLEET_TABLE.read_text()
        checkout.FLEET_TABLE.write_text(with_budgets(text, budgets))
    return 0


def measure(group: Group, seconds: int) -> dict[str, int]:
    """The peaks in bytes of a group's services under their load.

    Raises RuntimeError when something was not answered as it should be.
    """
    with tempfile.TemporaryDirectory(prefix="tracemypods-budget-") as name, ExitStack() as stack:
        folder = Path(name)
        environment = group.environment(stack)
        alone = Alone(stack, folder, group.backends, group.services, environment)
        peaks = {one: stack.enter_context(Peak(alone.pid(one))) for one in group.measured}
        group.run(alone, folder, seconds)
        alone.require_running()
    return {service: one.bytes for service, one in peaks.items()}


def budget_mb(peak: int) -> int:
    """A container's memory in MiB for a peak in bytes."""
    return math.ceil(peak * (1 + MARGIN) / MEBIBYTE / STEP_MB) * STEP_MB


def with_budgets(fleet: str, budgets: Mapping[str, int]) -> str:
    """The text of fleet.toml with each service's or sandbox's budget, and all else as it was.

    Raises ValueError for one that is not there.
    """
    for name, megabytes in budgets.items():
        table = re.compile(
            rf"(?ms)^(\[(?:services|sandboxes)\.{name}\]\n.*?^memory_mb = \d+\n)"
            r"(?:container_memory_mb = \d+\n)?"
        )
        fleet, found = table.subn(rf"\g<1>container_memory_mb = {megabytes}\n", fleet)
        if found != 1:
            raise ValueError(f"fleet.toml has no memory of {name}")
    return fleet


if __name__ == "__main__":
    sys.exit(main())
