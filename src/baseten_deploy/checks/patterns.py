"""Regular expressions of a checks file against texts of a model: every search ends in its time. An adapter.

The engine is `regex`, which takes a time-out and lets other threads run meanwhile; Python's own has neither. The one
pattern of `predict-expect` stays with Python's own, in a process (see `baseten_deploy.patterns`): some patterns mean
something else to `regex`, and a run without checks does not load it. Here a process would be 20 ms for each repeat.
"""

from enum import Enum, auto
from typing import Any

from baseten_deploy.records import dataclass

SECONDS = 0.5  # of one search


class Found(Enum):
    """How a search ended."""

    YES = auto()
    NO = auto()
    GAVE_UP = auto()


class BadPattern(ValueError):
    """A text that is no regular expression; `position` counts from 0, `None` where it is not known."""

    def __init__(self, message: str, position: int | None) -> None:
        self.message = message
        self.position = position
        super().__init__(message)


@dataclass(frozen=True)
class Pattern:
    """A regular expression: its text and what the engine made of it."""

    text: str
    compiled: Any

    def search(self, text: str, seconds: float = SECONDS) -> Found:
        """Look for it in `text`, for at most so many seconds."""
        try:
            return Found.YES if self.compiled.search(text, timeout=seconds, concurrent=True) else Found.NO
        except (TimeoutError, MemoryError, RecursionError):
            return Found.GAVE_UP


def compile_pattern(text: str) -> Pattern:
    """Read a regular expression; `.` matches line breaks too, as in `predict-expect`. Raises `BadPattern`."""
    import regex  # noqa: PLC0415 - only where a check has one

    try:
        return Pattern(text, regex.compile(text, regex.DOTALL))
    except (regex.error, OverflowError, RecursionError, MemoryError) as error:
        raise BadPattern(str(getattr(error, "msg", error)), getattr(error, "pos", None)) from None
