"""What stops start-up, all of it told at once, and when money is real."""

from __future__ import annotations

import os
from typing import Any

import pytest

from tracemypods.kit.settings import SettingsError, load
from tracemypods.payment.settings import RAZORPAY_URL, Settings

PREFIX = "TRACEMYPODS_RAZORPAY_"
SECRET = "webhook-secret-0123456789"

LIVE = {
    "TRACEMYPODS_MODE": "production",
    "TRACEMYPODS_MONGO_URL": "mongodb://mongo:27017",
    "TRACEMYPODS_ORDER_URL": "http://order:8000",
    f"{PREFIX}KEY_ID": "rzp_live_0123456789abcd",
    f"{PREFIX}KEY_SECRET": "key-secret-0123456789",
    f"{PREFIX}WEBHOOK_SECRET": f'["{SECRET}"]',
}
SANDBOX = {
    "TRACEMYPODS_MODE": "demo",
    f"{PREFIX}KEY_ID": "rzp_test_0123456789abcd",
    f"{PREFIX}URL": "http://127.0.0.1:9000",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Any:
    for name in list(os.environ):
        if name.startswith("TRACEMYPODS_"):
            monkeypatch.delenv(name)

    def set_all(values: dict[str, str]) -> None:
        for name, value in values.items():
            monkeypatch.setenv(name, value)

    return set_all


def test_money_is_real_with_a_live_key_at_razorpays_own_address(environment: Any) -> None:
    environment(LIVE)
    settings = load(Settings)
    assert settings.livemode
    assert settings.razorpay_url == RAZORPAY_URL
    assert SECRET not in repr(settings)


@pytest.mark.parametrize("own_address", [True, False])
@pytest.mark.parametrize("mode", ["demo", "local"])
def test_with_a_test_key_it_is_not(environment: Any, mode: str, own_address: bool) -> None:
    environment({**LIVE, **SANDBOX, "TRACEMYPODS_MODE": mode})
    if own_address:
        environment({f"{PREFIX}URL": RAZORPAY_URL})
    assert not load(Settings).livemode


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"KEY_ID": "rzp_test_0123456789abcd"}, "a test key"),
        ({"KEY_ID": "key"}, "KEY_ID"),
        ({"KEY_ID": ""}, "KEY_ID"),
        ({"KEY_SECRET": ""}, "KEY_SECRET"),
        ({"URL": "http://127.0.0.1:9000"}, "RAZORPAY_URL"),
        ({"URL": "http://api.razorpay.com"}, "RAZORPAY_URL"),
        ({"URL": "https://api.razorpay.com.example"}, "RAZORPAY_URL"),
        ({"URL": "https://api.razorpay.com/v2"}, "RAZORPAY_URL"),
        ({"WEBHOOK_SECRET": ""}, "WEBHOOK_SECRET"),
        ({"WEBHOOK_SECRET": "[]"}, "at least one secret"),
        ({"WEBHOOK_SECRET": '[""]'}, "an empty secret"),
        ({"WEBHOOK_SECRET": f'["{SECRET}", " "]'}, "an empty secret"),
        ({"WEBHOOK_SECRET": '["x"'}, "no JSON list"),
        ({"WEBHOOK_SECRET": '["key-secret-0123456789"]'}, "the key secret"),
    ],
)
def test_what_production_refuses(environment: Any, changed: dict[str, str], named: str) -> None:
    environment({**LIVE, **{PREFIX + name: value for name, value in changed.items()}})
    with pytest.raises(SettingsError) as refused:
        load(Settings)
    assert named in str(refused.value)
    assert SECRET not in str(refused.value)


def test_all_problems_are_told_at_once(environment: Any) -> None:
    environment({**LIVE, **SANDBOX, "TRACEMYPODS_MODE": "production"})
    environment({f"{PREFIX}WEBHOOK_SECRET": '[""]'})
    with pytest.raises(SettingsError) as refused:
        load(Settings)
    told = [line.partition(":")[0] for line in str(refused.value).splitlines()]
    assert sorted(told) == [f"{PREFIX}{name}" for name in ("KEY_ID", "URL", "WEBHOOK_SECRET")]


@pytest.mark.parametrize("mode", ["demo", "local"])
def test_a_live_key_is_never_shown_to_a_sandbox(environment: Any, mode: str) -> None:
    environment({**LIVE, "TRACEMYPODS_MODE": mode})
    environment({f"{PREFIX}URL": "http://127.0.0.1:9000"})
    with pytest.raises(SettingsError, match="a live key"):
        load(Settings)


@pytest.mark.parametrize(
    ("given", "secrets"),
    [('["new one", "old one"]', ["new one", "old one"]), ("one as it is", ["one as it is"])],
)
def test_webhook_secrets_are_a_list_or_one(
    environment: Any, given: str, secrets: list[str]
) -> None:
    environment({**LIVE, f"{PREFIX}WEBHOOK_SECRET": given})
    assert [one.get_secret_value() for one in load(Settings).webhook_secrets] == secrets
