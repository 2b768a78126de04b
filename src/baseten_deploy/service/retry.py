"""Whether to try a call again, and after how long. Pure decisions, and `Tries`, the one place that acts on them.

Who sends decides whether sending twice is harmless, or looks first whether the try that failed took effect; then it
asks `Tries`. What is polled (a deployment, an environment, a log) is not tried again but read again: see the waits.
"""

from collections.abc import Callable, Mapping
from enum import Enum, auto

from baseten_deploy.clock import Clock
from baseten_deploy.records import dataclass

ATTEMPTS = 5
BASE_SECONDS = 0.5
CAP_SECONDS = 20.0
# 4xx answers that say "not now" rather than "no".
_TRANSIENT_STATUSES = frozenset({408, 425, 429})
_LONGEST_HINT = 1e9  # seconds; beyond it a number is no time, and may not even be a float


class Fault(Enum):
    """How a call failed, by what that says about the server's state."""

    NOT_SENT = auto()  # no connection: the server saw nothing
    BARRED = auto()  # the same, and another try changes nothing: an untrusted certificate, a proxy that refuses
    NO_ANSWER = auto()  # sent, and the answer did not come, or not whole: the server may have acted
    BAD_ANSWER = auto()  # a success whose body is not what the call answers: the server may have acted
    STATUS = auto()  # an HTTP error


@dataclass(frozen=True)
class Failure:
    """One failed try. `hint` is what the server asked to wait, in seconds."""

    fault: Fault
    status: int = 0
    hint: float | None = None

    @property
    def transient(self) -> bool:
        """A later try may succeed."""
        if self.fault is Fault.BARRED:
            return False
        return self.fault is not Fault.STATUS or self.status in _TRANSIENT_STATUSES or self.status >= 500

    @property
    def refused_unseen(self) -> bool:
        """The server certainly did nothing: it was not reached, or refused the request for its rate."""
        return self.fault in (Fault.NOT_SENT, Fault.BARRED) or (self.fault is Fault.STATUS and self.status == 429)

    @property
    def ambiguous(self) -> bool:
        """The server may have acted: look before anything is sent again."""
        return self.transient and not self.refused_unseen


def backoff(attempt: int, chance: float) -> float:
    """Seconds before the try after number `attempt` (from 1): exponential, full jitter (`chance` in [0, 1))."""
    return float(min(CAP_SECONDS, BASE_SECONDS * 2 ** min(attempt - 1, 30)) * chance)


def delay_before_retry(
    failure: Failure, attempt: int, chance: float, seconds_left: float, *, most: float = ATTEMPTS
) -> float | None:
    """Seconds to wait before trying again after try number `attempt` of `most` (from 1); `None`: give up.

    A server's hint is obeyed, never undercut; when it does not fit into the time that is left, waiting is pointless.
    """
    if not failure.transient or attempt >= most:
        return None
    seconds = backoff(attempt, chance)
    if failure.hint is not None:
        seconds += failure.hint
    return seconds if seconds < seconds_left else None


class Tries:
    """The tries of one call until `deadline` (of `clock.now()`): counts them, and sleeps between them.

    `number` is that of the try that is on its way, `most` how many there may be; `sleep` takes seconds.
    """

    def __init__(
        self,
        clock: Clock,
        deadline: float,
        *,
        number: int = 1,
        most: float = ATTEMPTS,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        self.number = number
        self._clock = clock
        self._deadline = deadline
        self._most = most
        self._sleep = sleep or clock.sleep

    def again(self, failure: Failure, announce: Callable[[float], None] = lambda _: None) -> bool:
        """Wait for the next try, after `announce` has heard for how many seconds; false, at once: give up."""
        left = self._deadline - self._clock.now()
        seconds = delay_before_retry(failure, self.number, self._clock.chance(), left, most=self._most)
        if seconds is None:
            return False
        announce(seconds)
        self._sleep(seconds)
        self.number += 1
        return True


def parse_hint(headers: Mapping[str, str], body: object, now_epoch: float) -> float | None:
    """Seconds to wait from a `Retry-After` header (seconds or an HTTP date) or a `retry_after` field of the body.

    A date is measured against the answer's own `Date`: `now_epoch` is the runner's clock, which may be wrong by a day.
    """
    field = body.get("retry_after") if isinstance(body, dict) else None
    if isinstance(field, int | float) and not isinstance(field, bool) and 0 <= field <= _LONGEST_HINT:
        return float(field)
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text), _LONGEST_HINT)
    if not text:
        return None
    moment, now = parse_date(text), parse_date(headers.get("Date", ""))
    return None if moment is None else max(0.0, moment - (now_epoch if now is None else now))


def parse_date(date: str) -> float | None:
    """Seconds since 1970 of an HTTP date, `None` for what is none."""
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 - few runs need it

    try:
        return parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
