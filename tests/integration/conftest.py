"""One strict sandbox and one emulated runner a test: the action runs as a process, as GitHub's runner starts it."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from act import repository
from sandbox_driver import Clock, Driver
from warm_start import WarmPython

from baseten_sandbox import Sandbox
from runner import ROOT, Launcher, Result, Runner, Step
from workflow_events import Event, push

SPEED = 20.0
PACE = 8.0


@dataclass
class Job:
    """A job of a workflow with examples/hello-truss checked out, pointed at a sandbox."""

    sandbox: Sandbox
    runner: Runner

    @property
    def truss(self) -> Path:
        """The checked out Truss."""
        return self.runner.workspace / "hello-truss"

    def inputs(self, given: Mapping[str, str]) -> dict[str, str]:
        """`given`, with where the sandbox is and its key; an input given as `-` is left to its default.

        Underscores in names are hyphens: of keyword arguments.
        """
        inputs = {
            **self.sandbox.inputs,
            "truss-directory": "hello-truss",
            **{name.replace("_", "-"): value for name, value in given.items()},
        }
        return {name: value for name, value in inputs.items() if value != "-"}

    def run(self, env: Mapping[str, str] | None = None, **given: str) -> Result:
        """Run the action; inputs are keyword arguments with underscores."""
        return self.start(env, **given).wait(120)

    def start(self, env: Mapping[str, str] | None = None, **given: str) -> Step:
        """As `run`, without waiting for the end."""
        return self.runner.start(self.inputs(given), env)

    def post(
        self, state: Mapping[str, str], env: Mapping[str, str] | None = None, **given: str
    ) -> subprocess.CompletedProcess[str]:
        """Run the post step as the runner does: the same inputs, and the state of the main step."""
        variables = self.runner.variables(self.inputs(given), env)
        variables |= {f"STATE_{name}": value for name, value in state.items()}
        launcher = self.runner.launcher
        assert isinstance(launcher, WarmLauncher)
        assert launcher.python
        return launcher.python.run(self.runner.workspace, variables, ROOT / "post_entrypoint.py")

    def on(self, event: Event, *, github: str = "", **context: int) -> "Job":
        """The same job, started by another event; `github` is where GitHub's API is, `context` the runner's own."""
        launcher = self.runner.launcher
        if github:
            launcher = replace(launcher, environment={"GITHUB_API_URL": github})
        return Job(self.sandbox, Runner(self.runner.directory, event=event, launcher=launcher, **context))

    def sent(self, service: str = "management") -> list[str]:
        """The requests of a service so far, as `METHOD /path`."""
        return [f"{request.method} {request.path}" for request in self.sandbox.requests if request.service == service]


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A sandbox that is twenty times as fast as by default."""
    with Sandbox(speed=SPEED) as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    """Time that the test moves, for a sandbox of its own."""
    return Clock()


@pytest.fixture
def driver(sandbox: Sandbox) -> Iterator[Driver]:
    """A client of the sandbox, which the official SDK is made of."""
    made = Driver(sandbox)
    yield made
    made.close()


@pytest.fixture(scope="session")
def warm_python() -> Iterator[WarmPython]:
    """A process that forks runs of the action; started by the first test that asks for it."""
    python = WarmPython(ROOT / "entrypoint.py")
    yield python
    python.close()


@dataclass(frozen=True)
class WarmLauncher(Launcher):
    """Starts steps by forking; their waits pass `pace` times as fast."""

    python: WarmPython | None = None
    pace: float = PACE

    def start(self, directory: Path, environment: Mapping[str, str]) -> Any:
        """Fork."""
        assert self.python
        return self.python.start(directory, environment, self.pace)


@pytest.fixture
def pace() -> float:
    """How fast the action's waits pass; files whose subject is time have one of their own."""
    return PACE


@pytest.fixture
def job(sandbox: Sandbox, tmp_path: Path, warm_python: WarmPython, pace: float) -> Job:
    """A job on a push to main."""
    runner = Runner(tmp_path / "runner", event=push(), launcher=WarmLauncher((), python=warm_python, pace=pace))
    shutil.copytree(ROOT / "examples" / "hello-truss", runner.workspace / "hello-truss")
    return Job(sandbox, runner)


@pytest.fixture(scope="session")
def release_tools() -> Path:
    """Find act and gitlab-ci-local, which scripts/release_tools.sh installs."""
    tools = ROOT / ".venv" / "release"
    if not (tools / "bin" / "act").exists():
        reason = "needs what scripts/release_tools.sh installs"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return tools


@pytest.fixture
def models(tmp_path) -> Path:
    """Make a git repository with the two Trusses and the Chain that the examples name."""
    shutil.copytree(ROOT / "examples" / "hello-chain", tmp_path / "models" / "hello-chain")
    for name in ("my-model", "my-other-model"):
        shutil.copytree(ROOT / "examples" / "hello-truss", tmp_path / "models" / name)
        config = tmp_path / "models" / name / "config.yaml"
        config.write_text(config.read_text().replace("hello-truss", name))
    return repository(tmp_path / "models")
