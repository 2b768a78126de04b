"""Every field of a checks file, once: the reader and `schemas/checks.schema.json` both follow this table. Pure.

Names, kinds, bounds and texts live here. Which fields go together, and whether the files that they name are there, is
`file`.
"""

from enum import StrEnum
from typing import Any

from baseten_deploy.records import dataclass

# Beyond these a check is a load test, which wants a tool of its own.
MOST_REPEATS = 10_000
MOST_WARM_UPS = 1_000
MOST_AT_ONCE = 64
MOST_CHECKS = 200
LONGEST_SECONDS = 86_400.0
MOST_BYTES = 2**40

SCHEMA_ID = "https://json-schema.org/draft/2020-12/schema"


class FieldKind(StrEnum):
    """What is written in a field, in the words of a message."""

    TEXT = "text"
    CHOICE = "one of its values"
    VALUE = "any value"
    HEADERS = "a mapping of names to text"
    EXPECT = "a mapping"
    PATTERN = "a regular expression"
    FILE = "the name of a file"
    SCHEMA = "a JSON Schema, or the name of a file with one"
    WHOLE = "a whole number"
    NUMBER = "a number"


@dataclass(frozen=True)
class Field:
    """One field. `low` and `high` bound a number; above `low` where `above` is set."""

    name: str
    kind: FieldKind
    meaning: str
    choices: tuple[str, ...] = ()
    low: float = 0
    high: float = 0
    above: bool = False

    @property
    def bounds(self) -> str:
        """The range of a number, in words; `""` for what is none."""
        if self.kind not in (FieldKind.WHOLE, FieldKind.NUMBER):
            return ""
        low, high = (int(value) if value == int(value) else value for value in (self.low, self.high))
        return f"above {low}, at most {high}" if self.above else f"from {low} to {high}"


def _seconds(name: str, meaning: str) -> Field:
    return Field(name, FieldKind.NUMBER, meaning, low=0, high=LONGEST_SECONDS, above=True)


def _whole(name: str, low: int, high: int, meaning: str) -> Field:
    return Field(name, FieldKind.WHOLE, meaning, low=low, high=high)


METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

CHECK: tuple[Field, ...] = (
    Field("name", FieldKind.TEXT, "what the check proves, in words; required, and unique in the file"),
    Field("kind", FieldKind.CHOICE, "how the model is asked, by default `http`", ("http", "websocket")),
    Field("path", FieldKind.TEXT, "the model's own route, which is asked below `.../sync`; without it: predict"),
    Field("method", FieldKind.CHOICE, "the HTTP method, by default `POST`", METHODS),
    Field("headers", FieldKind.HEADERS, "further headers of the request; the API key is sent without being named"),
    Field(
        "payload",
        FieldKind.VALUE,
        "what is sent, as JSON; a text goes out as it is over a websocket and with a `Content-Type` that is not JSON; "
        "without one: what the smoke test sends to predict, else nothing",
    ),
    Field("payload-file", FieldKind.FILE, "instead of `payload`: the bytes of a file beside the checks file"),
    Field("expect", FieldKind.EXPECT, "what each answer must be: all of it must hold"),
    _seconds("max-seconds", "at most so long may the p95 of the answers take (of one answer: itself)"),
    _seconds("first-token-seconds", "of a stream: at most so long until its first event, at the p95"),
    _whole("repeat", 1, MOST_REPEATS, "how often it is asked, by default once"),
    _whole("concurrency", 1, MOST_AT_ONCE, "how many requests are under way at once, by default one"),
    _whole("max-failures", 0, MOST_REPEATS, "so many of the repeats may fail, by default none"),
    _whole("warm-up", 0, MOST_WARM_UPS, "calls before, which are not counted, by default none"),
    _seconds("timeout", "how long one call may take, by default `predict-timeout`"),
)

EXPECT: tuple[Field, ...] = (
    _whole("status", 100, 599, "the HTTP status; without it any 2xx"),
    Field(
        "json",
        FieldKind.VALUE,
        "what the answer must contain: objects by subset, arrays by element, scalars by equality; of a stream: its "
        "joined content, or one of its events",
    ),
    Field("regex", FieldKind.PATTERN, "is found in the text of the answer, of a stream in its joined content"),
    Field("not-regex", FieldKind.PATTERN, "is not found there"),
    Field(
        "live",
        FieldKind.CHOICE,
        "what the target serves now is asked the same, and the answers have the same keys and types (`shape`) or are "
        "the same (`equal`)",
        ("shape", "equal"),
    ),
    Field(
        "tolerance",
        FieldKind.NUMBER,
        "with `live: equal`: by how much numbers may differ, relative to the larger one",
        low=0,
        high=1,
    ),
    Field("schema", FieldKind.SCHEMA, "a JSON Schema (2020-12) that the answer follows: an object, or a file"),
    Field("content-type", FieldKind.TEXT, "the media type of the answer; parameters count where they are written"),
    _whole("min-bytes", 0, MOST_BYTES, "the answer has at least so many bytes"),
    _whole("max-bytes", 0, MOST_BYTES, "the answer has at most so many bytes"),
)

TOP = ("defaults", "checks")


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a checks file, for editors."""
    check = {field.name: _property(field) for field in CHECK}
    defaults = {name: spec for name, spec in check.items() if name != "name"}
    return {
        "$schema": SCHEMA_ID,
        "title": "Checks of a Baseten deployment",
        "description": "Requests to a live model, and what its answers must be: the input `checks`.",
        "type": "object",
        "additionalProperties": False,
        "required": ["checks"],
        "properties": {
            "defaults": {
                "description": "Any field of a check, for all checks that do not say it themselves.",
                "type": ["object", "null"],
                "additionalProperties": False,
                "properties": defaults,
            },
            "checks": {
                "type": "array",
                "minItems": 1,
                "maxItems": MOST_CHECKS,
                "items": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["name"],
                    "properties": check,
                },
            },
        },
    }


def _property(field: Field) -> dict[str, Any]:
    described = {"description": f"{field.meaning[0].upper()}{field.meaning[1:]}."}
    match field.kind:
        case FieldKind.CHOICE:
            return described | {"enum": list(field.choices)}
        case FieldKind.VALUE:
            return described
        case FieldKind.HEADERS:
            return described | {"type": "object", "additionalProperties": {"type": "string"}}
        case FieldKind.EXPECT:
            properties = {inner.name: _property(inner) for inner in EXPECT}
            return described | {"type": "object", "additionalProperties": False, "properties": properties}
        case FieldKind.SCHEMA:
            return described | {"type": ["object", "string"], "minLength": 1}
        case FieldKind.WHOLE:
            return described | {"type": "integer", "minimum": int(field.low), "maximum": int(field.high)}
        case FieldKind.NUMBER:
            low = "exclusiveMinimum" if field.above else "minimum"
            return described | {"type": "number", low: field.low, "maximum": field.high}
        case _:
            return described | {"type": "string", "minLength": 1}
