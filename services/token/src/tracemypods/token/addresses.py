"""Whose request it is: the client's address behind our own proxies."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network

IPV6_PREFIX = 64
"""Providers give a household or a machine a /64 at least, so one /64 counts as one client."""


def client_network(peer: str, forwarded_for: str | None, ours: Sequence[Network]) -> str:
    """The client as one IPv4 address or one IPv6 /64.

    `peer` is who opened the connection, `forwarded_for` the X-Forwarded-For header. The client is
    the rightmost hop that is not one of our own proxies: hops further left are whatever the client
    wrote. A peer or hop that is no address counts as itself.
    """
    hops = [hop.strip() for hop in (forwarded_for or "").split(",") if hop.strip()]
    client = peer
    while hops and _within(client, ours):
        client = hops.pop()
    try:
        address = ip_address(client)
    except ValueError:
        return client
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ip_network((address, IPV6_PREFIX), strict=False))
    return str(address)


def _within(hop: str, networks: Sequence[Network]) -> bool:
    try:
        address = ip_address(hop)
    except ValueError:
        return False
    return any(address in network for network in networks)
