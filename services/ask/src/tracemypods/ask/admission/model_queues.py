"""The queues of all models, made as they are asked for, and what they tell the metrics."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Gauge, Histogram

from tracemypods.ask.admission.queue import ModelQueue

WAIT_BUCKETS = (0.01, 0.1, 0.5, 1, 2, 5, 10, 20, 30, 60)


class ModelQueues:
    """One queue for each model of the model server.

    `slots` is how many questions a model answers at once, `slots_by_model` says otherwise for
    models by their names on the server; `places` and `deadline` (seconds) are the queue's.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        *,
        slots: int,
        slots_by_model: Mapping[str, int],
        places: int,
        deadline: float,
    ) -> None:
        self._slots = slots
        self._slots_by_model = slots_by_model
        self._places = places
        self._deadline = deadline
        self._queues: dict[str, ModelQueue] = {}
        self._running = Gauge(
            "ask_model_running", "Questions being answered", ["model"], registry=registry
        )
        self._waiting = Gauge(
            "ask_model_waiting", "Questions in the queue", ["model"], registry=registry
        )
        self._waited = Histogram(
            "ask_model_wait_seconds",
            "How long questions that were admitted had waited",
            ["model", "plan"],
            buckets=WAIT_BUCKETS,
            registry=registry,
        )

    def of(self, model: str) -> ModelQueue:
        """The queue of a model, by its name on the model server (never a caller's own words)."""
        queue = self._queues.get(model)
        if queue is None:
            queue = self._queues[model] = ModelQueue(
                slots=self._slots_by_model.get(model, self._slots),
                places=self._places,
                deadline=self._deadline,
            )
            self._running.labels(model).set_function(lambda: queue.running)
            self._waiting.labels(model).set_function(lambda: queue.waiting)
        return queue

    def observe_wait(self, model: str, plan: str, seconds: float) -> None:
        """Note how long somebody had waited who was admitted."""
        self._waited.labels(model, plan).observe(seconds)
