"""The gated promotion: nothing is promoted before its checks passed, and what fails its check there is rolled back.

What fails its watch is, too: a promotion that is still under way is cancelled, one that is over is promoted back.
"""

from math import inf
from typing import TYPE_CHECKING, Any

from baseten_deploy.checks.smoke_test import ask
from baseten_deploy.deployment import on_failure, replaced
from baseten_deploy.deployment.activation import bring_up
from baseten_deploy.deployment.wait import follow
from baseten_deploy.environment import promotion, settings
from baseten_deploy.environment.ours import Ours
from baseten_deploy.environment.overtaken import overtaken, overtaker
from baseten_deploy.environment.target import Target
from baseten_deploy.environment.withdrawal import withdraw
from baseten_deploy.errors import (
    DeployError,
    DeployTimeout,
    PredictFailed,
    Problem,
    PromotionFailed,
    PromotionUnseen,
    RolledBack,
    WatchFailed,
)
from baseten_deploy.inputs.settings import Mode
from baseten_deploy.run import Run
from baseten_deploy.service.answers import Deployment, Environment, Model
from baseten_deploy.service.http import HttpError
from baseten_deploy.service.model_urls import environment_url
from baseten_deploy.service.polling import UNSEEN_SECONDS
from baseten_deploy.watch.following import Watch

# However long an activation took, the promotion back gets this much of time.
RESTORE_SECONDS = 60.0

if TYPE_CHECKING:
    from baseten_deploy.checks.proof import Proof


def promote(
    run: Run,
    model: Model,
    ours: Ours,
    target: Target,
    payload: Any,
    proof: "Proof | None" = None,
) -> None:
    """Promote a checked deployment, wait until the environment serves it, check it there, and watch it.

    `proof` are the checks that the deployment passed and the environment must pass too. What was served before stays
    warm until then, and is scaled down as the environment says. Raises `PromotionFailed`, `RolledBack` when the
    environment serves again what it served before, `PredictFailed` and `WatchFailed` when it fails there without
    `rollback-on-failure`, and `AuthFailed`.
    """
    run.outputs.set("environment", target.name)
    if target.previous_id:
        run.outputs.set("previous-deployment-id", target.previous_id)
    url = environment_url(run.settings.inference_url, model.id, target.name, regional=run.settings.regional_environment)
    ours.before, served = target.before, target.before
    already = ours.has(target.now.current)
    watch = Watch(run, model, ours).before(target.before)
    try:
        with run.phase(f"Promote into {target.name}"):
            if already:
                run.say(f"{target.name} serves the deployment {ours.deployment.id} already")
                run.outputs.set("promoted-deployment-id", target.previous_id)
            else:
                served = _promote(run, model, ours, target, watch)
    except WatchFailed as error:
        if run.settings.rollback_on_failure and not error.unseen:
            raise take_back(run, model, ours, target, error) from error
        _say_what_stays_up(run, target)
        raise
    run.outputs.set("predict-url", url)
    try:
        _check(run, target, ours, url, payload, proof)
        stays = watch.hold(target.name)
    except (PredictFailed, WatchFailed) as error:
        if run.settings.rollback_on_failure and not error.unseen:
            raise roll_back(run, model, ours, target, served, error) from error
        if not already:
            _say_what_stays_up(run, target)
        raise
    if run.settings.rollback_on_failure and target.previous_id and not already:
        replaced.carry_out(run, model, target.previous_id, settings.strategy(run.settings, served))
    if stays:
        settings.finish(run, model.id, target.name, settings.ALL if already else settings.AFTER_A_PROMOTION)


def _check(run: Run, target: Target, ours: Ours, url: str, payload: Any, proof: "Proof | None") -> None:
    """Ask what the environment serves. Raises `PredictFailed`."""
    if run.settings.rollback_on_failure:
        ask(run, url, payload, target.name)
    if proof and run.settings.wait:
        proof.hold(target.name, url, run.outputs.get("promoted-deployment-id") or ours.deployment.id)


def _promote(run: Run, model: Model, ours: Ours, target: Target, watch: Watch) -> Environment | None:
    """Ask for the promotion and follow it; one that is not finished in time is a failed promotion.

    Returns the environment as it then is, `None` when that was not waited for.
    """
    # Only what this run made can be overtaken before its promotion: `mode: promote` may bring an older one in.
    other = overtaker(target.now, Ours(ours.deployment)) if run.settings.mode is Mode.DEPLOY else None
    if other:
        raise overtaken(run.api, model.id, target.now, ours, other)
    end = run.clock.now() + run.settings.wait_timeout_seconds
    run.api.http.deadline = end
    fields = settings.of_promotion(run.settings, target.before)
    try:
        promotion.start(run.api, model.id, target.name, ours, settings=fields, clock=run.clock, say=run.say)
    except PromotionFailed as error:
        raise _overtaken_now(run, model, ours, target.name) or error from error
    finally:
        on_failure.remember_promotion(run, model, ours)  # by all its ids, for the post step
    if not run.settings.wait:
        run.say("Not waiting for the promotion (`wait: false`)")
        return None
    try:
        return follow(run, model, ours, target.name, started=True, end=end, seen=watch.during)
    except DeployTimeout as error:
        if run.settings.rollback_on_failure and target.previous_id:
            run.warn(
                Problem(
                    f"The promotion goes on and keeps {target.previous_id}, which {target.name!r} served before, up",
                    "Scale it down or deactivate it yourself once the promotion has ended.",
                )
            )
        raise PromotionFailed(error.problems) from error


def _say_what_stays_up(run: Run, target: Target) -> None:
    """What a run kept up to roll back to, and does not: nothing is undone on what it does not know."""
    if run.settings.rollback_on_failure and target.previous_id:
        run.warn(
            Problem(
                f"The deployment {target.previous_id}, which {target.name!r} served before, is still up",
                "Scale it down or deactivate it yourself when it is not needed any more.",
            )
        )


def _overtaken_now(run: Run, model: Model, ours: Ours, name: str) -> PromotionFailed | None:
    """The error of a run that somebody has overtaken, `None` where that is not so or cannot be told."""
    environment = _environment(run, model, name)
    other = overtaker(environment, ours) if environment else None
    return overtaken(run.api, model.id, environment, ours, other) if environment and other else None


def _environment(run: Run, model: Model, name: str) -> Environment | None:
    """The environment as it is now, `None` where that cannot be told."""
    try:
        return run.api.environment(model.id, name)
    except HttpError:
        return None


def take_back(run: Run, model: Model, ours: Ours, target: Target, cause: DeployError) -> DeployError:
    """Cancel the promotion that is under way, and return the error that the run ends with."""
    problem = cause.problems[0].message
    end = run.clock.now() + max(run.settings.wait_timeout_seconds, RESTORE_SECONDS)
    try:
        with run.phase(f"Cancel the promotion into {target.name}"):
            back = withdraw(
                run.api, model.id, target.name, ours, end=end, clock=run.clock, say=run.say, warn=run.warn_text
            )
    except DeployError as error:
        kind = PromotionUnseen if error.unseen else PromotionFailed
        return kind(
            f"{problem}. Cancelling the promotion into {target.name!r} failed too: {error.problems[0].message}",
            f"{target.name!r} may come to serve {ours.deployment.id}: cancel the promotion on its page.",
        )
    if not back:  # it was over in the same moment
        return roll_back(run, model, ours, target, _environment(run, model, target.name), cause)
    run.outputs.set("promoted-deployment-id", "")
    serves = f"the previous deployment {target.previous_id}" if target.previous_id else "nothing, as before"
    return RolledBack(
        f"{problem}. The promotion was cancelled: {target.name!r} serves {serves}", "Correct the model and run again."
    )


def roll_back(
    run: Run, model: Model, ours: Ours, target: Target, served: Environment | None, cause: DeployError
) -> DeployError:
    """Promote what was there before instead of what is `served` now, and return the error that the run ends with."""
    failed = run.outputs.get("promoted-deployment-id") or ours.deployment.id
    problem = cause.problems[0].message
    previous = target.now.current
    run.allow_retries()  # a watch took its time
    if gone := _overtaken_now(run, model, ours, target.name):  # what somebody else put there is not ours to take back
        return PromotionFailed(f"{problem}. Not rolled back: {gone.problems[0].message}", gone.problems[0].remedy)
    if previous is None or ours.has(previous):
        return PromotionFailed(
            f"{problem}. {target.name!r} serves {failed}, and there is no earlier deployment to roll back to",
            "Promote a deployment that works by hand, or correct the model and run again.",
        )
    try:
        with run.phase(f"Roll {target.name} back to {previous.id}"):
            _restore(run, model, target, previous, served)
    except DeployError as error:
        kind = PromotionUnseen if error.unseen else PromotionFailed
        return kind(
            f"{problem}. Rolling {target.name!r} back to {previous.id} failed too: {error.problems[0].message}",
            f"{target.name!r} may still serve {failed}: promote {previous.id} by hand.",
        )
    run.outputs.set("promoted-deployment-id", "")
    return RolledBack(
        f"{problem}. {target.name!r} serves the previous deployment {previous.id} again instead of {failed}",
        "Correct the model and run again.",
    )


def _restore(run: Run, model: Model, target: Target, previous: Deployment, served: Environment | None) -> None:
    """Promote what was served before, which may have to be activated first, with the settings that there were."""
    end = run.clock.now() + run.settings.wait_timeout_seconds
    again = Ours(bring_up(run, model, previous.id, end=end), before=served)
    end = max(end, run.clock.now() + RESTORE_SECONDS)
    fields = settings.of_roll_back(run.settings, target.before, served)
    # What is served does not work: no outage is too long for one more try, as long as any wait goes on in one.
    run.api.http.deadline = min(end, run.clock.now() + UNSEEN_SECONDS)
    promotion.start(run.api, model.id, target.name, again, settings=fields, clock=run.clock, say=run.say, most=inf)
    run.api.http.deadline = end
    promotion.until_served(
        run.api,
        model.id,
        target.name,
        again,
        started=True,
        end=end,
        clock=run.clock,
        say=run.say,
        warn=run.warn_text,
    )
