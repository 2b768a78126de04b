"""Makes sure, before the push, that the environment is there and has the settings that were asked for."""

from dataclasses import dataclass
from typing import Any

from baseten_deploy.clock import Clock
from baseten_deploy.errors import InvalidInput, Rejected
from baseten_deploy.inputs.environment_settings import applied
from baseten_deploy.inputs.settings import suggestion
from baseten_deploy.run import Run
from baseten_deploy.service.answers import Environment
from baseten_deploy.service.api import Api
from baseten_deploy.service.http import HttpError
from baseten_deploy.service.remedies import failing_as
from baseten_deploy.service.retry import Tries

# It always exists, also on a model that was just made, and cannot be created.
PRODUCTION = "production"
# A change of settings is applied later by the service, normally within seconds.
APPLY_SECONDS = 120.0
POLL_SECONDS = 1.0


@dataclass(frozen=True)
class Target:
    """An environment that this run goes into. `before` is what it was then, `None` when it did not exist."""

    name: str
    before: Environment | None

    @property
    def previous_id(self) -> str:
        """The deployment that it served before, `""` for none."""
        return self.before.current.id if self.before and self.before.current else ""


def find_target(run: Run, model_id: str, name: str) -> Target:
    """Look the environment up; changes nothing. `model_id` is `""` for a model that does not exist yet.

    Raises `InvalidInput` when it is not there and `create-environment` does not allow to create it.
    """
    if not model_id:
        if name == PRODUCTION or run.settings.create_environment:
            return Target(name, None)
        raise InvalidInput(
            f"The environment {name!r} does not exist: the model is new and has only {PRODUCTION!r}",
            "Set `create-environment: true`, or push into `production`.",
        )
    with failing_as(Rejected, f"Looking up the environment {name!r}"):
        existing = {environment.name: environment for environment in run.api.environments(model_id)}
    if name in existing:
        return Target(name, existing[name])
    if name == PRODUCTION or run.settings.create_environment:
        return Target(name, None)
    near = suggestion(name, list(existing), "Did you mean `{}`? ")
    names = ", ".join(sorted(existing)) or "none"
    raise InvalidInput(
        f"The model has no environment {name!r}; it has: {names}",
        f"{near}Correct the name, or set `create-environment: true`.",
    )


def ensure_target(run: Run, model_id: str, target: Target) -> None:
    """Create the environment or update its settings, and wait until that is in force.

    Raises `Rejected` (nothing was uploaded) and `AuthFailed`.
    """
    settings = run.settings.environment_settings or {}
    actual = target.before.settings if target.before else {}
    if target.before is None and target.name != PRODUCTION:
        with failing_as(Rejected, f"Creating the environment {target.name!r}", "Correct `environment-settings`."):
            existing = _create(run.api, model_id, target.name, settings, run.clock)
        run.say(f"Created the environment {target.name!r}")
        actual = existing.settings if existing else settings
    if settings and not applied(settings, actual):
        with failing_as(Rejected, f"Updating the environment {target.name!r}", "Correct `environment-settings`."):
            run.api.update_environment(model_id, target.name, settings)
            _until_applied(run, model_id, target.name, settings)
        run.say(f"Updated the settings of the environment {target.name!r}")


def _create(api: Api, model_id: str, name: str, settings: dict[str, Any], clock: Clock) -> Environment | None:
    """Create it once: after a failure it is looked up, and created again only if it is not there.

    Returns the environment if it was there already: by a try that seemed to fail, or by another job, whose settings
    may be others.
    """
    tries = Tries(clock, api.http.deadline)
    while True:
        try:
            api.create_environment(model_id, name, settings)
        except HttpError as error:
            if not error.failure.refused_unseen and (existing := _existing(api, model_id, name)):
                return existing
            if not tries.again(error.failure):
                raise
        else:
            return None


def _existing(api: Api, model_id: str, name: str) -> Environment | None:
    try:
        return api.environment(model_id, name)
    except HttpError as error:
        if error.status == 404:
            return None
        raise


def _until_applied(run: Run, model_id: str, name: str, settings: dict[str, Any]) -> None:
    end = run.clock.now() + APPLY_SECONDS
    while not applied(settings, run.api.environment(model_id, name).settings):
        if run.clock.now() > end:
            raise Rejected(
                f"The settings of the environment {name!r} were accepted and not applied within {APPLY_SECONDS:g} s",
                "Look at the environment's page; run again when they are, or without `environment-settings`.",
            )
        run.clock.sleep(POLL_SECONDS)


def serving(api: Api, model_id: str) -> dict[str, str]:
    """The deployments that environments serve or that are being promoted into them, each with a reason in words."""
    reasons = {}
    for environment in api.environments(model_id):
        if environment.candidate:
            reasons[environment.candidate.id] = f"is being promoted into {environment.name}"
        if environment.current:
            reasons[environment.current.id] = f"{environment.name} serves it"
    return reasons
