"""One start of the program for a run: its request, its home, and what it gets of the way out."""

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from baseten_deploy.ci.runner import STATE
from baseten_deploy.errors import InvalidInput, Problem
from baseten_deploy.run import Run

from . import certificates
from .aftermath import command_files_kept
from .home import furnish
from .process import Answer, room, run_program


def request_of(run: Run, source: Path, name: str, **push: Any) -> dict[str, Any]:
    """What the program is asked to do; with nothing in `push` it only generates the chainlets."""
    return {
        "source": str(source),
        "entrypoint": run.settings.chain_entrypoint,
        "name": name,
        "push": bool(push),
        "environment": push.get("environment", ""),
        "deployment_name": push.get("deployment_name", ""),
        "team_id": push.get("team_id", ""),
        "git_info": push.get("git_info", {}),
        "locked": run.settings.disable_archive_download,
    }


def start(
    run: Run,
    request: Mapping[str, Any],
    *,
    seconds: float,
    with_key: bool,
    remembered: Callable[[], None] = lambda: None,
) -> Answer:
    """Run the program, at most so long. Only with the key it gets proxies and certificates: else it needs no network.

    `remembered` is called right before something may be made; it may save the step's state.
    Raises `InvalidInput` when the interpreter cannot be started.
    """
    with room() as directory, command_files_kept(run.runner.command_files) as files:

        def commits() -> None:
            with files.own_change(STATE):
                remembered()

        passed: dict[str, str] = {}
        if with_key:
            passed, bundle = certificates.handed_on(run.way, directory)
            furnish(directory / "home", run.settings, with_key=True, ca_bundle=bundle)
        else:
            furnish(directory / "home", run.settings, with_key=False)
        try:
            answer = run_program(
                str(Path(shutil.which(run.truss_python) or run.truss_python).absolute()),
                request,
                directory=directory,
                cwd=run.workspace,  # as a step with `truss chains push` has it: a file may open others by it
                passed=passed,
                seconds=run.clock.real(seconds),
                show=run.runner.foreign,
                commits=commits,
            )
        except OSError as error:
            raise InvalidInput(
                f"`BASETEN_DEPLOY_TRUSS_PYTHON`: {run.truss_python!r} cannot be started: {error.strerror}",
                "Name the interpreter of an environment that has `truss` installed.",
            ) from None
    if files.changed:
        names = ", ".join(f"`{name}`" for name in sorted(files.changed))
        run.warn(
            Problem(
                f"Importing the Chain wrote to the runner's files ({names}); that was taken back",
                "A Chain's file only defines classes: leave out what it does besides when it is imported.",
                os.path.relpath(request["source"], run.workspace),
            )
        )
    return answer
