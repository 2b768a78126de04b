"""A deployment that is about to be made: looked up and put together, with nothing changed yet."""

from dataclasses import dataclass
from typing import Any

from baseten_deploy.archive.digest import content_digest
from baseten_deploy.background import in_background
from baseten_deploy.environment.settings import of_push
from baseten_deploy.environment.target import Target, find_target
from baseten_deploy.inputs.objects import merged
from baseten_deploy.inputs.settings import Mode
from baseten_deploy.run import Run
from baseten_deploy.service.answers import Environment
from baseten_deploy.service.model_lookup import Destination, resolve
from baseten_deploy.storage import upload
from baseten_deploy.truss.directory import Truss

from .payload import deployment_payload, new_deploy_key


@dataclass(frozen=True)
class Draft:
    """A deployment that is about to be made: of what, where, into which environments, and what is sent for it."""

    truss: Truss
    digest: str
    destination: Destination
    targets: list[Target]
    payload: dict[str, Any]

    @property
    def pushed_into(self) -> Environment | None:
        """What it is pushed into, as that is before; `None` for no environment, or one that does not exist yet."""
        name = self.payload.get("environment_name")
        return next((target.before for target in self.targets if target.name == name), None)


def served_before(draft: Draft | None) -> str:
    """The id of what serves where a deployment goes, before that changes: of production where no target is named."""
    if draft is None:
        return ""
    if draft.targets:
        return draft.targets[-1].previous_id
    return draft.destination.model.production_deployment_id if draft.destination.model else ""


def draft_deployment(run: Run, truss: Truss) -> Draft:
    """Look up where the Truss goes, and put together what is sent. Changes nothing."""
    with run.phase("Look up"):
        name = run.settings.model_name or str(truss.config.get("model_name") or "").strip()
        resolving = in_background(lambda: resolve(run.api, run.settings, name))
        digest = content_digest(truss.files)
        run.outputs.set("content-digest", digest)
        destination = resolving.result()
        if run.settings.mode is Mode.DEPLOY:  # not sooner: threads that compute would only be in each other's way
            in_background(upload.preload)
        show_destination(run, destination)
        targets = find_environments(run, destination)
        payload = deployment_payload(
            run.settings, truss, run.origin, deploy_key=new_deploy_key(run.origin), content_digest=digest
        )
        if run.settings.environment:  # `deployment-settings`, already in the payload, have the last word
            payload = merged(of_push(run.settings, targets[0].before), payload)
    return Draft(truss, digest, destination, targets, payload)


def find_environments(run: Run, destination: Destination) -> list[Target]:
    """The environments that this run goes into, looked up before anything is made; writes what `environment` serves."""
    model_id = destination.model.id if destination.model else ""
    names = list(dict.fromkeys(filter(None, (run.settings.environment, run.settings.promote_to))))
    targets = [find_target(run, model_id, name) for name in names]
    if targets and targets[-1].previous_id:
        run.outputs.set("previous-deployment-id", targets[-1].previous_id)
    return targets


def show_destination(run: Run, destination: Destination) -> None:
    """Say and write where the deployment goes, as far as it is known before the commit."""
    run.outputs.set("model-name", destination.name)
    if destination.model:
        run.outputs.set("model-id", destination.model.id)
        run.say(f"New deployment of the model {destination.name!r} ({destination.model.id})")
    else:
        run.say(f"New model {destination.name!r}")
