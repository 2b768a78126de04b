"""What is live where a run goes to, and whether it is the same already: for the plan and for `skip-unchanged`.

Looks only. What is live there is what the environment serves, else what the model serves in production, or, for a
development push, the development deployment.
"""

from collections.abc import Sequence

from baseten_deploy.environment.target import Target
from baseten_deploy.inputs.settings import CONTENT_DIGEST_LABEL, TRIGGER_LABEL
from baseten_deploy.records import dataclass
from baseten_deploy.run import Run
from baseten_deploy.service.answers import Deployment, Model
from baseten_deploy.service.api import Api
from baseten_deploy.service.http import HttpError
from baseten_deploy.service.model_lookup import Destination
from baseten_deploy.service.statuses import LIVE


@dataclass(frozen=True)
class Live:
    """A place that a run goes to, in words; the deployment that serves there, and one that is about to replace it."""

    where: str
    deployment: Deployment | None = None
    candidate: Deployment | None = None

    @property
    def digest(self) -> str:
        """The content digest of what serves here, `""` for none: not everything is deployed by this action."""
        return _digest(self.deployment)

    def triggered(self, trigger: str) -> bool:
        """Whether `redeploy-trigger` is another one than that of what serves here; never without one."""
        return bool(trigger) and _trigger(self.deployment) != trigger

    def stays(self, digest: str, trigger: str = "") -> bool:
        """Whether something is live here, and nothing but this content is about to replace it."""
        live, next_one = self.deployment, self.candidate
        return (
            live is not None
            and live.status in LIVE
            and (next_one is None or next_one.id == live.id or _is(next_one, digest, trigger))
        )

    def has(self, digest: str, trigger: str = "") -> bool:
        """Whether this content is live here, and nothing else is on its way."""
        return self.digest == digest and not self.triggered(trigger) and self.stays(digest, trigger)


def _is(deployment: Deployment, digest: str, trigger: str) -> bool:
    return _digest(deployment) == digest and (not trigger or _trigger(deployment) == trigger)


def _trigger(deployment: Deployment | None) -> str:
    label = deployment.labels.get(TRIGGER_LABEL) if deployment else ""
    return label if isinstance(label, str) else ""


def _digest(deployment: Deployment | None) -> str:
    label = deployment.labels.get(CONTENT_DIGEST_LABEL) if deployment else ""
    return label if isinstance(label, str) else ""


def find_live(run: Run, destination: Destination, targets: Sequence[Target]) -> list[Live]:
    """What is live in each place that the run goes to, the first one first; never empty. Raises `HttpError`."""
    model = destination.model
    if targets:
        return [in_environment(run.api, model, target) for target in targets]
    if not run.settings.development:
        return [find_production(run.api, model)]
    found = _look_up(run.api, model, model.development_deployment_id) if model else None
    return [Live("the development slot", found)]


def find_production(api: Api, model: Model | None) -> Live:
    """What a model serves in production. Raises `HttpError`."""
    return Live("production", _look_up(api, model, model.production_deployment_id) if model else None)


def in_environment(api: Api, model: Model | None, target: Target) -> Live:
    """What an environment serves, as it was found. Raises `HttpError`."""
    found = (target.before.current, target.before.candidate) if target.before else (None, None)
    return Live(f"the environment {target.name!r}", *(_with_labels(api, model, each) for each in found))


def _with_labels(api: Api, model: Model | None, deployment: Deployment | None) -> Deployment | None:
    """The deployment, looked up by itself if the answer that it stood in left out its labels, and so its digest."""
    if model is None or deployment is None or deployment.says_labels:
        return deployment
    return _look_up(api, model, deployment.id) or deployment


def _look_up(api: Api, model: Model, deployment_id: str) -> Deployment | None:
    if not deployment_id:
        return None
    try:
        return api.deployment(model.id, deployment_id)
    except HttpError as error:
        if error.status != 404:  # it was deleted meanwhile
            raise
        return None


def unchanged(places: Sequence[Live], digest: str, trigger: str = "") -> Deployment | None:
    """The deployment that makes a run with this content needless, when it is live in every one of the places."""
    return places[0].deployment if all(place.has(digest, trigger) for place in places) else None
