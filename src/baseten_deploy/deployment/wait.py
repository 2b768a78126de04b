"""Waits until a deployment is live, with its log, and until its environment serves it; says how it gets there.

What a status means is `states`, what an environment's state means is `environment.promotion`; how often they are read,
and what a read means that fails, is `service.polling`.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from baseten_deploy.ci.heartbeat import SILENCE_SECONDS
from baseten_deploy.clock import Clock
from baseten_deploy.environment import promotion
from baseten_deploy.environment.ours import Ours
from baseten_deploy.environment.overtaken import Lookout
from baseten_deploy.errors import DeployFailed, DeployTimeout, DeployUnseen
from baseten_deploy.inputs.settings import Mode
from baseten_deploy.records import dataclass
from baseten_deploy.report.account import State
from baseten_deploy.report.amounts import duration
from baseten_deploy.run import Run
from baseten_deploy.service.answers import Deployment, Environment, Model
from baseten_deploy.service.api import Api
from baseten_deploy.service.http import HttpError
from baseten_deploy.service.polling import Reads, Rhythm, UnseenError
from baseten_deploy.service.remedies import explain

from .log_stream import LogReader, LogStream
from .retrying import live_in_the_end, promote_again
from .states import Verdict, failed_chainlets, failure_remedy, is_known, verdict, waiting_chainlets

# A deployment that was just made may not be visible yet.
FRESH_SECONDS = 30.0
# This many 404s in a row of a deployment that was seen before: it is gone.
GONE = 3
# Log lines from this long before are asked for too: the clocks of a service differ, too.
CLOCK_SKEW_MILLIS = 60_000

Seen = Callable[[Environment], None]


def wait(run: Run, model: Model, ours: Ours, environment: str = "", seen: Seen = lambda _: None) -> None:
    """Wait until the deployment is live, with its log, and until `environment` (if any) serves it.

    `seen` gets each look at the environment on its way there, and ends the wait by what it raises.
    """
    start = run.clock.now()
    end = start + run.settings.wait_timeout_seconds
    run.api.http.deadline = end

    def changed(status: str) -> None:
        run.ledger.saw(status, state_of(status))
        run.say(f"{status} after {duration(run.clock.now() - start)}")

    rhythm = Rhythm(run.clock)

    def left() -> float:
        return max(0.0, round(end - run.clock.now(), 1))  # as people read it

    lookout = Lookout(run.api, model.id, environment, ours, run.clock)
    glance = lookout.glance if environment else lambda: None

    def is_live(live: Deployment) -> None:
        run.ledger.saw(live.status, State.LIVE, live.environment)

    def until() -> None:
        progress = Progress(changed, run.say, run.warn_text)
        retried = live_in_the_end(
            run,
            model,
            ours.deployment,
            lambda each: is_live(until_live(run.api, model.id, each, left(), run.clock, progress, rhythm, glance)),
        )
        if environment and retried:
            promote_again(run, model, ours, environment)
        if environment:
            follow(run, model, ours, environment, started=False, end=end, seen=seen)

    with telling(run), run.phase(f"Wait until {environment} serves it" if environment else "Wait until it is live"):
        if run.settings.stream_logs:
            run.log = open_log(run, model, ours.deployment, rhythm)
            with run.log.following():
                until()
        else:
            until()
    seconds = run.clock.now() - start
    run.outputs.set("deploy-time-seconds", f"{seconds:.1f}")
    run.say(f"Live after {duration(seconds)}")


@contextmanager
def telling(run: Run) -> Iterator[None]:
    """Note what the end of a wait says about the deployment."""
    try:
        yield
    except DeployUnseen:
        run.ledger.lost_sight()
        raise
    except DeployTimeout:
        raise
    except DeployFailed:
        run.ledger.failed()
        raise


def state_of(status: str) -> State:
    """What a status that was just seen says of a deployment."""
    judged = verdict(status, 0.0)
    return {Verdict.LIVE: State.LIVE, Verdict.FAILED: State.FAILED}.get(judged, State.GOES_ON)


def open_log(run: Run, model: Model, deployment: Deployment, rhythm: Rhythm) -> LogStream:
    """The deployment's log: of one that this run made from its beginning, else from about now on.

    The runner's clock may be wrong by a day, so a beginning is told by the service's own.
    """
    made = epoch_millis(deployment.created_at) if run.settings.mode is Mode.DEPLOY else None
    reader = LogReader(
        lambda since, limit: run.api.logs(model.id, deployment.id, since, limit),
        (run.clock.epoch_millis() if made is None else made) - CLOCK_SKEW_MILLIS,
    )
    return LogStream(reader, run.runner.foreign, rhythm.log_pause)


def epoch_millis(timestamp: str) -> int | None:
    """Milliseconds since 1970 of a time of the service (ISO 8601), `None` where it is none."""
    try:
        moment = datetime.fromisoformat(timestamp)
    except ValueError:
        return None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def follow(
    run: Run,
    model: Model,
    ours: Ours,
    environment: str,
    *,
    started: bool,
    end: float,
    seen: Seen = lambda _: None,
) -> Environment:
    """Wait until the environment serves ours; write the id by which it does, and return the environment."""
    served = promotion.until_served(
        run.api,
        model.id,
        environment,
        ours,
        started=started,
        end=end,
        clock=run.clock,
        say=run.say,
        warn=run.warn_text,
        seen=seen,
    )
    if served.current:
        run.ledger.serves(environment, served.current.id, ours=True)
        run.say(f"{environment} serves the deployment {served.current.id}")
    return served


@dataclass
class Progress:
    """Who is told: each new status, lines for people, and one warning for an unknown status."""

    status: Callable[[str], None]
    say: Callable[[str], None]
    warn: Callable[[str], None]


def until_live(
    api: Api,
    model_id: str,
    deployment: Deployment,
    seconds: float,
    clock: Clock,
    progress: Progress,
    rhythm: Rhythm | None = None,
    glance: Callable[[], None] = lambda: None,
) -> Deployment:
    """Wait at most `seconds` until the deployment is live, and return it as it then is.

    `glance` is called after each look, and ends the wait by what it raises.

    Raises `DeployFailed` when it failed or is gone, `DeployTimeout` and `DeployUnseen` (both leave the deployment as it
    is), and `AuthFailed`.
    """
    rhythm = rhythm or Rhythm(clock)
    course = _Course(deployment, clock, progress, rhythm)
    end = clock.now() + seconds
    reads = Reads(
        lambda seconds: api.deployment(model_id, deployment.id, retry=False, seconds=seconds), clock, end, progress.warn
    )
    while not course.is_live():
        left = end - clock.now()
        if left <= 0:
            if nothing := reads.unseen():
                raise unknown(deployment.id, nothing)
            waits = waiting_chainlets(course.deployment)
            raise DeployTimeout(
                f"The deployment {deployment.id} is {course.deployment.status} and not live after {duration(seconds)}"
                f"{f': {waits}' if waits else ''}",
                "It goes on by itself. Raise `wait-timeout-minutes` (and `deploy-timeout-minutes`), or look at its log "
                "for what takes so long.",
            )
        clock.sleep(min(rhythm.pause(), left))
        try:
            course.take(reads.look(), missing=reads.missing)
            glance()
        except UnseenError as nothing:
            raise unknown(deployment.id, nothing) from nothing
        except HttpError as error:
            raise explain(error, DeployFailed, f"Waiting for the deployment {deployment.id}") from error
    return course.deployment


class _Course:
    """What was seen of one deployment so far, look by look."""

    def __init__(self, deployment: Deployment, clock: Clock, progress: Progress, rhythm: Rhythm) -> None:
        self.deployment = deployment
        self._clock = clock
        self._progress = progress
        self._rhythm = rhythm
        self._start = self._said_at = self._seen_at = self._unhealthy_since = clock.now()
        self._was_there = False
        self._status = ""
        self._unknown: set[str] = set()

    def take(self, read: Deployment | None, *, missing: int) -> None:
        """Take in one look, which may have seen nothing. Raises `DeployFailed` when the deployment is gone."""
        if read:
            self._was_there, self.deployment, self._seen_at = True, read, self._clock.now()
        elif missing >= GONE and (self._was_there or self._clock.now() - self._start >= FRESH_SECONDS):
            raise DeployFailed(
                f"Waiting for the deployment {self.deployment.id}: it is gone (the service knows no such deployment)",
                "Somebody deleted it while this run waited; run again to make a new one.",
            )

    def is_live(self) -> bool:
        """Judge what was seen last, and tell what is new. Raises `DeployFailed`."""
        status = self.deployment.status
        self._tell(status)
        judged = verdict(status, self._seen_at - self._unhealthy_since)
        if judged is Verdict.FAILED:
            blamed = failed_chainlets(self.deployment)
            message = f"The deployment {self.deployment.id} ended as {status}{f': {blamed}' if blamed else ''}"
            raise DeployFailed(message, failure_remedy(status))
        return judged is Verdict.LIVE

    def _tell(self, status: str) -> None:
        now = self._clock.now()
        if status != self._status:
            self._status, self._said_at, self._unhealthy_since = status, now, now
            self._rhythm.moved()
            self._progress.status(status)
            if not is_known(status) and status not in self._unknown:
                self._unknown.add(status)
                self._progress.warn(f"{status!r} is a status that this version does not know; waiting on")
        elif now - self._said_at >= SILENCE_SECONDS:
            self._said_at = now
            self._progress.say(f"Still {status} after {duration(now - self._start)}")


def unknown(deployment_id: str, nothing: UnseenError) -> DeployUnseen:
    """The error of a wait that could not see the deployment for too long."""
    return DeployUnseen(
        f"The state of the deployment {deployment_id} is unknown: {nothing}",
        "It goes on by itself, and nothing was done to it: look at its page, and at https://status.baseten.co. Run "
        "again when the service answers.",
    )
