"""Settings of the order service."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from tracemypods.events.settings import KafkaSettings
from tracemypods.kit.addresses import ProxySettings
from tracemypods.kit.mongo import MongoSettings
from tracemypods.kit.redis import RedisSettings
from tracemypods.kit.settings import MINIMUM_SECRET_LENGTH, Mode, Secret
from tracemypods.mail.settings import MailSettings
from tracemypods.order.codes.challenges import MailLimits

CLIENT_MAILS = 20
CLIENT_MAILS_LOCAL = 1000


class Settings(MailSettings, MongoSettings, RedisSettings, KafkaSettings, ProxySettings):
    """What the order service reads from its environment."""

    model_config = SettingsConfigDict(env_prefix="TRACEMYPODS_ORDER_")

    config_dir: Path = Field(
        Path("config"),
        validation_alias="TRACEMYPODS_CONFIG_DIR",
        description="Folder of the operators' files, `plans.toml` and `seller.toml` among them",
    )
    ask_url: str = Field(
        validation_alias="TRACEMYPODS_ASK_URL",
        pattern=r"^https?://",
        description="The ask service: which plans can be honoured",
    )
    token_url: str = Field(
        validation_alias="TRACEMYPODS_TOKEN_URL",
        pattern=r"^https?://",
        description="The token service: issues what was bought",
    )
    token_edge_key: SecretStr = Field(
        min_length=MINIMUM_SECRET_LENGTH,
        validation_alias="TRACEMYPODS_EDGE_ORDER_TOKEN",
        description="Key with which order calls the token service (secret)",
    )
    payment_url: str = Field(
        validation_alias="TRACEMYPODS_PAYMENT_URL",
        pattern=r"^https?://",
        description="The payment service: talks to Razorpay",
    )
    payment_edge_key: SecretStr = Field(
        min_length=MINIMUM_SECRET_LENGTH,
        validation_alias="TRACEMYPODS_EDGE_ORDER_PAYMENT",
        description="Key with which order calls the payment service (secret)",
    )
    secret_key: Secret = Field(
        description="Key of orders' secrets, e-mail codes and verifications (secret)"
    )
    mails_per_address: int = Field(
        10, gt=0, description="Codes that are sent to one e-mail address a day"
    )
    mails_per_client: int | None = Field(
        None,
        gt=0,
        description="Codes that one client address (IPv4, or IPv6 /64) may have sent a day; "
        f"{CLIENT_MAILS} when not set, {CLIENT_MAILS_LOCAL} in local mode",
    )
    mails_per_minute: int = Field(
        300, gt=0, description="Codes that are sent a minute, to whomever"
    )
    lease_seconds: float = Field(
        30.0,
        gt=0,
        description="For how long one process has an order alone while it does what is owed; "
        "another one goes on after that, seconds",
    )
    first_look_seconds: float = Field(
        10.0,
        gt=0,
        description="How long after an event was written in an order it is sent again, unless it "
        "is confirmed by then, seconds",
    )
    resend_seconds: float = Field(
        120.0,
        gt=0,
        description="The first pause before an event that nobody confirms is sent once more, "
        "seconds; each further one is twice as long, half an hour at most",
    )

    @property
    def only_live(self) -> bool:
        """Whether test orders are refused."""
        return self.mode is Mode.PRODUCTION

    @property
    def takes_local_names(self) -> bool:
        """Whether addresses may be of domains that exist on no other machine."""
        return self.mode is not Mode.PRODUCTION

    @property
    def inbox_url(self) -> str | None:
        """Where mails that were captured can be read: the launcher's mail server keeps them."""
        is_near = self.smtp_server.host in ("127.0.0.1", "localhost")
        return "/local/inbox/" if self.mode is Mode.LOCAL and is_near else None

    @property
    def mail_limits(self) -> MailLimits:
        """The limits that hold."""
        usual = CLIENT_MAILS_LOCAL if self.mode is Mode.LOCAL else CLIENT_MAILS
        return MailLimits(
            address=self.mails_per_address,
            client=self.mails_per_client or usual,
            all=self.mails_per_minute,
        )
