"""Settings of the token service."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, IPvAnyNetwork
from pydantic_settings import SettingsConfigDict

from tracemypods.contracts.tokens import ChecksumKey, HashKey
from tracemypods.kit.redis import RedisSettings
from tracemypods.kit.settings import Mode

ISSUE_LIMIT = 20
ISSUE_LIMIT_LOCAL = 1000


class Settings(RedisSettings):
    """What the token service reads from its environment."""

    model_config = SettingsConfigDict(env_prefix="TRACEMYPODS_TOKEN_")

    token_checksum_key: ChecksumKey
    token_hash_key: HashKey
    config_dir: Path = Field(
        Path("config"),
        validation_alias="TRACEMYPODS_CONFIG_DIR",
        description="Folder of the operators' files, `models.toml` among them",
    )
    trusted_proxies: tuple[IPvAnyNetwork, ...] = Field(
        ("127.0.0.0/8", "::1/128"),  # pyright: ignore[reportArgumentType] - validated below
        validate_default=True,
        validation_alias="TRACEMYPODS_TRUSTED_PROXIES",
        description="Networks of our own proxies, as a JSON list; the client is the last hop "
        "that is in none of them",
    )
    free_seconds: int = Field(
        3600, gt=0, le=86400 * 30, description="How long a free token holds, seconds"
    )
    issue_limit: int | None = Field(
        None,
        gt=0,
        description="Free tokens that one client address (IPv4, or IPv6 /64) may take a day; "
        f"{ISSUE_LIMIT} when not set, {ISSUE_LIMIT_LOCAL} in local mode",
    )

    @property
    def tokens_per_day(self) -> int:
        """The limit that holds."""
        if self.issue_limit is not None:
            return self.issue_limit
        return ISSUE_LIMIT_LOCAL if self.mode is Mode.LOCAL else ISSUE_LIMIT
