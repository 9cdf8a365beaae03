"""Fixtures and settings for all tests of the repository."""

from __future__ import annotations

from hypothesis import settings

pytest_plugins = ["tracemypods.local.testing.fixtures"]

# How fast a machine is, and what else it does, is nothing that a test may fail of. Nor is luck:
# each run tries the same examples; `make test-long` looks for others.
settings.register_profile("every run", deadline=None, derandomize=True)
settings.register_profile("exploring", deadline=None, max_examples=1000)
settings.load_profile("every run")
