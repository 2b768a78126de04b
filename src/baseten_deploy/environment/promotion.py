"""Brings a deployment into an environment and says "done" only when the environment serves it.

What an environment's state means for us is a pure judgement; asking for a promotion and following it act on it. When
to promote, and when to roll back, is `gate`. A promotion may give the deployment a new id (`redeploy_on_promotion`):
`ours` knows all that count as ours.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import Enum, auto
from typing import Any

from baseten_deploy.ci.heartbeat import SILENCE_SECONDS
from baseten_deploy.clock import Clock
from baseten_deploy.errors import DeployTimeout, PromotionFailed, PromotionUnseen
from baseten_deploy.service.answers import Environment
from baseten_deploy.service.api import Api
from baseten_deploy.service.http import HttpError
from baseten_deploy.service.polling import Reads, Rhythm, UnseenError
from baseten_deploy.service.remedies import explain
from baseten_deploy.service.retry import ATTEMPTS, Tries

from .ours import Ours
from .overtaken import overtaken, overtaker

FINAL_FAILURES = frozenset({"FAILED", "CANCELED"})
FINAL = FINAL_FAILURES | {"SUCCEEDED"}
# What is not there this many times in a row is gone.
GONE = 3
# A promotion that was seen and is not any more may be between two states for a moment; one that was only asked for may
# take longer to show.
VANISHED_SECONDS = 4.0
UNBEGUN_SECONDS = 29.0
# How long a promotion that was asked for may take to show up, in seconds between the looks.
LOOKS = (1.0, 2.0, 4.0)


class Verdict(Enum):
    """What an environment's state means for our promotion."""

    SERVED = auto()
    GOES_ON = auto()
    FAILED = auto()
    ABSENT = auto()  # neither serves it nor is promoting it


def judge(environment: Environment, ours: Ours) -> Verdict:
    """Judge one look at the environment. An unknown promotion status goes on."""
    promotion, candidate = environment.promotion, environment.candidate
    if ours.has(environment.current):
        ended = promotion is None or promotion.status in FINAL
        somebody_elses = candidate is not None and not ours.has(candidate)
        return Verdict.SERVED if ended or somebody_elses else Verdict.GOES_ON
    if ours.has(candidate):
        if promotion is None or promotion.status not in FINAL_FAILURES:
            return Verdict.GOES_ON
        return Verdict.FAILED if has_failed(environment, ours) else Verdict.ABSENT
    return Verdict.ABSENT


def has_failed(environment: Environment, ours: Ours) -> bool:
    """Whether the environment tells of a failed promotion, other than the one that it told of before ours."""
    promotion, before = environment.promotion, ours.before
    return (
        promotion is not None and promotion.status in FINAL_FAILURES and not (before and before.promotion == promotion)
    )


def progress_line(environment: Environment) -> str:
    """One line about a promotion in progress, `""` when there is none."""
    promotion = environment.promotion
    if promotion is None:
        return ""
    return f"Promotion into {environment.name}: {promotion.status}, {promotion.percent} % of the traffic"


def until_served(
    api: Api,
    model_id: str,
    name: str,
    ours: Ours,
    *,
    started: bool,
    end: float,
    clock: Clock,
    say: Callable[[str], None],
    warn: Callable[[str], None],
    seen: Callable[[Environment], None] = lambda _: None,
) -> Environment:
    """Follow the environment until it serves ours, at most until `end` (of `clock.now()`).

    `started` says that the promotion is known to have begun; a push begins its own only when it is built. `seen` gets
    each look at one that goes on, and ends it by what it raises. Raises
    `PromotionFailed` when the promotion failed, was cancelled or ended with something else being served;
    `PromotionUnseen` when nothing could be seen for too long; `DeployTimeout`, which leaves it as it is; `AuthFailed`.
    """
    rhythm = Rhythm(clock)
    reads = Reads(lambda seconds: api.environment(model_id, name, retry=False, seconds=seconds), clock, end, warn)
    course = _Course(ours, clock, started=started)
    said, said_at = "", clock.now()
    while True:
        environment = _look(reads, name)
        if environment:
            line = progress_line(environment)
            if line and (line != said or clock.now() - said_at > SILENCE_SECONDS):
                if line != said:
                    rhythm.moved()
                said, said_at = line, clock.now()
                say(line)
            if judge(environment, ours) is Verdict.ABSENT and (other := overtaker(environment, ours)):
                raise overtaken(api, model_id, environment, ours, other)
            if course.is_served(environment):
                return environment
            seen(environment)
        if clock.now() >= end:
            if nothing := reads.unseen():
                raise _unknown(name, nothing)
            raise DeployTimeout(
                f"The environment {name!r} does not serve the deployment {ours.deployment.id} in the time of "
                f"`wait-timeout-minutes`{f' ({said})' if said else ''}",
                "The promotion goes on by itself: look at the environment's page. A paused one must be resumed there.",
            )
        clock.sleep(max(0.0, min(rhythm.pause(), end - clock.now())))


class _Course:
    """What was seen of one promotion so far, look by look."""

    def __init__(self, ours: Ours, clock: Clock, *, started: bool) -> None:
        self._ours = ours
        self._clock = clock
        self._started = started
        self._seen = False
        self._absent = 0
        self._absent_since = 0.0

    def is_served(self, environment: Environment) -> bool:
        """Take in one look: whether it is done. Raises `PromotionFailed` when it ended otherwise."""
        verdict = judge(environment, self._ours)
        self._seen = self._seen or verdict is Verdict.GOES_ON
        failed = has_failed(environment, self._ours)
        if verdict is Verdict.ABSENT and (self._seen or self._started or failed):
            if not self._absent:
                self._absent_since = self._clock.now()
            self._absent += 1
        else:
            self._absent = 0
        # A failure never seen begin may be an old one.
        patience = VANISHED_SECONDS if self._seen or failed else UNBEGUN_SECONDS
        gone = self._absent >= GONE and self._clock.now() - self._absent_since >= patience
        if verdict is Verdict.FAILED or (self._seen and self._absent and failed) or gone:
            raise _failed(environment)
        return verdict is Verdict.SERVED


def _look(reads: Reads[Environment], name: str) -> Environment | None:
    try:
        environment = reads.look()
    except UnseenError as nothing:
        raise _unknown(name, nothing) from nothing
    except HttpError as error:
        raise explain(error, PromotionFailed, f"Following the environment {name!r}") from error
    if reads.missing >= GONE:
        raise PromotionFailed(
            f"The environment {name!r} is gone: the service knows no such environment",
            "Somebody deleted it while this run waited; create it again, and run again.",
        )
    return environment


def _unknown(name: str, nothing: UnseenError, before: str = "") -> PromotionUnseen:
    return PromotionUnseen(
        f"{before}The state of the environment {name!r} is unknown: {nothing}",
        "What was begun goes on by itself, and nothing was undone: look at the environment's page, and at "
        "https://status.baseten.co.",
    )


def _failed(environment: Environment) -> PromotionFailed:
    promotion = environment.promotion
    served = f"it serves {environment.current.id}" if environment.current else "it serves nothing"
    if promotion and promotion.status in FINAL_FAILURES:
        reason = f": {promotion.error}" if promotion.error else ""
        cancelled = "somebody cancelled it" if promotion.status == "CANCELED" else "see the deployment's log"
        return PromotionFailed(
            f"The promotion into {environment.name!r} ended as {promotion.status}{reason} ({served})",
            f"Correct the cause ({cancelled}) and run again, or promote it by hand.",
        )
    return PromotionFailed(
        f"The promotion into {environment.name!r} ended and {served}, not this run's deployment",
        "Another promotion or a roll-back took its place; run again if this version is the one that should be live.",
    )


def start(
    api: Api,
    model_id: str,
    name: str,
    ours: Ours,
    *,
    settings: Mapping[str, Any],
    clock: Clock,
    say: Callable[[str], None],
    most: float = ATTEMPTS,
) -> None:
    """Ask for the promotion, once: after a failure the environment is looked at before it is sent again.

    `settings` are further fields of the request, `most` is how often it may be sent until the deadline of `api`. The
    answer's id, which may be new, becomes one of ours. Raises `PromotionFailed`; `PromotionUnseen` when it may have
    begun and that cannot be seen; `AuthFailed`.
    """
    body = {"deployment_id": ours.deployment.id, "scale_down_previous_deployment": True, **settings}
    what = f"Promoting {ours.deployment.id} into {name!r}"
    tries, doubt = Tries(clock, api.http.deadline, most=most), False
    while True:
        try:
            ours.ids.add(api.promote(model_id, name, body).id)
        except HttpError as error:
            doubt = doubt or error.failure.ambiguous  # an earlier try may show up late, whatever this one was answered
            if doubt or not error.failure.refused_unseen:
                say(f"The promotion failed ({error.message}); checking whether it took effect")
                if _began(api, model_id, name, ours, f"{what}: {error.message}", clock, say, doubt=doubt):
                    return
            if not tries.again(error.failure):
                remedy = "The environment still serves what it served. Correct what the service refuses and run again."
                raise explain(error, PromotionFailed, what, remedy) from error
        else:
            return


def _began(
    api: Api,
    model_id: str,
    name: str,
    ours: Ours,
    what: str,
    clock: Clock,
    say: Callable[[str], None],
    *,
    doubt: bool,
) -> bool:
    """Whether the promotion began although its answer says otherwise. Raises when that is in doubt and cannot be seen.

    A refusal is looked at once, and believed where that fails.
    """
    unchecked = f"{what}. Whether it took effect cannot be checked"
    try:
        return _took_effect(api, model_id, name, ours, clock, say, LOOKS if doubt else ())
    except UnseenError as nothing:
        if doubt:
            raise _unknown(name, nothing, f"{unchecked}. ") from nothing
    except HttpError as blind:
        if doubt:
            raise explain(blind, PromotionFailed, unchecked) from blind
    return False


def _took_effect(
    api: Api,
    model_id: str,
    name: str,
    ours: Ours,
    clock: Clock,
    say: Callable[[str], None],
    pauses: Sequence[float],
) -> bool:
    """Whether the environment serves ours or is getting it, after each pause; without one, at once and looked at once.

    With pauses an outage is waited out. Raises `UnseenError`, and `HttpError` where the key is refused.
    """
    if not pauses:
        return judge(api.environment(model_id, name), ours) is not Verdict.ABSENT
    end = api.http.deadline
    reads = Reads(lambda seconds: api.environment(model_id, name, retry=False, seconds=seconds), clock, end, say)
    for pause in pauses:
        clock.sleep(pause)
        environment = reads.look()
        while environment is None and not reads.missing and clock.now() < end:
            environment = reads.look()
        if environment is not None and judge(environment, ours) is not Verdict.ABSENT:
            return True
    if nothing := reads.unseen():
        raise nothing
    return False
