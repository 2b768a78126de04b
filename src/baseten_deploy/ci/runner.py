"""GitHub's runner: commands on stdout, command files, annotations, masks. Elsewhere the same as plain lines.

The only module that writes to stdout. Spec: the workflow commands of GitHub Actions and npm's `@actions/core`; the
escaping and the heredoc are those of `actions-toolkit`.

The runner scans each line for commands (`::x::` at its start, `##[x]` anywhere in it), so text that is not ours goes
out between `::stop-commands::<random>` and its end. Everything is redacted before it is printed, and the marks of other
CI systems are inert wherever the step runs (`foreign_text`).

Nothing here ends a run: a stdout whose reader went away takes no more lines, a command file that cannot be written is
said once.
"""

import errno
import io
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from enum import StrEnum
from typing import TextIO

from actions_toolkit.command import Command
from actions_toolkit.file_command import prepare_key_value_message

from baseten_deploy.errors import Problem
from baseten_deploy.expressions import expression
from baseten_deploy.report.amounts import duration

from .elsewhere import in_words_of_a_shell
from .foreign_text import cut_lines, printable, without_escapes
from .redaction import Redactor
from .regular_files import open_to_append

# GitHub shows ten annotations of a kind per step and drops the rest without a word.
ANNOTATIONS = 10
# GitHub refuses a step summary above 1 MiB, whole.
SUMMARY_BYTES = 1024 * 1024 - 1

# Names the file whose values the post step gets.
STATE = "GITHUB_STATE"

# Any of them: a container hook of a self-hosted runner sets only some. In doubt masks and guards apply.
_GITHUB = ("GITHUB_ACTIONS", "GITHUB_OUTPUT", "GITHUB_RUN_ID", "GITHUB_WORKFLOW")
# One that says it is another CI system's leaves no doubt: there `add-mask` would be a line with the key in it. Somebody
# may set `GITHUB_OUTPUT` there to get the outputs in a file.
_OTHERS = (
    *("GITLAB_CI", "JENKINS_URL", "TF_BUILD", "TEAMCITY_VERSION"),
    *("BUILDKITE", "CIRCLECI", "BITBUCKET_BUILD_NUMBER"),
)
_COMMAND = expression(r"^\s*::", re.MULTILINE)
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_NO_RIGHT = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


def is_github(environment: Mapping[str, str]) -> bool:
    """Whether a runner of GitHub reads what is printed, or one that does as it does (Gitea, Forgejo, act)."""
    if environment.get("GITHUB_ACTIONS"):
        return True
    return any(map(environment.get, _GITHUB)) and not any(map(environment.get, _OTHERS))


class Colour(StrEnum):
    """How lines stand out in a terminal."""

    PLAIN = ""
    BOLD = "1"
    RED = "31"
    GREEN = "32"
    YELLOW = "33"
    BLUE = "34"


_COLOURS = {"error": Colour.RED, "warning": Colour.YELLOW, "notice": Colour.BLUE}


def takes_colour(environment: Mapping[str, str], stream: TextIO) -> bool:
    """Whether `stream` is a terminal whose user wants colours. Spec: no-color.org."""
    return stream.isatty() and not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"


class Runner:
    """What the CI system is told. `environment` is the step's; `stream` is its stdout."""

    def __init__(self, environment: Mapping[str, str], redactor: Redactor, stream: TextIO | None = None) -> None:
        self.on_github = is_github(environment)
        self.redactor = redactor
        self.annotated: dict[str, int] = {}
        self._unwritable: set[str] = set()  # command files
        self._environment = environment
        self._stream = stream or sys.stdout or Nobody()  # Python has none when the descriptor is closed
        self._coloured = not self.on_github and takes_colour(environment, self._stream)
        self._lock = threading.RLock()  # the log stream prints from a thread of its own
        self._lines = 0
        self._written_at = time.monotonic()

    @property
    def command_files(self) -> dict[str, str]:
        """The files by which a step tells the runner something: their variables, and the paths."""
        names = ("GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_PATH", STATE, "GITHUB_STEP_SUMMARY")
        return {name: path for name in names if (path := self._environment.get(name))}

    def silence(self) -> float:
        """Seconds since something was printed."""
        return time.monotonic() - self._written_at

    def mask(self, secret: str) -> None:
        """Hide a secret from now on, here and in the runner. Never prints it anywhere but in the runner's command."""
        self.redactor.add(secret)
        if self.on_github and secret.strip():
            self._write(str(Command("add-mask", {}, secret)))

    def info(self, text: str = "", colour: Colour = Colour.PLAIN) -> None:
        """Print lines of ours. They may quote foreign words, so what looks like a command is made harmless."""
        text = self._shown(text)
        if self.on_github and _COMMAND.search(text):
            self._stopped(text)
        else:
            self._write(self._in(colour, text))

    def foreign(self, text: str) -> None:
        """Print what somebody else wrote (logs, answers): no line of it is taken for a command, none is endless."""
        text = cut_lines(self._shown(text))  # after redaction: half a secret is not found any more
        if self.on_github:
            self._stopped(text)
        else:
            self._write(text)

    @contextmanager
    def group(self, title: str) -> Iterator[None]:
        """Fold what is printed inside, else how long it took. Elsewhere the title is a line of its own."""
        title = self._shown(title).replace("\n", " ")
        self._write(str(Command("group", {}, title)) if self.on_github else self._in(Colour.BOLD, f"== {title}"))
        lines, started, how = self._lines, time.monotonic(), "Failed"
        try:
            yield
            how = "Done"
        finally:
            if self._lines == lines:
                self._write(f"{how} after {duration(time.monotonic() - started)}")
            if self.on_github:
                self._write("::endgroup::")

    def error(self, problem: Problem) -> None:
        """An annotation on the run, at the problem's file and line when it has them."""
        self._annotate("error", problem)

    def warning(self, problem: Problem) -> None:
        """As `error`; the run goes on."""
        self._annotate("warning", problem)

    def notice(self, problem: Problem) -> None:
        """As `warning`, for what is no problem but should be seen."""
        self._annotate("notice", problem)

    def output(self, name: str, value: str) -> None:
        """Write a step output, where there is a file for it."""
        self._file_command("GITHUB_OUTPUT", name, value)

    @property
    def keeps_outputs(self) -> bool:
        """Whether outputs get to where somebody reads them; else they are printed at the end."""
        return (
            self.on_github and bool(self._environment.get("GITHUB_OUTPUT")) and "GITHUB_OUTPUT" not in self._unwritable
        )

    def state(self, name: str, value: str) -> None:
        """Save a value for this action's post step."""
        self._file_command(STATE, name, value)

    def summary(self, markdown: str) -> None:
        """Append Markdown to the step summary, cut to what GitHub accepts."""
        data = self.redactor.redact(markdown).encode("utf-8", "replace")

        def content(size: int) -> bytes:
            room = SUMMARY_BYTES - size - 1
            return data[:room].decode("utf-8", "ignore").encode() + b"\n" if room > 0 else b""

        self._append("GITHUB_STEP_SUMMARY", content)

    def _annotate(self, kind: str, problem: Problem) -> None:
        if not self.on_github:
            problem = in_words_of_a_shell(problem)
        text = self._shown(str(problem))  # with the place: the log shows only the text
        self.annotated[kind] = self.annotated.get(kind, 0) + 1
        if self.on_github and self.annotated[kind] <= ANNOTATIONS:
            place = {"file": self._shown(problem.file), "line": problem.line, "col": problem.column}
            where = {key: str(value) for key, value in place.items() if value}
            self._write(str(Command(kind, where, text)))
        else:
            self.info(f"{kind}: {text}", _COLOURS[kind])

    def _shown(self, text: str) -> str:
        """`text` without secrets, which an escape sequence may split, and with nothing in it that is obeyed."""
        return printable(self.redactor.redact(without_escapes(text)))

    def _file_command(self, variable: str, name: str, value: str) -> None:
        text = prepare_key_value_message(name, self.redactor.redact(value)) + "\n"
        self._append(variable, lambda _size: text.encode("utf-8", "replace"))

    def _append(self, variable: str, content: Callable[[int], bytes]) -> None:
        """Append to a command file, whose size `content` gets. One that cannot be written to does not end the run."""
        path = self._environment.get(variable)
        if not path or variable in self._unwritable:
            return
        try:
            with open_to_append(path) as file:
                file.write(content(file.tell()))
        except (OSError, ValueError) as error:
            self._unwritable.add(variable)
            said = (error.strerror if isinstance(error, OSError) else "") or str(error)
            remedy = self._remedy(error.errno if isinstance(error, OSError) else None, variable)
            self.warning(Problem(f"Cannot write to `{variable}`, {path}: {said}", remedy))

    def _remedy(self, number: int | None, variable: str) -> str:
        """What to do about a command file that cannot be written."""
        if number in _NO_ROOM:
            where = "the runner" if self.on_github else "the disk of that file"
            return f"The disk is full: free space on {where}. The deployment goes on; what is written there is lost."
        if number in _NO_RIGHT:
            return f"Let the user of this step write to that file, and mount it writable; or unset `{variable}`."
        return f"Outside of GitHub's runner, unset `{variable}` or mount the file into the container."

    def _in(self, colour: Colour, text: str) -> str:
        """`text`, which is printable already, in a colour where there are any."""
        return f"\x1b[{colour}m{text}\x1b[0m" if self._coloured and colour else text

    def _stopped(self, text: str) -> None:
        token = os.urandom(16).hex()
        self._write(f"::stop-commands::{token}\n{text}\n::{token}::")

    def _write(self, text: str) -> None:
        with self._lock:
            self._lines += 1
            self._written_at = time.monotonic()
            try:
                self._stream.write(text + "\n")
                self._stream.flush()
            except UnicodeEncodeError:  # a stream of another character set than ours
                self._stream.write(text.encode("ascii", "backslashreplace").decode() + "\n")
            except (OSError, ValueError):  # nobody reads on, or it is full: the run goes on without it
                self._stream = silenced(self._stream)


class Nobody(io.StringIO):
    """A stream that nobody reads."""

    def write(self, text: str) -> int:
        """Forget it."""
        return len(text)


def silenced(stream: TextIO) -> TextIO:
    """A stream that takes the place of one that takes no more, down to its descriptor.

    Else Python tries at its end once more to write what is left, complains, and exits with 120.
    """
    with suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
    return Nobody()
