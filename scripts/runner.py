"""GitHub's runner as a Docker container action sees it: environment, event, command files, cancel.

The demo shows with it what a user of the action sees, and the tests judge with it. The rules are those of
actions/runner; the names of its classes stand beside what follows them. Its reading of the step's output is
`workflow_commands`.

::

    runner = Runner(directory)                  # workspace/, home/, workflow/, file_commands/
    result = runner.run({"model-name": "m"})    # what stands under `with:`
    result.outputs["deployment-id"]
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import yaml

from workflow_commands import CommandFileError, Log, parse_command_file
from workflow_events import REPOSITORY, Event, push

ROOT = Path(__file__).resolve().parent.parent

SUMMARY_BYTES = 1024 * 1024  # CreateStepSummaryCommand.AttachmentSizeLimit
SIGINT_SECONDS, SIGTERM_SECONDS = 7.5, 2.5  # ProcessInvoker


@dataclass(frozen=True)
class Action:
    """What the runner reads from action.yml: the defaults of the inputs, and the names of the outputs."""

    defaults: Mapping[str, str]
    outputs: tuple[str, ...]


@cache
def read_action(path: Path = ROOT / "action.yml") -> Action:
    """Read an action.yml, once."""
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    defaults = {name: str(spec.get("default", "")) for name, spec in document["inputs"].items()}
    return Action(defaults, tuple(document["outputs"]))


def input_variables(action: Action, given: Mapping[str, str]) -> dict[str, str]:
    """The `INPUT_*` variables of a step (Handler.AddInputsToEnvironment).

    Each input of action.yml is there, with its default unless the workflow names it; a name that action.yml does not
    know is passed on as well (the runner only warns). Hyphens stay, spaces become underscores.
    """
    names = {name.lower() for name in given}
    values = {name: default for name, default in action.defaults.items() if name.lower() not in names} | dict(given)
    return {f"INPUT_{name.replace(' ', '_').upper()}": value for name, value in values.items()}


@dataclass(frozen=True)
class Launcher:
    """How a step's process is started.

    `root` is where the process finds the runner's directory, `None` for where it is. `environment` is added last.
    """

    command: tuple[str, ...]
    root: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)

    def start(self, directory: Path, environment: Mapping[str, str]) -> "subprocess.Popen[str]":
        """Start the process in `directory`; its errors go where its output goes."""
        return subprocess.Popen(  # noqa: S603 - the action itself
            self.command,
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,  # universal newlines: a bare CR ends a line for the runner, too
            encoding="utf-8",
            errors="replace",
        )


def from_checkout(python: str = sys.executable) -> Launcher:
    """Run entrypoint.py of this checkout, with the interpreter options of the Dockerfile."""
    return Launcher((python, "-I", "-B", "-u", "-X", "utf8", str(ROOT / "entrypoint.py")))


def from_image(tag: str, run_sh: Path) -> Launcher:
    """Run an image with `run.sh` of ../shared/image, which mounts the runner's directory at /github."""
    # podman needs the machine's own environment; the step's must not leak into it from an outer runner.
    machine = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("INPUT_", "GITHUB_", "RUNNER_", "STATE_"))
    }
    return Launcher((str(run_sh), tag), "/github", machine)


@dataclass(frozen=True)
class Result:
    """A step that has ended. `outcome` is GitHub's: success, failure or cancelled."""

    exit_code: int
    outcome: str
    log: Log
    outputs: Mapping[str, str]
    state: Mapping[str, str]
    summary: str  # as uploaded: masked, and empty when it is too large
    seconds: float

    @property
    def job_outputs(self) -> dict[str, str]:
        """The outputs that a job could pass on: GitHub drops those in which it sees a secret."""
        return {name: value for name, value in self.outputs.items() if self.log.mask(value) == value}


class Step:
    """A running step. `log` grows while it runs."""

    def __init__(self, process: "subprocess.Popen[str]", files: Path) -> None:
        self.log = Log()
        self._process = process
        self._files = files
        self._started = time.monotonic()
        self._cancelled = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.log.feed(line.removesuffix("\n"))

    @property
    def running(self) -> bool:
        """Whether the process still runs."""
        return self._process.poll() is None

    def outputs(self) -> dict[str, str]:
        """What stands in `GITHUB_OUTPUT` now. Raises `CommandFileError` while a pair is half written."""
        return parse_command_file(self._text("output"))

    def cancel(self) -> None:
        """Cancel (ProcessInvoker): SIGINT, 7.5 s, SIGTERM, 2.5 s, SIGKILL. `wait` has the result."""
        self._cancelled = True
        for number, seconds in ((signal.SIGINT, SIGINT_SECONDS), (signal.SIGTERM, SIGTERM_SECONDS)):
            self._process.send_signal(number)
            try:
                self._process.wait(seconds)
            except subprocess.TimeoutExpired:
                continue
            return
        self._process.kill()

    def wait(self, timeout: float | None = None) -> Result:
        """Wait for the end and read the command files. Kills the process and raises `TimeoutExpired` when it lasts."""
        try:
            exit_code = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise
        finally:
            self._process.wait()
            self._reader.join()
            if self._process.stdout is not None:
                self._process.stdout.close()
        seconds = time.monotonic() - self._started
        outputs, state, summary = self._pairs("output"), self._pairs("state"), self._summary()
        failed = exit_code != 0 or self.log.failed
        outcome = "cancelled" if self._cancelled else "failure" if failed else "success"
        return Result(exit_code, outcome, self.log, outputs, state, summary, seconds)

    def _pairs(self, name: str) -> dict[str, str]:
        try:
            return parse_command_file(self._text(name))
        except CommandFileError as error:
            self.log.fail(f"Unable to process file command '{name}' successfully.\n{error}")
            return {}

    def _summary(self) -> str:
        size = (self._files / "summary").stat().st_size
        if size > SUMMARY_BYTES:
            self.log.issue("error", f"$GITHUB_STEP_SUMMARY upload aborted: {size} bytes")
            return ""
        return self.log.mask(self._text("summary"))

    def _text(self, name: str) -> str:
        return (self._files / name).read_bytes().decode("utf-8", "replace")  # bytes: a CR is not a line end here


class Runner:
    """One job: a directory in the layout that GitHub mounts into the container, and an event.

    Steps run one after another. `environment` is the job's own (`env:`), which a step gets too.
    """

    def __init__(
        self,
        directory: Path,
        *,
        event: Event | None = None,
        action: Action | None = None,
        launcher: Launcher | None = None,
        environment: Mapping[str, str] | None = None,
        run_id: int = 1_000_000_001,
        run_attempt: int = 1,
    ) -> None:
        self.directory = directory
        self.event = event or push()
        self.action = action or read_action()
        self.launcher = launcher or from_checkout()
        self.run_id, self.run_attempt = run_id, run_attempt
        self._environment = environment or {}
        for name in ("home", "workflow", "file_commands", "workspace", "temp"):
            (directory / name).mkdir(parents=True, exist_ok=True)

    @property
    def workspace(self) -> Path:
        """Where the repository is checked out."""
        return self.directory / "workspace"

    def run(
        self, inputs: Mapping[str, str], environment: Mapping[str, str] | None = None, timeout: float = 120
    ) -> Result:
        """Run the action as a step and wait for it."""
        return self.start(inputs, environment).wait(timeout)

    def start(self, inputs: Mapping[str, str], environment: Mapping[str, str] | None = None) -> Step:
        """Start the action as a step. `inputs` is its `with:`, `environment` its `env:`."""
        files = self.directory / "file_commands"
        for name in ("output", "state", "summary", "env", "path"):
            (files / name).write_bytes(b"")
        event = self.directory / "workflow" / "event.json"
        event.write_text(json.dumps(self.event.payload, indent=2), encoding="utf-8")
        process = self.launcher.start(self.workspace, self.variables(inputs, environment))
        step = Step(process, files)
        if unknown := sorted({name.lower() for name in inputs} - {name.lower() for name in self.action.defaults}):
            step.log.issue("warning", f"Unexpected input(s) {unknown}, valid inputs are {list(self.action.defaults)}")
        return step

    def variables(self, inputs: Mapping[str, str], environment: Mapping[str, str] | None = None) -> dict[str, str]:
        """The environment of a step: `env:` of job and step, `INPUT_*`, then the runner's own, which wins."""
        return {
            "PATH": os.environ["PATH"],
            **self._environment,
            **(environment or {}),
            **input_variables(self.action, inputs),
            **self._context(),
            **self.launcher.environment,
        }

    def _context(self) -> dict[str, str]:
        root = self.launcher.root or str(self.directory)
        event, owner = self.event, REPOSITORY.partition("/")[0]
        own = {
            "CI": "true",
            "GITHUB_ACTION": "__baseten-deploy",
            "GITHUB_ACTION_REF": "v1",
            "GITHUB_ACTION_REPOSITORY": "baseten-deploy/baseten-deploy",
            "GITHUB_ACTIONS": "true",
            "GITHUB_ACTOR": event.actor,
            "GITHUB_ACTOR_ID": "583231",
            "GITHUB_API_URL": "https://api.github.com",
            "GITHUB_BASE_REF": event.base_ref,
            "GITHUB_ENV": f"{root}/file_commands/env",
            "GITHUB_EVENT_NAME": event.name,
            "GITHUB_EVENT_PATH": f"{root}/workflow/event.json",
            "GITHUB_GRAPHQL_URL": "https://api.github.com/graphql",
            "GITHUB_HEAD_REF": event.head_ref,
            "GITHUB_JOB": "deploy",
            "GITHUB_OUTPUT": f"{root}/file_commands/output",
            "GITHUB_PATH": f"{root}/file_commands/path",
            "GITHUB_REF": event.ref,
            "GITHUB_REF_NAME": event.ref_name,
            "GITHUB_REF_PROTECTED": "false",
            "GITHUB_REF_TYPE": "tag" if event.ref.startswith("refs/tags/") else "branch",
            "GITHUB_REPOSITORY": REPOSITORY,
            "GITHUB_REPOSITORY_ID": "1296269",
            "GITHUB_REPOSITORY_OWNER": owner,
            "GITHUB_REPOSITORY_OWNER_ID": "583232",
            "GITHUB_RETENTION_DAYS": "90",
            "GITHUB_RUN_ATTEMPT": str(self.run_attempt),
            "GITHUB_RUN_ID": str(self.run_id),
            "GITHUB_RUN_NUMBER": "42",
            "GITHUB_SERVER_URL": "https://github.com",
            "GITHUB_SHA": event.sha,
            "GITHUB_STATE": f"{root}/file_commands/state",
            "GITHUB_STEP_SUMMARY": f"{root}/file_commands/summary",
            "GITHUB_TRIGGERING_ACTOR": event.actor,
            "GITHUB_WORKFLOW": "deploy",
            "GITHUB_WORKFLOW_REF": f"{REPOSITORY}/.github/workflows/deploy.yml@{event.ref}",
            "GITHUB_WORKFLOW_SHA": event.sha,
            "GITHUB_WORKSPACE": f"{root}/workspace",
            "HOME": f"{root}/home",
            "RUNNER_ARCH": "X64",
            "RUNNER_ENVIRONMENT": "github-hosted",
            "RUNNER_NAME": "GitHub Actions 1",
            "RUNNER_OS": "Linux",
            "RUNNER_TEMP": f"{root}/temp",
        }
        if self.launcher.root is not None:
            own["RUNNER_DIR"] = str(self.directory)  # for run.sh
        return own
