"""Takes a promotion back that is under way: cancels it, until the environment serves what it served.

Whether to is `gate`'s, as is the way back from a promotion that is over.
"""

from collections.abc import Callable

from baseten_deploy.clock import Clock
from baseten_deploy.errors import PromotionFailed, PromotionUnseen
from baseten_deploy.service.answers import Deployment, Environment
from baseten_deploy.service.api import Api
from baseten_deploy.service.http import HttpError
from baseten_deploy.service.polling import Reads, Rhythm, UnseenError
from baseten_deploy.service.remedies import explain

from .ours import Ours
from .promotion import FINAL

# A cancellation that is refused so often is not to be had.
REFUSALS = 3


def withdraw(
    api: Api,
    model_id: str,
    name: str,
    ours: Ours,
    *,
    end: float,
    clock: Clock,
    say: Callable[[str], None],
    warn: Callable[[str], None],
) -> bool:
    """Cancel the promotion of ours, until the environment serves what it served before; at most until `end`.

    False when that came too late: the environment serves ours. Raises `PromotionFailed` when it cannot be cancelled or
    something else is served in the end, `PromotionUnseen` when that cannot be told, and `AuthFailed`.
    """
    rhythm = Rhythm(clock)
    reads = Reads(lambda seconds: api.environment(model_id, name, retry=False, seconds=seconds), clock, end, warn)
    accepted, refused, last = False, 0, ""
    while True:
        if not accepted:
            try:
                api.cancel_promotion(model_id, name)
                accepted = True
                say(f"Cancelled the promotion into {name}")
            except HttpError as error:  # it may be over, or be moving back already: look
                refused += not error.failure.transient
                if error.message != last:
                    say(f"Cancelling the promotion into {name} failed ({error.message}); looking at the environment")
                last = error.message
                if error.status in (401, 403) or refused >= REFUSALS:
                    raise explain(
                        error, PromotionFailed, f"Cancelling the promotion into {name!r}", _BY_HAND
                    ) from error
        environment = _look(reads, name)
        if environment and not _goes_on(environment, ours):
            return _is_back(environment, ours)
        if clock.now() >= end:
            did = "was cancelled and goes on all the same" if accepted else f"could not be cancelled ({last})"
            raise PromotionFailed(f"The promotion into {name!r} {did}", _BY_HAND)
        clock.sleep(max(0.0, min(rhythm.pause(), end - clock.now())))


_BY_HAND = "Cancel it on the environment's page."


def _goes_on(environment: Environment, ours: Ours) -> bool:
    """Whether ours is still being promoted."""
    ended = environment.promotion is None or environment.promotion.status in FINAL
    return not ended and ours.has(environment.candidate)


def _is_back(environment: Environment, ours: Ours) -> bool:
    """Whether the environment serves what it served; false when it serves ours."""
    if ours.has(environment.current):
        return False
    before = ours.before.current if ours.before else None
    if _id(environment.current) != _id(before):
        raise PromotionFailed(
            f"The promotion into {environment.name!r} was cancelled, and it serves {_id(environment.current)} instead "
            f"of {_id(before)}",
            "Look at the environment's page for who changed it, and promote what should be live.",
        )
    return True


def _id(deployment: Deployment | None) -> str:
    return deployment.id if deployment else "nothing"


def _look(reads: Reads[Environment], name: str) -> Environment | None:
    try:
        return reads.look()
    except UnseenError as nothing:
        raise PromotionUnseen(
            f"The promotion into {name!r} was cancelled, and what the environment serves is unknown: {nothing}",
            "Look at the environment's page, and at https://status.baseten.co.",
        ) from nothing
    except HttpError as error:
        raise explain(error, PromotionFailed, f"Looking at the environment {name!r}", _BY_HAND) from error
