"""Runs the real NeMo Platform of ../shared/nemo for the tests, and leaves nothing behind.

It is installed once into a cache, ~/.cache/baseten-deploy-nemo, which takes a minute; every start gets fresh data in a
directory of its own and takes ten seconds. `Platform` is one workspace to test in, of this or of the recorded one.
"""

import fcntl
import json
import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from baseten_deploy.ci.redaction import Redactor
from baseten_deploy.clock import Clock
from baseten_deploy.errors import Problem
from baseten_deploy.nemo.api import Registry

CACHE = Path.home() / ".cache" / "baseten-deploy-nemo"
START_SECONDS = 600


@contextmanager
def running(script: Path, directory: Path, variables: Mapping[str, str]) -> Iterator[str]:
    """Start the platform with its data in `directory`, and give its URL. `variables` configure it (`NMP_*`)."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NMP_")} | dict(variables)
    venv = _installed(script, environment)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "venv").symlink_to(venv)
    port = _free_port()
    try:
        _start(script, directory, port, environment)
        yield f"http://127.0.0.1:{port}"
    finally:
        _stop(directory, port)


def _installed(script: Path, environment: Mapping[str, str]) -> Path:
    """The cached installation. The script installs where it starts, so it is started once and stopped again."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (CACHE / "installed").exists():
            port = _free_port()
            try:
                _start(script, CACHE, port, environment)
            finally:
                _stop(CACHE, port)
            (CACHE / "installed").touch()
    return CACHE / "venv"


def _start(script: Path, directory: Path, port: int, environment: Mapping[str, str]) -> None:
    log = directory / "start.log"
    with log.open("w") as output:  # a file: the service inherits it, and a pipe would never end
        done = subprocess.run(
            ["bash", script, directory, str(port), "core"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            timeout=START_SECONDS,
            check=False,
        )
    assert done.returncode == 0, f"{script} failed:\n{log.read_text()[-3000:]}"


def _stop(directory: Path, port: int) -> None:
    """Stop what was started there, and make sure of it."""
    found = list((directory / "state").glob(f"nmp/instances/local-{port}/instance.json"))
    pid = json.loads(found[0].read_text())["pid"] if found else 0
    nemo = directory / "venv" / "bin" / "nemo"
    if nemo.exists():
        subprocess.run(
            [nemo, "services", "stop", "--instance", f"local-{port}"],
            env={**os.environ, "HOME": str(directory / "home"), "XDG_STATE_HOME": str(directory / "state")},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
            check=False,
        )
    if pid and _lives(pid):
        os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + 10
        while _lives(pid) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not _lives(pid), f"the platform (process {pid}) survived"


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        if Path("/proc/self").exists():
            return False
        try:  # no /proc on macOS
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        return True
    return state != "Z"


def _free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


@dataclass
class Platform:
    """One workspace of a platform, and a run's end of a registration there; keeps what the run was told."""

    client: httpx.Client
    url: str
    workspace: str = ""
    token: str = ""
    operator: Mapping[str, str] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    registered: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not self.workspace:
            self.workspace = f"w-{secrets.token_hex(6)}"
            self.ask("POST", "/apis/entities/v2/workspaces", {"name": self.workspace})

    def ask(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """A call of the operator's, which must succeed."""
        response = self.client.request(method, self.url + path, json=body, headers=dict(self.operator), timeout=60)
        assert response.is_success, f"{method} {path}: {response.status_code} {response.text}"
        answer: dict[str, Any] = response.json() if response.content else {}
        return answer

    def add(self, service: str, kind: str, **body: Any) -> None:
        """Create a project, secret or fileset in the workspace."""
        self.ask("POST", f"/apis/{service}/v2/workspaces/{self.workspace}/{kind}", body)

    def entity(self, name: str) -> dict[str, Any]:
        """A model entity, as everybody can read it."""
        return self.ask("GET", f"/apis/models/v2/workspaces/{self.workspace}/models/{name}")

    def provider(self, name: str) -> dict[str, Any]:
        """A provider, as everybody can read it."""
        return self.ask("GET", f"/apis/models/v2/workspaces/{self.workspace}/providers/{name}")

    def registry(self, workspace: str = "") -> Registry:
        """The run's calls."""
        redactor = Redactor()
        redactor.add(self.token)
        workspace = workspace or self.workspace
        return Registry(self.url, workspace, self.token, client=self.client, clock=Clock(), redactor=redactor)
