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
    NO_RECORD,
    PREMIUM_PREFIX,
    TokenError,
    TokenKeys,
    TokenRecord,
    bearer_token,
    found_record,
    lookup_keys,
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


@pytest.mark.parametrize("prefix", [FREE_PREFIX, PREMIUM_PREFIX])
@given(position=st.integers(0, 52), character=st.sampled_from(ALPHABET))
def test_one_changed_character_is_noticed(prefix: str, position: int, character: str) -> None:
    token = KEYS.with_checksum(prefix + KEYS.new_free_token()[len(FREE_PREFIX) : -CHECKSUM_LENGTH])
    changed = token[:position] + character + token[position + 1 :]
    if changed != token:
        with pytest.raises(TokenError) as error:
            KEYS.check_form(changed)
        assert error.value.code == "token_malformed"


def test_the_prefix_tells_the_plan() -> None:
    assert KEYS.check_form(KEYS.new_free_token()) == "free"
    assert KEYS.check_form(KEYS.with_checksum(PREMIUM_PREFIX + "a" * 32)) == "premium"


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


def test_the_hash_needs_its_key_and_hides_the_token() -> None:
    token = KEYS.new_free_token()
    others = TokenKeys(checksum_key=SecretStr("c" * 32), hash_key=SecretStr("x" * 32))
    assert KEYS.keyed_hash(token) == KEYS.keyed_hash(token)
    assert KEYS.keyed_hash(token) != others.keyed_hash(token)
    assert token[-20:] not in KEYS.keyed_hash(token)


def test_a_rotated_hash_key_still_finds_what_was_stored_under_the_old_one() -> None:
    rotated = TokenKeys(
        checksum_key=SecretStr("c" * 32),
        hash_key=SecretStr("n" * 32),
        previous_hash_key=SecretStr("h" * 32),
    )
    token = KEYS.new_free_token()
    rotated.check_form(token)
    assert rotated.hashes(token)[0] != KEYS.keyed_hash(token)
    assert KEYS.keyed_hash(token) in rotated.hashes(token)
    assert rotated.hash_key_id != KEYS.hash_key_id
    assert "n" * 8 not in rotated.hash_key_id


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


def record(**changes: object) -> TokenRecord:
    made = TokenRecord(
        id="tok_1", plan="free", issued_at=NOW, expires_at=NOW + timedelta(seconds=10)
    )
    return made.model_copy(update=changes)


def test_records() -> None:
    assert valid_record(record(), NOW).plan == "free"
    assert valid_record(record(), NOW + timedelta(seconds=9.9)).id == "tok_1"
    cases: dict[str, list[tuple[TokenRecord | None, datetime]]] = {
        "token_expired": [(None, NOW), (record(), NOW + timedelta(seconds=10))],
        "token_revoked": [(record(revoked_at=NOW), NOW)],
    }
    for code, records in cases.items():
        for one, now in records:
            with pytest.raises(TokenError) as error:
                valid_record(one, now)
            assert error.value.code == code


def test_what_redis_says() -> None:
    hashes = ["a", "b"]
    assert lookup_keys(hashes) == [
        "token:record:a",
        "token:record:b",
        "token:gone:a",
        "token:gone:b",
    ]
    stored = record().model_dump_json()
    newer = stored[:-1] + ',"colour":"blue"}'  # a field that a later version writes
    assert found_record(hashes, [None] * 4) is None
    assert found_record(hashes, [NO_RECORD, None, None, None]) == "unknown"
    for found in (
        found_record(hashes, [stored, None, None, None]),
        found_record(hashes, [None, stored.encode(), None, None]),
        found_record(hashes, [newer, None, None, None]),
    ):
        assert isinstance(found, TokenRecord)
        assert found.id == "tok_1"
    for position in (2, 3):  # a tombstone outweighs any copy of a record
        answer: list[str | bytes | None] = [stored, stored, None, None]
        answer[position] = "1"
        with pytest.raises(TokenError) as error:
            found_record(hashes, answer)
        assert error.value.code == "token_revoked"
