"""What came of a check: its calls in numbers, and its first failures in words without secrets. Plain data and pure."""

from collections.abc import Callable
from dataclasses import field, replace

from baseten_deploy.records import dataclass
from baseten_deploy.report.amounts import count, duration

from .answer import Answer, NoAnswer
from .check import Check
from .judge import json_diff, mismatches
from .measure import percentile

KEPT = 3  # failures of a check that are told in full
SHOWN_CHARACTERS = 600


@dataclass(frozen=True)
class Failure:
    """One call that failed, in words; `number` counts from 1. `log` are the log's lines of exactly this request.

    `unseen` says that the model was never reached by it.
    """

    number: int
    reasons: tuple[str, ...]
    came: str = ""
    diff: str = ""
    request_id: str = ""
    log: tuple[str, ...] = ()
    unseen: bool = False


@dataclass(frozen=True)
class Call:
    """One call that was made: how long it took, and why it failed if it did."""

    seconds: float | None
    first_token: float | None = None
    tokens_per_second: float | None = None
    failure: Failure | None = None


def judged(
    check: Check, number: int, outcome: Answer | NoAnswer, live: Answer | None, redact: Callable[[str], str]
) -> Call:
    """Judge one outcome; what a failure says is without secrets, which are taken out before anything is cut."""
    if isinstance(outcome, NoAnswer):
        unanswered = Failure(number, (outcome.reason,), request_id=outcome.request_id, unseen=outcome.unseen)
        return Call(None if outcome.waking else outcome.seconds, failure=unanswered)
    try:
        return _judged(check, number, outcome, live, redact)
    except RecursionError:  # JSON may be nested as deep as Python's stack, nearly
        deep = Failure(number, ("the answer is nested too deep to be judged",), request_id=redact(outcome.request_id))
        return Call(outcome.seconds, failure=deep)


def _judged(check: Check, number: int, outcome: Answer, live: Answer | None, redact: Callable[[str], str]) -> Call:
    reasons = mismatches(check, outcome, live)
    failure: Failure | None = None
    if reasons:
        shown, live_shown = without_secrets(outcome, redact), live and without_secrets(live, redact)
        reasons = [redact(each) for each in mismatches(check, shown, live_shown)] or ["it differs in a secret"]
        came = excerpt(outcome if is_binary(outcome) else shown)
        failure = Failure(number, tuple(reasons), came, json_diff(check, shown), redact(outcome.request_id))
    return Call(outcome.seconds, outcome.first_event_seconds, outcome.tokens_per_second, failure)


def without_secrets(answer: Answer, redact: Callable[[str], str]) -> Answer:
    """The answer with its secrets replaced; the same when it has none."""
    text = redact(answer.plain)
    return answer if text == answer.plain else replace(answer, body=text.encode("utf-8", "replace"), marks=())


def is_binary(answer: Answer) -> bool:
    """Whether a body is no text."""
    head = answer.body[:4096]
    return b"\0" in head or head.decode("utf-8", "replace").count("\ufffd") > 1 + len(head) // 100


def excerpt(answer: Answer) -> str:
    """What came, cut; bytes that are no text are counted."""
    if is_binary(answer):
        return f"binary, {count(len(answer.body), 'byte')}, {answer.media_type or 'no content type'}"
    text = answer.text
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 3] + "..."


@dataclass(frozen=True)
class CheckResult:
    """A check and its calls. `done` is false for one that was cut short or not begun; times are in seconds.

    `failures` are the first `KEPT`, `failed` is how many there are, and `unreached` how many of those never reached the
    model. `notes` are what a reader should know besides.
    """

    check: Check
    calls: int = 0
    failed: int = 0
    failures: tuple[Failure, ...] = ()
    limits: tuple[str, ...] = ()
    p50: float | None = None
    p95: float | None = None
    first_token: float | None = None
    tokens_per_second: float | None = None
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    done: bool = False
    unreached: int = 0

    @property
    def passed(self) -> bool:
        """Whether everything that it wants holds."""
        return self.done and self.failed <= self.check.max_failures and not self.limits

    @property
    def unseen(self) -> bool:
        """Whether it did not pass only because the model could not be reached: then nothing is known of its answers."""
        return self.done and not self.passed and not self.limits and self.failed == self.unreached

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it did not pass, in one line each."""
        found = list(self.limits)
        if self.failed > self.check.max_failures and self.failures:
            first = self.failures[0]
            said = "; ".join(first.reasons)
            if self.calls > 1:
                allowed = f", {self.check.max_failures} allowed" if self.check.max_failures else ""
                said = f"{self.failed} of {self.calls} repeats failed{allowed}; repeat {first.number}: {said}"
            found.insert(0, said)
        return tuple(found)


@dataclass
class Tally:
    """The calls of a check as they come. For one thread."""

    check: Check
    times: list[float] = field(default_factory=list)
    first_tokens: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    failed: int = 0
    unreached: int = 0
    calls: int = 0
    notes: list[str] = field(default_factory=list)

    def add(self, call: Call) -> None:
        """Count one."""
        self.calls += 1
        for values, value in (
            (self.times, call.seconds),
            (self.first_tokens, call.first_token),
            (self.rates, call.tokens_per_second),
        ):
            if value is not None:
                values.append(value)
        if call.failure:
            self.failed += 1
            self.unreached += call.failure.unseen
            self.failures.append(call.failure)
            self.failures = sorted(self.failures, key=lambda failure: failure.number)[:KEPT]

    def result(self, seconds: float, *, done: bool) -> CheckResult:
        """What came of it."""
        check = self.check
        p95, first = percentile(self.times, 0.95), percentile(self.first_tokens, 0.95)
        limits = []
        if done and check.max_seconds is not None and p95 is not None and p95 > check.max_seconds:
            what = "the p95 is" if self.calls > 1 else "it took"
            limits.append(f"{what} {_exact(p95)}, `max-seconds` is {check.max_seconds:g}")
        if done and check.first_token_seconds is not None:
            if first is None and self.failed < self.calls:
                limits.append("no answer was a stream of events, so `first-token-seconds` cannot be measured")
            elif first is not None and first > check.first_token_seconds:
                limits.append(
                    f"the first token took {_exact(first)}, `first-token-seconds` is {check.first_token_seconds:g}"
                )
        return CheckResult(
            check,
            self.calls,
            self.failed,
            tuple(self.failures),
            tuple(limits),
            percentile(self.times, 0.5),
            p95,
            first,
            percentile(self.rates, 0.5),
            seconds,
            tuple(self.notes),
            done=done,
            unreached=self.unreached,
        )


def _exact(seconds: float) -> str:
    """A time beside its limit: with the digits that tell them apart."""
    return f"{seconds:.3f} s" if seconds < 10 else duration(seconds)
