"""Settings of the token service."""

from __future__ import annotations

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from tracemypods.contracts.catalogue_settings import CatalogueSettings
from tracemypods.contracts.token_settings import TokenSettings
from tracemypods.kit.addresses import ProxySettings
from tracemypods.kit.mongo import MongoSettings
from tracemypods.kit.settings import MINIMUM_SECRET_LENGTH, Mode, Secret

ISSUE_LIMIT = 20
ISSUE_LIMIT_LOCAL = 1000


class Settings(TokenSettings, CatalogueSettings, MongoSettings, ProxySettings):
    """What the token service reads from its environment."""

    model_config = SettingsConfigDict(env_prefix="TRACEMYPODS_TOKEN_")

    derivation_key: Secret = Field(description="Key from which premium tokens are derived (secret)")
    derivation_key_previous: SecretStr | None = Field(
        None,
        min_length=MINIMUM_SECRET_LENGTH,
        description="The derivation key before it was rotated, while tokens are still given again",
    )
    premium_days: int = Field(
        30, gt=0, le=3660, description="How long a premium token holds when nothing else is said"
    )
    premium_cache_seconds: int = Field(
        45,
        gt=0,
        le=45,
        description="How long Redis keeps a copy of a premium token's record, before jitter of up "
        "to a third",
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
