"""Settings of the vector service."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from tracemypods.kit.settings import ServiceSettings


class Settings(ServiceSettings):
    """What the vector service reads from its environment."""

    model_config = SettingsConfigDict(env_prefix="TRACEMYPODS_VECTOR_")

    qdrant_url: str | None = Field(
        None,
        pattern=r"^https?://",
        description="A Qdrant server, such as `http://host:6333`; the embedded engine when not set",
    )
    qdrant_api_key: SecretStr | None = Field(None, description="Its key")
    data_dir: Path = Field(
        Path("data"), description="The embedded engine's folder, made when it is not there"
    )
    embedding_url: str | None = Field(
        None,
        validation_alias="TRACEMYPODS_EMBEDDING_URL",
        pattern=r"^https?://",
        description="The embedding service; without it only vectors are taken, and no texts",
    )
    embedding_seconds: float = Field(
        5.0, gt=0, description="How long it may take to turn texts into vectors, seconds"
    )
    store_seconds: float = Field(
        2.0, gt=0, description="How long the store may take for one call, seconds"
    )
    waiting_calls: int = Field(
        256, gt=0, description="How many calls may wait for the embedded engine"
    )
    max_collections: int = Field(16, gt=0, description="How many collections there may be")
    sweep_seconds: float = Field(
        60.0, gt=0, description="How often entries that have expired are deleted, seconds"
    )
