"""Starts the action by forking a process that has all of it imported already: half a second of CPU less for each run.

For suites of hundreds of runs. Each is a process of its own, with its own environment, directory, output and signals,
and no module keeps state. How the action really starts, with the interpreter's options and with what is
installed, is judged by `test_entrypoint`, `test_cancel` and `test_image`.

Run as a program, this file is the process that forks: it reads requests from file descriptor 0, a socket.
"""

import contextlib
import dataclasses
import gc
import io
import json
import os
import re
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from queue import SimpleQueue
from types import SimpleNamespace
from typing import IO, Any

# What the action imports of others, sooner or later.
PACKAGES = (
    *("httpx", "yaml", "pathspec", "isal.igzip_threaded", "actions_toolkit.command", "actions_toolkit.file_command"),
    *("boto3", "botocore.session", "botocore.awsrequest", "botocore.httpsession", "s3transfer.manager"),
    *("regex", "jsonschema_rs", "websockets.sync.client", "idna", "difflib", "mimetypes", "subprocess"),
    *("pkgutil", "encodings.idna", "encodings.utf_8_sig"),
    *("email.utils", "json", "logging", "urllib.parse", "concurrent.futures"),
)
_MESSAGE_BYTES = 1 << 20


class Process:
    """What of `subprocess.Popen` the runner uses, of a forked run."""

    def __init__(self, pid: int, stdout: IO[str]) -> None:
        self.pid = pid
        self.stdout = stdout
        self.returncode: int | None = None
        self.ended = threading.Event()

    def poll(self) -> int | None:
        """The exit code, `None` while it runs."""
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """As `Popen.wait`."""
        if not self.ended.wait(timeout):
            raise subprocess.TimeoutExpired("the action", timeout or 0)
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        """As `Popen.send_signal`."""
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """As `Popen.kill`."""
        self.send_signal(signal.SIGKILL)


class WarmPython:
    """The process that forks."""

    def __init__(self, entry_point: Path) -> None:
        from baseten_deploy.network import certificates  # noqa: PLC0415 - not on the path of the process that forks

        self._entry_point = entry_point
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        options = ("-I", "-B", "-u", "-X", "utf8")
        command = [sys.executable, *options, __file__, str(entry_point), certificates.public()]
        self._server = subprocess.Popen(command, stdin=theirs)
        theirs.close()
        self._lock = threading.Lock()  # held from a request until its process is known
        self._running: dict[int, Process] = {}
        self._forked: SimpleQueue[int] = SimpleQueue()
        threading.Thread(target=self._listen, daemon=True).start()

    def start(
        self,
        directory: Path,
        environment: Mapping[str, str],
        pace: float = 1.0,
        *,
        entry_point: Path | None = None,
        errors: int | None = None,
    ) -> Process:
        """Fork a run of an entry point, by default the main one, in `directory`.

        What it waits for passes `pace` times as fast. Its errors go to the file descriptor `errors`, or where its
        output goes.
        """
        reader, writer = os.pipe()
        request = json.dumps([str(entry_point or self._entry_point), str(directory), dict(environment), pace]).encode()
        with self._lock:
            socket.send_fds(self._socket, [request], [writer, writer if errors is None else errors])
            os.close(writer)
            pid = self._forked.get()
            process = self._running[pid] = Process(pid, os.fdopen(reader, encoding="utf-8", errors="replace"))
        return process

    def run(
        self, directory: Path, environment: Mapping[str, str], entry_point: Path
    ) -> subprocess.CompletedProcess[str]:
        """Fork a run of an entry point, and wait for its end."""
        with tempfile.TemporaryFile("w+", encoding="utf-8") as errors:
            process = self.start(directory, environment, entry_point=entry_point, errors=errors.fileno())
            with process.stdout as stdout:
                said = stdout.read()
            code = process.wait(60)
            errors.seek(0)
            return subprocess.CompletedProcess((), code, said, errors.read())

    def close(self) -> None:
        """End the process that forks."""
        self._socket.close()
        self._server.kill()
        self._server.wait()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while message := self._socket.recv(_MESSAGE_BYTES):
                pid, code = json.loads(message)
                if code is None:
                    self._forked.put(pid)
                else:
                    self._end(pid, code)

    def _end(self, pid: int, code: int) -> None:
        with self._lock:
            process = self._running.pop(pid)
        process.returncode = code
        process.ended.set()


def own_modules(entry_point: str) -> list[str]:
    """The action's own modules."""
    source = Path(entry_point).resolve().parent / "src"
    sys.path.insert(0, str(source))
    found = sorted(path.relative_to(source) for path in (source / "baseten_deploy").rglob("*.py"))
    return [".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in found if path.stem != "__main__"]


def hurry(pace: float) -> None:
    """Let the action's waits pass `pace` times as fast; sockets keep the machine's time."""
    from baseten_deploy.clock import Clock  # noqa: PLC0415 - on the path by now

    now, sleep = Clock.now, Clock.sleep
    Clock.now = lambda self: now(self) * pace  # type: ignore[method-assign]
    Clock.sleep = lambda self, seconds: sleep(self, seconds / pace)  # type: ignore[method-assign]


def serve(entry_point: str, authorities: str) -> None:
    """Fork for each request, and tell of each child that ended; until the other side is gone.

    The public authorities that runs trust are those of the file `authorities`, as in the tests' own process.
    """
    # Dataclasses are made at once, and expressions compiled, and not by each run anew.
    sys.modules["baseten_deploy.records"] = dataclasses
    sys.modules["baseten_deploy.expressions"] = SimpleNamespace(expression=re.compile)  # type: ignore[assignment]
    for name in (*PACKAGES, *own_modules(entry_point)):
        __import__(name)
    sys.modules["baseten_deploy.network.certificates"].public = lambda: authorities  # type: ignore[attr-defined]
    sys.modules["baseten_deploy.storage.client"].preload()
    gc.collect()
    gc.freeze()
    requests = socket.socket(fileno=0)

    def reap(*_: Any) -> None:
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    return
                requests.send(json.dumps([pid, os.waitstatus_to_exitcode(status)]).encode())

    signal.signal(signal.SIGCHLD, reap)
    while True:
        message, descriptors, _, _ = socket.recv_fds(requests, _MESSAGE_BYTES, 2)
        if not message:
            return
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})  # its pid is told before its end
        if pid := os.fork():
            for descriptor in descriptors:
                os.close(descriptor)
            requests.send(json.dumps([pid, None]).encode())
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
            continue
        path, directory, environment, pace = json.loads(message)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
        requests.close()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for number, descriptor in zip((1, 2), descriptors, strict=True):
            os.dup2(descriptor, number)
            os.close(descriptor)
        sys.stdout, sys.stderr = (  # as `-u` makes them: those of before know what they wrote to
            io.TextIOWrapper(os.fdopen(number, "wb", 0), encoding="utf-8", write_through=True) for number in (1, 2)
        )
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(directory)
        hurry(pace)
        sys.argv = [path]
        runpy.run_path(path, run_name="__main__")
        return


if __name__ == "__main__":
    serve(*sys.argv[1:])
