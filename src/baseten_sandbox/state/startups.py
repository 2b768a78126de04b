"""How replicas started: attempts with their phases, read off the timelines of deployments. Pure.

A Truss says by `SANDBOX_STARTUP_PHASE` in which phase its start hangs or fails, where it does.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .entities import Deployment, Step
from .lifecycle import FAILED, LIVE

# What of the time until the replica loads its model goes into which phase.
_DEPLOYING = {
    "SCHEDULING": 0.1,
    "IMAGE_PULL": 0.4,
    "WEIGHT_DOWNLOAD": 0.3,
    "CONTAINER_CREATE": 0.05,
    "CONTAINER_START": 0.15,
}
_LOADING = "READINESS"
PHASES = (*_DEPLOYING, _LOADING)
_BEGINS = frozenset({"DEPLOYING", "WAKING_UP"})


@dataclass(frozen=True)
class Phase:
    """A phase of an attempt, in seconds; `seconds` is None where it did not finish."""

    name: str
    offset: float
    seconds: float | None
    failed: bool = False


@dataclass(frozen=True)
class Attempt:
    """A replica that started, did not, or has not so far (`STALLED`)."""

    deployment: Deployment
    started: float
    ended: float
    outcome: str
    phases: tuple[Phase, ...]


def attempts(deployment: Deployment, now: float) -> Iterator[Attempt]:
    """The attempts of a deployment up to `now`, oldest first."""
    steps = [step for step in deployment.timeline if step.at <= now]
    for number, step in enumerate(steps):
        if step.status in _BEGINS:
            yield _attempt(deployment, steps[number:], now)


def _attempt(deployment: Deployment, steps: Sequence[Step], now: float) -> Attempt:
    start = steps[0].at
    end = next((step for step in steps[1:] if step.status in LIVE | FAILED), Step(now, "STALLED"))
    outcome = "SUCCESS" if end.status in LIVE else "FAILED" if end.status in FAILED else "STALLED"
    loading = next((step.at for step in steps if step.status == "LOADING_MODEL" and step.at < end.at), None)
    split = end.at if loading is None else loading
    phases, at = [], 0.0
    for name, share in _DEPLOYING.items():
        phases.append(Phase(name, at, (split - start) * share))
        at += (split - start) * share
    if loading is not None or outcome == "SUCCESS":
        phases.append(Phase(_LOADING, split - start, end.at - split))
    if outcome != "SUCCESS":
        usual = _LOADING if loading is not None else "CONTAINER_START" if outcome == "FAILED" else "IMAGE_PULL"
        phases = _stuck(phases, deployment.variable("SANDBOX_STARTUP_PHASE", usual), failed=outcome == "FAILED")
    return Attempt(deployment, start, end.at, outcome, tuple(phases))


def _stuck(phases: Sequence[Phase], name: str, *, failed: bool) -> list[Phase]:
    """The phases up to `name`, which does not finish."""
    names = [phase.name for phase in phases]
    last = names.index(name) if name in names else len(phases) - 1
    return [*phases[:last], Phase(phases[last].name, phases[last].offset, None, failed)]
