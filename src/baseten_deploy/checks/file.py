"""Reads the checks file: every mistake in it, all at once, each at its line. Sends nothing.

What the fields are is `field_table`. Files that it names are read now, and patterns and schemas compiled, so that
nothing of it can fail after the deployment was paid for.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from baseten_deploy.errors import Problem
from baseten_deploy.strict_yaml import YamlError
from baseten_deploy.strict_yaml import load as load_yaml

from . import field_table as table
from .check import Check, Expect, Kind, Live, Suite
from .field_values import BAD, Place, Values
from .fixture_file import TEXT_BYTES, Unusable, read_fixture, resolve_inside

_CHECK = {field.name: field for field in table.CHECK}
_PAYLOADS = frozenset({"payload", "payload-file"})


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


class _Reader(Values):
    """Turns the file's text into checks, collecting problems. `timeout` is that of a call without one, in seconds."""

    def __init__(self, file: str, directory: Path, workspace: Path, timeout: float) -> None:
        super().__init__(file, directory, workspace)
        self._timeout = timeout

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
        self.unknown((), value, table.TOP)
        defaults = {} if value.get("defaults") is None else value["defaults"]
        if not isinstance(defaults, dict):
            self.problem(("defaults",), "`defaults` must be a mapping", "Write fields of a check in it.")
            defaults = {}
        if "name" in defaults:
            self.problem(("defaults", "name"), "`name` cannot be a default: each check has its own", "Remove it.")
        self.unknown(("defaults",), defaults, [name for name in _CHECK if name != "name"], but=("name",))
        shared = self._values(("defaults",), {name: value for name, value in defaults.items() if name != "name"})
        rows = value.get("checks")
        if not isinstance(rows, list) or not rows:
            self.problem(("checks",), "`checks` must be a list with at least one check", "See `docs/checks.md`.")
            rows = []
        if len(rows) > table.MOST_CHECKS:
            self.problem(("checks",), f"{len(rows)} checks are more than {table.MOST_CHECKS}", "Remove some.")
            rows = rows[: table.MOST_CHECKS]
        lines: dict[str, int] = {}
        return [check for index, row in enumerate(rows) if (check := self._check(index, row, shared, lines))]

    def _values(self, place: Place, fields: dict[str, Any]) -> dict[str, Any]:
        """What the fields of a check, written at `place`, mean; without those that are none."""
        return {
            name: self.value(_CHECK[name], value, (*place, name)) for name, value in fields.items() if name in _CHECK
        }

    def _check(self, index: int, row: Any, shared: dict[str, Any], lines: dict[str, int]) -> Check | None:
        """A check of its `row` and of what the defaults mean, which is `shared`."""
        here: Place = ("checks", index)
        if not isinstance(row, dict):
            self.problem(here, "a check must be a mapping", "Write `- name: ...` with its fields below.")
            return None
        self.unknown(here, row, list(_CHECK))
        own = self._values(here, row)
        replaced = _PAYLOADS if _PAYLOADS & own.keys() else frozenset()  # its own replaces either
        below = {name: value for name, value in shared.items() if name not in replaced}
        places: dict[str, Place] = {name: ("defaults", name) for name in below} | {name: (*here, name) for name in own}
        values = below | own
        for name in ("headers", "expect"):  # key by key
            if isinstance(own.get(name), dict) and isinstance(below.get(name), dict):
                values[name] = below[name] | own[name]
        good = {name: value for name, value in values.items() if value is not BAD}
        return self._made(here, good, places, lines)

    def _made(self, here: Place, good: dict[str, Any], places: dict[str, Place], lines: dict[str, int]) -> Check:
        line, _ = self.at(here)
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
            expect=Expect(**{key.replace("-", "_"): value for key, value in expect.items() if value is not BAD}),
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
        if own_tolerance and expect.get("live") not in (Live.EQUAL, BAD):
            self.problem((*within, "tolerance"), "`tolerance` needs `live: equal`", "Add it, or remove `tolerance`.")
        if kind is Kind.WEBSOCKET:
            for name in ("status", "content-type"):
                if name in expect and self.at((*within, name))[0] and within[0] == "checks":
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


def _media_type(name: str) -> str:
    """The media type of a file by its name, the same on every machine."""
    import mimetypes  # noqa: PLC0415 - only where a check sends a file

    return mimetypes.MimeTypes(filenames=()).guess_type(name)[0] or "application/octet-stream"
