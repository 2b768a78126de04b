"""The requests that deployments get, by a script: how many, how they end, how long they take. Pure.

Nobody sends them; metrics are made as if they had been. A deployment gets what its environments get, as far as they
serve it or give it a share; one that never was in an environment is asked directly. Time is seconds since the epoch.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from . import lifecycle
from .entities import Deployment, Environment

STEADY = "steady"
SILENCE, UNREADABLE = "silence", "unreadable"
_USUAL_FAILURES = 0.002
# The share of answers with status 5xx, by the seconds (at speed 1) that a deployment has had traffic.
_FAILING: Mapping[str, Callable[[float], float]] = {
    "spike": lambda age: 0.5 if 2 <= age < 4 else _USUAL_FAILURES,
    "leak": lambda age: min(0.6, _USUAL_FAILURES + 0.04 * age),
}
# How many times as long as usual an answer takes.
_SLOWER: Mapping[str, Callable[[float], float]] = {"slow": lambda age: min(6.0, 1 + 0.5 * age)}
SCRIPTS = (STEADY, *_FAILING, *_SLOWER, SILENCE, UNREADABLE)
_BAD_CALLS = 0.01  # 4xx
QUANTILES = {"0.5": 0.15, "0.9": 0.25, "0.95": 0.3, "0.99": 0.45}  # seconds at speed 1
AVERAGE = 0.17
_SLICES = 50  # of a window that is added up


@dataclass(frozen=True)
class Span:
    """From `start` to `end` a deployment gets this share of the requests."""

    deployment: Deployment
    start: float
    end: float
    share: float = 1.0


@dataclass(frozen=True)
class Measured:
    """Requests in a window by status, and how many times as long as usual they took."""

    statuses: Mapping[str, float]
    slower: float

    @property
    def total(self) -> float:
        """All of them."""
        return math.fsum(self.statuses.values())


def of_environment(environment: Environment, deployments: Mapping[str, Deployment], now: float) -> Iterator[Span]:
    """Who gets the environment's requests, up to `now`; a deployment that was deleted got none."""
    served = [*environment.served, (now, "")]
    spans = [(start, end, name, 1.0) for (start, name), (end, _) in pairwise(served)]
    promotion = environment.promotion
    if promotion is not None:
        steps = [step for step in promotion.timeline if step.at <= now]
        ends = [*(step.at for step in steps[1:]), now]
        shares = [(step.at, end, step.percent / 100) for step, end in zip(steps, ends, strict=True)]
        spans += [(start, end, promotion.candidate_id, share) for start, end, share in shares if 0 < share < 1]
    for start, end, name, share in spans:
        if name in deployments:
            yield Span(deployments[name], start, end, share)


def of_deployment(
    deployment: Deployment, environments: Sequence[Environment], deployments: Mapping[str, Deployment], now: float
) -> Iterator[Span]:
    """When a deployment gets requests, up to `now`."""
    spans = [span for each in environments for span in of_environment(each, deployments, now)]
    if any(span.deployment.id == deployment.id for span in spans):
        yield from (span for span in spans if span.deployment.id == deployment.id)
        return
    live = next((step.at for step in deployment.timeline if step.status in lifecycle.LIVE), None)
    if live is not None and live < now:
        yield Span(deployment, live, now)


def measure(spans: Sequence[Span], start: float, end: float, *, every: float) -> Measured:
    """Add up what came between `start` and `end`, a request `every` so many seconds (at speed 1 a twentieth)."""
    statuses = {"2xx": 0.0, "4xx": 0.0, "5xx": 0.0}
    slow = 0.0
    began = {span.deployment.id: span.start for span in sorted(spans, key=lambda span: -span.start)}
    for span in spans:
        since, until = max(start, span.start), min(end, span.end)
        script = span.deployment.traffic
        if script == SILENCE or until <= since:
            continue
        for number in range(_SLICES):
            moment = since + (until - since) * (number + 0.5) / _SLICES
            age = (moment - began[span.deployment.id]) / (20 * every)
            requests = span.share * (until - since) / _SLICES / every
            failing = _FAILING[script](age) if script in _FAILING else _USUAL_FAILURES
            statuses["5xx"] += requests * failing
            statuses["4xx"] += requests * (1 - failing) * _BAD_CALLS
            statuses["2xx"] += requests * (1 - failing) * (1 - _BAD_CALLS)
            slow += requests * (_SLOWER[script](age) if script in _SLOWER else 1.0)
    total = math.fsum(statuses.values())
    return Measured(statuses, slow / total if total else 0.0)
