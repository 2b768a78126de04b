"""What GitHub's runner makes of a step's output and command files: commands obeyed, secrets masked, annotations kept.

The rules are those of actions/runner; the names of its classes stand beside what follows them. It is stricter in one
point: the real one also masks encodings of a secret (base64, JSON, URI, ...), here only the secret itself counts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

ANNOTATIONS = 10  # ExecutionContext._maxCountPerIssueType
MESSAGE_LENGTH = 4096  # ExecutionContext._maxIssueMessageLength

# `set-env` and `add-path` are registered too; they fail the step, as they are disabled since 2020.
COMMANDS = frozenset(
    {
        *("error", "warning", "notice", "debug", "group", "endgroup", "echo", "add-mask", "stop-commands"),
        *("set-env", "set-output", "save-state", "add-path", "add-matcher", "remove-matcher"),
    }
)
SHOWN_AS = {"error": "##[error]", "warning": "##[warning]", "notice": "##[notice]", "debug": "##[debug]"}


@dataclass(frozen=True)
class Command:
    """A workflow command: `::name key=value,key=value::data`, or the older `##[name key=value;key=value]data`."""

    name: str
    data: str
    properties: Mapping[str, str]


def parse_command(line: str, registered: frozenset[str] | set[str] = COMMANDS) -> Command | None:
    """The command in a line, if it has a registered one (ActionCommand.TryParseV2, then TryParse)."""
    trimmed = line.lstrip()
    if trimmed.startswith("::") and (end := trimmed.find("::", 2)) >= 0:
        name, _, properties = trimmed[2:end].partition(" ")
        if name.lower() in registered:
            parsed = _properties(properties.strip(), ",", ("%0D", "%0A", "%3A", "%2C", "%25"))
            return Command(name.lower(), _unescape(trimmed[end + 2 :], ("%0D", "%0A", "%25")), parsed)
    start = line.find("##[")
    if start >= 0 and (end := line.find("]", start)) >= 0:
        name, _, properties = line[start + 3 : end].partition(" ")
        if name.lower() in registered:
            codes = ("%3B", "%0D", "%0A", "%5D", "%25")
            return Command(name.lower(), _unescape(line[end + 1 :], codes), _properties(properties, ";", codes))
    return None


def _properties(text: str, separator: str, codes: tuple[str, ...]) -> dict[str, str]:
    pairs = (pair.partition("=") for pair in text.split(separator))
    return {key: _unescape(value, codes) for key, _, value in pairs if key and value}


def _unescape(text: str, codes: tuple[str, ...]) -> str:
    for code in codes:  # in the order given: `%25` comes last
        text = text.replace(code, chr(int(code[1:], 16)))
    return text


@dataclass(frozen=True)
class Annotation:
    """One of the at most ten of its kind that GitHub keeps of a step."""

    kind: str
    message: str
    properties: Mapping[str, str]


@dataclass(frozen=True)
class Line:
    """One entry of the log as a user sees it, of one line or more. `tag` is the command that made it, `""` for text."""

    tag: str
    text: str


@dataclass
class Log:
    """What the runner makes of a step's stdout and stderr, line by line (OutputManager, ActionCommandManager)."""

    lines: list[Line] = field(default_factory=list)
    raw: list[str] = field(default_factory=list)  # what the step really wrote, secrets included
    commands: list[Command] = field(default_factory=list)  # each one that was obeyed
    annotations: list[Annotation] = field(default_factory=list)
    masks: set[str] = field(default_factory=set)
    failed: bool = False  # a command that cannot be obeyed fails the step
    _stop_token: str = ""

    @property
    def text(self) -> str:
        """The whole log as a user sees it."""
        return "\n".join(f"{SHOWN_AS.get(line.tag, '')}{line.text}" for line in self.lines)

    def __str__(self) -> str:
        return self.text

    def mask(self, text: str) -> str:
        """`text` as the runner shows it: every secret that it knows so far is `***`."""
        for secret in sorted(self.masks, key=len, reverse=True):
            text = text.replace(secret, "***")
        return text

    def feed(self, line: str) -> None:
        """Take one line of output."""
        self.raw.append(line)
        stopped = bool(self._stop_token)
        command = parse_command(line, COMMANDS | {self._stop_token.lower()} if stopped else COMMANDS)
        if command is None or (stopped and command.name != self._stop_token.lower()):
            self._show("", line)
        elif stopped:
            self._show("resume-commands", line)
            self._stop_token = ""
        else:
            self.commands.append(command)
            self._obey(command, line)

    def issue(self, kind: str, message: str, properties: Mapping[str, str] | None = None) -> None:
        """Add an annotation (ExecutionContext.AddIssue): all are in the log, the first ten of a kind on the run."""
        message = self.mask(message)[:MESSAGE_LENGTH]
        if sum(seen.kind == kind for seen in self.annotations) < ANNOTATIONS:
            self.annotations.append(Annotation(kind, message, properties or {}))
        self._show(kind, message)

    def fail(self, message: str) -> None:
        """Add an error of the runner's own, which fails the step."""
        self.issue("error", message)
        self.failed = True

    def _show(self, tag: str, text: str) -> None:
        self.lines.append(Line(tag, self.mask(text)))

    def _obey(self, command: Command, line: str) -> None:
        match command.name:
            case "add-mask":
                if not command.data.strip():
                    self.issue("warning", "Can't add secret mask for empty string in ##[add-mask] command.")
                self.masks |= {part for part in (command.data, *command.data.splitlines()) if part.strip()}
            case "stop-commands":
                if not command.data or command.data.lower() in COMMANDS | {"pause-logging"}:
                    self.fail("Invoked ::stopCommand:: with an invalid token")
                    return
                self._stop_token = command.data
                if len(self._stop_token) > 6:
                    self.masks.add(self._stop_token)
                self._show("stop-commands", line)
            case "error" | "warning" | "notice":
                self.issue(command.name, command.data, command.properties)
            case "group" | "endgroup" | "debug":
                self._show(command.name, command.data if command.name != "endgroup" else "")
            case "set-env" | "add-path":
                self.fail(f"The `{command.name}` command is disabled.")
            case _:  # deprecated or of no use here; `commands` tells a test that they were obeyed
                pass


class CommandFileError(Exception):
    """A command file that the runner cannot read: it fails the step."""


def parse_command_file(text: str) -> dict[str, str]:
    """The pairs in a `GITHUB_OUTPUT` or `GITHUB_STATE` file (EnvFileKeyValuePairs); the last of a name wins.

    `NAME=VALUE` on a line, or `NAME<<DELIMITER`, the value's lines, and the delimiter on a line of its own.
    """
    pairs: dict[str, str] = {}
    lines = text.split("\n")
    rest = iter(lines)
    unterminated = lines[-1]  # what follows the last line feed
    for line in rest:
        equals, heredoc = line.find("="), line.find("<<")
        if not line:
            continue
        if equals >= 0 and (heredoc < 0 or equals < heredoc):
            name, _, pairs[name] = line.partition("=")
        elif heredoc >= 0:
            name, _, delimiter = line.partition("<<")
            if not name or not delimiter:
                raise CommandFileError(f"Invalid format '{line}'. Name and delimiter must not be empty")
            value: list[str] = []
            for part in rest:
                if part == delimiter:
                    break
                value.append(part)
            else:
                missing = "line feed" if unterminated else f"delimiter '{delimiter}'"
                raise CommandFileError(f"Invalid value. There is no {missing} at its end")
            pairs[name] = "\n".join(value)
        else:
            raise CommandFileError(f"Invalid format '{line}'")
    return pairs
