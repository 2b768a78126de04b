"""Brings a deployment into an environment and says "done" only when the environment serves it.

What an environment's state means for us is a pure judgement; following it, promoting and rolling back act on it. A
promotion may give the deployment a new id (`redeploy_on_promotion`): `Ours` knows all that count as ours.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from baseten_deploy.ci.heartbeat import SILENCE_SECONDS
from baseten_deploy.clock import Clock
from baseten_deploy.errors import DeployTimeout, PromotionFailed
from baseten_deploy.inputs.settings import DEPLOY_KEY_LABEL
from baseten_deploy.service.answers import Deployment, Environment
from baseten_deploy.service.api import Api
from baseten_deploy.service.http import HttpError
from baseten_deploy.service.remedies import explain
from baseten_deploy.service.retry import Tries

from .overtaken import overtaken, overtaker

FINAL_FAILURES = frozenset({"FAILED", "CANCELED"})
FINAL = FINAL_FAILURES | {"SUCCEEDED"}
POLL_SECONDS = 1.0
BLIPS = 10
# A promotion that was seen and is not any more may be between two states for some polls; one that was only asked for
# may take longer to show.
VANISHED = 5
UNSEEN = 30
# How long a promotion that was asked for may take to show up, in seconds between the looks.
LOOKS = (1.0, 2.0, 4.0)


@dataclass
class Ours:
    """The deployment that is to be served, by all the ids that it goes by.

    `before` is the environment before its promotion was asked for: what it served then is no copy of ours, and a
    failure that it tells of is not ours either.
    """

    deployment: Deployment
    ids: set[str] = field(default_factory=set)
    before: Environment | None = None

    def __post_init__(self) -> None:
        self.ids.add(self.deployment.id)

    def has(self, other: Deployment | None) -> bool:
        """Whether `other` is ours or its copy: by id, or by the label that only one run puts on a deployment."""
        if other is None:
            return False
        key = self.deployment.labels.get(DEPLOY_KEY_LABEL)
        copied = bool(key) and other.labels.get(DEPLOY_KEY_LABEL) == key
        earlier = self.before.current if self.before else None
        unlabelled_copy = (
            not other.labels
            and (earlier is None or other.id != earlier.id)
            and other.name == self.deployment.name != ""
            and other.created_at > self.deployment.created_at
        )
        if copied or unlabelled_copy:
            self.ids.add(other.id)
        return other.id in self.ids


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
) -> Environment:
    """Follow the environment until it serves ours, at most until `end` (of `clock.now()`).

    `started` says that the promotion is known to have begun; a push begins its own only when it is built. Raises
    `PromotionFailed` when the promotion failed, was cancelled or ended with something else being served;
    `DeployTimeout`, which leaves it as it is; `AuthFailed`.
    """
    said, said_at, blips, absent, seen = "", clock.now(), 0, 0, False
    while True:
        try:
            environment = api.environment(model_id, name, retry=False)
            blips = 0
        except HttpError as error:
            blips += 1
            if not error.failure.transient or blips >= BLIPS:
                what = f"The state of the environment {name!r} is unreadable"
                raise explain(error, PromotionFailed, what, "Look at its page: the promotion may go on.") from error
            clock.sleep(max(0.0, min(error.failure.hint or 0.0, end - clock.now())))
        else:
            verdict = judge(environment, ours)
            line = progress_line(environment)
            if line and (line != said or clock.now() - said_at > SILENCE_SECONDS):
                said, said_at = line, clock.now()
                say(line)
            if verdict is Verdict.SERVED:
                return environment
            if verdict is Verdict.ABSENT and (other := overtaker(environment, ours)):
                raise overtaken(api, model_id, environment, ours, other)
            seen = seen or verdict is Verdict.GOES_ON
            failed = has_failed(environment, ours)
            absent = absent + 1 if verdict is Verdict.ABSENT and (seen or started or failed) else 0
            gone = absent >= (VANISHED if seen or failed else UNSEEN)  # a failure never seen begin may be an old one
            if verdict is Verdict.FAILED or (seen and absent and failed) or gone:
                raise _failed(environment)
        if clock.now() >= end:
            raise DeployTimeout(
                f"The environment {name!r} does not serve the deployment {ours.deployment.id} in the time of "
                f"`wait-timeout-minutes`{f' ({said})' if said else ''}",
                "The promotion goes on by itself: look at the environment's page. A paused one must be resumed there.",
            )
        clock.sleep(POLL_SECONDS)


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
) -> None:
    """Ask for the promotion, once: after a failure the environment is looked at before it is sent again.

    `settings` are further fields of the request. The answer's id, which may be new, becomes one of ours. Raises
    `PromotionFailed` and `AuthFailed`.
    """
    body = {"deployment_id": ours.deployment.id, "scale_down_previous_deployment": True, **settings}
    what = f"Promoting {ours.deployment.id} into {name!r}"
    tries, doubt = Tries(clock, api.http.deadline), False
    while True:
        try:
            ours.ids.add(api.promote(model_id, name, body).id)
        except HttpError as error:
            doubt = doubt or error.failure.ambiguous  # an earlier try may show up late, whatever this one was answered
            if doubt or not error.failure.refused_unseen:
                say(f"The promotion failed ({error.message}); checking whether it took effect")
                try:
                    if _took_effect(api, model_id, name, ours, clock, LOOKS if doubt else (0.0,)):
                        return
                except HttpError as blind:
                    if doubt:
                        unchecked = f"{what}: {error.message}. Whether it took effect cannot be checked"
                        raise explain(blind, PromotionFailed, unchecked) from blind
            if not tries.again(error.failure):
                remedy = "The environment still serves what it served. Correct what the service refuses and run again."
                raise explain(error, PromotionFailed, what, remedy) from error
        else:
            return


def _took_effect(api: Api, model_id: str, name: str, ours: Ours, clock: Clock, pauses: Sequence[float]) -> bool:
    """Whether the environment serves ours or is getting it, after each pause. Raises `HttpError` for the last look."""
    blind: HttpError | None = None
    for pause in pauses:
        clock.sleep(pause)
        try:
            environment = api.environment(model_id, name)
        except HttpError as error:
            blind = error
        else:
            blind = None
            if judge(environment, ours) is not Verdict.ABSENT:
                return True
    if blind:
        raise blind
    return False
