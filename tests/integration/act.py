"""Workflow files run by `act`, in containers of podman: no Docker engine, no network but loopback and the registry's.

    with podman_service(part, directory) as address:
        run = Act(binary, address, work_tree, {"OWNER/baseten-deploy@v1": action}).run(workflow, "push", payload)
        run.jobs, run.steps("OWNER/baseten-deploy"), run.text

act is a real interpreter of workflow syntax: expressions, matrices, `needs`, `if`, contexts, command files, masks. It
is not GitHub's runner, and nothing is concluded from where it differs:

- A step finds the workspace where it is on this machine, not at /github/workspace; some GITHUB_* are missing.
- The post step gets no `STATE_*`, and `post-if` is asked of the step and not of the job: scripts/runner.py plays it.
- actions/checkout is left out, the work tree is copied into the job's container. Other actions are stood in for.
- `permissions`, `environment`, `concurrency` and `paths` are read and have no effect; there is no job summary page.
- A cancel kills containers; the order of signals is the business of scripts/runner.py and of the image's tests.
"""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from containers import BASE, in_storage, machine_environment

from workflow_events import REPOSITORY

RUNNER_IMAGE = BASE


def free_port() -> int:
    """A port of loopback that nobody listens at now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def background(command: Sequence[str | Path], environment: Mapping[str, str], log: Path) -> Iterator[None]:
    """Run a server as long as the block lasts; only what this started is ended."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            list(map(str, command)), env=environment, stdout=output, stderr=output, start_new_session=True
        )
        try:
            yield
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(30)


def repository(directory: Path, files: dict[str, str] | None = None) -> Path:
    """Make a git repository of a folder, as a checkout of GitHub's has one."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in (files or {}).items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)
    who = ("-c", "user.email=octocat@example.com", "-c", "user.name=octocat")
    for command in (
        ("init", "-q", "-b", "main"),
        ("remote", "add", "origin", f"https://github.com/{REPOSITORY}"),
        ("add", "-A"),
        (*who, "commit", "-q", "-m", "Trusses"),
    ):
        subprocess.run(["git", *command], cwd=directory, check=True)
    return directory


def wait_for(seen: Any, what: str, log: Path) -> None:
    """Wait until `seen()` is true; fails with the log after half a minute."""
    deadline = time.monotonic() + 30
    while not seen():
        assert time.monotonic() < deadline, f"{what} did not start:\n{log.read_text()}"
        time.sleep(0.05)


@contextmanager
def podman_service(part: Path, directory: Path, image_home: Path | None = None) -> Iterator[str]:
    """Docker's API by podman, with the storage of ../shared/image or another one; gives the value for DOCKER_HOST."""
    address, log = directory / "podman.sock", directory / "podman.log"
    environment = machine_environment() | ({"IMAGE_HOME": str(image_home)} if image_home else {})
    command = in_storage(part, "podman", "system", "service", "--time=0", f"unix://{address}")
    with background(command, environment, log):
        wait_for(address.exists, "podman's service", log)
        yield f"unix://{address}"


@dataclass(frozen=True)
class ActRun:
    """A workflow that has ended."""

    exit_code: int
    log: str  # JSON lines, and what act itself had to say

    @cached_property
    def events(self) -> list[dict[str, Any]]:
        """What happened, in order."""
        return [json.loads(line) for line in self.log.splitlines() if line.startswith("{")]

    @property
    def jobs(self) -> dict[str, str]:
        """How each job ended, by its full name; the jobs of a matrix one by one."""
        return {event["job"]: event["jobResult"] for event in self.events if "jobResult" in event}

    def steps(self, uses: str) -> list[tuple[str, dict[str, str]]]:
        """Each step that uses an action: how it ended, and its outputs."""
        order: dict[tuple[str, str], tuple[list[str], dict[str, str]]] = {}
        for event in self.events:
            if str(event.get("step", "")).startswith(uses) and event.get("stage") == "Main":
                ends, outputs = order.setdefault((event["job"], str(event["stepID"])), ([], {}))
                if event.get("command") == "set-output":
                    outputs[event["name"]] = event["arg"]
                if "stepResult" in event:
                    ends.append(event["stepResult"])
        return [(ends[-1] if ends else "", outputs) for ends, outputs in order.values()]

    @property
    def text(self) -> str:
        """What a person would read."""
        lines = (event.get("msg", "").rstrip("\n") for event in self.events)
        return "\n".join((*lines, *(line for line in self.log.splitlines() if not line.startswith("{"))))


@dataclass(frozen=True)
class Act:
    """act, in one git work tree. `replaced` are local folders for actions: `owner/name@ref` to a path."""

    binary: Path
    docker_host: str
    checkout: Path
    replaced: Mapping[str, Path] = field(default_factory=dict)
    options: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)

    def run(
        self, workflow: Path, event: str, payload: Mapping[str, Any], secrets: Mapping[str, str] | None = None
    ) -> ActRun:
        """Run a workflow file as if `event` had happened."""
        told = self.checkout.parent / "event.json"
        told.write_text(json.dumps(payload))
        secret_file = self.checkout.parent / "secrets"
        secret_file.write_text("".join(f"{name}={value}\n" for name, value in (secrets or {}).items()))
        command = [
            *(str(self.binary), event, "--json", "--workflows", str(workflow), "--eventpath", str(told)),
            *("--platform", f"ubuntu-24.04={RUNNER_IMAGE}", "--platform", f"ubuntu-latest={RUNNER_IMAGE}"),
            *("--pull=false", "--network", "host", "--container-daemon-socket", "-", "--no-cache-server"),
            *("--secret-file", str(secret_file), "--action-cache-path", str(self.checkout.parent / "actions")),
            *(f"--local-repository={name}={path}" for name, path in self.replaced.items()),
            *self.options,
        ]
        environment = machine_environment() | {"DOCKER_HOST": self.docker_host} | dict(self.environment)
        done = subprocess.run(
            command, cwd=self.checkout, env=environment, capture_output=True, text=True, check=False, timeout=300
        )
        return ActRun(done.returncode, done.stdout + done.stderr)
