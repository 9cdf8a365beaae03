"""Settings of the ask service."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from tracemypods.contracts.tokens import ChecksumKey, HashKey
from tracemypods.kit.redis import RedisSettings


class Settings(RedisSettings):
    """What the ask service reads from its environment."""

    model_config = SettingsConfigDict(env_prefix="TRACEMYPODS_ASK_")

    token_checksum_key: ChecksumKey
    token_hash_key: HashKey
    config_dir: Path = Field(
        Path("config"),
        validation_alias="TRACEMYPODS_CONFIG_DIR",
        description="Folder of the operators' files, `models.toml` among them",
    )
    models_url: str = Field(
        validation_alias="TRACEMYPODS_MODELS_URL",
        pattern=r"^https?://",
        description="OpenAI-compatible model server (Ollama, vLLM, llama.cpp), such as "
        "`http://host:11434/v1`",
    )
    models_api_key: SecretStr | None = Field(
        None,
        validation_alias="TRACEMYPODS_MODELS_API_KEY",
        description="Key that the model server asks for",
    )
    connect_seconds: float = Field(
        1.0, gt=0, description="How long connecting to the model server may take, seconds"
    )
    probe_seconds: float = Field(
        2.0, gt=0, description="How long the model server may take to say which models it has"
    )
    silence_seconds: float = Field(
        5.0,
        gt=0,
        description="After so much silence in an answer the model server is asked whether it "
        "is still there; one that answers may go on, seconds",
    )
    first_text_seconds: float = Field(
        120.0, gt=0, description="How long an answer may take to begin, seconds"
    )
    heartbeat_seconds: float = Field(
        10.0, gt=0, description="A silent stream carries a comment this often, seconds"
    )
    cors_origins: tuple[str, ...] = Field(
        (),
        description="Web origins that may call `/v1` from a browser, as a JSON list; "
        "none when not set",
    )
