"""Brings a deployment back that was deactivated, so that it can be checked and promoted."""

from baseten_deploy.errors import DeployFailed
from baseten_deploy.run import Run
from baseten_deploy.service.answers import Deployment, Model
from baseten_deploy.service.http import HttpError
from baseten_deploy.service.polling import UNSEEN_SECONDS, Reads, Rhythm, UnseenError
from baseten_deploy.service.remedies import explain, failing_as

from .retirement import RESTING
from .wait import Progress, unknown, until_live

# How long a deployment may take to be inactive, and an activation to show.
SETTLE_SECONDS = 60.0


def bring_up(run: Run, model: Model, deployment_id: str, *, end: float) -> Deployment:
    """The deployment, live: activated if it rests, and waited for at most until `end` (of `clock.now()`).

    One that does not rest is left as it is. Raises `DeployFailed`, `DeployTimeout`, `DeployUnseen` and `AuthFailed`.
    """
    run.allow_retries()
    deployment = _seen(run, model, deployment_id, end)
    if deployment.status not in RESTING:
        return deployment
    deployment = _settled(run, model, deployment, frozenset({"DEACTIVATING"}))
    run.say(f"The deployment {deployment_id} is {deployment.status}; activating it")
    _activate(run, model, deployment_id, end)
    deployment = _settled(run, model, deployment, RESTING)
    progress = Progress(lambda status: run.say(f"{deployment_id}: {status}"), run.say, run.warn_text)
    seconds = max(0.0, end - run.clock.now())
    live = until_live(run.api, model.id, deployment, seconds, run.clock, progress)
    run.allow_retries()
    return live


def _activate(run: Run, model: Model, deployment_id: str, end: float) -> None:
    """Ask for it; after an outage once more, unless a look says that it took effect."""
    give_up = min(end, run.clock.now() + UNSEEN_SECONDS)
    while True:
        try:
            run.api.activate(model.id, deployment_id)
        except HttpError as error:
            if not error.failure.transient or run.clock.now() >= give_up:
                what = f"Activating the deployment {deployment_id}"
                remedy = "Activate it on its page, or deploy this version again."
                raise explain(error, DeployFailed, what, remedy) from error
            if _seen(run, model, deployment_id, end).status not in RESTING:
                return
            run.allow_retries()
        else:
            return


def _seen(run: Run, model: Model, deployment_id: str, end: float) -> Deployment:
    """The deployment as it is now, or as it is once it can be seen again."""
    reads = _reads(run, model, deployment_id, end)
    with failing_as(DeployFailed, f"Looking up the deployment {deployment_id}"):
        while True:
            try:
                found = reads.look()
            except UnseenError as nothing:
                raise unknown(deployment_id, nothing) from nothing
            if found:
                return found
            if reads.missing:
                return run.api.deployment(model.id, deployment_id)  # which says why there is none
            if run.clock.now() >= end and (nothing_seen := reads.unseen()):
                raise unknown(deployment_id, nothing_seen)


def _settled(run: Run, model: Model, deployment: Deployment, leaving: frozenset[str]) -> Deployment:
    """The deployment once its status is none of `leaving`, or after a minute as it then is."""
    until = run.clock.now() + SETTLE_SECONDS
    rhythm = Rhythm(run.clock)
    reads = _reads(run, model, deployment.id, until)
    while True:
        with failing_as(DeployFailed, f"Looking up the deployment {deployment.id}"):
            deployment = reads.look() or deployment
        if deployment.status not in leaving or run.clock.now() >= until:
            return deployment
        run.clock.sleep(rhythm.pause())


def _reads(run: Run, model: Model, deployment_id: str, end: float) -> Reads[Deployment]:
    return Reads(
        lambda seconds: run.api.deployment(model.id, deployment_id, retry=False, seconds=seconds),
        run.clock,
        end,
        run.warn_text,
    )
