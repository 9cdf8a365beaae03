"""Settings of a service that keeps files in S3."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from tracemypods.kit.settings import ServiceSettings

Encryption = Literal["none", "AES256", "aws:kms"]


class S3Settings(ServiceSettings):
    """Settings of a service that keeps files in S3."""

    s3_url: str | None = Field(
        None,
        validation_alias="TRACEMYPODS_S3_URL",
        pattern=r"^https?://[^/?#@\s]+/?$",
        description="An S3 server such as `http://s3:8333`; when not set, Amazon's own",
    )
    s3_region: str = Field(
        "us-east-1",
        validation_alias="TRACEMYPODS_S3_REGION",
        pattern=r"^[a-z0-9-]{1,40}$",
        description="The bucket's region",
    )
    s3_bucket: str = Field(
        validation_alias="TRACEMYPODS_S3_BUCKET",
        pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
        description="The bucket, which is private",
    )
    s3_access_key: SecretStr | None = Field(
        None,
        min_length=1,
        validation_alias="TRACEMYPODS_S3_ACCESS_KEY",
        description="The access key's id (secret); with Amazon's S3, the machine's role is used "
        "when this is not set",
    )
    s3_secret_key: SecretStr | None = Field(
        None,
        min_length=1,
        validation_alias="TRACEMYPODS_S3_SECRET_KEY",
        description="The access key itself (secret)",
    )
    s3_public_url: str | None = Field(
        None,
        validation_alias="TRACEMYPODS_S3_PUBLIC_URL",
        pattern=r"^https?://[^/?#@\s]+/?$",
        description="The same server as people reach it, for links; when not set, "
        "`TRACEMYPODS_S3_URL`",
    )
    s3_encryption: Encryption = Field(
        "none",
        validation_alias="TRACEMYPODS_S3_ENCRYPTION",
        description="How the server is told to encrypt files: `none` (as the bucket says), "
        "`AES256` or `aws:kms`",
    )
    s3_connect_seconds: float = Field(
        2.0,
        gt=0,
        le=60,
        validation_alias="TRACEMYPODS_S3_CONNECT_SECONDS",
        description="How long connecting to S3 may take, seconds",
    )
    s3_read_seconds: float = Field(
        5.0,
        gt=0,
        le=600,
        validation_alias="TRACEMYPODS_S3_READ_SECONDS",
        description="How long S3 may say nothing, seconds",
    )
    s3_answer_seconds: float = Field(
        15.0,
        gt=0,
        le=600,
        validation_alias="TRACEMYPODS_S3_ANSWER_SECONDS",
        description="How long one call may take in all, seconds",
    )
    s3_connections: int = Field(
        8,
        ge=1,
        le=64,
        validation_alias="TRACEMYPODS_S3_CONNECTIONS",
        description="How many calls to S3 may run at once",
    )

    @model_validator(mode="after")
    def _check_s3(self) -> Self:
        if (self.s3_access_key is None) is not (self.s3_secret_key is None):
            raise ValueError("TRACEMYPODS_S3_ACCESS_KEY and _SECRET_KEY: give both or neither")
        if self.s3_url and self.s3_access_key is None:
            raise ValueError("TRACEMYPODS_S3_ACCESS_KEY: a server of one's own wants keys")
        return self
