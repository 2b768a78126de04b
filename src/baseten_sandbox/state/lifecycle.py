"""How deployments move: pure functions from a moment to a timeline, and from a timeline back to a status.

Nothing here reads a clock, sleeps or remembers. `state` decides when a timeline begins and keeps it. The moves of
promotions are `promotions`'.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from .entities import Deployment, Step, Timing

LIVE = frozenset({"ACTIVE", "SCALED_TO_ZERO"})
FAILED = frozenset({"BUILD_FAILED", "BUILD_STOPPED", "DEPLOY_FAILED", "FAILED", "DEACTIVATING", "INACTIVE"})


def path_to(end: str) -> tuple[str, ...]:
    """The statuses that lead to `end`, itself included."""
    if end in {"BUILD_FAILED", "BUILD_STOPPED"}:
        return ("BUILDING", end)
    if end == "DEPLOY_FAILED":
        return ("BUILDING", "DEPLOYING", end)
    whole = ("BUILDING", "DEPLOYING", "LOADING_MODEL")
    if end in whole:
        return whole[: whole.index(end) + 1]
    if end == "INACTIVE":
        return (*whole, "ACTIVE", "DEACTIVATING", end)
    if end in {"SCALED_TO_ZERO", "UPDATING"}:
        return (*whole, "ACTIVE", end)
    return (*whole, end)


def walk(start: float, statuses: Iterable[str | tuple[str, float]], timing: Timing) -> tuple[Step, ...]:
    """One status after the other from `start` on, each for its own or its usual time."""
    usual = {
        "BUILDING": timing.building,
        "DEPLOYING": timing.deploying,
        "LOADING_MODEL": timing.loading,
        "WAKING_UP": timing.waking,
        "DEACTIVATING": timing.deactivating,
    }
    steps = []
    at = start
    for item in statuses:
        status, seconds = (item, usual.get(item, timing.waking)) if isinstance(item, str) else item
        steps.append(Step(at, status))
        at += seconds
    return tuple(steps)


def until(timeline: Sequence[Step], now: float) -> tuple[Step, ...]:
    """What has happened: the timeline without what lies ahead."""
    return tuple(step for step in timeline if step.at <= now)


def status_at(timeline: Sequence[Step], now: float) -> str:
    """The status at `now`; before the first step it is that of the first."""
    past = until(timeline, now)
    return past[-1].status if past else timeline[0].status


def settles(timeline: Sequence[Step], since: float) -> Step | None:
    """When, from `since` on, the deployment is first live, or fails for good; None if it never does either."""
    status = status_at(timeline, since)
    if status in LIVE:
        return Step(since, status)
    for step in timeline:
        if step.at >= since and step.status in LIVE:
            return step
    last = timeline[-1]
    return Step(max(last.at, since), last.status) if last.status in FAILED else None


def deactivated(timeline: Sequence[Step], now: float, timing: Timing) -> tuple[Step, ...]:
    """The timeline of a deployment that is deactivated at `now`."""
    return until(timeline, now) + walk(now, ("DEACTIVATING", "INACTIVE"), timing)


def activated(timeline: Sequence[Step], now: float, timing: Timing) -> tuple[Step, ...]:
    """The timeline of an inactive deployment that is activated at `now`."""
    return until(timeline, now) + walk(now, ("DEPLOYING", "LOADING_MODEL", "ACTIVE"), timing)


def retried(
    deployment: Deployment, now: float, statuses: Iterable[str | tuple[str, float]], timing: Timing
) -> Deployment:
    """The deployment when it is tried again at `now`: through `statuses`, without another build."""
    again = [item for item in statuses if "BUILDING" not in item]
    return replace(deployment, timeline=until(deployment.timeline, now) + walk(now, again, timing))


def woken(timeline: Sequence[Step], now: float, timing: Timing) -> tuple[Step, ...]:
    """The timeline of a deployment that was scaled to zero and is called at `now`."""
    return until(timeline, now) + walk(now, ("WAKING_UP", "ACTIVE"), timing)


def scaled_to_zero(timeline: Sequence[Step], now: float) -> tuple[Step, ...]:
    """The timeline of a deployment that is scaled to zero at `now`."""
    return (*until(timeline, now), Step(now, "SCALED_TO_ZERO"))
