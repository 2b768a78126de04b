"""The step's post part: runs in a new container after the job, and clears away what a cancelled run had no time for.

It reads what the run saved (`STATE_*`) and the same inputs. A run that ended by itself left nothing to do.
"""

import os
from collections.abc import Mapping

from .aftermath import Saved, clear_away
from .api import Model
from .checkout import Checkout
from .clock import Clock
from .commit import find_committed
from .errors import Problem
from .http import HttpError, make_client
from .main import find_workspace
from .outputs import Outputs
from .redaction import Redactor
from .resolve import Destination
from .run import Run, make_api
from .settings import Aftermath, read_settings, secrets_of
from .workflow import Workflow

SECONDS = 60.0


def main(environment: Mapping[str, str] | None = None) -> int:
    """Do what is left of `on-cancel`. Always 0: a post step that fails would only hide why the job was cancelled."""
    environment = os.environ if environment is None else environment
    redactor = Redactor()
    workflow = Workflow(environment, redactor)
    for secret in secrets_of(environment):
        workflow.mask(secret)
    settings, problems = read_settings(environment)
    saved = Saved.read(environment)
    ended = environment.get("STATE_status", "cancelled") != "cancelled"
    if ended or problems or not saved or saved.cleared or settings.on_cancel is Aftermath.KEEP:
        return 0
    clock = Clock()
    with make_client() as client:
        run = Run(
            settings=settings,
            input_problems=problems,
            environment=environment,
            workspace=find_workspace(environment, settings.truss_directory),
            workflow=workflow,
            outputs=Outputs(lambda _name, _value: None),
            redactor=redactor,
            clock=clock,
            client=client,
            api=make_api(settings, client, clock, redactor),
            checkout=Checkout(),
            started=clock.now(),
        )
        run.api.http.deadline = clock.now() + SECONDS
        try:
            model, ids = _find(run, saved)
        except HttpError as error:
            run.warn(Problem(f"What the cancelled run made could not be looked up: {error.message}"))
        else:
            clear_away(run, run.api, model, ids, settings.on_cancel)
    return 0


def _find(run: Run, saved: Saved) -> tuple[Model, tuple[str, ...]]:
    """The model and the deployments that the run made; none when its commit took no effect. Raises `HttpError`."""
    model = Model(saved.model_id, saved.model_name)
    if saved.deployment_ids:
        return model, saved.deployment_ids
    destination = Destination(saved.model_name, model if saved.model_id else None, saved.team_id)
    _, found = find_committed(run.api, destination, saved.deploy_key)
    return (found.model, (found.deployment.id,)) if found else (model, ())
