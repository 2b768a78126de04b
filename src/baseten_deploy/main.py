"""From a process to a status: the only place that turns exceptions into annotations, outputs and an exit code."""

import gc
import logging
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from types import FrameType
from typing import TYPE_CHECKING

from baseten_deploy.ci.outputs import Outputs
from baseten_deploy.ci.redaction import Redactor
from baseten_deploy.ci.runner import ANNOTATIONS, Colour, Runner
from baseten_deploy.errors import Cancelled, DeployError, Problem
from baseten_deploy.status import Status

if TYPE_CHECKING:
    from baseten_deploy.clock import Clock
    from baseten_deploy.report.summary import Facts
    from baseten_deploy.run import Run

# A short process that mostly imports: to look for garbage after each 700 objects costs a tenth of its start.
_GARBAGE = 50_000, 20, 20


def main(
    arguments: Sequence[str] | None = None,
    environment: Mapping[str, str] | None = None,
    clock: "Clock | None" = None,
) -> int:
    """Run the action once and return its exit code. Options and the environment default to the process's own."""
    cancel_on_signals()
    gc.set_threshold(*_GARBAGE)
    arguments = sys.argv[1:] if arguments is None else arguments
    environment = os.environ if environment is None else environment
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]
    # Else the warnings of libraries go to stderr as they are, with whatever a server put into them.
    logging.getLogger().addHandler(logging.NullHandler())
    redactor = Redactor()
    runner = Runner(environment, redactor)
    end = Ending(environment, runner, Outputs(runner.output, redactor.redact))
    try:
        run(arguments, environment, end, redactor, clock)
    except DeployError as error:
        end.errors += error.problems
        end.status = error.status
    except (Cancelled, KeyboardInterrupt):
        end.status = Status.CANCELLED
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the last resort, reported as what it is
        if isinstance(error, SystemExit) and not (end.run or error.code):
            return 0  # `--help` and `--version`
        end.status = Status.INTERNAL_ERROR
        end.bug(traceback.format_exc())
    return end.report()


def run(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    end: "Ending",
    redactor: Redactor,
    clock: "Clock | None" = None,
) -> None:
    """Make the run from the environment and go through its pipeline."""
    if arguments:
        from baseten_deploy.inputs.command_line import with_options  # GitHub's runner gives none

        environment = with_options(arguments, environment)
    from baseten_deploy.inputs.combinations import check
    from baseten_deploy.inputs.settings import read_settings, secrets_of

    for secret in secrets_of(environment):
        end.runner.mask(secret)

    from baseten_deploy.background import in_background
    from baseten_deploy.network.way_out import WayOut

    way = WayOut(environment)
    for secret in way.secrets:
        end.runner.mask(secret)
    for value in way.unshown:
        redactor.add(value)
    certificate_problems = in_background(lambda: way.certificate_problems)  # which loads them

    from baseten_deploy.ci.event import read_origin
    from baseten_deploy.ci.workspace import find_workspace
    from baseten_deploy.clock import Clock
    from baseten_deploy.pipeline import go
    from baseten_deploy.run import Run, make_api
    from baseten_deploy.service.http import make_client

    settings, problems = read_settings(environment)
    workspace = find_workspace(environment, settings.truss_directory)
    origin = read_origin(environment, workspace)
    clock = clock or Clock()
    problems += [*way.proxy_problems, *certificate_problems.result()]
    with make_client(way) as client:
        end.run = Run(
            settings=settings,
            input_problems=[*problems, *check(settings, secretless=origin.secretless)],
            workspace=workspace,
            runner=end.runner,
            outputs=end.outputs,
            redactor=redactor,
            clock=clock,
            client=client,
            api=make_api(settings, client, clock, redactor),
            origin=origin,
            started=clock.now(),
            way=way,
        )
        end.status = go(end.run)


class Ending:
    """How the run ended, and the report of it."""

    def __init__(self, environment: Mapping[str, str], runner: Runner, outputs: Outputs) -> None:
        self.environment = environment
        self.runner = runner
        self.outputs = outputs
        self.status = Status.INTERNAL_ERROR
        self.errors: list[Problem] = []
        self.run: Run | None = None

    def bug(self, trace: str) -> None:
        """Show a traceback of ours, folded, and say where to report it."""
        from baseten_deploy.ci.event import issues_page

        with self.runner.group("Traceback"):
            self.runner.foreign(trace)
        said = trace.strip().splitlines()[-1]
        page = issues_page(self.environment)
        where = f": {page}" if page else " in this action's repository"
        self.errors.append(Problem(f"A bug of this action: {said}", f"Please report it with the traceback{where}"))

    def report(self) -> int:
        """Write what is left to write, and return the exit code."""
        from baseten_deploy.report.summary import summary  # the imports of a run come first

        ignore_signals()  # the run has ended; a cancel from now on must not cut its report short
        for problem in self.errors:
            self.runner.error(problem)
        self.outputs.set("status", self.status)
        self.runner.state("status", self.status)
        self.outputs.close()
        known = self.outputs.shown()
        markdown = summary(self._facts(known))
        self.runner.summary(markdown)
        if not self.runner.on_github:
            self.runner.info("\n".join(f"{name}={value}" for name, value in known.items()))
        if self.run and self.status is not Status.CANCELLED:  # then there are seconds left, and others need them
            from baseten_deploy.comment import leave

            leave(self.run, markdown)
        self.runner.info(f"Status: {self.status}", Colour.RED if self.status.exit_code else Colour.GREEN)
        return self.status.exit_code

    def _facts(self, outputs: Mapping[str, str]) -> "Facts":
        """What the summary is made of, without secrets: what Markdown makes of one, the redactor would not know."""
        from baseten_deploy.report.summary import Facts

        redact, run = self.runner.redactor.redact, self.run
        facts = Facts(
            self.status,
            outputs=outputs,
            errors=self._shown(self.errors),
            annotated=ANNOTATIONS if self.runner.on_github else 0,
        )
        if run is None:
            return facts
        return replace(
            facts,
            mode=run.settings.mode,
            warnings=self._shown(run.warnings),
            phases=[replace(phase, title=redact(phase.title)) for phase in run.phases],
            packed_files=run.packed_files,
            packed_bytes=run.packed_bytes,
            log_errors=[*map(redact, run.log.errors)] if run.log else (),
            log_tail=[*map(redact, run.log.tail)] if run.log else (),
            notes=run.notes,
        )

    def _shown(self, problems: Iterable[Problem]) -> list[Problem]:
        redact = self.runner.redactor.redact
        return [replace(each, message=redact(each.message), remedy=redact(each.remedy)) for each in problems]


def cancel_on_signals() -> None:
    """Turn the first SIGINT or SIGTERM into `Cancelled`; later ones find the run ending already.

    As PID 1 of a container, Python would ignore SIGTERM without a handler.
    """

    def cancel(_signal: int, _frame: FrameType | None) -> None:
        ignore_signals()
        raise Cancelled

    _handle_signals(cancel)


def ignore_signals() -> None:
    """Let SIGINT and SIGTERM pass."""
    _handle_signals(signal.SIG_IGN)


def _handle_signals(handler: "signal.Handlers | Callable[[int, FrameType | None], None]") -> None:
    if threading.current_thread() is threading.main_thread():  # elsewhere Python does not allow it
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, handler)
