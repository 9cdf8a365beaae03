"""Who can reach whom, worked out from NetworkPolicies as Kubernetes defines them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any

Policy = Mapping[str, Any]
NAME_OF_NAMESPACE = "kubernetes.io/metadata.name"


@dataclass(frozen=True)
class Place:
    """A pod, or an address that is no pod's."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict[str, str], compare=False)
    namespace: str = ""
    """Empty for what is outside of the cluster."""
    namespace_labels: Mapping[str, str] = field(default_factory=dict[str, str], compare=False)
    address: str = ""
    """Of what is outside of the cluster."""


@dataclass(frozen=True)
class Way:
    """From one place to a port of another."""

    source: str
    target: str
    port: int
    protocol: str = "TCP"


@dataclass(frozen=True)
class _Rule:
    """What one policy allows a place it selects, in one direction."""

    others: frozenset[str]
    ports: frozenset[tuple[int, str]]


class Network:
    """Policies among places, of which only certain ports are looked at: numbers and protocols."""

    def __init__(
        self,
        policies: Iterable[Policy],
        places: Iterable[Place],
        ports: Iterable[tuple[int, str]],
    ) -> None:
        self.policies = list(policies)
        self._places, self._ports = list(places), frozenset(ports)
        self._rules = {
            (id(policy), direction): [
                self._rule(policy, one, key) for one in policy["spec"].get(direction.lower()) or []
            ]
            for policy in self.policies
            for direction, key in (("Egress", "to"), ("Ingress", "from"))
        }

    def ways(self, without: Policy | None = None) -> set[Way]:
        """All ways that are open. What no policy selects may do anything; nothing is asked of an
        outside place on its own side."""
        policies = [one for one in self.policies if one is not without]
        out = {place.name: self._allowed(policies, place, "Egress") for place in self._places}
        into = {place.name: self._allowed(policies, place, "Ingress") for place in self._places}
        return {
            Way(source, target, *port)
            for source, to in out.items()
            for target, come in into.items()
            if source != target
            for port in to.get(target, frozenset()) & come.get(source, frozenset())
        }

    def _allowed(
        self, policies: Iterable[Policy], place: Place, direction: str
    ) -> dict[str, frozenset[tuple[int, str]]]:
        """The ports that are open to (or of) each other place."""
        rules: list[_Rule] | None = None
        for policy in policies:
            if (
                place.namespace == policy["metadata"]["namespace"]
                and direction in policy["spec"]["policyTypes"]
                and _selects(policy["spec"]["podSelector"], place.labels)
            ):
                rules = [*(rules or []), *self._rules[id(policy), direction]]
        if rules is None:
            return {other.name: self._ports for other in self._places}
        found: dict[str, frozenset[tuple[int, str]]] = {}
        for rule in rules:
            for other in rule.others:
                found[other] = found.get(other, frozenset()) | rule.ports
        return found

    def _rule(self, policy: Policy, rule: Mapping[str, Any], key: str) -> _Rule:
        namespace = policy["metadata"]["namespace"]
        peers = rule.get(key)
        allowed = rule.get("ports")
        return _Rule(
            frozenset(
                place.name
                for place in self._places
                if not peers or any(_is(peer, place, namespace) for peer in peers)
            ),
            frozenset(
                (port, protocol)
                for port, protocol in self._ports
                if not allowed
                or any(
                    one.get("port") in (None, port) and one.get("protocol", "TCP") == protocol
                    for one in allowed
                )
            ),
        )


def _is(peer: Mapping[str, Any], place: Place, own_namespace: str) -> bool:
    if "ipBlock" in peer:
        # A pod's address is in the cluster's own networks, which are private.
        address = ip_address(place.address or "10.244.9.9")
        block = peer["ipBlock"]
        return address in ip_network(block["cidr"]) and not any(
            address in ip_network(one) for one in block.get("except", ())
        )
    if not place.namespace:
        return False
    if "namespaceSelector" in peer:
        labels = {NAME_OF_NAMESPACE: place.namespace, **place.namespace_labels}
        if not _selects(peer["namespaceSelector"], labels):
            return False
    elif place.namespace != own_namespace:
        return False
    return _selects(peer.get("podSelector", {}), place.labels)


def _selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    assert set(selector) <= {"matchLabels"}, "this model knows no other selectors"
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())
