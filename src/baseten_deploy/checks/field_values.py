"""Reads the value of one field of a checks file after the other, collecting what is wrong at its line. Sends nothing.

Which kind a field is of is `field_table`; how fields become checks is `file`.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from baseten_deploy.errors import Problem
from baseten_deploy.expressions import expression
from baseten_deploy.inputs.settings import suggestion
from baseten_deploy.strict_yaml import YamlError
from baseten_deploy.strict_yaml import load as load_yaml

from . import field_table as table
from .answer_schema import AnswerSchema, BadSchema, compile_schema
from .check import Live
from .field_table import Field, FieldKind
from .fixture_file import PAYLOAD_BYTES, TEXT_BYTES, Unusable, read_fixture
from .patterns import BadPattern, Pattern, compile_pattern

Place = tuple[str | int, ...]

_EXPECT = {field.name: field for field in table.EXPECT}
BAD: Any = object()  # a value that was wrong, and is reported
# What the request's own fields say, or the connection.
_OWN_HEADERS = {
    *("accept-encoding", "authorization", "connection", "content-length", "expect", "host", "te", "trailer"),
    *("transfer-encoding", "upgrade"),
}
_HEADER_NAME = expression(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_PATH = expression(r"/[!-\"$-~]*")  # printable ASCII without a space and without `#`
_MEDIA_TYPE = expression(r"[\w.+-]+/[\w.+*-]+(\s*;.*)?")


class Values:
    """The values of one file in `directory`, which is named `file` in messages, and the problems so far."""

    def __init__(self, file: str, directory: Path, workspace: Path) -> None:
        self.problems: list[Problem] = []
        self._file = file
        self._directory = directory
        self._workspace = workspace
        self._positions: Mapping[Place, tuple[int, int]] = {}
        self._read: dict[str, bytes] = {}  # many checks may send one file

    def problem(self, place: Place, message: str, remedy: str) -> None:
        """Something wrong at a key or an item."""
        line, column = self.at(place)
        found = Problem(message, remedy, self._file, line, column)
        if found not in self.problems:  # a default may not fit any check
            self.problems.append(found)

    def value(self, field: Field, value: Any, place: Place) -> Any:
        """What `value`, written at `place`, means in this field; `BAD` when it is wrong, which is told then."""
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
            return BAD
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
            return BAD
        if field.name == "content-type" and not _MEDIA_TYPE.fullmatch(value):
            self.problem(place, f"`content-type`: {value!r} is no media type", "Write one such as `application/json`.")
            return BAD
        return value.strip() if field.name == "name" else value

    def _choice(self, field: Field, value: Any, place: Place) -> Any:
        if value in field.choices:
            return Live(value) if field.name == "live" else value
        near = suggestion(str(value), list(field.choices), " Did you mean `{}`?")
        listed = ", ".join(f"`{choice}`" for choice in field.choices)
        self.problem(
            place, f"`{field.name}`: {_shown(value)} is not one of its values", f"Write one of {listed}.{near}"
        )
        return BAD

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
        return BAD

    def _headers(self, value: Any, place: Place) -> Any:
        if not isinstance(value, dict):
            self.problem(
                place, f"`headers` must be a mapping, not {_shown(value)}", "Write `X-Name: text` lines in it."
            )
            return BAD
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
            return BAD
        self.unknown(place, value, list(_EXPECT))
        return {
            name: self.value(_EXPECT[name], inner, (*place, name)) for name, inner in value.items() if name in _EXPECT
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
            return BAD

    def _payload_file(self, field: Field, value: str, place: Place) -> Any:
        data = self._fixture(field, value, place, PAYLOAD_BYTES)
        return BAD if data is None else (value, data)

    def _schema(self, field: Field, value: Any, place: Place) -> "AnswerSchema | Any":
        if isinstance(value, str) and value:
            data = self._fixture(field, value, place, TEXT_BYTES)
            if data is None:
                return BAD
            try:
                value = load_yaml(data.decode("utf-8-sig")).value
            except UnicodeDecodeError:
                self.problem(place, f"`schema`: {value!r} is not UTF-8 text", "Save it as UTF-8.")
                return BAD
            except YamlError as error:
                self.problem(
                    place, f"`schema`: {value!r}, line {error.line}: {error.message}", "Write JSON or YAML in it."
                )
                return BAD
        try:
            return compile_schema(value)
        except BadSchema as error:
            self.problem(place, f"`schema`: {error}", "Correct the schema; it is read as JSON Schema 2020-12.")
            return BAD

    def _fixture(self, field: Field, name: str, place: Place, limit: int) -> bytes | None:
        if name not in self._read:
            try:
                self._read[name] = read_fixture(name, self._directory, self._workspace, limit)
            except Unusable as error:
                self.problem(place, f"`{field.name}`: {error.message}", error.remedy)
                return None
        return self._read[name]

    def unknown(
        self, place: Place, value: Mapping[str, Any], known: list[str] | tuple[str, ...], but: tuple[str, ...] = ()
    ) -> None:
        """Tell of each key that is none of `known` (nor of `but`, of which somebody else tells)."""
        for name in value:
            if name in known or name in but:
                continue
            near = suggestion(name.replace("_", "-").lower(), list(known), "Did you mean `{}`? ")
            self.problem((*place, name), f"`{name}` is not a field here", f"{near}Correct or remove it.")

    def at(self, place: Place) -> tuple[int, int]:
        """Where a key stands, or the nearest thing around it that has a place."""
        while place and place not in self._positions:
            place = place[:-1]
        return self._positions.get(place, (1, 1) if not place else (0, 0))


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."
