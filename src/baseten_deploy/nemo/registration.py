"""Tells the NeMo Platform about the model that is live: the run's facts, as `upsert` wants them."""

from baseten_deploy.errors import Problem
from baseten_deploy.run import Run
from baseten_deploy.service.answers import Deployment, Model
from baseten_deploy.service.model_urls import openai_url

from .api import Registry
from .entity import DeployedModel, wanted_registration
from .upsert import register_model


def open_registry(run: Run) -> Registry:
    """The registry that the inputs name."""
    settings = run.settings
    return Registry(
        settings.nemo_url,
        settings.nemo_workspace,
        settings.nemo_token,
        client=run.client,
        clock=run.clock,
        redactor=run.redactor,
    )


def register(run: Run, model: Model, deployment: Deployment) -> None:
    """Create or update the model entity, and the provider if one is asked for.

    Raises `RegistrationFailed`; the deployment stays, and its ids are outputs already.
    """
    settings = run.settings
    if not settings.wait:
        message = "The model is not registered: with `wait: false` this run does not know whether it is live"
        run.warn(Problem(message, "Remove `wait: false`, or register it with `mode: promote` in a later job."))
        return
    environment = settings.promote_to or settings.environment
    url = openai_url(
        settings.inference_url,
        model.id,
        deployment_id=deployment.id,
        environment=environment,
        development=settings.development or deployment.is_development,
        regional=settings.regional_environment,
    )
    facts = DeployedModel(
        model_id=model.id,
        model_name=model.name,
        deployment_id=run.outputs.get("promoted-deployment-id") or deployment.id,
        endpoint_url=url,
        environment=environment,
        git_sha=str(deployment.labels.get("git-sha") or run.origin.sha),
        content_digest=str(deployment.labels.get("content-digest") or run.outputs.get("content-digest")),
    )
    with run.phase("Register in the NeMo Platform"):
        register_model(
            open_registry(run),
            facts,
            wanted_registration(settings, model.name),
            say=run.say,
            warn=run.warn,
            registered=lambda reference: run.outputs.set("nemo-entity", reference),
        )
