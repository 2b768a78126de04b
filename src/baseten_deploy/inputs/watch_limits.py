"""What `watch-limits` may say, and the limits that a run watches by. Pure; what is measured is `watch`'s."""

import math
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from baseten_deploy.errors import Problem
from baseten_deploy.records import dataclass

from .settings import Settings, suggestion

QUANTILES = ("p50", "p95", "p99")
ERROR_RATE, MIN_REQUESTS = "error-rate", "min-requests"
KNOWN = (
    ERROR_RATE,
    *(f"{name}-seconds" for name in QUANTILES),
    *(f"{name}-ratio" for name in QUANTILES),
    MIN_REQUESTS,
)
# GitHub ends a job then, unless its `timeout-minutes` says otherwise.
JOB_MINUTES = 360


@dataclass(frozen=True)
class Limits:
    """What the metrics may be at most; a quantile that is not there has no limit.

    `error_rate` is a share of the answers, 0 to 1. `seconds` and `ratios` are by `p50`, `p95`, `p99`, end to end; a
    ratio is to the hour before. With fewer than `min_requests` nothing is judged.
    """

    error_rate: float = 0.05
    seconds: Mapping[str, float] = field(default_factory=dict)
    ratios: Mapping[str, float] = field(default_factory=dict)
    min_requests: int = 20

    @classmethod
    def of(cls, given: Mapping[str, Any] | None) -> "Limits":
        """The limits of a `watch-limits` without problems; what it leaves out keeps its default."""
        given = given or {}
        return cls(
            error_rate=float(given.get(ERROR_RATE, cls.error_rate)),
            seconds={name: float(given[f"{name}-seconds"]) for name in QUANTILES if f"{name}-seconds" in given},
            ratios={name: float(given[f"{name}-ratio"]) for name in QUANTILES if f"{name}-ratio" in given},
            min_requests=int(given.get(MIN_REQUESTS, cls.min_requests)),
        )

    @property
    def quantiles(self) -> frozenset[str]:
        """The quantiles that have a limit of their own, in seconds: they must be measured."""
        return frozenset(self.seconds)


def check_watch_limits(given: Mapping[str, Any]) -> list[Problem]:
    """A problem for each unknown name (with the nearest), and each value that no metric could be held to."""
    return [problem for name, value in given.items() if (problem := _problem(str(name), value))]


def _problem(name: str, value: Any) -> Problem | None:
    if name not in KNOWN:
        near = suggestion(name.replace("_", "-"), list(KNOWN), "Did you mean `{}`? ")
        known = ", ".join(f"`{word}`" for word in KNOWN)
        return Problem(f"`watch-limits`: there is no limit `{name}`", f"{near}Known: {known}.")
    kind, example, fits = _rule(name)
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if number and fits(value):
        return None
    shown = "null" if value is None else repr(value) if isinstance(value, int | float | str) else "no number"
    return Problem(
        f"`watch-limits`: `{name}` must be {kind}, not {shown}",
        f"Write a number, for example `{name}: {example}`, or leave it out.",
    )


def _rule(name: str) -> tuple[str, str, Any]:
    """What a limit must be, an example, and whether a number is."""
    if name == ERROR_RATE:
        return "a share from 0 to 1", "0.05", lambda value: 0 <= value <= 1
    if name == MIN_REQUESTS:
        return "a whole number from 0", "20", lambda value: 0 <= value <= 10**9 and value == int(value)
    if name.endswith("-ratio"):
        return "a ratio above 0", "1.5", lambda value: 0 < value <= 10**6
    return "a number of seconds above 0", "2.0", lambda value: 0 < value <= 10**6


def job_warnings(settings: Settings) -> list[Problem]:
    """A warning where the watch takes longer than a job may run; the wait comes before it."""
    if settings.watch_minutes <= JOB_MINUTES:
        return []
    return [
        Problem(
            f"`watch-minutes`: GitHub ends a job after {JOB_MINUTES} minutes, before this watch of "
            f"{settings.watch_minutes:g} minutes is over",
            "Set `timeout-minutes` of the job, as far as its runner allows, or watch for a shorter time.",
        )
    ]
