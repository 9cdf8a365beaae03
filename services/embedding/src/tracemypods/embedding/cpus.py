"""How many CPUs this process may use."""

from __future__ import annotations

import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")


def cpu_limit(cgroup: Path = CGROUP) -> int:
    """Whole CPUs, at least 1: what the scheduler allows, and not more than the cgroup's quota.

    A container sees all CPUs of its node. As many threads as these would be stopped together each
    time the quota is used up.
    """
    allowed = _affinity()
    quota = _quota(cgroup)
    return max(1, allowed if quota is None else min(allowed, int(quota)))


def _affinity() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _quota(cgroup: Path) -> float | None:
    """CPUs of the cgroup's quota (version 2, then 1); None without one."""
    try:
        quota, period = (cgroup / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            quota = (cgroup / "cpu" / "cpu.cfs_quota_us").read_text().strip()
            period = (cgroup / "cpu" / "cpu.cfs_period_us").read_text().strip()
        except OSError:
            return None
    try:
        cpus = int(quota) / int(period)
    except (ValueError, ZeroDivisionError):
        return None  # "max" in version 2
    return cpus if cpus > 0 else None  # -1 in version 1
