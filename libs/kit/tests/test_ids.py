"""Ids: their form, and that they sort by time."""

from __future__ import annotations

import re
import uuid

from hypothesis import given
from hypothesis import strategies as st

from tracemypods.kit.ids import new_id


def test_the_form() -> None:
    made = new_id("req")
    assert re.fullmatch(r"req_[0-9a-f]{32}", made)
    value = uuid.UUID(made.removeprefix("req_"))
    assert value.variant == uuid.RFC_4122
    assert value.version == 7


@given(earlier=st.integers(0, 2**47), more=st.integers(1, 2**40))
def test_they_sort_by_time(earlier: int, more: int) -> None:
    assert new_id("x", earlier) < new_id("x", earlier + more)
