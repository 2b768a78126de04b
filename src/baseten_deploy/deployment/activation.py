"""Brings a deployment back that was deactivated, so that it can be checked and promoted."""

from baseten_deploy.errors import DeployFailed
from baseten_deploy.run import Run
from baseten_deploy.service.answers import Deployment, Model
from baseten_deploy.service.http import HttpError
from baseten_deploy.service.polling import Reads, Rhythm
from baseten_deploy.service.remedies import explain, failing_as

from .retirement import RESTING
from .wait import Progress, until_live

# How long a deployment may take to be inactive, and an activation to show.
SETTLE_SECONDS = 60.0


def bring_up(run: Run, model: Model, deployment_id: str, *, end: float) -> Deployment:
    """The deployment, live: activated if it rests, and waited for at most until `end` (of `clock.now()`).

    One that does not rest is left as it is. Raises `DeployFailed`, `DeployTimeout` and `AuthFailed`.
    """
    run.allow_retries()
    with failing_as(DeployFailed, f"Looking up the deployment {deployment_id}"):
        deployment = run.api.deployment(model.id, deployment_id)
    if deployment.status not in RESTING:
        return deployment
    deployment = _settled(run, model, deployment, frozenset({"DEACTIVATING"}))
    run.say(f"The deployment {deployment_id} is {deployment.status}; activating it")
    try:
        run.api.activate(model.id, deployment_id)
    except HttpError as error:
        what = f"Activating the deployment {deployment_id}"
        raise explain(error, DeployFailed, what, "Activate it on its page, or deploy this version again.") from error
    deployment = _settled(run, model, deployment, RESTING)
    progress = Progress(lambda status: run.say(f"{deployment_id}: {status}"), run.say, run.warn_text)
    seconds = max(0.0, end - run.clock.now())
    live = until_live(run.api, model.id, deployment, seconds, run.clock, progress)
    run.allow_retries()
    return live


def _settled(run: Run, model: Model, deployment: Deployment, leaving: frozenset[str]) -> Deployment:
    """The deployment once its status is none of `leaving`, or after a minute as it then is."""
    until = run.clock.now() + SETTLE_SECONDS
    rhythm = Rhythm(run.clock)
    reads = Reads(
        lambda seconds: run.api.deployment(model.id, deployment.id, retry=False, seconds=seconds),
        run.clock,
        until,
        run.warn_text,
    )
    while True:
        with failing_as(DeployFailed, f"Looking up the deployment {deployment.id}"):
            deployment = reads.look() or deployment
        if deployment.status not in leaving or run.clock.now() >= until:
            return deployment
        run.clock.sleep(rhythm.pause())
