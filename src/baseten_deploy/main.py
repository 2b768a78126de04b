"""From a process to a status: the only place that turns exceptions into annotations, outputs and an exit code."""

import gc
import logging
import os
import sys
import traceback
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn

from baseten_deploy import launch, signals
from baseten_deploy.ci.outputs import Outputs
from baseten_deploy.ci.redaction import Redactor
from baseten_deploy.ci.runner import ANNOTATIONS, SUMMARY_BYTES, Colour, Nobody, Runner, silenced
from baseten_deploy.errors import Cancelled, DeployError, Problem
from baseten_deploy.status import Status

if TYPE_CHECKING:
    from baseten_deploy.clock import Clock
    from baseten_deploy.report.blocks import Page
    from baseten_deploy.report.facts import Facts
    from baseten_deploy.run import Run

# A short process that mostly imports: to look for garbage after each 700 objects costs a tenth of its start. At
# 50 000 a search of 14 ms fell between the reading of a few thousand files and their dry run.
_GARBAGE = 200_000, 20, 20
# GitHub takes 65 536 characters of a comment, the marker's and the last line's included.
COMMENT_CHARACTERS = 63_000
_SPARE = 4096  # of the summary: what redacting makes longer


def main(
    arguments: Sequence[str] | None = None,
    environment: Mapping[str, str] | None = None,
    clock: "Clock | None" = None,
) -> int:
    """Run the action once and return its exit code. Options and the environment default to the process's own."""
    signals.remember()
    gc.set_threshold(*_GARBAGE)
    gc.enable()
    arguments = sys.argv[1:] if arguments is None else arguments
    environment = os.environ if environment is None else environment
    sys.stdout, sys.stderr = sys.stdout or Nobody(), sys.stderr or Nobody()  # there is none of one that is closed
    for stream in (sys.stdout, sys.stderr):
        if not isinstance(stream, Nobody):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]
    # Else the warnings of libraries go to stderr as they are, with whatever a server put into them.
    logging.getLogger().addHandler(logging.NullHandler())
    redactor = Redactor()
    runner = Runner(environment, redactor)
    end = Ending(environment, runner, Outputs(runner.output, redactor.redact))
    try:
        signals.cancel()
        if not go_through(arguments, environment, end, redactor, clock):
            signals.let_pass()
            return spoken()
        signals.let_pass()
    except (Cancelled, KeyboardInterrupt):
        end.status = Status.CANCELLED
    return end.report()


def leave(code: int) -> NoReturn:
    """End this process with an exit code, at once: all is written.

    To take down what was imported takes 0.1 s, in which Python gives its signals back to the system: one more of them
    would kill the process, whatever it has said of its end.
    """
    for stream in filter(None, (sys.stdout, sys.stderr)):
        with suppress(OSError, ValueError):  # nobody reads it any more
            stream.flush()
    launch.keep()
    os._exit(code)


def go_through(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    end: "Ending",
    redactor: Redactor,
    clock: "Clock | None",
) -> bool:
    """Run, and note how it ended; false when nothing was run (`--help`, `--version`)."""
    try:
        run(arguments, environment, end, redactor, clock)
    except DeployError as error:
        end.errors += error.problems
        end.status, end.unseen = error.status, error.unseen
    except (Exception, SystemExit) as error:  # the last resort, reported as what it is
        if isinstance(error, SystemExit) and not (end.run or error.code):
            return False
        if signals.has_cancelled():
            raise Cancelled from error
        end.status = Status.INTERNAL_ERROR
        end.bug(traceback.format_exc())
    return True


def spoken() -> int:
    """The exit code of `--help` and `--version`, whose reader may be gone (`| head`)."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        silenced(sys.stdout)
    return 0


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
    from baseten_deploy.inputs.settings import read_settings, secrets_of, stray_inputs

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

    from baseten_deploy.ci.origin import read_origin
    from baseten_deploy.ci.workspace import find_workspace
    from baseten_deploy.clock import Clock
    from baseten_deploy.pipeline import go
    from baseten_deploy.run import Run, make_api
    from baseten_deploy.service.http import make_client

    settings, problems = read_settings(environment)
    workspace = find_workspace(environment, settings.truss_directory)
    origin = read_origin(environment, workspace, settings.truss_directory)
    clock = clock or Clock()
    problems += [*way.proxy_problems, *certificate_problems.result()]
    with make_client(way) as client:
        end.run = Run(
            settings=settings,
            input_problems=[*problems, *check(settings, secretless=origin.secretless, unread=problems)],
            workspace=workspace,
            runner=end.runner,
            outputs=end.outputs,
            redactor=redactor,
            clock=clock,
            client=client,
            api=make_api(settings, client, clock, redactor),
            origin=origin,
            started=clock.now(),
            truss_python=environment.get("BASETEN_DEPLOY_TRUSS_PYTHON", "").strip(),
            way=way,
        )
        for stray in stray_inputs(environment):
            end.run.warn(stray)
        end.status = go(end.run)


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "replace"))


class Ending:
    """How the run ended, and the report of it."""

    def __init__(self, environment: Mapping[str, str], runner: Runner, outputs: Outputs) -> None:
        self.environment = environment
        self.runner = runner
        self.outputs = outputs
        self.status = Status.INTERNAL_ERROR
        self.errors: list[Problem] = []
        self.unseen = False
        self.run: Run | None = None

    def bug(self, trace: str) -> None:
        """Show a traceback of ours, folded, and say where to report it."""
        from baseten_deploy.ci.origin import issues_page

        with self.runner.group("Traceback"):
            self.runner.foreign(trace)
        said = trace.strip().splitlines()[-1]
        page = issues_page(self.environment)
        where = f": {page}" if page else " in this action's repository"
        self.errors.append(Problem(f"A bug of this action: {said}", f"Please report it with the traceback{where}"))

    def report(self) -> int:
        """Write what is left to write, and return the exit code. Outputs first: what follows may fail or hang."""
        self.outputs.set("status", self.status)
        self.runner.state("status", self.status)
        self.outputs.close()
        known = self.outputs.shown()
        self._annotate(known)
        page = self._page(known)
        self.runner.summary(page.text(SUMMARY_BYTES - _SPARE, _bytes))
        if not self.runner.keeps_outputs:
            self.runner.info("\n".join(f"{name}={value}" for name, value in known.items()))
        code = self.status.exit_code
        if self.run and self.status is not Status.CANCELLED:  # then there are seconds left, and others need them
            code = self._comment(self.run, page.text(COMMENT_CHARACTERS))
        self._last_lines(known)
        return code

    def _annotate(self, known: Mapping[str, str]) -> None:
        """Each error as an annotation, the first one with what the log says. A bug in that shows them as they are."""
        errors = list(self.errors)
        if errors and self.run:
            from baseten_deploy.report.annotation import annotated  # the imports of a run come first

            with suppress(Exception):
                errors[0] = annotated(errors[0], self._facts(known))
        for problem in errors:
            self.runner.error(problem)

    def _page(self, known: Mapping[str, str]) -> "Page":
        """The page of the summary and the comment. A bug in it does not change how the run ended."""
        from baseten_deploy.report.blocks import Page

        try:
            from baseten_deploy.report import summary

            return summary.page(self._facts(known))
        except Exception:  # noqa: BLE001 - the outputs are written, and the exit code is not the summary's
            self.errors.clear()
            self.bug(traceback.format_exc())
            for problem in self.errors:
                self.runner.warning(problem)
            return Page(str(self.status))

    def _comment(self, run: "Run", markdown: str) -> int:
        """Leave the comment, and return the exit code: a signal ends the waiting for it."""
        from baseten_deploy.comment.writing import leave

        try:
            signals.cancel()
            leave(run, markdown)
            signals.let_pass()
        except (Cancelled, KeyboardInterrupt):
            self.runner.info("Cancelled while the pull-request comment was written")
            return Status.CANCELLED.exit_code
        return self.status.exit_code

    def _last_lines(self, known: Mapping[str, str]) -> None:
        """What somebody looks for at the end of a log."""
        if not self.status.exit_code and self.run:
            account = self.run.ledger.account
            if account.deployment and account.deployment.answers and account.route:  # else nothing answers there
                self.runner.info(f"Endpoint: {account.route}")
            if known.get("logs-url"):
                self.runner.info(f"Logs: {known['logs-url']}")
        self.runner.info(f"Status: {self.status}", Colour.RED if self.status.exit_code else Colour.GREEN)

    def _facts(self, outputs: Mapping[str, str]) -> "Facts":
        """What the summary is made of, without secrets: what Markdown makes of one, the redactor would not know."""
        from baseten_deploy.report.facts import Facts

        redact, run = self.runner.redactor.redact, self.run
        facts = Facts(
            self.status,
            outputs=outputs,
            errors=self._shown(self.errors),
            unseen=self.unseen,
            annotated=ANNOTATIONS if self.runner.on_github else 0,
        )
        if run is None:
            return facts
        return replace(
            facts,
            account=run.ledger.account.redacted(redact),
            warnings=self._shown(run.warnings),
            phases=[replace(phase, title=redact(phase.title)) for phase in run.phases],
            packed_files=run.packed_files,
            packed_bytes=run.packed_bytes,
            log_errors=[*map(redact, run.log.errors)] if run.log else (),
            log_tail=[*map(redact, run.log.tail)] if run.log else (),
            log_error=redact(run.log.first_error) if run.log else "",
            notes=run.notes,
            blocks=run.blocks,
            plan=run.plan,
        )

    def _shown(self, problems: Iterable[Problem]) -> list[Problem]:
        redact = self.runner.redactor.redact
        return [replace(each, message=redact(each.message), remedy=redact(each.remedy)) for each in problems]
