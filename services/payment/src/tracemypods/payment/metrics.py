"""What the payment service measures."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge


class PaymentMetrics:
    """The service's own metrics, in its registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.webhooks = Counter(
            "payment_webhooks",
            "Webhooks by what became of them: new, duplicate, unreadable, refused",
            ["outcome"],
            registry=registry,
        )
        self.handed_over = Counter(
            "payment_facts_handed_over",
            "Attempts to hand a fact to order: applied, known, unmatched, failed, error",
            ["outcome"],
            registry=registry,
        )
        self.found = Counter(
            "payment_facts_found",
            "Facts that no webhook had brought, by what found them: look, comparison",
            ["by"],
            registry=registry,
        )
        self.razorpay_failures = Counter(
            "payment_razorpay_failures",
            "Calls to Razorpay that failed, by what they were for",
            ["purpose"],
            registry=registry,
        )
        self.oldest_pending = Gauge(
            "payment_oldest_pending_seconds",
            "How long the oldest fact has waited for order to take it",
            registry=registry,
        )
