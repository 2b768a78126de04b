"""Regular expressions that users write, against text that a model writes: bounded in time and in memory.

Python's `re` can take longer than the universe lasts for `(a+)+$`, knows no timeout, and lets no signal through while
it searches. Another engine would give some patterns another meaning. So it is `re` that searches, in a process of its
own, which can be ended; meanwhile this one waits, and a cancel is obeyed. That costs some 20 ms; a pattern in which
nothing repeats and nothing is chosen needs it only for a long text.

Ignore patterns, asked thousands of times, are `truss.wildcards`.
"""

import os
import re
import sys
from enum import Enum
from math import ceil
from pathlib import Path

from baseten_deploy.expressions import expression
from baseten_deploy.records import dataclass

# What a pattern may take to be read, seconds.
COMPILE_SECONDS = 5.0
# What one search may take, seconds: one that is not done by then is not done tomorrow either.
SEARCH_SECONDS = 10.0
MEMORY_BYTES = 2**30
# In these nothing can be matched in two ways, so a search takes at most so many steps as there are pairs of characters.
_PLAIN = expression(r"[^*+?{(|\[]{0,200}", re.DOTALL)
_PLAIN_STEPS = 10_000_000
_WHY = "repetition within repetition, as in `(a+)+`, does that"
_PROGRAM = Path(__file__).with_name("pattern_process.py")
# Isolated from the job's environment (-I), without site-packages (-S), without a word on stderr (-W).
_ARGUMENTS = ("-I", "-S", "-B", "-W", "ignore", "-X", "utf8")
# An interpreter that CI installed may need these to start. Nothing else of the job's environment is handed on.
_LOADER_VARIABLES = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")


class PatternError(ValueError):
    """Why a text is no regular expression; `position` counts characters from 0, `None` is unknown."""

    def __init__(self, message: str, position: int | None = None) -> None:
        super().__init__(message if position is None else f"{message} at position {position}")
        self.position = position


class Outcome(Enum):
    """How a search ended."""

    MATCH = "match"
    NO_MATCH = "no match"
    GAVE_UP = "gave up"


@dataclass(frozen=True)
class Search:
    """The outcome, and why it was given up, as the end of a sentence about the pattern."""

    outcome: Outcome
    reason: str = ""


@dataclass(frozen=True)
class Pattern:
    """A regular expression of Python's `re` that was read once; `.` matches line ends too."""

    text: str

    def search(self, text: str, seconds: float = SEARCH_SECONDS) -> Search:
        """Look for the pattern anywhere in `text`, for so many seconds and never longer than `SEARCH_SECONDS`."""
        if _PLAIN.fullmatch(self.text) and len(self.text) * len(text) <= _PLAIN_STEPS:
            found = re.compile(self.text, re.DOTALL).search(text)  # noqa: TID251 - a user's text
            return Search(Outcome.MATCH if found else Outcome.NO_MATCH)
        seconds = min(seconds, SEARCH_SECONDS)
        try:
            answer = _ask(self.text, text, seconds)
        except TimeoutError:
            return Search(Outcome.GAVE_UP, f"took longer than {seconds:.2g} s on this text; {_WHY}")
        except OSError as error:
            return Search(Outcome.GAVE_UP, f"could not be tried: no process could be started ({error.strerror})")
        if answer in {"match", "none"}:
            return Search(Outcome.MATCH if answer == "match" else Outcome.NO_MATCH)
        if answer == "memory":
            return Search(Outcome.GAVE_UP, f"took more than {MEMORY_BYTES // 2**30} GiB of memory on this text; {_WHY}")
        return Search(Outcome.GAVE_UP, f"took longer than {seconds:.2g} s on this text, or more memory than there is")


def compile_pattern(text: str) -> Pattern:
    """Read a pattern. Raises `PatternError`, also for one that takes too long to be read."""
    try:
        answer = _read_here(text) if _PLAIN.fullmatch(text) else _ask(text, None, COMPILE_SECONDS)
    except TimeoutError:
        raise PatternError(f"takes longer than {COMPILE_SECONDS:g} s to be read") from None
    except OSError:
        answer = _read_here(text)
    kind, _, rest = answer.partition(" ")
    if kind == "error":
        position, _, reason = rest.partition(" ")
        raise PatternError(reason, None if position == "-1" else int(position))
    if kind != "read":
        raise PatternError(f"takes more than {MEMORY_BYTES // 2**30} GiB of memory, or too long, to be read")
    return Pattern(text)


def _read_here(text: str) -> str:
    """What the process would answer about a pattern."""
    try:
        re.compile(text, re.DOTALL)  # noqa: TID251 - a user's text, to hear what is wrong with it
    except (re.error, OverflowError, RecursionError) as error:
        position = error.pos if isinstance(error, re.error) else None
        return f"error {-1 if position is None else position} {error.msg if isinstance(error, re.error) else error}"
    return "read"


def _ask(pattern: str, text: str | None, seconds: float) -> str:
    """The process's answer about a pattern, or about its search in a text; `""` if it died.

    Raises `TimeoutError`, and `OSError` if it does not start.
    """
    import subprocess  # noqa: PLC0415 - most runs have no pattern

    data = pattern.encode("utf-8", "surrogatepass")
    header = f"{len(data)} {ceil(seconds) + 1} {MEMORY_BYTES} {int(text is not None)}\n".encode()
    try:
        ended = subprocess.run(  # noqa: S603 - our own program; what users wrote goes to its standard input
            [sys.executable, *_ARGUMENTS, str(_PROGRAM)],
            input=header + data + (text or "").encode("utf-8", "surrogatepass"),
            capture_output=True,
            check=False,
            timeout=max(seconds, 0.0),
            env={name: os.environ[name] for name in _LOADER_VARIABLES if name in os.environ},
            start_new_session=True,
        )
    except subprocess.TimeoutExpired as error:
        raise TimeoutError from error
    return ended.stdout.decode("utf-8", "replace")
