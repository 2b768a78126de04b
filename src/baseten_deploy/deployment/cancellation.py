"""Cancels the promotion that a cancelled run began, so that its deployment can be retired. Nobody else's."""

from collections.abc import Collection

from baseten_deploy.environment.ours import Ours
from baseten_deploy.environment.promotion import FINAL
from baseten_deploy.run import Run
from baseten_deploy.service.answers import Environment, Model
from baseten_deploy.service.api import Api
from baseten_deploy.service.http import HttpError

LOOK_SECONDS = 0.5
# A cancellation that is refused so often is not to be had.
REFUSALS = 3


def cancel_promotions(run: Run, api: Api, model: Model, ids: Collection[str], *, retires: bool = True) -> None:
    """Cancel the promotions of these deployments, and wait until no environment is being given one of them.

    Where the service has no call for it, ours are deactivated, if the run `retires` them. Until the deadline of `api`;
    traffic has to move back first. Raises `HttpError` when it cannot be done.
    """
    if not (api.cancels_promotions or retires):
        run.say("A promotion that was begun goes on: the service has no call that cancels it")
        return
    cancelled: set[str] = set()
    refusals = 0
    while held := _held(api, model, ids):
        for environment in held:
            if environment.name in cancelled:
                continue
            try:
                _end(api, model, environment)
            except HttpError as error:  # it may have ended meanwhile, or be moving back already: look again
                refusals += 1
                if error.status in (401, 403) or refusals >= REFUSALS:
                    raise
            else:
                cancelled.add(environment.name)
                run.say(f"Cancelled the promotion into {environment.name}")
        if run.clock.now() + LOOK_SECONDS >= api.http.deadline:
            run.say(f"{held[0].name} is still being given back what it served")
            return
        run.clock.sleep(LOOK_SECONDS)


def _end(api: Api, model: Model, environment: Environment) -> None:
    """End a promotion: by its call, or by taking out of service what this run made and is going to retire anyway."""
    if api.cancels_promotions or environment.candidate is None:
        api.cancel_promotion(model.id, environment.name)
    else:
        api.deactivate(model.id, environment.candidate.id)


def _held(api: Api, model: Model, ids: Collection[str]) -> list[Environment]:
    """The environments that are being given one of these deployments, or a copy of one."""
    given = [
        row
        for row in api.environments(model.id)
        if row.candidate and not (row.promotion and row.promotion.status in FINAL)
    ]
    if not any(row.candidate and row.candidate.id not in ids for row in given):
        return given
    ours = []
    for deployment_id in sorted(ids):
        try:
            ours.append(Ours(api.deployment(model.id, deployment_id)))
        except HttpError as error:
            if error.status != 404:
                raise
    return [
        row for row in given if row.candidate and (row.candidate.id in ids or any(it.has(row.candidate) for it in ours))
    ]
