"""Whether a reader of events still reads: what it holds, when it asked, how far behind it is."""

from __future__ import annotations

import time
from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector


class Liveness:
    """How one reader of one topic is doing. Plain numbers: all is done in one thread."""

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.partitions: frozenset[int] = frozenset()
        """What it holds at present."""
        self.connections = 0
        """How often it has connected."""
        self.handled = 0
        self.dead = 0
        self.retrying: set[int] = set()
        """Partitions whose next event could not be handled yet, and is tried again."""
        self._next: dict[int, int] = {}
        self._ends: dict[int, int] = {}
        self._polled = time.monotonic()

    @property
    def seconds_since_poll(self) -> float:
        """Since it last asked for events."""
        return time.monotonic() - self._polled

    @property
    def lag(self) -> int:
        """How many events wait in the partitions that it holds, those in hand included."""
        return sum(
            max(0, self._ends[partition] - self._next.get(partition, self._ends[partition]))
            for partition in self.partitions
            if partition in self._ends
        )

    def connected(self) -> None:
        """It begins anew."""
        self.connections += 1
        self.holds(())
        self.polled()

    def holds(self, partitions: tuple[int, ...]) -> None:
        """These partitions are now its own."""
        self.partitions = frozenset(partitions)
        self._next.clear()
        self._ends.clear()
        self.retrying.clear()

    def polled(self) -> None:
        """It has asked, and was answered."""
        self._polled = time.monotonic()

    def reaches_to(self, partition: int, end: int) -> None:
        """The partition's last event is before `end`."""
        self._ends[partition] = end

    def is_at(self, partition: int, offset: int) -> None:
        """All before `offset` is done."""
        self._next[partition] = offset


class LivenessMetrics(Collector):
    """The metrics of all readers in one service. One for each registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._known: list[Liveness] = []
        registry.register(self)

    def add(self, liveness: Liveness) -> None:
        """Show this reader, too."""
        self._known.append(liveness)

    def collect(self) -> Iterator[Metric]:
        """All of them, by topic."""
        held = GaugeMetricFamily(
            "events_partitions_held", "Partitions that are read here", labels=["topic"]
        )
        since = GaugeMetricFamily(
            "events_seconds_since_poll", "Since events were last asked for", labels=["topic"]
        )
        lag = GaugeMetricFamily(
            "events_lag", "Events that wait in the partitions held here", labels=["topic"]
        )
        retrying = GaugeMetricFamily(
            "events_partitions_retrying",
            "Partitions whose next event could not be handled yet",
            labels=["topic"],
        )
        connections = CounterMetricFamily(
            "events_connections", "How often the reader has connected", labels=["topic"]
        )
        handled = CounterMetricFamily(
            "events_handled", "Events that were handled", labels=["topic"]
        )
        dead = CounterMetricFamily(
            "events_dead_letters", "Events that could not be handled", labels=["topic"]
        )
        for one in self._known:
            labels = [one.topic]
            held.add_metric(labels, len(one.partitions))
            since.add_metric(labels, one.seconds_since_poll)
            lag.add_metric(labels, one.lag)
            retrying.add_metric(labels, len(one.retrying))
            connections.add_metric(labels, one.connections)
            handled.add_metric(labels, one.handled)
            dead.add_metric(labels, one.dead)
        yield from (held, since, lag, retrying, connections, handled, dead)
