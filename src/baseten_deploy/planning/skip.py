"""`skip-unchanged`: whether a deploy would only make again what is live already, and what is said of it then."""

from baseten_deploy.deployment.announcement import announce
from baseten_deploy.deployment.assembly import Draft
from baseten_deploy.deployment.creation import Committed
from baseten_deploy.errors import Problem, Rejected
from baseten_deploy.report.account import State
from baseten_deploy.run import Run
from baseten_deploy.service.answers import Model
from baseten_deploy.service.remedies import failing_as

from .changes import drifted
from .live_deployment import find_live, unchanged
from .why_deployed import why_deployed


def is_live(run: Run, draft: Draft, model: Model) -> bool:
    """Whether one deployment has this content and is live everywhere where the run goes to; says so, with its ids.

    Raises `Rejected` or `AuthFailed` when that cannot be looked up.
    """
    settings = run.settings
    with failing_as(Rejected, "Looking up what is live"):
        places = find_live(run, draft.destination, draft.targets)
    deployment = unchanged(places, draft.digest, settings.trigger)
    if deployment is None:
        run.say(f"Not skipped: {why_deployed(places, draft.digest)}")
        return False
    where = " and ".join(place.where for place in places)
    run.say(f"Unchanged: this content is live already in {where}")
    run.outputs.set("changes", False)
    run.ledger.did_nothing(f"this content is live already in {where}")
    run.ledger.works_on(deployment.id, deployment.name, deployment.status)
    run.ledger.saw(deployment.status, State.LIVE, deployment.environment)
    if settings.promote_to and places[-1].deployment:
        run.ledger.serves(settings.promote_to, places[-1].deployment.id, ours=True)
    if drifted([target for target in draft.targets if target.before], settings.environment_settings):
        run.warn(
            Problem(
                "`environment-settings` differ and are not applied: `skip-unchanged` leaves everything as it is",
                "Run once without `skip-unchanged`.",
            )
        )
    announce(run, Committed(model, deployment, created_model=False), made=False)
    return True
