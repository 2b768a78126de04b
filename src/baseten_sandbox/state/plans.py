"""What is decided beforehand about deployments and promotions: by a test, or by the Truss that rehearses.

A plan that was queued counts once and first, then the Truss's `SANDBOX_*` environment variables; else all goes well.
"""

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

from baseten_sandbox.errors import invalid

from .entities import Deployment, Timing
from .lifecycle import path_to, walk
from .traffic import SCRIPTS, STEADY


@dataclass(frozen=True)
class PromotionPlan:
    """How a promotion ends; it can also be PAUSED on its way, for `pause` seconds (None: for good)."""

    end: str = "SUCCEEDED"
    error_message: str | None = None
    paused: bool = False
    pause: float | None = None


class Plans:
    """The plans that wait for the next deployment and the next promotion."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._deployments: deque[Sequence[str | tuple[str, float]]] = deque()
        self._promotions: deque[PromotionPlan] = deque()
        self._traffic: deque[str] = deque()

    def add_deployment(self, statuses: Sequence[str | tuple[str, float]]) -> None:
        """The next deployment walks through `statuses`: names, or names with seconds; it stays in the last."""
        with self._lock:
            self._deployments.append(tuple(statuses))

    def add_promotion(self, plan: PromotionPlan) -> None:
        """The next promotion goes so."""
        with self._lock:
            self._promotions.append(plan)

    def add_traffic(self, script: str) -> None:
        """The next deployment gets such requests."""
        if script not in SCRIPTS:
            raise invalid(f"traffic: one of {', '.join(SCRIPTS)}")
        with self._lock:
            self._traffic.append(script)

    def scripted(self, deployment: Deployment, now: float, timing: Timing) -> Deployment:
        """A new deployment with what it walks through from `now` on, and what traffic it gets."""
        timeline = walk(now, self.statuses(deployment), timing)
        return replace(deployment, timeline=timeline, traffic=self.traffic(deployment))

    def traffic(self, deployment: Deployment) -> str:
        """The script of the requests that this new deployment gets."""
        with self._lock:
            if self._traffic:
                return self._traffic.popleft()
        scripted = deployment.variable("SANDBOX_TRAFFIC", STEADY)
        return scripted if scripted in SCRIPTS else STEADY

    def statuses(self, deployment: Deployment) -> Sequence[str | tuple[str, float]]:
        """The statuses that this new deployment walks through."""
        if deployment.build_error:
            return path_to("BUILD_FAILED")
        with self._lock:
            if self._deployments:
                return self._deployments.popleft()
        scripted = deployment.variable("SANDBOX_STATUSES")
        if scripted:
            return [status.strip() for status in scripted.split(",")]
        return path_to(deployment.variable("SANDBOX_END_STATUS", "ACTIVE"))

    def promotion(self, candidate: Deployment) -> PromotionPlan:
        """How the promotion of this candidate goes."""
        with self._lock:
            if self._promotions:
                return self._promotions.popleft()
        end = candidate.variable("SANDBOX_PROMOTION", "SUCCEEDED")
        if end == "PAUSED":
            return PromotionPlan(paused=True)
        return PromotionPlan(end, None if end == "SUCCEEDED" else f"scripted by SANDBOX_PROMOTION: {end}")
