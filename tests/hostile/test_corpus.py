"""Whole runs of the action as a process, with 512 MB of memory, against what the corpus says of the other side."""

import base64
import contextlib
import html
import re
import resource
import shutil
import signal
import subprocess
import threading
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from adversary import Adversary
from corpus import BY_PART, ROWS, Row
from way_servers import TlsFront, make_authority

from baseten_deploy.status import Status
from baseten_sandbox import Sandbox
from runner import ROOT, Launcher, Result, Runner, from_checkout
from workflow_events import pull_request, push

pytestmark = pytest.mark.hostile
MEMORY = 512 * 1024 * 1024
KEY = 'hostile/KEY&<+"q7Zp'  # with what each form writes in its own way
RUN = [*ROWS, *(row for _, row in BY_PART)]


@dataclass(frozen=True)
class Bounded(Launcher):
    """Starts the action with little memory: beyond it, an allocation fails. `printed` is what it prints, unmasked."""

    row: Row = ROWS[0]
    printed: list[str] = field(default_factory=list)

    def start(self, directory: Path, environment: Mapping[str, str]) -> Any:
        """As the action is started, below `prlimit`'s own bound: data, which all memory is that it asks for."""
        command = ("/usr/bin/env", "prlimit", f"--data={MEMORY}", "--", *self.command)
        process = Launcher(command).start(directory, environment)
        process.stdout = _Copied(process.stdout, self.printed, self.row.reads_until)  # type: ignore[assignment]
        threading.Thread(target=_send, args=(process, self.row.signals), daemon=True).start()
        return process


def _send(process: Any, signals: tuple[tuple[float, int], ...]) -> None:
    """Send the signals, counted from the action's first line: before it nothing of ours can hear one."""
    caught, status = 0, Path(f"/proc/{process.pid}/status")
    while signals and process.poll() is None and not caught >> (signal.SIGTERM - 1) & 1:
        time.sleep(0.001)
        with contextlib.suppress(OSError):  # of a process that has ended
            caught = int(re.findall(r"SigCgt:\s*(\w+)", status.read_text())[0], 16)
    started = time.monotonic()
    for seconds, number in signals:
        time.sleep(max(0.0, started + seconds - time.monotonic()))
        process.send_signal(number)


class _Copied:
    """A stream of lines that are kept as well: the runner masks secrets that a run must not even print."""

    def __init__(self, stream: Any, lines: list[str], until: str) -> None:
        self._stream = stream
        self._until = until
        self._lines = lines

    def __iter__(self) -> Iterator[str]:
        for line in self._stream:
            if not line.startswith("::add-mask::"):
                self._lines.append(line)
            yield line
            if self._until and self._until in line:
                self._stream.close()
                return

    def close(self) -> None:
        """Close the stream itself."""
        self._stream.close()


@pytest.fixture(scope="module")
def sandbox():
    """One service for all rows; each pushes a model of its own."""
    with Sandbox(speed=50.0, api_key=KEY, rate_limits=False) as running:
        yield running


@pytest.mark.parametrize("row", RUN, ids=str)
def test_row(row: Row, sandbox: Sandbox, tmp_path: Path) -> None:
    """What must be true afterwards is."""
    heard = {"key": KEY}
    with ExitStack() as doors:
        api = doors.enter_context(Adversary(sandbox.api_url, row.traps, heard))
        s3 = doors.enter_context(Adversary(sandbox.s3_endpoint_url, row.s3, heard))
        env = {name: value.replace("{api}", api.url) for name, value in row.env.items()}
        launcher = Bounded(from_checkout().command, environment=env, row=row)
        event = pull_request() if row.on_pull_request else push()
        runner = Runner(tmp_path / "runner", event=event, launcher=launcher)
        _lay_out(row, runner.workspace / "hello-truss")
        name = f"hello-{zlib.crc32(str(row).encode(errors='replace')):x}"
        inputs = {
            "baseten-api-key": KEY,
            "api-url": api.url,
            "inference-url": sandbox.inference_url.replace(sandbox.api_url, api.url),
            "s3-endpoint-url": s3.url if row.s3 else sandbox.s3_endpoint_url,
            "truss-directory": "hello-truss",
            "model-name": name,
            **row.inputs,
        }
        if row.post_state is not None:
            _judge_post(row, runner, inputs, api)
            return
        if row.deployed_before:
            before = Runner(tmp_path / "before", event=event, launcher=from_checkout())
            shutil.copytree(ROOT / "examples" / "hello-truss", before.workspace / "hello-truss")
            good = {**inputs, "mode": "deploy", "api-url": sandbox.api_url, "inference-url": sandbox.inference_url}
            assert 0 == before.start(good).wait(60).exit_code
            (runner.workspace / "hello-truss" / "one_more.py").write_text("MORE = 1\n")
        if row.untrusted_model:
            certificate = make_authority(tmp_path).certificate("127.0.0.1")
            tls = doors.enter_context(TlsFront(certificate, to=urlsplit(api.url).port or 0))
            inputs["inference-url"] = inputs["inference-url"].replace(api.url, f"https://127.0.0.1:{tls.port}")
        result = runner.start(inputs).wait(row.within)
        _judge(row, result, "".join(launcher.printed), [*api.calls, *s3.calls], heard)


def _lay_out(row: Row, truss: Path) -> None:
    shutil.copytree(ROOT / "examples" / "hello-truss", truss)
    for name, content in row.files.items():
        path = truss / name
        path.parent.mkdir(exist_ok=True)
        if isinstance(content, int):
            with path.open("wb") as file:
                file.truncate(content)
        else:
            path.write_text(content)


def _judge(row: Row, result: Result, log: str, calls: list[str], heard: Mapping[str, str]) -> None:
    shown = [log, result.summary, *result.outputs.values(), *result.state.values()]
    assert row.status == result.outputs.get("status"), log[-3000:]
    assert (Status(row.status).exit_code if row.exit_code is None else row.exit_code) == result.exit_code
    assert row.told in log
    for text in shown:
        assert "Traceback" not in text
        for word in row.untold:
            assert word not in text
        _has_no_secret(text, heard)
    for call in row.called:
        assert [each for each in calls if re.search(call, each)], call
    if row.never_called:
        assert [] == [call for call in calls if re.search(row.never_called, call)]


def _judge_post(row: Row, runner: Runner, inputs: Mapping[str, str], api: Adversary) -> None:
    environment = {**runner.variables(inputs), "STATE_deployment": row.post_state or ""}
    done = subprocess.run(
        [*from_checkout().command[:-1], str(ROOT / "post_entrypoint.py")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=row.within,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY)),
        check=False,
    )
    assert 0 == done.returncode, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert [] == [call for call in api.calls if not call.startswith("GET")]


def _has_no_secret(text: str, heard: Mapping[str, str]) -> None:
    """Not as it is, nor after what anybody would try to read it; nor a half of it."""
    read = {text, unquote(text), html.unescape(text), text.replace("\\", ""), html.unescape(unquote(text))}
    for word in re.findall(r"[A-Za-z0-9+/_-]{12,}", text):
        for skipped in range(4):
            part = word[skipped:].translate(str.maketrans("-_", "+/"))
            read.add(base64.b64decode(part[: len(part) // 4 * 4]).decode("latin-1"))
    for secret in heard.values():
        for half in (secret, secret[: len(secret) // 2], secret[len(secret) // 2 :]):
            assert not [reading for reading in read if half in reading], "a secret is shown"
