"""Reading again and again what changes by itself: how often, and what a read that fails means. For every wait.

**One rhythm.** The service drops clients that ask too much, and a matrix of 30 jobs shares one key: together they stay
below 20 requests a second. So a status, an environment and a log are asked for quickly only while something is about to
happen: in the first half minute, and once it moved. Jitter keeps jobs that began together apart.

**Unseen is not failed.** A read without a good answer says nothing about what is read. It is tried again until
`UNSEEN_SECONDS` have passed without one, or the wait ends; what ends so is unknown, and nothing is undone for it.
"""

from collections.abc import Callable
from typing import Generic, TypeVar

from baseten_deploy.clock import Clock
from baseten_deploy.report.amounts import duration

from .http import READ_SECONDS, HttpError
from .retry import backoff

# In seconds, from the shortest pause to the longest: right after something moved, soon after, and later. 30 jobs that
# began at one moment send 13 and 7 requests a second by it, and a quarter and a half as many for their logs.
SOON = (1.0, 1.5)
QUICK = (1.0, 3.5)
CALM = (3.5, 5.0)
SOON_SECONDS, LIVELY_SECONDS = 1.0, 30.0
QUICK_LOG, CALM_LOG = 4.0, 2.0

# Without one good answer for so long, a wait knows nothing any more.
UNSEEN_SECONDS = 300.0
# A key may be refused by a replica that does not know it yet; three times in a row it is.
REFUSALS = 3
# What a read may take however little of the wait is left: what went live in the last second is live.
LAST_SECONDS = 2.0
# A gap that nobody would notice is not worth a warning.
GAP_SECONDS = 10.0

T = TypeVar("T")


def pause_after(quiet: float, chance: float) -> float:
    """Seconds until the next read, when nothing has moved for `quiet` seconds; `chance` in [0, 1)."""
    shortest, longest = SOON if quiet < SOON_SECONDS else QUICK if quiet < LIVELY_SECONDS else CALM
    return shortest + (longest - shortest) * chance


class Rhythm:
    """When to read next, of one wait: the status or environment by `pause`, the log beside it by `log_pause`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._moved_at = clock.now()

    def moved(self) -> None:
        """What is waited for got on: more may follow soon."""
        self._moved_at = self._clock.now()

    def pause(self) -> float:
        """Seconds until the next look."""
        return pause_after(self._quiet(), self._clock.chance())

    def log_pause(self) -> float:
        """Seconds until the log is read next."""
        rate = QUICK_LOG if self._quiet() < LIVELY_SECONDS else CALM_LOG
        return rate * self.pause()

    def _quiet(self) -> float:
        return self._clock.now() - self._moved_at


class UnseenError(Exception):
    """No good answer for too long. `last` is the last that was answered instead, `seconds` how long it has been so."""

    def __init__(self, last: HttpError, seconds: float) -> None:
        super().__init__(last.message)
        self.last = last
        self.seconds = seconds

    def __str__(self) -> str:
        return f"no good answer for {duration(self.seconds)} (the last: {self.last.message})"


class Reads(Generic[T]):
    """The reads of one wait. What a failure means is decided here, for all waits.

    `read` gets how many seconds it may take; `end` is that of the wait, in terms of `clock.now()`; `warn` hears once of
    each gap that is over.
    """

    def __init__(self, read: Callable[[float], T], clock: Clock, end: float, warn: Callable[[str], None]) -> None:
        self.missing = 0  # 404s since the last good answer: whoever waits knows what they mean
        self._read = read
        self._clock = clock
        self._end = end
        self._warn = warn
        self._seen_at = clock.now()
        self._failures = 0
        self._refusals = 0
        self._last: HttpError | None = None

    def look(self) -> T | None:
        """What is there now, `None` when it was not seen this time (after a pause that grows with each time).

        Raises `UnseenError` when too much time has passed, and the `HttpError` when the key was refused three times in
        a row.
        """
        try:
            value = self._read(max(LAST_SECONDS, min(READ_SECONDS, self._end - self._clock.now())))
        except HttpError as error:
            self._judge(error)
            return None
        self._over()
        self.missing = 0
        return value

    def unseen(self) -> UnseenError | None:
        """Whether the last reads failed: then what was seen before is no knowledge any more."""
        return UnseenError(self._last, self._clock.now() - self._seen_at) if self._last else None

    def _judge(self, error: HttpError) -> None:
        if error.status == 404:  # an answer: the service is there
            self._over()
            self.missing += 1
            return
        self._refusals = self._refusals + 1 if error.status in (401, 403) else 0
        if self._refusals >= REFUSALS:
            raise error
        self._failures += 1
        self._last = error
        unseen = self._clock.now() - self._seen_at
        if unseen >= UNSEEN_SECONDS:
            raise UnseenError(error, unseen) from error
        wait = max(backoff(self._failures, self._clock.chance()), error.failure.hint or 0.0)
        left = min(self._end, self._seen_at + UNSEEN_SECONDS) - self._clock.now()
        self._clock.sleep(max(0.0, min(wait, left)))

    def _over(self) -> None:
        now = self._clock.now()
        if self._last and now - self._seen_at >= GAP_SECONDS:
            self._warn(
                f"The service could not be asked for {duration(now - self._seen_at)} ({self._last.message}); "
                "the wait went on"
            )
        self._seen_at, self._failures, self._refusals, self._last = now, 0, 0, None
