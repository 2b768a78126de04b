"""Names what a run made or found the moment it is known: outputs, the account, and a line of the log."""

from baseten_deploy.inputs.settings import Mode
from baseten_deploy.run import Run
from baseten_deploy.service.model_urls import environment_url, logs_page, predict_url

from .creation import Committed


def announce(run: Run, committed: Committed, *, made: bool = True) -> None:
    """Write ids and URLs at once: whatever happens from here on, they name what was `made`, or found."""
    settings, model, deployment = run.settings, committed.model, committed.deployment
    if settings.environment and settings.mode is Mode.DEPLOY:
        url = environment_url(
            settings.inference_url, model.id, settings.environment, regional=settings.regional_environment
        )
    else:
        development = settings.development or deployment.is_development
        url = predict_url(settings.inference_url, model.id, deployment.id, development=development)
    run.outputs.set("model-id", model.id)
    run.outputs.set("model-name", model.name)
    run.outputs.set("model-created", committed.created_model)
    run.outputs.set("deployment-id", deployment.id)
    run.outputs.set("deployment-name", deployment.name)
    run.ledger.model(model.name, model.id)
    if made:
        run.ledger.made(deployment.id, deployment.name, deployment.status, new_model=committed.created_model)
    elif not run.ledger.account.is_ours(deployment.id):
        run.ledger.works_on(deployment.id, deployment.name, deployment.status)
    if settings.environment:
        run.outputs.set("environment", settings.environment)
    run.outputs.set("predict-url", url)
    run.outputs.set("logs-url", logs_page(model.id, deployment.id))
    run.say(f"Deployment {deployment.id} of the model {model.name!r} ({model.id})")
    run.say(f"Logs: {run.outputs.get('logs-url')}")
