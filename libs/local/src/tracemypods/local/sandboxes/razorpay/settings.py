"""Settings of the Razorpay sandbox."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import SettingsConfigDict

from tracemypods.contracts.payments import SANDBOX_KEY_ID
from tracemypods.kit.settings import Secret
from tracemypods.local.sandboxes.settings import SandboxSettings


class Settings(SandboxSettings):
    """What the sandbox reads from its environment."""

    model_config = SettingsConfigDict(env_prefix="TRACEMYPODS_SANDBOX_RAZORPAY_")

    key_id: str = Field(
        SANDBOX_KEY_ID,
        pattern=r"^rzp_test_[A-Za-z0-9]{8,32}$",
        description="The API key's id, which callers of `/v1` and the checkout show",
    )
    key_secret: Secret = Field(
        validation_alias="TRACEMYPODS_RAZORPAY_KEY_SECRET",
        description="The API key's secret: the password of `/v1`, and what signs payments",
    )
    webhook_url: str | None = Field(
        None,
        pattern=r"^https?://",
        description="Where webhooks are sent; without it they are kept and not sent",
    )
    webhook_secret: Secret = Field(
        validation_alias="TRACEMYPODS_RAZORPAY_WEBHOOK_SECRET",
        description="What signs webhooks; not the key's secret",
    )
    data_dir: Path | None = Field(
        None, description="Folder of its database, made when it is not there; memory when not set"
    )
    payment_url: str | None = Field(
        None,
        validation_alias="TRACEMYPODS_PAYMENT_URL",
        pattern=r"^https?://",
        description="The payment service, which gets the webhooks where none are named",
    )
    hosts: tuple[str, ...] = Field(
        (), description="Host names besides loopback under which `/local` is called"
    )
    site_origins: tuple[str, ...] = Field(
        (), description="Origins besides its own whose pages may show the checkout"
    )
    auto_capture: bool = Field(
        True, description="Whether payments are captured when their order does not say"
    )
    max_amount: int = Field(
        50_000_000, ge=100, description="The most that an order may be about, paise"
    )
    webhook_answer_seconds: float = Field(
        5.0, gt=0, description="How long the receiver of a webhook may take to say 2xx, seconds"
    )
    webhook_retry_seconds: float = Field(
        60.0, gt=0, description="How long after its first failure a webhook is sent again, seconds"
    )
    webhook_retry_hours: float = Field(
        24.0, gt=0, description="How long a webhook is tried, with gaps that double, hours"
    )
    delay_seconds: float = Field(
        30.0, gt=0, description="How late a delayed webhook is sent, seconds"
    )
    late_seconds: float = Field(
        60.0, gt=0, description="How long after its failure a payment is late authorised, seconds"
    )
    time_scale: float = Field(
        1.0, gt=0, description="Factor for the four times above that are not the answer's"
    )
    hang_seconds: float = Field(
        30.0, gt=0, description="How long a call that hangs is held, seconds"
    )
    nonce_seconds: float = Field(
        1800.0, gt=0, description="How long an open checkout may be used, seconds"
    )

    @property
    def webhook_address(self) -> str | None:
        """Where webhooks are sent; None where nowhere."""
        if self.webhook_url is None and self.payment_url is not None:
            return f"{self.payment_url.rstrip('/')}/payment/webhook"
        return self.webhook_url

    @model_validator(mode="after")
    def _refuse(self) -> Self:
        if self.webhook_secret == self.key_secret:
            raise ValueError("TRACEMYPODS_RAZORPAY_WEBHOOK_SECRET: must not be the key's secret")
        return self
