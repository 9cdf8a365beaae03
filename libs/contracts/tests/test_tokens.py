"""The form of tokens: what was issued passes, what was not does not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from tracemypods.contracts.tokens import (
    ALPHABET,
    CHECKSUM_LENGTH,
    FREE_PREFIX,
    TokenError,
    TokenKeys,
    TokenRecord,
    bearer_token,
    valid_record,
)

KEYS = TokenKeys(checksum_key=SecretStr("c" * 32), hash_key=SecretStr("h" * 32))
NOW = datetime(2030, 1, 1, tzinfo=UTC)


def test_a_new_token_has_its_form() -> None:
    token = KEYS.new_free_token()
    KEYS.check_form(token)
    assert token.startswith(FREE_PREFIX)
    assert len(token) == len(FREE_PREFIX) + 32 + CHECKSUM_LENGTH
    assert set(token.removeprefix(FREE_PREFIX)) <= set(ALPHABET)
    assert token != KEYS.new_free_token()


@given(position=st.integers(0, 49), character=st.sampled_from(ALPHABET))
def test_one_changed_character_is_noticed(position: int, character: str) -> None:
    token = KEYS.new_free_token()
    changed = token[:position] + character + token[position + 1 :]
    if changed != token:
        with pytest.raises(TokenError) as error:
            KEYS.check_form(changed)
        assert error.value.code == "token_malformed"


@given(st.text(max_size=80))
def test_text_is_no_token(text: str) -> None:
    with pytest.raises(TokenError):
        KEYS.check_form(FREE_PREFIX + text)
    with pytest.raises(TokenError):
        KEYS.check_form(text)


def test_the_checksum_needs_its_key() -> None:
    others = TokenKeys(checksum_key=SecretStr("x" * 32), hash_key=SecretStr("h" * 32))
    with pytest.raises(TokenError):
        KEYS.check_form(others.new_free_token())


def test_the_record_key_needs_its_key_and_hides_the_token() -> None:
    token = KEYS.new_free_token()
    others = TokenKeys(checksum_key=SecretStr("c" * 32), hash_key=SecretStr("x" * 32))
    assert KEYS.record_key(token) == KEYS.record_key(token)
    assert KEYS.record_key(token) != others.record_key(token)
    assert token[-20:] not in KEYS.record_key(token)


@pytest.mark.parametrize(
    ("header", "token"), [("Bearer abc", "abc"), ("bearer  abc ", "abc"), (" BEARER a.b", "a.b")]
)
def test_bearer_headers(header: str, token: str) -> None:
    assert bearer_token(header) == token


@pytest.mark.parametrize("header", [None, "", "abc", "Bearer", "Bearer ", "Basic abc"])
def test_headers_without_a_token(header: str | None) -> None:
    with pytest.raises(TokenError) as error:
        bearer_token(header)
    assert error.value.code == "token_missing"
    assert error.value.status == 401


def stored(**changes: object) -> str:
    record = TokenRecord(
        id="tok_1", plan="free", issued_at=NOW, expires_at=NOW + timedelta(seconds=10)
    )
    return record.model_copy(update=changes).model_dump_json(exclude_none=True)


def test_records() -> None:
    assert valid_record(stored(), NOW).plan == "free"
    assert valid_record(stored(), NOW + timedelta(seconds=9.9)).id == "tok_1"
    cases = {
        "token_expired": [(None, NOW), (stored(), NOW + timedelta(seconds=10))],
        "token_revoked": [(stored(revoked_at=NOW), NOW)],
    }
    for code, records in cases.items():
        for record, now in records:
            with pytest.raises(TokenError) as error:
                valid_record(record, now)
            assert error.value.code == code


def test_a_record_of_a_newer_version_is_understood() -> None:
    newer = stored()[:-1] + ',"colour":"blue"}'
    assert valid_record(newer, NOW).id == "tok_1"
