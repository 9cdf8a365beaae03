"""Settings of the ask service."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from tracemypods.ask.quotas.limits import FREE, LOCAL, NETWORK, PREMIUM, AllLimits, LimitsIn
from tracemypods.ask.semantic.modes import Mode as SemanticMode
from tracemypods.ask.semantic.modes import Modes
from tracemypods.ask.servers import ServerIn
from tracemypods.contracts.catalogue_settings import CatalogueSettings
from tracemypods.contracts.token_settings import TokenSettings
from tracemypods.kit.addresses import ProxySettings
from tracemypods.kit.settings import MINIMUM_SECRET_LENGTH, Mode, Secret


class Settings(TokenSettings, CatalogueSettings, ProxySettings):
    """What the ask service reads from its environment."""

    model_config = SettingsConfigDict(env_prefix="TRACEMYPODS_ASK_")

    token_url: str = Field(
        validation_alias="TRACEMYPODS_TOKEN_URL",
        pattern=r"^https?://",
        description="The token service, such as `http://token:8000`",
    )
    token_edge_key: Secret = Field(
        validation_alias="TRACEMYPODS_EDGE_ASK_TOKEN",
        description="Key with which ask calls the token service (secret)",
    )
    models_url: str | None = Field(
        None,
        validation_alias="TRACEMYPODS_MODELS_URL",
        pattern=r"^https?://",
        description="OpenAI-compatible model server (Ollama, vLLM, llama.cpp), such as "
        "`http://host:11434/v1`; needed unless `TRACEMYPODS_MODELS_SERVERS` names some",
    )
    models_api_key: SecretStr | None = Field(
        None,
        validation_alias="TRACEMYPODS_MODELS_API_KEY",
        description="Key that the model server asks for",
    )
    models_servers: dict[str, ServerIn] = Field(
        {},
        validation_alias="TRACEMYPODS_MODELS_SERVERS",
        description="Servers that single models have for themselves, by names of your choice, as a "
        'JSON object such as `{"gpu": {"url": "http://gpu:11434/v1", "models": ["mistral:7b"], '
        '"key_file": "/secrets/gpu"}}`; the key is optional. Their models are shown as cold until '
        "they have been there once, and `/readyz` does not wait for them",
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
    parallel: int = Field(
        2,
        gt=0,
        description="How many questions one model answers at once for one replica of ask; as many "
        "as its server runs, shared among the replicas",
    )
    parallel_by_model: dict[str, Annotated[int, Field(gt=0)]] = Field(
        {},
        description="The same for single models, by their names on the model server, as a JSON "
        'object such as `{"mistral": 4}`',
    )
    queue_places: int = Field(
        16, ge=0, description="How many questions may wait for one model; others are refused"
    )
    queue_seconds: float = Field(
        30.0, gt=0, description="How long a question may wait for its model, seconds"
    )
    stall_seconds: float = Field(
        30.0, gt=0, description="A stream that its caller does not read for so long is cut, seconds"
    )
    free_limits: LimitsIn | None = Field(
        None,
        description="What one free token may ask, as a JSON object with any of "
        "`requests_per_minute`, `tokens_per_day` and `concurrent`; "
        f"{FREE.requests_per_minute}, {FREE.tokens_per_day} and {FREE.concurrent} when not set, "
        "and next to no limits in local mode",
    )
    premium_limits: LimitsIn | None = Field(
        None,
        description="The same for one premium token; "
        f"{PREMIUM.requests_per_minute}, {PREMIUM.tokens_per_day} and {PREMIUM.concurrent} "
        "when not set",
    )
    network_limits: LimitsIn | None = Field(
        None,
        description="The same for all free tokens that one client network (IPv4 address, or IPv6 "
        f"/64) uses; {NETWORK.requests_per_minute}, {NETWORK.tokens_per_day} and "
        f"{NETWORK.concurrent} when not set",
    )
    cache_enabled: bool = Field(True, description="Whether answers are kept to be given again")
    cache_shared: bool = Field(
        False,
        description="Whether an answer is given to other tokens of the same plan too; otherwise "
        "only to the one that it was made for",
    )
    cache_seconds: int = Field(3600, gt=0, description="How long an answer is kept, seconds")
    cache_max_temperature: float = Field(
        1.0, ge=0, le=2, description="Answers at a higher temperature are always made afresh"
    )
    cache_per_token: int = Field(
        500, gt=0, description="How many answers one token may add to the cache a day"
    )
    cache_memory_share: float = Field(
        0.8,
        gt=0,
        le=1,
        description="Nothing is added while Redis uses more than this share of its memory, so that "
        "tombstones and counters always fit",
    )
    embedding_url: str | None = Field(
        None,
        validation_alias="TRACEMYPODS_EMBEDDING_URL",
        pattern=r"^https?://",
        description="The embedding service; without it and the vector service there is no "
        "semantic cache",
    )
    embedding_edge_key: SecretStr | None = Field(
        None,
        min_length=MINIMUM_SECRET_LENGTH,
        validation_alias="TRACEMYPODS_EDGE_ASK_EMBEDDING",
        description="Key with which ask calls the embedding service (secret)",
    )
    vector_url: str | None = Field(
        None,
        validation_alias="TRACEMYPODS_VECTOR_URL",
        pattern=r"^https?://",
        description="The vector service",
    )
    vector_edge_key: SecretStr | None = Field(
        None,
        min_length=MINIMUM_SECRET_LENGTH,
        validation_alias="TRACEMYPODS_EDGE_ASK_VECTOR",
        description="Key with which ask calls the vector service (secret)",
    )
    semantic_cache: SemanticMode | None = Field(
        None,
        description="Whether a question may be answered with the answer to one that asks the same: "
        "`on`; `shadow`, which only notes what it would have given; or `off`. When not set, `on` "
        "in local and demo mode and `off` in production",
    )
    semantic_cache_models: dict[str, SemanticMode] = Field(
        default_factory=dict[str, SemanticMode],
        description="Models for which something else holds of the semantic cache, as a JSON object "
        'of their ids, such as `{"phi-2:2.7b": "shadow"}`',
    )
    semantic_sharing: bool = Field(
        False,
        description="Whether answers in the semantic cache that an operator has approved are given "
        "to everybody of the same plan",
    )
    semantic_shared_seconds: int = Field(
        30 * 86400, gt=0, description="How long an approved answer is given, seconds"
    )
    semantic_look_up_seconds: float = Field(
        0.05,
        gt=0,
        description="How long looking in the semantic cache may take before the model is asked, "
        "seconds",
    )
    semantic_call_seconds: float = Field(
        1.0,
        gt=0,
        description="How long the embedding or the vector service may take to keep an answer or to "
        "change an entry, seconds",
    )
    semantic_seconds: int = Field(
        86400, gt=0, description="How long the semantic cache keeps an answer, seconds"
    )
    cors_origins: tuple[str, ...] = Field(
        (),
        description="Web origins that may call `/v1` from a browser, as a JSON list; "
        "none when not set",
    )

    @model_validator(mode="after")
    def _check_models(self) -> Self:
        if self.models_url is None and not self.models_servers:
            raise ValueError("TRACEMYPODS_MODELS_URL: Field required")
        return self

    @property
    def semantic_modes(self) -> Modes:
        """What holds of the semantic cache."""
        if self.embedding_url is None or self.vector_url is None:
            return Modes("off")
        usual = "off" if self.mode is Mode.PRODUCTION else "on"
        return Modes(self.semantic_cache or usual, self.semantic_cache_models)

    @property
    def limits(self) -> AllLimits:
        """The limits that hold."""
        local = self.mode is Mode.LOCAL
        return AllLimits(
            free=(LOCAL if local else FREE).changed(self.free_limits),
            premium=(LOCAL if local else PREMIUM).changed(self.premium_limits),
            network=(LOCAL if local else NETWORK).changed(self.network_limits),
        )
