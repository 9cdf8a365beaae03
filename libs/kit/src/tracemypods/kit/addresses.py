"""Whose request it is: the client's address behind our own proxies."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from pydantic import Field, IPvAnyNetwork
from starlette.requests import Request

from tracemypods.kit.settings import ServiceSettings

Network = IPv4Network | IPv6Network

IPV6_PREFIX = 64
"""Providers give a household or a machine a /64 at least, so one /64 counts as one client."""


class ProxySettings(ServiceSettings):
    """Settings of a service that tells clients apart by their addresses."""

    trusted_proxies: tuple[IPvAnyNetwork, ...] = Field(
        ("127.0.0.0/8", "::1/128"),  # pyright: ignore[reportArgumentType] - validated below
        validate_default=True,
        validation_alias="TRACEMYPODS_TRUSTED_PROXIES",
        description="Networks of our own proxies, as a JSON list; the client is the last hop "
        "that is in none of them",
    )


def network_of(request: Request, settings: ProxySettings) -> str:
    """The client that a request comes from, as `client_network` names it."""
    return client_network(
        request.client.host if request.client else "",
        ", ".join(request.headers.getlist("x-forwarded-for")),
        settings.trusted_proxies,
    )


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
    return network_name(client)


def network_name(address: str) -> str:
    """An IPv4 address as it is, an IPv6 one as its /64; what is no address stays itself."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ip_network((parsed, IPV6_PREFIX), strict=False))
    return str(parsed)


def _within(hop: str, networks: Sequence[Network]) -> bool:
    try:
        address = ip_address(hop)
    except ValueError:
        return False
    return any(address in network for network in networks)
