"""The audit log: what somebody wanted, newest first. It records wishes; whether they came true it does not tell."""

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from .entities import Deployment
from .store import new_id


@dataclass(frozen=True)
class Event:
    """One entry: at `created` (seconds since the epoch) somebody wanted `kind` of a deployment of the model."""

    id: str
    created: float
    kind: str
    model_id: str
    deployment_id: str
    deployment_name: str
    environment: str | None
    details: dict[str, Any]


class Audit:
    """The events of all models."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._events: list[Event] = []

    def add(self, kind: str, deployment: Deployment, environment: str | None = None, **details: Any) -> None:
        """Note what is wanted now."""
        facts = (deployment.model_id, deployment.id, deployment.name, environment, details)
        with self._lock:
            self._events.append(Event(new_id(10), self._clock(), kind, *facts))

    def of(self, model_id: str, kinds: Collection[str] | None, environments: Collection[str] | None) -> list[Event]:
        """The events of a model, newest first, of these kinds and environments (None: of all)."""
        with self._lock:
            return [
                event
                for event in reversed(self._events)
                if event.model_id == model_id
                and (kinds is None or event.kind in kinds)
                and (environments is None or event.environment in environments)
            ]
