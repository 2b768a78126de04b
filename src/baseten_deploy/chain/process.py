"""Runs `truss_program` with the interpreter that has `truss`, apart from everything of this run, and ends it for good.

What it gets: an environment of its own (nothing of the job's but the proxies and certificates of a push), an empty home
and a temporary directory that go with it, and one descriptor to answer on. What it prints is foreign text. However it
ends, by itself, by its deadline or by a cancel, all that it started ends with it, also what left its process group; and
what the user's code wrote to the runner's command files is taken back.
"""

import json
import os
import selectors
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from baseten_deploy.errors import InvalidInput
from baseten_deploy.records import dataclass

from .aftermath import adopt_orphans, end_all, hide_from_children

_PROGRAM = Path(__file__).with_name("truss_program.py")
# Isolated from what lies beside the program (-I); an interpreter's own site-packages have truss.
_ARGUMENTS = ("-I", "-B", "-X", "utf8")
_CHUNK = 65536
_ANSWER_BYTES = 4 * 1024 * 1024
SHOWN_BYTES = 2 * 1024 * 1024  # of what it prints
_LOOK_SECONDS = 0.2
_SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"


COMMIT = {"stage": "commit"}  # what the program tells right before the request goes out that makes something


@dataclass(frozen=True)
class Answer:
    """What the program told before it ended; `lines` are its own, in order. `code` is its exit code."""

    lines: Sequence[Mapping[str, Any]]
    code: int
    timed_out: bool = False

    def last(self, key: str) -> Mapping[str, Any] | None:
        """The last line of that kind, `None` when there is none."""
        return next((line[key] for line in reversed(self.lines) if isinstance(line.get(key), dict)), None)

    @property
    def committed(self) -> bool:
        """Whether the request that makes something may have gone out."""
        return COMMIT in self.lines


@contextmanager
def room() -> Iterator[Path]:
    """A directory for one start, with `home` and `tmp` in it; gone in the end. Raises `InvalidInput` for none."""
    try:
        directory = Path(tempfile.mkdtemp(prefix="chain-"))
    except OSError as error:  # a container's root file system may be read-only
        raise InvalidInput(
            f"No directory is writable here, and `truss` needs one for a Chain: {error.strerror}",
            "Give the container a writable `/tmp` (`--tmpfs /tmp`), or set `TMPDIR` to a directory that is.",
        ) from None
    try:
        for name in ("home", "tmp"):
            (directory / name).mkdir(mode=0o700)
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def environment_of(python: str, directory: Path, passed: Mapping[str, str]) -> dict[str, str]:
    """The environment that the program gets. `truss` looks for `ruff` on the PATH, beside its interpreter."""
    return {
        "PATH": f"{Path(python).parent}{os.pathsep}{_SYSTEM_PATH}",
        "HOME": str(directory / "home"),
        "TMPDIR": str(directory / "tmp"),
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        "BASETEN_TRUSS_AUTH_KEYRING_DISABLED": "1",
        "NO_COLOR": "1",
        "RUFF_NO_CACHE": "true",  # `ruff` would keep one in the workspace, which may be somebody else's
        **passed,
    }


def run_program(
    python: str,
    request: Mapping[str, Any],
    *,
    directory: Path,
    cwd: Path,
    passed: Mapping[str, str],
    seconds: float,
    show: Callable[[str], None],
    commits: Callable[[], None] = lambda: None,
) -> Answer:
    """Start the program in `cwd`, show what it prints, and give back what it answered, at most `seconds` later.

    Raises `OSError` when it cannot be started. `show` gets whole lines; `commits` is called once, when the program
    tells that the request goes out now that makes something.
    """
    hide_from_children()
    adopt_orphans()
    reading, writing = os.pipe()
    try:
        process = subprocess.Popen(  # noqa: S603 - our own program; what users wrote goes to its standard input
            [python, *_ARGUMENTS, str(_PROGRAM), str(writing)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=(writing,),
            env=environment_of(python, directory, passed),
            cwd=cwd,
            start_new_session=True,
        )
    except BaseException:
        os.close(reading)
        raise
    finally:
        os.close(writing)
    heard = _Heard(show, commits)
    try:
        with suppress(BrokenPipeError):
            assert process.stdin
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.close()
        timed_out = not _listen(process, reading, heard, time.monotonic() + seconds)
    finally:
        end_all(process)
        heard.drain(reading, process)
        os.close(reading)
        assert process.stdout
        process.stdout.close()
    heard.flush()
    return Answer(heard.lines(), process.returncode, timed_out)


def _listen(process: "subprocess.Popen[bytes]", reading: int, heard: "_Heard", end: float) -> bool:
    """Take in what comes until the program has ended; false when that is later than `end`."""
    assert process.stdout
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ, heard.printed)
        selector.register(reading, selectors.EVENT_READ, heard.answered)
        while process.poll() is None:  # not: until its pipes are closed, which whatever it started may hold
            if time.monotonic() >= end:
                return False
            for key, _ in selector.select(_LOOK_SECONDS):
                if data := os.read(key.fd, _CHUNK):
                    key.data(data)
                else:
                    selector.unregister(key.fileobj)
            if not selector.get_map():
                with suppress(subprocess.TimeoutExpired):
                    process.wait(_LOOK_SECONDS)
    return True


class _Heard:
    """What came from the program so far."""

    def __init__(self, show: Callable[[str], None], commits: Callable[[], None]) -> None:
        self._show = show
        self._commits = commits
        self._committed = False
        self._answer = bytearray()
        self._rest = b""
        self._shown = 0

    def answered(self, data: bytes) -> None:
        self._answer += data[: _ANSWER_BYTES - len(self._answer)]
        if not self._committed and COMMIT in self.lines():
            self._committed = True
            self._commits()

    def printed(self, data: bytes) -> None:
        whole, line_end, self._rest = (self._rest + data).rpartition(b"\n")
        if line_end:
            self._say(whole)
        if len(self._rest) > _CHUNK:  # a line without an end
            self._say(self._rest)
            self._rest = b""

    def flush(self) -> None:
        """Show what is left without a line's end."""
        if self._rest:
            self._say(self._rest)
            self._rest = b""

    def drain(self, reading: int, process: "subprocess.Popen[bytes]") -> None:
        """Take in what is in the pipes, without waiting for more."""
        assert process.stdout
        for descriptor, take in ((process.stdout.fileno(), self.printed), (reading, self.answered)):
            os.set_blocking(descriptor, False)
            with suppress(BlockingIOError, OSError):
                while data := os.read(descriptor, _CHUNK):
                    take(data)

    def lines(self) -> list[Mapping[str, Any]]:
        """The answer's lines that are JSON objects."""
        found: list[Mapping[str, Any]] = []
        for line in bytes(self._answer).splitlines():
            with suppress(ValueError, RecursionError):
                value = json.loads(line)
                if isinstance(value, dict):
                    found.append(value)
        return found

    def _say(self, data: bytes) -> None:
        room = SHOWN_BYTES - self._shown
        if room <= 0:
            return
        self._shown += len(data)
        text = data[:room].decode("utf-8", "replace")
        self._show(text if len(data) <= room else f"{text}\n(more was printed, and is not shown)")


def signal_name(code: int) -> str:
    """How a process ended, in words."""
    if code >= 0:
        return f"with exit code {code}"
    try:
        return f"by {signal.Signals(-code).name}"
    except ValueError:
        return f"by signal {-code}"
