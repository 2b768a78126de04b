"""Waits until a deployment is live, with its log, and until its environment serves it; says how it gets there.

What a status means is `states`, what an environment's state means is `environment.promotion`; here they are polled, and
a blip never fails a run.
"""

from collections.abc import Callable
from dataclasses import dataclass

from baseten_deploy.ci.heartbeat import SILENCE_SECONDS
from baseten_deploy.clock import Clock
from baseten_deploy.environment import promotion
from baseten_deploy.environment.promotion import Ours
from baseten_deploy.errors import DeployFailed, DeployTimeout
from baseten_deploy.run import Run
from baseten_deploy.service.answers import Deployment, Environment, Model
from baseten_deploy.service.api import Api
from baseten_deploy.service.http import HttpError
from baseten_deploy.service.remedies import explain

from .log_stream import LogReader, LogStream
from .retrying import live_in_the_end, promote_again
from .states import Verdict, failure_remedy, is_known, verdict

POLL_SECONDS = 1.0
# A deployment that was just made may not be visible yet.
FRESH_SECONDS = 30.0
# This many failed polls in a row are no blip.
BLIPS = 10
# This many 404s in a row of a deployment that was seen before: it is gone.
GONE = 3
# Log lines from this long before the commit are asked for too: the runner's clock may be ahead of the service's.
CLOCK_SKEW_MILLIS = 60_000


def wait(run: Run, model: Model, ours: Ours, environment: str = "") -> None:
    """Wait until the deployment is live, with its log, and until `environment` (if any) serves it."""
    start = run.clock.now()
    end = start + run.settings.wait_timeout_seconds
    run.api.http.deadline = end

    def changed(status: str) -> None:
        run.outputs.set("deployment-status", status)
        run.say(f"{status} after {run.clock.now() - start:.0f} s")

    def left() -> float:
        return max(0.0, round(end - run.clock.now(), 1))  # as people read it

    def until() -> None:
        progress = Progress(changed, run.say, run.warn_text)
        retried = live_in_the_end(
            run,
            model,
            ours.deployment,
            lambda each: until_live(run.api, model.id, each, left(), run.clock, progress),
        )
        if environment and retried:
            promote_again(run, model, ours, environment)
        if environment:
            follow(run, model, ours, environment, started=False, end=end)

    with run.phase(f"Wait until {environment} serves it" if environment else "Wait until it is live"):
        if run.settings.stream_logs:
            run.log = open_log(run, model, ours.deployment)
            with run.log.following():
                until()
        else:
            until()
    seconds = run.clock.now() - start
    run.outputs.set("deploy-time-seconds", f"{seconds:.1f}")
    run.say(f"Live after {seconds:.1f} s")


def open_log(run: Run, model: Model, deployment: Deployment) -> LogStream:
    """The deployment's log from about now on."""
    reader = LogReader(
        lambda since, limit: run.api.logs(model.id, deployment.id, since, limit),
        run.clock.epoch_millis() - CLOCK_SKEW_MILLIS,
    )
    return LogStream(reader, run.runner.foreign)


def follow(run: Run, model: Model, ours: Ours, environment: str, *, started: bool, end: float) -> Environment:
    """Wait until the environment serves ours; write the id by which it does, and return the environment."""
    served = promotion.until_served(
        run.api, model.id, environment, ours, started=started, end=end, clock=run.clock, say=run.say
    )
    if served.current:
        run.outputs.set("promoted-deployment-id", served.current.id)
        run.say(f"{environment} serves the deployment {served.current.id}")
    return served


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
