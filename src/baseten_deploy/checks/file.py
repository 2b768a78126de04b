"""Reads the checks file: every mistake in it, all at once, each at its line. Sends nothing.

What the fields are is `field_table`. Files that it names are read now, and patterns and schemas compiled, so that
nothing of it can fail after the deployment was paid for.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from baseten_deploy.errors import Problem
from baseten_deploy.inputs.settings import suggestion
from baseten_deploy.strict_yaml import YamlError
from baseten_deploy.strict_yaml import load as load_yaml

from . import field_table as table
from .answer_schema import AnswerSchema, BadSchema, compile_schema
from .check import Check, Expect, Kind, Live, Suite
from .field_table import Field, FieldKind
from .fixture_file import PAYLOAD_BYTES, TEXT_BYTES, Unusable, read_fixture, resolve_inside
from .patterns import BadPattern, Pattern, compile_pattern

Place = tuple[str | int, ...]

_CHECK = {field.name: field for field in table.CHECK}
_EXPECT = {field.name: field for field in table.EXPECT}
_BAD: Any = object()  # a value that was wrong, and is reported
# What the request's own fields say, or the connection.
_OWN_HEADERS = {
    *("accept-encoding", "authorization", "connection", "content-length", "expect", "host", "te", "trailer"),
    *("transfer-encoding", "upgrade"),
}
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_PATH = re.compile(r"/[!-\"$-~]*")  # printable ASCII without a space and without `#`
_MEDIA_TYPE = re.compile(r"[\w.+-]+/[\w.+*-]+(\s*;.*)?")


def read_checks(
    name: str, report: str, *, truss: Path, workspace: Path, timeout: float
) -> tuple[Suite | None, list[Problem]]:
    """Read the inputs `checks` and `checks-report`: the suite, or every problem with it.

    `timeout` is that of a call without one, in seconds.
    """
    problems: list[Problem] = []
    report_path = _report_path(report, workspace, problems)
    try:
        path = _find(name, truss, workspace)
        text = read_fixture(path.name, path.parent, workspace, TEXT_BYTES).decode("utf-8-sig")
    except Unusable as error:
        remedy = (
            "It is relative to the Truss directory or the workspace." if "no file" in error.message else error.remedy
        )
        return None, [*problems, Problem(f"`checks`: {error.message}", remedy)]
    except UnicodeDecodeError:
        return None, [*problems, Problem(f"`checks`: {name!r} is not UTF-8 text", "Save it as UTF-8.")]
    shown = path.relative_to(workspace).as_posix()
    reader = _Reader(shown, path.parent, workspace, timeout)
    checks = reader.read(text)
    problems += sorted(reader.problems, key=lambda problem: (problem.line, problem.column))
    return (None if problems else Suite(tuple(checks), shown, report_path)), problems


def _find(name: str, truss: Path, workspace: Path) -> Path:
    for directory in (truss, workspace):
        path = resolve_inside(name, directory, workspace)
        if path.exists():
            return path
    raise Unusable(f"there is no file {name!r}", "")


def _report_path(name: str, workspace: Path, problems: list[Problem]) -> Path | None:
    if not name:
        return None
    try:
        path = resolve_inside(name, workspace, workspace)
    except Unusable as error:
        problems.append(Problem(f"`checks-report`: {error.message}", "Write a path below the workspace."))
        return None
    if path.is_dir():
        problems.append(Problem(f"`checks-report`: {name!r} is a directory", "Name a file, such as `checks.xml`."))
    return path


class _Reader:
    """Turns the file's text into checks, collecting problems."""

    def __init__(self, file: str, directory: Path, workspace: Path, timeout: float) -> None:
        self.problems: list[Problem] = []
        self._file = file
        self._directory = directory
        self._workspace = workspace
        self._timeout = timeout
        self._positions: Mapping[Place, tuple[int, int]] = {}
        self._read: dict[str, bytes] = {}  # many checks may send one file

    def problem(self, place: Place, message: str, remedy: str) -> None:
        """Something wrong at a key or an item."""
        line, column = self._at(place)
        found = Problem(message, remedy, self._file, line, column)
        if found not in self.problems:  # a default is read once for each check
            self.problems.append(found)

    def read(self, text: str) -> list[Check]:
        """The checks; with problems they are good for nothing."""
        try:
            document = load_yaml(text)
        except YamlError as error:
            self.problems.append(
                Problem(f"`checks`: {error.message}", "Write YAML or JSON.", self._file, error.line, error.column)
            )
            return []
        self._positions = document.positions
        value = document.value
        if not isinstance(value, dict):
            self.problem((), "`checks`: the file must be a mapping with `checks`", "See `docs/checks.md`.")
            return []
        self._unknown((), value, table.TOP)
        defaults = {} if value.get("defaults") is None else value["defaults"]
        if not isinstance(defaults, dict):
            self.problem(("defaults",), "`defaults` must be a mapping", "Write fields of a check in it.")
            defaults = {}
        if "name" in defaults:
            self.problem(("defaults", "name"), "`name` cannot be a default: each check has its own", "Remove it.")
        self._unknown(("defaults",), defaults, [name for name in _CHECK if name != "name"], but=("name",))
        rows = value.get("checks")
        if not isinstance(rows, list) or not rows:
            self.problem(("checks",), "`checks` must be a list with at least one check", "See `docs/checks.md`.")
            rows = []
        if len(rows) > table.MOST_CHECKS:
            self.problem(("checks",), f"{len(rows)} checks are more than {table.MOST_CHECKS}", "Remove some.")
            rows = rows[: table.MOST_CHECKS]
        lines: dict[str, int] = {}
        return [check for index, row in enumerate(rows) if (check := self._check(index, row, defaults, lines))]

    def _check(self, index: int, row: Any, defaults: dict[str, Any], lines: dict[str, int]) -> Check | None:
        here: Place = ("checks", index)
        if not isinstance(row, dict):
            self.problem(here, "a check must be a mapping", "Write `- name: ...` with its fields below.")
            return None
        self._unknown(here, row, list(_CHECK))
        places: dict[str, Place] = {name: ("defaults", name) for name in defaults if name in _CHECK and name != "name"}
        if "payload" in row or "payload-file" in row:  # its own replaces either
            places.pop("payload", None)
            places.pop("payload-file", None)
        places |= {name: (*here, name) for name in row if name in _CHECK}
        merged = {name: (row if place[0] == "checks" else defaults)[name] for name, place in places.items()}
        values = {name: self._value(_CHECK[name], value, places[name]) for name, value in merged.items()}
        for name in ("headers", "expect"):  # key by key
            if isinstance(row.get(name), dict) and isinstance(defaults.get(name), dict):
                below = self._value(_CHECK[name], defaults[name], ("defaults", name))
                if isinstance(below, dict) and isinstance(values[name], dict):
                    values[name] = below | values[name]
        good = {name: value for name, value in values.items() if value is not _BAD}
        return self._made(here, good, places, lines)

    def _made(self, here: Place, good: dict[str, Any], places: dict[str, Place], lines: dict[str, int]) -> Check:
        line, _ = self._at(here)
        name = good.get("name", "")
        if "name" not in places:
            self.problem(here, "a check has no `name`", "Say what it proves: `name: answers in JSON`.")
        elif name and name in lines:
            self.problem(
                places["name"], f"`name`: {name!r} is there already, at line {lines[name]}", "Give each check its own."
            )
        lines.setdefault(name, line)
        kind = Kind(good.get("kind", Kind.HTTP))
        self._fits(kind, good, places)
        headers = good.get("headers", {})
        body, as_text, media_type = self._body(kind, good, headers)
        if media_type and not any(each.lower() == "content-type" for each in headers):
            headers = {**headers, "Content-Type": media_type}
        expect = good.get("expect", {})
        return Check(
            name=name,
            file=self._file,
            line=line,
            kind=kind,
            path=good.get("path", ""),
            method=good.get("method", "POST"),
            headers=tuple(headers.items()) if kind is Kind.HTTP else tuple(good.get("headers", {}).items()),
            body=body,
            as_text=as_text,
            expect=Expect(**{key.replace("-", "_"): value for key, value in expect.items() if value is not _BAD}),
            max_seconds=good.get("max-seconds"),
            first_token_seconds=good.get("first-token-seconds"),
            repeat=good.get("repeat", 1),
            concurrency=good.get("concurrency", 1),
            max_failures=good.get("max-failures", 0),
            warm_up=good.get("warm-up", 0),
            timeout=good.get("timeout", self._timeout),
        )

    def _fits(self, kind: Kind, good: dict[str, Any], places: dict[str, Place]) -> None:
        """Fields that are fine each by itself, and not together."""
        if "payload" in places and "payload-file" in places:
            self.problem(places["payload-file"], "`payload` and `payload-file` cannot go together", "Keep one of them.")
        if kind is Kind.WEBSOCKET:
            for name in ("path", "method"):
                if name in places and places[name][0] == "checks":
                    self.problem(places[name], f"`{name}` is not for `kind: websocket`", f"Remove `{name}`.")
        expect = good.get("expect", {})
        within: Place = (*places["expect"],) if "expect" in places else ()
        own_tolerance = (*within, "tolerance") in self._positions
        if own_tolerance and expect.get("live") not in (Live.EQUAL, _BAD):
            self.problem((*within, "tolerance"), "`tolerance` needs `live: equal`", "Add it, or remove `tolerance`.")
        if kind is Kind.WEBSOCKET:
            for name in ("status", "content-type"):
                if name in expect and self._at((*within, name))[0] and within[0] == "checks":
                    self.problem((*within, name), f"`{name}` is not for `kind: websocket`", f"Remove `{name}`.")
        low, high = expect.get("min-bytes"), expect.get("max-bytes")
        if isinstance(low, int) and isinstance(high, int) and low > high:
            self.problem((*within, "min-bytes"), f"`min-bytes` {low} is above `max-bytes` {high}", "Correct one.")

    def _body(self, kind: Kind, good: dict[str, Any], headers: Mapping[str, str]) -> tuple[bytes | None, bool, str]:
        """What is sent, whether as text over a websocket, and its media type."""
        if "payload-file" in good:
            name, data = good["payload-file"]
            return data, False, _media_type(name)
        if "payload" not in good:
            return (None if not good.get("path") and kind is Kind.HTTP else b""), True, ""
        payload = good["payload"]
        given = next((value for name, value in headers.items() if name.lower() == "content-type"), "")
        if isinstance(payload, str) and (kind is Kind.WEBSOCKET or (given and "json" not in given.lower())):
            return payload.encode("utf-8", "surrogatepass"), True, given
        return json.dumps(payload).encode(), True, "application/json"  # ASCII: any text can be sent

    def _value(self, field: Field, value: Any, place: Place) -> Any:
        match field.kind:
            case FieldKind.VALUE:
                return value
            case FieldKind.CHOICE:
                return self._choice(field, value, place)
            case FieldKind.HEADERS:
                return self._headers(value, place)
            case FieldKind.EXPECT:
                return self._expect(value, place)
            case FieldKind.SCHEMA:
                return self._schema(field, value, place)
            case FieldKind.WHOLE | FieldKind.NUMBER:
                return self._number(field, value, place)
            case _:
                return self._text(field, value, place)

    def _text(self, field: Field, value: Any, place: Place) -> Any:
        if not isinstance(value, str) or not value.strip():
            self.problem(place, f"`{field.name}` must be text, not {_shown(value)}", "Write it in quotes.")
            return _BAD
        if field.kind is FieldKind.PATTERN:
            return self._pattern(field, value, place)
        if field.kind is FieldKind.FILE:
            return self._payload_file(field, value, place)
        if field.name == "path" and not _PATH.fullmatch(value):
            self.problem(
                place,
                f"`path`: {value!r} is not the path of a URL",
                "Begin it with `/`, and percent-encode what is not ASCII.",
            )
            return _BAD
        if field.name == "content-type" and not _MEDIA_TYPE.fullmatch(value):
            self.problem(place, f"`content-type`: {value!r} is no media type", "Write one such as `application/json`.")
            return _BAD
        return value.strip() if field.name == "name" else value

    def _choice(self, field: Field, value: Any, place: Place) -> Any:
        if value in field.choices:
            return Live(value) if field.name == "live" else value
        near = suggestion(str(value), list(field.choices), " Did you mean `{}`?")
        listed = ", ".join(f"`{choice}`" for choice in field.choices)
        self.problem(
            place, f"`{field.name}`: {_shown(value)} is not one of its values", f"Write one of {listed}.{near}"
        )
        return _BAD

    def _number(self, field: Field, value: Any, place: Place) -> Any:
        whole = field.kind is FieldKind.WHOLE
        kinds = int if whole else (int, float)
        low = value > field.low if field.above and isinstance(value, int | float) else True
        if isinstance(value, kinds) and not isinstance(value, bool) and field.low <= value <= field.high and low:
            return value
        self.problem(
            place,
            f"`{field.name}`: {_shown(value)} is not {field.kind} {field.bounds}",
            f"Write {field.kind} {field.bounds}.",
        )
        return _BAD

    def _headers(self, value: Any, place: Place) -> Any:
        if not isinstance(value, dict):
            self.problem(
                place, f"`headers` must be a mapping, not {_shown(value)}", "Write `X-Name: text` lines in it."
            )
            return _BAD
        good = {}
        for name, text in value.items():
            here = (*place, name)
            if not _HEADER_NAME.fullmatch(name):
                self.problem(here, f"`headers`: {name!r} is no name of a header", "Use letters, digits and `-`.")
            elif name.lower() in _OWN_HEADERS:
                self.problem(here, f"`headers`: `{name}` is set by this action", "Remove it.")
            elif not isinstance(text, str) or not text.isascii() or not text.isprintable():
                self.problem(
                    here, f"`headers`: the value of `{name}` must be text of ASCII on one line", "Write it in quotes."
                )
            else:
                good[name] = text.strip()
        return good

    def _expect(self, value: Any, place: Place) -> Any:
        if not isinstance(value, dict):
            self.problem(
                place, f"`expect` must be a mapping, not {_shown(value)}", "Write `status: 200` and so on in it."
            )
            return _BAD
        self._unknown(place, value, list(_EXPECT))
        return {
            name: self._value(_EXPECT[name], inner, (*place, name)) for name, inner in value.items() if name in _EXPECT
        }

    def _pattern(self, field: Field, value: str, place: Place) -> "Pattern | Any":
        try:
            return compile_pattern(value)
        except BadPattern as error:
            where = "" if error.position is None else f" at its character {error.position + 1}"
            self.problem(
                place,
                f"`{field.name}`: {value!r} is not a regular expression: {error.message}{where}",
                "Correct it; YAML takes it as it is within single quotes.",
            )
            return _BAD

    def _payload_file(self, field: Field, value: str, place: Place) -> Any:
        data = self._fixture(field, value, place, PAYLOAD_BYTES)
        return _BAD if data is None else (value, data)

    def _schema(self, field: Field, value: Any, place: Place) -> "AnswerSchema | Any":
        if isinstance(value, str) and value:
            data = self._fixture(field, value, place, TEXT_BYTES)
            if data is None:
                return _BAD
            try:
                value = load_yaml(data.decode("utf-8-sig")).value
            except UnicodeDecodeError:
                self.problem(place, f"`schema`: {value!r} is not UTF-8 text", "Save it as UTF-8.")
                return _BAD
            except YamlError as error:
                self.problem(
                    place, f"`schema`: {value!r}, line {error.line}: {error.message}", "Write JSON or YAML in it."
                )
                return _BAD
        try:
            return compile_schema(value)
        except BadSchema as error:
            self.problem(place, f"`schema`: {error}", "Correct the schema; it is read as JSON Schema 2020-12.")
            return _BAD

    def _fixture(self, field: Field, name: str, place: Place, limit: int) -> bytes | None:
        if name not in self._read:
            try:
                self._read[name] = read_fixture(name, self._directory, self._workspace, limit)
            except Unusable as error:
                self.problem(place, f"`{field.name}`: {error.message}", error.remedy)
                return None
        return self._read[name]

    def _unknown(
        self, place: Place, value: Mapping[str, Any], known: list[str] | tuple[str, ...], but: tuple[str, ...] = ()
    ) -> None:
        for name in value:
            if name in known or name in but:
                continue
            near = suggestion(name.replace("_", "-").lower(), list(known), "Did you mean `{}`? ")
            self.problem((*place, name), f"`{name}` is not a field here", f"{near}Correct or remove it.")

    def _at(self, place: Place) -> tuple[int, int]:
        """Where a key stands, or the nearest thing around it that has a place."""
        while place and place not in self._positions:
            place = place[:-1]
        return self._positions.get(place, (1, 1) if not place else (0, 0))


def _media_type(name: str) -> str:
    """The media type of a file by its name, the same on every machine."""
    import mimetypes  # noqa: PLC0415 - only where a check sends a file

    return mimetypes.MimeTypes(filenames=()).guess_type(name)[0] or "application/octet-stream"


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."
