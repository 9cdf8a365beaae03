"""Whose request it is, whatever hops are claimed."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracemypods.kit.addresses import client_network

OURS = [ip_network("127.0.0.0/8"), ip_network("10.0.0.0/8"), ip_network("::1/128")]


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "client"),
    [
        ("203.0.113.7", None, "203.0.113.7"),
        ("203.0.113.7", "198.51.100.1", "203.0.113.7"),  # whoever is not ours may claim anything
        ("127.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("127.0.0.1", "6.6.6.6, 198.51.100.1, 10.1.2.3", "198.51.100.1"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "10.0.0.1", "10.0.0.1"),
        ("::1", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::1", "::ffff:198.51.100.1", "198.51.100.1"),
        ("127.0.0.1", "nonsense", "nonsense"),
        ("", None, ""),
    ],
)
def test_clients(peer: str, forwarded_for: str | None, client: str) -> None:
    assert client_network(peer, forwarded_for, OURS) == client


@given(claimed=st.text(max_size=60))
def test_what_a_client_claims_changes_nothing(claimed: str) -> None:
    honest = client_network("127.0.0.1", "203.0.113.7", OURS)
    assert client_network("127.0.0.1", f"{claimed}, 203.0.113.7", OURS) == honest
