"""Waits until a deployment is live, and says how it gets there.

What a status means is decided by pure functions; `until_live` only polls, and never fails a run for a blip.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from .api import Api, Deployment
from .clock import Clock
from .errors import DeployFailed, DeployTimeout
from .failures import explain
from .heartbeat import SILENCE_SECONDS
from .http import HttpError

IN_PROGRESS = frozenset({"BUILDING", "DEPLOYING", "LOADING_MODEL", "UPDATING", "WAKING_UP"})
LIVE = frozenset({"ACTIVE", "SCALED_TO_ZERO"})
FAILED = frozenset({"BUILD_FAILED", "BUILD_STOPPED", "DEPLOY_FAILED", "FAILED", "INACTIVE", "DEACTIVATING"})
UNHEALTHY = "UNHEALTHY"

POLL_SECONDS = 1.0
# An unhealthy deployment may recover; one that stays so for this long does not.
UNHEALTHY_SECONDS = 60.0
# A deployment that was just made may not be visible yet.
FRESH_SECONDS = 30.0
# This many failed polls in a row are no blip.
BLIPS = 10
# This many 404s in a row of a deployment that was seen before: it is gone.
GONE = 3


class Verdict(Enum):
    """What a status means for the wait."""

    GOES_ON = auto()
    LIVE = auto()
    FAILED = auto()


def verdict(status: str, unhealthy_for: float) -> Verdict:
    """Judge a status; `unhealthy_for` is for how many seconds it has been UNHEALTHY. An unknown one goes on."""
    if status in LIVE:
        return Verdict.LIVE
    if status in FAILED or (status == UNHEALTHY and unhealthy_for >= UNHEALTHY_SECONDS):
        return Verdict.FAILED
    return Verdict.GOES_ON


def is_known(status: str) -> bool:
    """Whether this version knows what a status means."""
    return status in IN_PROGRESS | LIVE | FAILED | {UNHEALTHY}


def failure_remedy(status: str) -> str:
    """What to do about a deployment that ended in `status`."""
    if status in ("BUILD_FAILED", "BUILD_STOPPED"):
        return (
            "Read the build log, in this step's log or on the logs page: requirements, system packages and build "
            "commands run there."
        )
    if status in ("INACTIVE", "DEACTIVATING"):
        return "Somebody or something deactivated it; activate it, or run again."
    if status == UNHEALTHY:
        return "The model was loaded and then stopped answering its health checks; see its log."
    return (
        "Read the log, in this step's or on the logs page: most often `load()` raised, or the model needs more memory."
    )


@dataclass
class Progress:
    """Who is told: each new status, lines for people, and one warning for an unknown status."""

    status: Callable[[str], None]
    say: Callable[[str], None]
    warn: Callable[[str], None]


class Poll:
    """Reads a deployment again and again; decides what a failed read means."""

    def __init__(self, api: Api, model_id: str, deployment_id: str, clock: Clock, seconds: float) -> None:
        self._api = api
        self._ids = model_id, deployment_id
        self._clock = clock
        self._fresh_until = clock.now() + FRESH_SECONDS
        self._end = clock.now() + seconds
        self._seen = False
        self._missing = 0
        self._blips = 0

    def read(self) -> Deployment | None:
        """The deployment, or `None` when it cannot be read this time.

        Raises `DeployFailed` when it is gone, or after ten failed reads in a row; `AuthFailed`.
        """
        try:
            deployment = self._api.deployment(*self._ids, retry=False)
        except HttpError as error:
            self._judge(error)
            return None
        self._seen, self._missing, self._blips = True, 0, 0
        return deployment

    def _judge(self, error: HttpError) -> None:
        what = f"Waiting for the deployment {self._ids[1]}"
        if error.status == 404:
            self._missing += 1
            self._blips = 0
            if not self._seen and self._clock.now() < self._fresh_until:
                return
            if self._missing >= GONE or not self._seen:
                raise DeployFailed(
                    f"{what}: it is gone ({error.message})",
                    "Somebody deleted it while this run waited; run again to make a new one.",
                ) from error
            return
        self._blips += 1
        if not error.failure.transient or self._blips >= BLIPS:
            raise explain(error, DeployFailed, f"{what}: its status cannot be read") from error
        if error.failure.hint:
            self._clock.sleep(max(0.0, min(error.failure.hint, self._end - self._clock.now())))


def until_live(
    api: Api, model_id: str, deployment: Deployment, seconds: float, clock: Clock, progress: Progress
) -> Deployment:
    """Wait at most `seconds` until the deployment is live, and return it as it then is.

    Raises `DeployFailed`, `DeployTimeout` (which leaves the deployment as it is) and `AuthFailed`.
    """
    poll = Poll(api, model_id, deployment.id, clock, seconds)
    start = clock.now()
    last_said, status, unhealthy_since, seen = start, "", 0.0, start
    unknown: set[str] = set()
    while True:
        now = clock.now()
        if deployment.status != status:
            status, last_said, unhealthy_since = deployment.status, now, now
            progress.status(status)
            if not is_known(status) and status not in unknown:
                unknown.add(status)
                progress.warn(f"{status!r} is a status that this version does not know; waiting on")
        elif now - last_said >= SILENCE_SECONDS:
            last_said = now
            progress.say(f"Still {status} after {now - start:.0f} s")
        judged = verdict(status, seen - unhealthy_since)
        if judged is Verdict.LIVE:
            return deployment
        if judged is Verdict.FAILED:
            raise DeployFailed(f"The deployment {deployment.id} ended as {status}", failure_remedy(status))
        left = start + seconds - now
        if left <= 0:
            raise DeployTimeout(
                f"The deployment {deployment.id} is {status} and not live after {seconds / 60:g} min",
                "It goes on by itself. Raise `wait-timeout-minutes` (and `deploy-timeout-minutes`), or look at its log "
                "for what takes so long.",
            )
        clock.sleep(min(POLL_SECONDS, left))
        if read := poll.read():
            deployment, seen = read, clock.now()
