"""The gated promotion: nothing is promoted before its checks passed, and what fails its check there is rolled back."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from baseten_deploy.checks.smoke_test import ask
from baseten_deploy.deployment.wait import follow
from baseten_deploy.environment import promotion
from baseten_deploy.environment.promotion import Ours
from baseten_deploy.environment.target import Target
from baseten_deploy.errors import DeployError, DeployTimeout, PredictFailed, PromotionFailed, RolledBack
from baseten_deploy.run import Run
from baseten_deploy.service.answers import Environment, Model
from baseten_deploy.service.api import Api
from baseten_deploy.service.endpoints import environment_url

if TYPE_CHECKING:
    from baseten_deploy.checks.proof import Proof


def promote(
    run: Run,
    model: Model,
    ours: Ours,
    target: Target,
    payload: Any,
    *,
    update: Mapping[str, Any] | None = None,
    proof: "Proof | None" = None,
) -> None:
    """Promote a checked deployment, wait until the environment serves it, and check it there.

    `update` are settings that the environment takes over with the promotion; `proof` are the checks that the deployment
    passed and the environment must pass too. Raises `PromotionFailed`, `RolledBack` when the environment serves again
    what it served before, `PredictFailed` when a check fails there without `rollback-on-failure`, and `AuthFailed`.
    """
    run.outputs.set("environment", target.name)
    if target.previous_id:
        run.outputs.set("previous-deployment-id", target.previous_id)
    url = environment_url(run.settings.inference_url, model.id, target.name, regional=run.settings.regional_environment)
    ours.before, served = target.before, target.before
    with run.phase(f"Promote into {target.name}"):
        if ours.has(target.before.current if target.before else None):
            run.say(f"{target.name} serves the deployment {ours.deployment.id} already")
            run.outputs.set("promoted-deployment-id", target.previous_id)
        else:
            extra = {"environment_settings_update": update} if update else {}
            served = _promote(run, model, ours, target.name, extra)
    run.outputs.set("predict-url", url)
    try:
        if run.settings.rollback_on_failure:
            ask(run, url, payload)
        if proof and run.settings.wait:
            proof.hold(target.name, url, run.outputs.get("promoted-deployment-id") or ours.deployment.id)
    except PredictFailed as error:
        if run.settings.rollback_on_failure:
            raise roll_back(run, model, ours, target, served, error) from error
        raise


def _promote(run: Run, model: Model, ours: Ours, name: str, extra: Mapping[str, Any]) -> Environment | None:
    """Ask for the promotion and follow it; one that is not finished in time is a failed promotion.

    Returns the environment as it then is, `None` when that was not waited for.
    """
    end = run.clock.now() + run.settings.wait_timeout_seconds
    run.api.http.deadline = end
    settings = {"preserve_env_instance_type": run.settings.preserve_env_instance_type, **extra}
    promotion.start(run.api, model.id, name, ours, settings=settings, clock=run.clock, say=run.say)
    if not run.settings.wait:
        run.say("Not waiting for the promotion (`wait: false`)")
        return None
    try:
        return follow(run, model, ours, name, started=True, end=end)
    except DeployTimeout as error:
        raise PromotionFailed(error.problems) from error


def roll_back(
    run: Run, model: Model, ours: Ours, target: Target, served: Environment | None, cause: DeployError
) -> DeployError:
    """Promote what was there before instead of what is `served` now, and return the error that the run ends with."""
    failed = run.outputs.get("promoted-deployment-id") or ours.deployment.id
    problem = cause.problems[0].message
    previous = target.before.current if target.before else None
    if previous is None or ours.has(previous):
        return PromotionFailed(
            f"{problem}. {target.name!r} serves {failed}, and there is no earlier deployment to roll back to",
            "Promote a deployment that works by hand, or correct the model and run again.",
        )
    try:
        with run.phase(f"Roll {target.name} back to {previous.id}"):
            _restore(run, run.api, model, target.name, Ours(previous, before=served))
    except DeployError as error:
        return PromotionFailed(
            f"{problem}. Rolling {target.name!r} back to {previous.id} failed too: {error.problems[0].message}",
            f"{target.name!r} may still serve {failed}: promote {previous.id} by hand.",
        )
    return RolledBack(
        f"{problem}. {target.name!r} serves the previous deployment {previous.id} again instead of {failed}",
        "Correct the model and run again.",
    )


def _restore(run: Run, api: Api, model: Model, name: str, again: Ours) -> None:
    end = run.clock.now() + run.settings.wait_timeout_seconds
    api.http.deadline = end
    settings = {"preserve_env_instance_type": run.settings.preserve_env_instance_type}
    promotion.start(api, model.id, name, again, settings=settings, clock=run.clock, say=run.say)
    promotion.until_served(api, model.id, name, again, started=True, end=end, clock=run.clock, say=run.say)
