"""What documents say of settings."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from tracemypods.kit.settings import Secret, ServiceSettings
from tracemypods.local.settings_table import describe


class Example(ServiceSettings):
    """Settings of a service that there is not."""

    model_config = SettingsConfigDict(env_prefix="TRACEMYPODS_EXAMPLE_")

    key: Secret
    size: int = Field(3, gt=0, description="How large")
    shared: str = Field("x", validation_alias="TRACEMYPODS_SHARED", description="Shared")


def test_descriptions_for_the_readme() -> None:
    rows = describe(Example)
    assert ("TRACEMYPODS_EXAMPLE_KEY", "required", "") in rows
    assert ("TRACEMYPODS_EXAMPLE_SIZE", "`3`", "How large") in rows
    assert ("TRACEMYPODS_SHARED", "`x`", "Shared") in rows
