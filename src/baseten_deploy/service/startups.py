"""How replicas started: the attempts of a deployment with their phases, and the medians of many. Read off answers.

Spec: `StartupAttempts` and `StartupSummary` of the management API.
"""

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from baseten_deploy.records import dataclass

from . import shapes
from .answers import JsonObject, optional_text, rows

SUCCESS, FAILED = "SUCCESS", "FAILED"
_LONGEST_MILLIS = 10**10  # a third of a year


@dataclass(frozen=True)
class StartPhase:
    """A phase of a start, in seconds from its beginning; `seconds` is `None` where it did not finish."""

    name: str
    offset: float
    seconds: float | None
    failed: bool = False


@dataclass(frozen=True)
class Startup:
    """One attempt of a replica to start. `outcome` may be one that this version does not know."""

    outcome: str
    seconds: float
    started_millis: int  # since 1970, by the service's clock
    ready_millis: int | None = None
    phases: tuple[StartPhase, ...] = ()


@dataclass(frozen=True)
class Medians:
    """The medians of many starts in seconds, of the whole and of each phase that was recorded."""

    total: float | None = None
    phases: Mapping[str, float] = field(default_factory=dict)


def read_startups(body: JsonObject) -> list[Startup]:
    """Read a page of attempts."""
    return [_startup(row) for row in rows(body, "items")]


def read_medians(body: JsonObject) -> Medians:
    """Read a summary."""
    medians = {
        shapes.word(row["phase"], "phase"): median
        for row in rows(body, "phase_duration_ms")
        if (median := _median(row.get("duration_ms"))) is not None
    }
    return Medians(_median(body.get("total_duration_ms")), medians)


def _startup(row: JsonObject) -> Startup:
    ready = row.get("ready_at_epoch_millis")
    return Startup(
        outcome=shapes.word(row["outcome"], "outcome"),
        seconds=_seconds(row["duration_ms"]),
        started_millis=_epoch(row.get("started_at_epoch_millis")) or 0,
        ready_millis=_epoch(ready),
        phases=tuple(_phase(each) for each in rows({"phase_summary": [], **row}, "phase_summary")),
    )


def _phase(row: JsonObject) -> StartPhase:
    duration = row.get("duration_ms")
    return StartPhase(
        name=shapes.word(row["phase"], "phase"),
        offset=_seconds(row.get("offset_ms") or 0),
        seconds=None if duration is None else _seconds(duration),
        failed=optional_text(row, "status") == FAILED,
    )


def _median(row: Any) -> float | None:
    percentiles = shapes.mapping(row, "duration_ms")
    median = percentiles.get("p50_ms")
    return None if median is None or percentiles.get("sample_count") == 0 else _seconds(median)


def _seconds(millis: Any) -> float:
    if isinstance(millis, bool) or not isinstance(millis, int | float) or not 0 <= millis <= _LONGEST_MILLIS:
        raise shapes.Unusable("a duration is none")
    return millis / 1000


def _epoch(millis: Any) -> int | None:
    return millis if type(millis) is int and 0 < millis < 2**53 else None
