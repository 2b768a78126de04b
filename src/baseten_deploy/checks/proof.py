"""The checks of a run: asked of one place after the other, told in the log, the summary and the report, and judged.

Which places, and when, is `pipeline` and `gate`; how one check is run is `suite_run`; what follows from a failure is
`gate` and `deployment.on_failure`.
"""

from collections.abc import Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import Any

from baseten_deploy.deployment.log_stream import format_line
from baseten_deploy.errors import InvalidInput, PredictFailed, PredictUnseen, Problem
from baseten_deploy.inputs.chain import route_of
from baseten_deploy.records import dataclass
from baseten_deploy.run import Run
from baseten_deploy.service.http import HttpError
from baseten_deploy.service.model_urls import own_route, predict_url

from . import junit, table
from .check import Kind, Suite
from .junit import Round
from .results import CheckResult, Failure
from .smoke_test import UNKNOWN
from .suite_run import LiveSide, Means, Place, run_check

# What the model writes about a request is in its log this long after; what is not there then is looked for once more.
LOG_SECONDS = 2.0
LOG_LOOKS = 2
LOGGED_CHECKS = 20  # whose requests are looked up in the log
LOG_LINES = 50
_SKEW_MILLIS = 600_000  # the runner's clock may differ from the service's
SHOWN_CHARACTERS = 300
_REACH = (
    "Check `inference-url` and this runner's way out (firewall, HTTPS_PROXY, NO_PROXY, certificates); raise "
    "`predict-timeout` if the model takes longer to wake up. Then run again."
)


def read_suite(run: Run) -> Suite | None:
    """The checks that the inputs name, read and checked; what is wrong joins the run's other input problems."""
    settings = run.settings
    if not settings.checks:
        return None
    from .file import read_checks  # noqa: PLC0415 - most runs have none

    suite, problems = read_checks(
        settings.checks,
        settings.checks_report,
        truss=_directory(run),
        workspace=run.workspace,
        timeout=settings.predict_timeout,
    )
    run.input_problems += problems
    if suite and settings.is_chain:
        run.input_problems += _of_no_chain(suite)
    if no_way := _no_way(run):
        run.input_problems.append(no_way)
    return suite


def _of_no_chain(suite: Suite) -> list[Problem]:
    """The checks that ask what a Chain does not have: it is asked at `run_remote` alone."""
    return [
        Problem(
            f"The check {check.name!r} asks for {'a websocket' if check.kind is Kind.WEBSOCKET else check.path}, and a "
            "Chain has one way in: `run_remote`",
            "Leave `path` and `kind` out; the payload is what `run_remote` of the entry point takes.",
            check.file,
            check.line,
        )
        for check in suite.checks
        if check.path or check.kind is Kind.WEBSOCKET
    ]


def _directory(run: Run) -> Path:
    """Where a checks file may be beside the workspace: the Truss, or the directory of a Chain's file."""
    path = Path(run.workspace / run.settings.truss_directory)
    return path.parent if path.suffix == ".py" else path


def _no_way(run: Run) -> Problem | None:
    """Why checks cannot be asked at all: known before anything is deployed for them."""
    from .route import endpoint_of, proxy_of  # noqa: PLC0415 - most runs have none

    try:
        proxy_of(endpoint_of(run.settings.inference_url.replace("{model_id}", "m").replace("{chain_id}", "c")), run.way)
    except InvalidInput:  # a variable that nobody can use is told where all of them are
        return None
    except ValueError as error:
        return Problem(
            f"`checks`: {run.redactor.redact(str(error))}", "Name an `http://` proxy, or leave `checks` out."
        )
    return None


def live_side(run: Run, model_id: str, previous_id: str, ours: str) -> LiveSide:
    """What the target served before this run changes that: `previous_id`, `""` for nothing."""
    if not previous_id:
        return LiveSide()
    if previous_id == ours:
        return LiveSide(absent="it is this very deployment that serves there")
    url = predict_url(run.settings.inference_url, model_id, previous_id, route=route_of(run.settings))
    return LiveSide(own_route(url, run.transport.path) if run.transport.path else url)


@dataclass
class Proof:
    """The checks of one run. `payload` is what the smoke test sends, `None` for nothing."""

    run: Run
    suite: Suite
    model_id: str
    payload: Any
    live: LiveSide
    rounds: list[Round] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._write([Round("the deployment", self._unasked())])  # whatever comes, the report is there

    def hold(self, title: str, url: str, deployment_id: str) -> None:
        """Ask all checks at `url` (that of predict) and raise `PredictFailed` with those that failed.

        It is `PredictUnseen` when each of them failed because the model was never reached.
        `title` says who is asked; `deployment_id` is whose log tells of the requests.
        """
        run, results = self.run, list(self._unasked())
        means = Means(
            run.settings.baseten_api_key,
            self.payload,
            run.settings.predict_timeout,
            run.clock.chance,
            run.redactor.redact,
            run.way,
        )
        place = Place(title, own_route(url, run.transport.path) if run.transport.path else url)
        began_millis = run.clock.epoch_millis()
        try:
            with run.phase(f"Checks of {title}"):
                for number, check in enumerate(self.suite.checks):

                    def keep(result: CheckResult, number: int = number) -> None:
                        results[number] = result

                    run_check(check, place, self.live, means, keep)
                    run.say(table.line(results[number]))
                results[:] = self._with_logs(results, deployment_id, began_millis)
                self._show_logs(results)
        finally:
            self._tell(title, results)
        if failed := [result for result in results if not result.passed]:
            kind = PredictUnseen if all(result.unseen for result in failed) else PredictFailed
            if kind is PredictFailed:
                run.ledger.is_wrong(f"checks of {title}")
            raise kind(_problem(result, title) for result in failed)

    def _unasked(self) -> list[CheckResult]:
        return [CheckResult(check) for check in self.suite.checks]

    def _tell(self, title: str, results: Sequence[CheckResult]) -> None:
        """Whatever the end: outputs, report and summary say what is known."""
        self.rounds.append(Round(title, tuple(results)))
        self.run.outputs.set("checks-passed", sum(result.passed for result in results))
        self.run.outputs.set("checks-failed", sum(result.done and not result.passed for result in results))
        self._write(self.rounds)
        self.run.notes.append(table.results_table(results, title))

    def _write(self, rounds: Sequence[Round]) -> None:
        if self.suite.report is None:
            return
        try:
            junit.write(self.suite.report, self.run.redactor.redact(junit.junit_xml(rounds)))
        except OSError as error:
            remedy = "Name a path below the workspace that this step may write to."
            self.run.warn(Problem(f"`checks-report` could not be written: {error.strerror}", remedy))

    def _with_logs(self, results: Sequence[CheckResult], deployment_id: str, since: int) -> list[CheckResult]:
        """The results, with the log's lines of the requests that failed, as far as the service hands them out."""
        wanted = [
            number
            for number, result in enumerate(results)
            if not result.passed and result.failures and result.failures[0].request_id
        ][:LOGGED_CHECKS]
        found = list(results)
        for _ in range(LOG_LOOKS):
            if not wanted:
                break
            self.run.clock.sleep(LOG_SECONDS)
            for number in tuple(wanted):
                first, *rest = found[number].failures
                if lines := self._log_of(first, deployment_id, since):
                    found[number] = replace(found[number], failures=(replace(first, log=lines), *rest))
                    wanted.remove(number)
        return found

    def _log_of(self, failure: Failure, deployment_id: str, since: int) -> tuple[str, ...]:
        try:
            lines = self.run.api.logs(
                self.model_id, deployment_id, since - _SKEW_MILLIS, LOG_LINES, request_id=failure.request_id
            )
        except HttpError:
            return ()
        return tuple(self.run.redactor.redact(format_line(line)) for line in lines)

    def _show_logs(self, results: Sequence[CheckResult]) -> None:
        for result in results:
            for failure in result.failures[:1] if not result.passed else ():
                if failure.log:
                    self.run.say(f"The log of the request {failure.request_id} ({result.check.name}):")
                    self.run.runner.foreign("\n".join(failure.log))


def _problem(result: CheckResult, title: str) -> Problem:
    """What a failed check says, with what came, and which request it was."""
    check = result.check
    if result.unseen:
        message = f"The check {check.name!r} of {title} could not be made: {'; '.join(result.reasons)}"
        return Problem(f"{message}. {UNKNOWN}", _REACH, check.file, check.line)
    message = f"The check {check.name!r} of {title} failed: {'; '.join(result.reasons)}"
    first = result.failures[0] if result.failures and result.failed > check.max_failures else None
    if first and first.came:
        came = " ".join(first.came.split())
        message += f". It was: {came if len(came) <= SHOWN_CHARACTERS else came[: SHOWN_CHARACTERS - 3] + '...'}"
    if first and first.request_id:
        message += f" (request {first.request_id})"
    remedy = "Correct the model, or the check if the answer is right."
    if any(f"the status is {status}," in message for status in (401, 403)):
        remedy = "Give the API key permission to call models, or correct the check."
    return Problem(message, remedy, check.file, check.line)
