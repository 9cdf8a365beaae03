"""What counts as personal data, and what does not. All numbers are made up or reserved."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracemypods.ask.cache.personal_data import has_personal_data, luhn, verhoeff


@pytest.mark.parametrize(
    "text",
    [
        "write to someone@example.com please",
        "my address is First.Last+tag@mail.example.co.in",
        "call +91 98765 43210",
        "call 98765-43210 now",
        "phone: (555) 010-9999 x",
        "0044 20 7946 0958",
        "card 4111 1111 1111 1111 expires soon",
        "card 4111111111111111",
        "5500-0000-0000-0004",
        "3400 000000 00009",
        "PAN ABCDE1234F",
        "pan abcde1234f",
        "aadhaar 2341 2341 2346",
        "aadhaar 234123412346",
        "card 4111 1111 1111 1111 12/27 123",
        "1. 4111 1111 1111 1111",
        "2 phones: 234 98765 43210",
    ],
)
def test_what_is_found(text: str) -> None:
    assert has_personal_data(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "What is Kubernetes?",
        "order 48213 against order 48231",
        "what is 1234 * 5678",
        "the year 2026, in 12 months",
        "def f(x): return x @ y",
        "user at example dot com",
        "version 10.2.31 of 2026-11-24",
        "3.14159 and 2.71828",
        "port 8080 on 127.0.0.1",
        "a@b",
    ],
)
def test_what_is_not(text: str) -> None:
    assert not has_personal_data(text)


@pytest.mark.parametrize("repeated", ["a", "1", "1 ", "a.", "@a", "a@a-", "A1", "(1"])
def test_the_time_grows_with_the_length_only(repeated: str) -> None:
    """With its square, this would outlast the test's own time limit by hours."""
    has_personal_data(repeated * 10**6)


@given(number=st.integers(10**11, 10**18))
def test_luhn_has_one_check_digit(number: int) -> None:
    assert sum(luhn(f"{number}{digit}") for digit in range(10)) == 1


@given(number=st.integers(2 * 10**10, 10**11 - 1), position=st.integers(0, 11))
def test_verhoeff_notices_every_changed_digit(number: int, position: int) -> None:
    (valid,) = [f"{number}{digit}" for digit in range(10) if verhoeff(f"{number}{digit}")]
    other = str((int(valid[position]) + 1) % 10)
    assert not verhoeff(valid[:position] + other + valid[position + 1 :])
