"""What becomes of a deployment that a promotion kept warm, once the checks of its successor have passed.

With `rollback-on-failure` the service is asked to keep it, so the environment's own clean-up strategy is ours to carry
out. That it fails is a warning: what the environment serves is checked and live.
"""

from baseten_deploy.environment.target import serving
from baseten_deploy.errors import Problem
from baseten_deploy.run import Run
from baseten_deploy.service.answers import Model
from baseten_deploy.service.http import HttpError
from baseten_deploy.service.statuses import LIVE


def carry_out(run: Run, model: Model, deployment_id: str, strategy: str) -> None:
    """Do with the replaced deployment what `strategy` says: KEEP, SCALE_TO_ZERO or DEACTIVATE.

    One that an environment serves, or that is not live, is left alone.
    """
    if strategy == "KEEP":
        return
    run.allow_retries()
    try:
        if reason := serving(run.api, model.id).get(deployment_id):
            run.say(f"The deployment {deployment_id} stays: {reason}")
        elif run.api.deployment(model.id, deployment_id).status not in LIVE:
            run.say(f"The deployment {deployment_id} is not live any more")
        elif strategy == "DEACTIVATE":
            run.api.deactivate(model.id, deployment_id)
            run.say(f"The deployment {deployment_id}, which was served before, is deactivated")
        elif strategy == "SCALE_TO_ZERO":
            run.api.update_autoscaling(model.id, deployment_id, {"min_replica": 0})
            run.say(f"The deployment {deployment_id}, which was served before, scales down to zero")
        else:
            _stays(run, deployment_id, f"{strategy!r} is a clean-up strategy that this version does not know")
    except HttpError as error:
        if error.status != 404:  # deleted meanwhile: nothing is left to scale down
            _stays(run, deployment_id, error.message)


def _stays(run: Run, deployment_id: str, reason: str) -> None:
    run.warn(
        Problem(
            f"The deployment {deployment_id}, which was served before, could not be scaled down: {reason}",
            "It still runs: scale it down or deactivate it yourself.",
        )
    )
