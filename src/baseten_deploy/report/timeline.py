"""The phases of a run as a Mermaid gantt chart, which GitHub renders within Markdown. Pure text.

Titles can have foreign words in them, and Mermaid has no escaping that all its versions agree on: what it could take
for syntax is replaced.
"""

import re
from collections.abc import Sequence

from baseten_deploy.expressions import expression
from baseten_deploy.records import dataclass

from .amounts import duration
from .markdown import block

# More rows than that are a picture of nothing.
PHASES = 40
TITLE_CHARACTERS = 60
_LEAST_SECONDS = 0.001  # a task that takes no time is none
_TICKS = 8
_INTERVALS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200)
# What a line of a gantt chart that is no task begins with, in any case; a date is none either.
_OTHER_LINE = expression(
    r"\W|\d|_|gantt|date|inclusive|top|axis|tick|excludes|includes|today|week|title|acc|section|click|call|href|vert",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Phase:
    """A step of the run for the report; seconds since the run began."""

    title: str
    start: float
    end: float
    failed: bool = False


def gantt(phases: Sequence[Phase]) -> str:
    """A fenced chart of the phases in their order, the failed ones marked; `""` without phases.

    Mermaid reads and draws times in the zone of whoever looks. Both ends are a wall clock on a day on which no zone
    changes its own, so that the axis counts from zero everywhere.
    """
    if not phases:
        return ""
    shown = phases[:PHASES]
    total = max(phase.end for phase in shown)
    step = next((interval for interval in _INTERVALS if total / interval <= _TICKS), _INTERVALS[-1])
    lines = [
        "gantt",
        "dateFormat YYYY-MM-DD HH:mm:ss.SSS",
        f"axisFormat {'%H:%M:%S' if total >= 3600 else '%M:%S'}",
        f"tickInterval {_interval(step)}",
        "todayMarker off",
        *map(_task, shown),
    ]
    return block("\n".join(lines), "mermaid")


def _task(phase: Phase) -> str:
    start = max(0.0, phase.start)
    end = max(phase.end, start + _LEAST_SECONDS)
    mark = "crit, " if phase.failed else ""
    return f"{label(phase.title)} ({duration(end - start)}) :{mark}{_moment(start)}, {_moment(end)}"


def label(title: str) -> str:
    """`title` as the name of a task: letters, digits and a little punctuation that Mermaid gives no meaning."""
    text = " ".join(re.sub(r"[^\w .,()/+-]", " ", title).split())
    text = text[:TITLE_CHARACTERS].rstrip() or "unnamed"
    return f"- {text}" if _OTHER_LINE.match(text) else text


def _moment(seconds: float) -> str:
    millis = round(seconds * 1000)
    day, rest = divmod(millis, 86_400_000)
    return (
        f"2000-01-{min(1 + day, 31):02} {rest // 3_600_000:02}:{rest // 60_000 % 60:02}:"
        f"{rest // 1000 % 60:02}.{rest % 1000:03}"
    )


def _interval(seconds: int) -> str:
    for length, unit in ((3600, "hour"), (60, "minute")):
        if seconds % length == 0:
            return f"{seconds // length}{unit}"
    return f"{seconds}second"
