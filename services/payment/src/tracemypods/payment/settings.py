"""Settings of the payment service."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from tracemypods.contracts.payments import SANDBOX_KEY_ID
from tracemypods.kit.mongo import MongoSettings
from tracemypods.kit.settings import Mode

RAZORPAY_URL = "https://api.razorpay.com"
CHECKOUT_URL = "https://checkout.razorpay.com/v1/checkout.js"
SANDBOX_CHECKOUT_URL = "/local/razorpay/checkout.js"
LIVE_KEY = "rzp_live_"


class Settings(MongoSettings):
    """What the payment service reads from its environment."""

    model_config = SettingsConfigDict(env_prefix="TRACEMYPODS_PAYMENT_")

    key_id: str = Field(
        SANDBOX_KEY_ID,
        validation_alias="TRACEMYPODS_RAZORPAY_KEY_ID",
        validate_default=True,
        pattern=r"^rzp_(test|live)_[A-Za-z0-9_]{1,64}$",
        description="Razorpay's key id, which is public; `production` takes only `rzp_live_…`",
    )
    key_secret: SecretStr = Field(
        min_length=8,
        validation_alias="TRACEMYPODS_RAZORPAY_KEY_SECRET",
        description="Razorpay's key secret (secret)",
    )
    webhook_secrets: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        validation_alias="TRACEMYPODS_RAZORPAY_WEBHOOK_SECRET",
        description="Secrets of the webhook, as a JSON list with the newest first, or one secret "
        "as it is (secret); an old one stays while Razorpay still sends what it signed with it",
    )
    razorpay_url: str = Field(
        RAZORPAY_URL,
        validation_alias="TRACEMYPODS_RAZORPAY_URL",
        pattern=r"^https?://",
        description="Razorpay's address, or a sandbox's; `production` takes only Razorpay's own",
    )
    config_dir: Path = Field(
        Path("config"),
        validation_alias="TRACEMYPODS_CONFIG_DIR",
        description="Folder of the operators' files, `seller.toml` among them",
    )
    order_url: str = Field(
        validation_alias="TRACEMYPODS_ORDER_URL",
        pattern=r"^https?://",
        description="The order service, which gets the facts",
    )
    order_seconds: float = Field(
        10.0, gt=0, description="How long order may take to accept a fact, seconds"
    )
    retry_seconds: float = Field(
        30.0,
        gt=0,
        description="The longest pause before something is tried again that failed, such as the "
        "hand-over of a fact, seconds",
    )
    poll_seconds: float = Field(
        1.0, gt=0, description="How often is looked for work that nobody announced, seconds"
    )
    first_look_seconds: float = Field(
        120.0,
        gt=0,
        description="When Razorpay is first asked about an order, seconds after it was made; each "
        "further gap is twice as long, up to twelve hours",
    )
    watch_seconds: float = Field(
        3 * 86400.0,
        gt=0,
        description="How long is asked about an order that is not paid, seconds; for three days a "
        "bank may still confirm a payment",
    )
    comparison_seconds: float = Field(
        86400.0, gt=0, description="How often everything is compared with Razorpay, seconds"
    )
    comparison_days: int = Field(
        180, ge=1, le=3660, description="How far back everything is compared"
    )
    keep_days: int = Field(
        30, ge=1, le=3660, description="How long a handled entry of the inbox is kept"
    )

    @property
    def livemode(self) -> bool:
        """Whether money is real here: the key is live, and the address is Razorpay's own."""
        return self.key_id.startswith(LIVE_KEY) and self.razorpay_url == RAZORPAY_URL

    @property
    def checkout_url(self) -> str:
        """The script of Razorpay's checkout, or of the sandbox's on the site's own address."""
        return CHECKOUT_URL if self.razorpay_url == RAZORPAY_URL else SANDBOX_CHECKOUT_URL

    @field_validator("key_id")
    @classmethod
    def _no_test_key_in_production(cls, key_id: str, info: ValidationInfo) -> str:
        if _is_production(info) and not key_id.startswith(LIVE_KEY):
            raise ValueError("a test key is refused in production")
        return key_id

    @field_validator("razorpay_url")
    @classmethod
    def _only_razorpay_where_money_is_real(cls, url: str, info: ValidationInfo) -> str:
        url = url.rstrip("/")
        if url == RAZORPAY_URL:
            return url
        if _is_production(info):
            raise ValueError(f"production speaks to {RAZORPAY_URL} alone")
        if str(info.data.get("key_id", "")).startswith(LIVE_KEY):
            raise ValueError(f"a live key is shown to {RAZORPAY_URL} alone")
        if urlsplit(url).path:
            raise ValueError("an address without a path is needed")
        return url

    @field_validator("webhook_secrets", mode="before")
    @classmethod
    def _list_or_one(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        if not value.lstrip().startswith("["):
            return (value,)
        try:
            return json.loads(value)
        except ValueError:
            raise ValueError("this is no JSON list of secrets") from None

    @field_validator("webhook_secrets")
    @classmethod
    def _all_of_them_secrets(
        cls, secrets: tuple[SecretStr, ...], info: ValidationInfo
    ) -> tuple[SecretStr, ...]:
        if not secrets:
            raise ValueError("at least one secret is needed, or anybody could forge a webhook")
        values = [secret.get_secret_value() for secret in secrets]
        if not all(value.strip() for value in values):
            raise ValueError("an empty secret is in the list, with which anybody could forge one")
        key_secret = info.data.get("key_secret")
        if isinstance(key_secret, SecretStr) and key_secret.get_secret_value() in values:
            raise ValueError("the key secret is in the list; a webhook has a secret of its own")
        return secrets


def _is_production(info: ValidationInfo) -> bool:
    return info.data.get("mode") is Mode.PRODUCTION
