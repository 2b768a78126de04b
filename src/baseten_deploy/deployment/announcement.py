"""Names what a run made or found the moment it is known: outputs, the account, and a line of the log."""

from baseten_deploy.inputs.chain import route_of
from baseten_deploy.inputs.settings import Mode
from baseten_deploy.run import Run
from baseten_deploy.service.model_urls import chain_logs_page, environment_url, logs_page, predict_url

from .creation import Committed


def announce(run: Run, committed: Committed, *, made: bool = True) -> None:
    """Write ids and URLs at once: whatever happens from here on, they name what was `made`, or found."""
    settings, model, deployment = run.settings, committed.model, committed.deployment
    route = route_of(settings)
    if settings.environment and settings.mode is Mode.DEPLOY:
        url = environment_url(
            settings.inference_url, model.id, settings.environment, regional=settings.regional_environment, route=route
        )
    else:
        development = settings.development or deployment.is_development
        url = predict_url(settings.inference_url, model.id, deployment.id, development=development, route=route)
    run.outputs.set("chain-id" if settings.is_chain else "model-id", model.id)
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
    chain_page = chain_logs_page(settings.app_url, model.id, deployment.id) if settings.is_chain else ""
    run.outputs.set("logs-url", chain_page or logs_page(model.id, deployment.id))
    what = "Chain" if settings.is_chain else "model"
    run.say(f"Deployment {deployment.id} of the {what} {model.name!r} ({model.id})")
    run.say(f"Logs: {run.outputs.get('logs-url')}")
