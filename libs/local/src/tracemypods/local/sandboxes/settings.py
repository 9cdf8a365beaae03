"""What the settings of every sandbox have in common."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from tracemypods.kit.settings import Mode, Secret, ServiceSettings


class SandboxSettings(ServiceSettings):
    """A sandbox's own class adds fields under the prefix TRACEMYPODS_SANDBOX_<NAME>_."""

    key: Secret = Field(
        validation_alias="TRACEMYPODS_SANDBOX_KEY",
        description="Key of the routes that make sandboxes fail on purpose (secret)",
    )

    @model_validator(mode="after")
    def _refuse_production(self) -> Self:
        if self.mode is Mode.PRODUCTION:
            raise ValueError("TRACEMYPODS_MODE: a sandbox has no place in production")
        return self
