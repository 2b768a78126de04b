"""The model and the deployment that a run works with and does not make: both must exist."""

from baseten_deploy.errors import InvalidInput, Rejected
from baseten_deploy.run import Run
from baseten_deploy.service.answers import Deployment, Model
from baseten_deploy.service.http import HttpError
from baseten_deploy.service.model_lookup import resolve
from baseten_deploy.service.remedies import failing_as

from .by_name import find_by_name


def existing_model(run: Run) -> Model:
    """The model of the inputs, which must exist."""
    destination = resolve(run.api, run.settings, run.settings.model_name)
    if destination.model:
        return destination.model
    raise InvalidInput(
        f"`model-name`: there is no model {run.settings.model_name!r} that this API key can see",
        "Correct the name, or set `team` or `model-id`.",
    )


def existing_deployment(run: Run, model: Model) -> Deployment:
    """The deployment of the inputs, which must exist in the model."""
    deployment_id = run.settings.deployment_id
    if not deployment_id:
        return find_by_name(run, model, run.settings.deployment_name)
    with failing_as(Rejected, f"Looking up the deployment {deployment_id!r}"):
        try:
            return run.api.deployment(model.id, deployment_id)
        except HttpError as error:
            if error.status != 404:
                raise
    raise InvalidInput(
        f"`deployment-id`: the model {model.name!r} ({model.id}) has no deployment {deployment_id!r}",
        "Pass the `deployment-id` output of the job that deployed it.",
    )
