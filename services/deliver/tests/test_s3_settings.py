"""Settings of the bucket."""

from __future__ import annotations

import pytest

from tracemypods.deliver.files.settings import S3Settings
from tracemypods.kit.settings import SettingsError, load

OWN = {
    "TRACEMYPODS_S3_URL": "http://s3:8333",
    "TRACEMYPODS_S3_BUCKET": "invoices",
    "TRACEMYPODS_S3_ACCESS_KEY": "access",
    "TRACEMYPODS_S3_SECRET_KEY": "very-secret",
}


def load_with(monkeypatch: pytest.MonkeyPatch, **environment: str) -> S3Settings:
    monkeypatch.delenv("TRACEMYPODS_SECRETS_DIR", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return load(S3Settings)


def test_a_server_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_with(monkeypatch, **OWN)
    assert (settings.s3_url, settings.s3_bucket) == ("http://s3:8333", "invoices")
    assert "very-secret" not in repr(settings)


def test_amazon_with_the_machines_role(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_with(monkeypatch, TRACEMYPODS_S3_BUCKET="invoices")
    assert (settings.s3_url, settings.s3_access_key, settings.s3_encryption) == (None, None, "none")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"TRACEMYPODS_S3_URL": "s3:8333"}, "TRACEMYPODS_S3_URL"),
        ({"TRACEMYPODS_S3_URL": "http://user:password@s3:8333"}, "TRACEMYPODS_S3_URL"),
        ({"TRACEMYPODS_S3_URL": "http://s3:8333/bucket"}, "TRACEMYPODS_S3_URL"),
        ({"TRACEMYPODS_S3_PUBLIC_URL": "files.example"}, "TRACEMYPODS_S3_PUBLIC_URL"),
        ({"TRACEMYPODS_S3_BUCKET": "a/b"}, "TRACEMYPODS_S3_BUCKET"),
        ({"TRACEMYPODS_S3_BUCKET": ""}, "TRACEMYPODS_S3_BUCKET"),
        ({"TRACEMYPODS_S3_ENCRYPTION": "yes"}, "TRACEMYPODS_S3_ENCRYPTION"),
        ({"TRACEMYPODS_S3_SECRET_KEY": ""}, "give both or neither"),
        ({"TRACEMYPODS_S3_ACCESS_KEY": "", "TRACEMYPODS_S3_SECRET_KEY": ""}, "wants keys"),
        ({"TRACEMYPODS_S3_READ_SECONDS": "0"}, "TRACEMYPODS_S3_READ_SECONDS"),
    ],
)
def test_what_is_wrong_is_named(
    monkeypatch: pytest.MonkeyPatch, changed: dict[str, str], said: str
) -> None:
    with pytest.raises(SettingsError, match=said) as refused:
        load_with(monkeypatch, **{**OWN, **changed})
    assert "password" not in str(refused.value)
    assert "very-secret" not in str(refused.value)
