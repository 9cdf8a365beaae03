"""Fixtures for all tests of the repository."""

pytest_plugins = ["tracemypods.local.testing.fixtures"]
