"""Settings of the captured mail."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import SettingsConfigDict

from tracemypods.kit.settings import Mode
from tracemypods.local.sandboxes.settings import SandboxSettings

MEBIBYTE = 1024 * 1024


class Settings(SandboxSettings):
    """What the captured mail reads from its environment."""

    model_config = SettingsConfigDict(env_prefix="TRACEMYPODS_SANDBOX_MAIL_")

    data_dir: Path = Field(description="Folder of what it keeps, made when it is not there")
    smtp_port: int = Field(1025, ge=0, le=65535, description="Port of SMTP")
    message_bytes: int = Field(
        10 * MEBIBYTE, ge=1024, le=64 * MEBIBYTE, description="The largest message taken, bytes"
    )
    kept_messages: int = Field(
        1000, ge=1, le=100_000, description="How many messages are kept, the newest"
    )
    kept_bytes: int = Field(
        1024 * MEBIBYTE,
        ge=MEBIBYTE,
        description="How much they may hold together; the oldest go first",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        # Elsewhere a real server, or Mailpit, takes its place.
        if self.mode is not Mode.LOCAL:
            raise ValueError("TRACEMYPODS_MODE: captured mail is for local mode only")
        if self.kept_bytes < self.message_bytes:
            raise ValueError("TRACEMYPODS_SANDBOX_MAIL_KEPT_BYTES: too few for one message")
        return self
