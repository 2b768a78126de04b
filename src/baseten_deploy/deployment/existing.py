"""The model and the deployment that a run works with and does not make."""

from baseten_deploy.errors import InvalidInput, Problem, Rejected
from baseten_deploy.run import Run
from baseten_deploy.service.answers import Deployment, Model
from baseten_deploy.service.http import HttpError
from baseten_deploy.service.model_lookup import ModelMissing, resolve
from baseten_deploy.service.remedies import failing_as

from .by_name import find_by_name


def existing_model(run: Run) -> Model:
    """The model or Chain of the inputs, which must exist."""
    if run.settings.is_chain:
        from .chain_lookup import existing_chain  # noqa: PLC0415 - runs about models do without it

        return existing_chain(run)
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
    what = "Chain" if run.settings.is_chain else "model"
    if not deployment_id:
        return find_by_name(run, model, run.settings.deployment_name)
    with failing_as(Rejected, f"Looking up the deployment {deployment_id!r}"):
        try:
            return run.api.deployment(model.id, deployment_id)
        except HttpError as error:
            if error.status != 404:
                raise
    raise InvalidInput(
        f"`deployment-id`: the {what} {model.name!r} ({model.id}) has no deployment {deployment_id!r}",
        "Pass the `deployment-id` output of the job that deployed it.",
    )


def model_if_any(run: Run) -> Model | None:
    """The model or Chain of the inputs, `None` where there is none: nothing is left to retire, and that is said."""
    settings = run.settings
    what, name = ("Chain" if settings.is_chain else "model"), settings.chain_id or settings.model_id
    try:
        model = _model_of_inputs(run)
    except ModelMissing:
        model = None
    if model is None:
        said = f"there is no {what} {name or repr(settings.model_name)} that this API key can see"
        run.runner.notice(Problem(f"Nothing to retire: {said}", "If there should be one, correct its name or `team`."))
        run.ledger.did_nothing(said)
    return model


def _model_of_inputs(run: Run) -> Model | None:
    if run.settings.is_chain:
        from .chain_lookup import chain_if_any  # noqa: PLC0415 - runs about models do without it

        return chain_if_any(run)
    return resolve(run.api, run.settings, run.settings.model_name).model
