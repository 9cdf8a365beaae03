"""Settings of the embedding service."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from tracemypods.kit.settings import ServiceSettings


class Settings(ServiceSettings):
    """What the embedding service reads from its environment."""

    model_config = SettingsConfigDict(env_prefix="TRACEMYPODS_EMBEDDING_")

    engine: Literal["onnx", "sentence-transformers", "openai"] = Field(
        "onnx",
        description="What makes vectors: `onnx` (all-MiniLM-L6-v2 in int8), "
        "`sentence-transformers` (any of its models; an extra) or `openai` (an API)",
    )
    model: str | None = Field(
        None,
        description="The model of `sentence-transformers` (a name or a folder; "
        "sentence-transformers/all-MiniLM-L6-v2 when not set) or of `openai` "
        "(text-embedding-3-small when not set)",
    )
    onnx_file: Path | None = Field(
        None, description="The file of `onnx`, when it is not the one in its package"
    )
    openai_url: str = Field(
        "https://api.openai.com/v1",
        pattern=r"^https?://",
        description="OpenAI-compatible API of `openai`",
    )
    openai_api_key: SecretStr | None = Field(None, description="Its key")
    openai_seconds: float = Field(
        10.0, gt=0, description="How long one of its answers may take, seconds"
    )
    openai_parallel: int = Field(4, gt=0, description="How many calls it gets at a time")
    threads: int | None = Field(
        None, gt=0, description="Threads of the model; as many as the CPU limit when not set"
    )
    max_texts: int = Field(256, gt=0, description="How many texts one call may bring")
    queue_texts: int = Field(
        1024,
        gt=0,
        description="How many texts may wait for the model; calls with more are refused at once",
    )
    request_seconds: float = Field(
        30.0, gt=0, description="How long a call may take, if its caller gives it so long, seconds"
    )
    batch_texts: int = Field(32, gt=0, description="How many texts share a run of the model")
    batch_tokens: int = Field(
        2048, gt=0, description="How many tokens share a run of the model, padding included"
    )
    batch_milliseconds: float = Field(
        2.0, ge=0, description="How long a text waits for others to share its run, milliseconds"
    )
    cache_texts: int = Field(
        4096, ge=0, description="How many texts' vectors are remembered (1.5 KiB each)"
    )
