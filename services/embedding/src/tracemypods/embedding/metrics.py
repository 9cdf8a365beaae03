"""What the embedding service measures."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from tracemypods.kit.metrics import SECONDS_BUCKETS

TEXTS_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128)


class EmbeddingMetrics:
    """The service's own metrics, in its registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.queue_seconds = Histogram(
            "embedding_queue_seconds",
            "How long texts waited for the model",
            buckets=SECONDS_BUCKETS,
            registry=registry,
        )
        self.inference_seconds = Histogram(
            "embedding_inference_seconds",
            "How long runs of the model took",
            buckets=SECONDS_BUCKETS,
            registry=registry,
        )
        self.batch_texts = Histogram(
            "embedding_batch_texts",
            "How many texts shared a run of the model",
            buckets=TEXTS_BUCKETS,
            registry=registry,
        )
        self.waiting = Gauge(
            "embedding_waiting_texts", "Texts that wait for the model", registry=registry
        )
        texts = Counter(
            "embedding_texts",
            "Texts that were asked for, by where their vector came from",
            ["source"],
            registry=registry,
        )
        self.from_model = texts.labels("model")
        self.from_cache = texts.labels("cache")
        self.shared = texts.labels("shared")
        self.refused = Counter(
            "embedding_refused_texts", "Texts that found the queue full", registry=registry
        )
        self.dropped = Counter(
            "embedding_dropped_texts",
            "Texts whose callers left before the model came to them",
            registry=registry,
        )
