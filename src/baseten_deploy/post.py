"""The step's post part: runs in a new container after the job, and clears away what a cancelled run had no time for.

It reads what the run saved (`STATE_*`) and the same inputs. A run that ended by itself left nothing to do.
"""

import os
from collections.abc import Mapping
from dataclasses import replace

from baseten_deploy import signals
from baseten_deploy.ci.origin import Origin
from baseten_deploy.ci.outputs import Outputs
from baseten_deploy.ci.redaction import Redactor
from baseten_deploy.ci.runner import Runner
from baseten_deploy.ci.workspace import find_workspace
from baseten_deploy.clock import Clock
from baseten_deploy.deployment.on_failure import Saved, clear_away_cancelled
from baseten_deploy.deployment.sent import POST_LOOKS
from baseten_deploy.errors import Cancelled, Problem
from baseten_deploy.inputs.settings import Aftermath, read_settings, secrets_of
from baseten_deploy.network.way_out import WayOut
from baseten_deploy.run import Run, make_api
from baseten_deploy.service.http import HttpError, make_client

SECONDS = 60.0
_REMEDY = "Look at the model's deployments, and deactivate what is not wanted."


def main(environment: Mapping[str, str] | None = None) -> int:
    """Do what is left of `on-cancel`. Always 0: a post step that fails would only hide why the job was cancelled."""
    environment = os.environ if environment is None else environment
    redactor = Redactor()
    runner = Runner(environment, redactor)
    try:
        signals.cancel()
        clear(environment, runner, redactor)
    except (Cancelled, KeyboardInterrupt):
        pass  # the runner's time for it is up
    except Exception as error:  # noqa: BLE001 - whatever it is, it must not hide why the job ended
        runner.warning(
            Problem(f"What the cancelled run made could not be cleared away: {type(error).__name__}", _REMEDY)
        )
    signals.let_pass()
    return 0


def clear(environment: Mapping[str, str], runner: Runner, redactor: Redactor) -> None:
    """Clear away what the saved state names, if anything is left of it."""
    way = WayOut(environment)
    for secret in (*secrets_of(environment), *way.secrets):
        runner.mask(secret)
    for value in way.unshown:
        redactor.add(value)
    settings, problems = read_settings(environment)
    saved = Saved.read(environment)
    ended = environment.get("STATE_status", "cancelled") != "cancelled"
    if ended or problems or not saved or saved.cleared or settings.on_cancel is Aftermath.KEEP:
        return
    for problem in (*way.proxy_problems, *way.certificate_problems):
        runner.warning(problem)
    if way.proxy_problems:
        runner.warning(
            Problem("What the cancelled run made was not cleared away", f"{settings.on_cancel} it yourself.")
        )
        return
    clock = Clock()
    with make_client(way) as client:
        run = Run(
            settings=settings,
            input_problems=problems,
            workspace=find_workspace(environment, settings.truss_directory),
            runner=runner,
            outputs=Outputs(lambda _name, _value: None),
            redactor=redactor,
            clock=clock,
            client=client,
            api=make_api(settings, client, clock, redactor),
            origin=Origin(),
            started=clock.now(),
            way=way,
        )
        run.api.http.deadline = clock.now() + SECONDS
        try:
            found = made_by(run, saved)
        except HttpError as error:
            remedy = (
                error.remedy or f"Look for it on the workspace's models page, and {settings.on_cancel} it yourself."
            )
            run.warn(Problem(f"What the cancelled run made could not be looked up: {error.message}", remedy))
        else:
            if found:
                clear_away_cancelled(run, run.api, found)


def made_by(run: Run, saved: Saved) -> Saved | None:
    """The same with the deployments that the run made; `None` when its commit took no effect. Raises `HttpError`."""
    if saved.deployment_ids:
        return saved
    made = saved.sent.look(run.api, run.clock, POST_LOOKS)
    if len(made) > 1:
        ids = ", ".join(each.deployment.id for each in made)
        run.warn(
            Problem(
                f"{len(made)} deployments were made when the run was cancelled ({ids}); which is its own is unknown",
                f"Look at the Chain's page, and {run.settings.on_cancel} yourself what is not wanted.",
            )
        )
    if len(made) != 1:
        return None
    (only,) = made
    return replace(saved, model_id=only.model.id, model_name=only.model.name, deployment_ids=(only.deployment.id,))
