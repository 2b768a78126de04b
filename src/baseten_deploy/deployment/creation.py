"""Makes exactly one deployment: a commit is never sent twice blindly.

Where a failure leaves open whether the service acted, the deployment is looked up by the label that only this run
puts on it, adopted if it is there, and sent again only if it is not.
"""

from collections.abc import Callable
from typing import Any

from baseten_deploy.clock import Clock
from baseten_deploy.errors import CommitFailed, CommitUnseen
from baseten_deploy.inputs.settings import DEPLOY_KEY_LABEL
from baseten_deploy.records import dataclass
from baseten_deploy.report.amounts import duration
from baseten_deploy.service.answers import Deployment, Model
from baseten_deploy.service.api import Api
from baseten_deploy.service.http import HttpError
from baseten_deploy.service.model_lookup import Destination
from baseten_deploy.service.remedies import explain
from baseten_deploy.service.retry import ATTEMPTS, Tries

# How long an accepted deployment may take to show up in a list, in seconds between the looks.
LOOKS = (1.0, 2.0, 4.0)


@dataclass(frozen=True)
class Committed:
    """What the commit made."""

    model: Model
    deployment: Deployment
    created_model: bool


class NameTakenError(Exception):
    """Another job created the model of this name meanwhile: nothing was made, look it up and add to it."""


def archive_source(destination: Destination, payload: dict[str, Any], s3_key: str, *, locked: bool) -> dict[str, Any]:
    """The `source` of a commit. `s3_key` is `""` where no archive was needed; `locked` forbids its download."""
    source: dict[str, Any] = {"kind": "model_archive", "deployment": payload}
    if s3_key:
        source["s3_key"] = s3_key
    if not destination.model:
        source |= {"name": destination.name, "disable_archive_download": locked}
    return source


def commit(
    api: Api, destination: Destination, source: dict[str, Any], clock: Clock, say: Callable[[str], None]
) -> Committed:
    """Create the model or add the deployment, once.

    Raises `CommitFailed` after checking that no deployment exists (or saying that it could not be checked),
    `AuthFailed`, and `NameTakenError`.
    """
    key = source.get("deployment", {}).get("labels", {}).get(DEPLOY_KEY_LABEL, "")
    tries, doubt = Tries(clock, api.http.deadline), False
    while True:
        try:
            return _send(api, destination, source)
        except HttpError as error:
            failure = error.failure
            doubt = doubt or failure.ambiguous  # an earlier try may show up late, whatever this one was answered
            if key and (doubt or not failure.refused_unseen):
                say(f"The commit failed ({error.message}); checking whether it took effect")
                found = _look(api, destination, key, clock, error, thorough=doubt)
                if found:
                    say(f"It did: deployment {found.deployment.id} exists")
                    return found
            unsure = not key and failure.ambiguous
            if unsure or not tries.again(failure, lambda seconds: say(_again(seconds, tries.number))):
                if unsure:
                    what = f"{_what(destination)} failed, and whether a model was made is not known"
                    raise explain(error, CommitUnseen, what, _remedy(key)) from error
                checked = " failed, and no deployment was made (checked)" if key else " failed"
                raise explain(error, CommitFailed, _what(destination) + checked, _remedy(key)) from error


def _again(seconds: float, number: int) -> str:
    return f"Sending the commit again in {duration(seconds)} (try {number + 1} of {ATTEMPTS})"


def _send(api: Api, destination: Destination, source: dict[str, Any]) -> Committed:
    if destination.model:
        model, deployment = api.create_deployment(destination.model.id, source)
        return Committed(model, deployment, created_model=False)
    model, deployment = api.create_model(source, destination.team_id)
    return Committed(model, deployment, created_model=True)


def _look(
    api: Api, destination: Destination, key: str, clock: Clock, cause: HttpError, *, thorough: bool
) -> Committed | None:
    """The deployment with this run's key, if there is one. A refusal needs one look, an ambiguous failure three."""
    models: list[Model] = []
    blind: HttpError | None = None
    for pause in LOOKS if thorough else LOOKS[:1]:
        if thorough:
            clock.sleep(pause)
        try:
            models, found = find_committed(api, destination, key)
        except HttpError as error:
            blind = error
        else:
            blind = None
            if found:
                return found
    if blind and thorough:
        raise CommitUnseen(
            f"{_what(destination)}: {cause.message}. Whether a deployment was made could not be checked: "
            f"{blind.message}",
            f"Look for a deployment with the label `{DEPLOY_KEY_LABEL}: {key}` before you run again.",
        ) from blind
    if models and not destination.model:
        raise NameTakenError
    return None  # of a refusal that could not be checked, too: it says itself that nothing was made


def find_committed(api: Api, destination: Destination, key: str) -> tuple[list[Model], Committed | None]:
    """The models that the destination may mean by now, and the deployment with this run's key. Raises `HttpError`."""
    models = [destination.model] if destination.model else api.models_named(destination.name, destination.team_id)
    for model in models:
        for deployment in api.deployments(model.id) if key else ():
            if deployment.labels.get(DEPLOY_KEY_LABEL) == key:
                return models, Committed(model, deployment, created_model=not destination.model)
    return models, None


def _what(destination: Destination) -> str:
    if destination.model:
        return f"Adding a deployment to the model {destination.name!r} ({destination.model.id})"
    return f"Creating the model {destination.name!r}"


def _remedy(key: str) -> str:
    if key:
        return "Correct what the service refuses and run again."
    return "Check on the workspace's models page whether the model was created before you run again."
