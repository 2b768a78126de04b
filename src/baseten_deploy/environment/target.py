"""Makes sure, before the push, that the environment is there. How it gets its settings is `settings`."""

from typing import Any

from baseten_deploy.clock import Clock
from baseten_deploy.errors import InvalidInput, PromotionFailed, Rejected
from baseten_deploy.inputs.settings import suggestion
from baseten_deploy.records import dataclass
from baseten_deploy.report.account import Serving
from baseten_deploy.run import Run
from baseten_deploy.service.answers import Environment
from baseten_deploy.service.api import Api
from baseten_deploy.service.http import HttpError
from baseten_deploy.service.remedies import failing_as
from baseten_deploy.service.retry import Tries

from . import chain_settings
from .settings import WITH_A_CREATION

# It always exists, also on a model that was just made, and cannot be created.
PRODUCTION = "production"


@dataclass(frozen=True)
class Target:
    """An environment that this run goes into. `before` is what it was then, `None` when it did not exist."""

    name: str
    before: Environment | None

    @property
    def previous_id(self) -> str:
        """The deployment that it served before, `""` for none."""
        return self.before.current.id if self.before and self.before.current else ""

    @property
    def now(self) -> Environment:
        """The environment as it was found."""
        return self.before or Environment(self.name)


def find_target(run: Run, model_id: str, name: str) -> Target:
    """Look the environment up; changes nothing. `model_id` is `""` for a model that does not exist yet.

    Raises `InvalidInput` when it is not there and `create-environment` does not allow to create it.
    """
    if not model_id:
        run.ledger.goes_into(name, Serving(known=True))
        if name == PRODUCTION or run.settings.create_environment:
            return Target(name, None)
        raise InvalidInput(
            f"The environment {name!r} does not exist: the {_what(run)} is new and has only {PRODUCTION!r}",
            "Set `create-environment: true`, or push into `production`.",
        )
    with failing_as(Rejected, f"Looking up the environment {name!r}"):
        existing = {environment.name: environment for environment in run.api.environments(model_id)}
    if name in existing:
        target = Target(name, existing[name])
        run.ledger.goes_into(name, Serving(True, target.previous_id))
        return target
    if name == PRODUCTION or run.settings.create_environment:
        run.ledger.goes_into(name, Serving(known=True))
        return Target(name, None)
    near = suggestion(name, list(existing), "Did you mean `{}`? ")
    names = ", ".join(sorted(existing)) or "none"
    raise InvalidInput(
        f"The {_what(run)} has no environment {name!r}; it has: {names}",
        f"{near}Correct the name, or set `create-environment: true`.",
    )


def _what(run: Run) -> str:
    return "Chain" if run.settings.is_chain else "model"


def existing_target(run: Run, model_id: str, name: str) -> Target:
    """As `find_target`, of an environment that must exist: one that would have to be made has served nothing."""
    target = find_target(run, model_id, name)
    if target.before is None:
        raise InvalidInput(f"The {_what(run)} has no environment {name!r} yet", "Correct `environment`.")
    return target


def ensure_target(run: Run, model_id: str, target: Target) -> None:
    """Create the environment when it is missing. One that is there is left as it is: its settings come with the push.

    Raises `Rejected` (nothing was uploaded) and `AuthFailed`.
    """
    if target.before is not None or target.name == PRODUCTION:
        return
    wanted = run.settings.environment_settings or {}
    groups = chain_settings.GROUPS if run.settings.is_chain else WITH_A_CREATION
    settings = {name: wanted[name] for name in groups if wanted.get(name)}
    with failing_as(Rejected, f"Creating the environment {target.name!r}", "Correct `environment-settings`."):
        existing = _create(run.api, model_id, target.name, settings, run.clock)
    if not existing:
        run.ledger.environment_made(target.name)
    run.say(f"{'Another job created' if existing else 'Created'} the environment {target.name!r}")


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


def serving(api: Api, model_id: str) -> dict[str, str]:
    """The deployments that environments serve or that are being promoted into them, each with a reason in words."""
    reasons = {}
    for environment in api.environments(model_id):
        if environment.candidate:
            reasons[environment.candidate.id] = f"is being promoted into {environment.name}"
        if environment.current:
            reasons[environment.current.id] = f"{environment.name} serves it"
    return reasons


def target_of_promotion(run: Run, model_id: str, name: str) -> Target:
    """The environment to promote into, as it is right before that; created now when the model was new."""
    run.allow_retries()
    try:
        target = find_target(run, model_id, name)
        if target.before is None:
            ensure_target(run, model_id, target)
    except (InvalidInput, Rejected) as error:  # past the point where nothing was made
        raise PromotionFailed(error.problems) from error
    return target
