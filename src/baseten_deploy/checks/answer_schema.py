"""JSON Schemas of a checks file: read once, never fetched from anywhere, and applied to answers.

The library is `jsonschema-rs`, which has no dependencies. Its patterns are searched in linear time; those that look
around or back cannot be, so their steps are bounded, and the texts that they are tried on: it lets no thread run
meanwhile, and a cancel has to get through whatever a model answers. It is loaded where a check has a schema. Spec: JSON
Schema 2020-12.
"""

from itertools import islice
from typing import Any

from baseten_deploy.records import dataclass

from .field_table import SCHEMA_ID

ERRORS = 5  # shown of one answer
_MESSAGE_CHARACTERS = 300
_SMALL = 500  # values within an answer, or texts
_STEPS = 100_000  # of backtracking in one pattern: some milliseconds


class BadSchema(ValueError):
    """A value that is no JSON Schema this action takes."""


@dataclass(frozen=True)
class AnswerSchema:
    """A compiled schema; `looks_around` is true where a pattern of it cannot be searched in linear time."""

    validator: Any
    looks_around: bool = False

    def mismatches(self, value: Any) -> list[str]:
        """Where `value` does not follow it, by path; at most `ERRORS`, and of a large value the first."""
        if self.looks_around and not _is_small(value, texts=True):
            return [f"a pattern of it looks around or back, and is not tried on an answer of more than {_SMALL} texts"]
        try:
            if self.validator.is_valid(value):
                return []
            if _is_small(value):
                return [_told(error) for error in islice(self.validator.iter_errors(value), ERRORS)]
            self.validator.validate(value)
        except ValueError as error:  # `ValidationError` is one; or a number or a text that cannot be taken over
            if hasattr(error, "instance_path"):
                return [_told(error)]
            return [f"it cannot be compared with the schema: {str(error)[:_MESSAGE_CHARACTERS]}"]
        return []


def _told(error: Any) -> str:
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.instance_path)
    return f"${place}: {str(error.message)[:_MESSAGE_CHARACTERS]}"


def _is_small(value: Any, *, texts: bool = False) -> bool:
    """Whether there are few values within it, or few texts: of a large one the library makes every error at once."""
    todo, seen = [value], 0
    while todo and seen <= _SMALL:
        part = todo.pop()
        seen += not texts or isinstance(part, str)
        if isinstance(part, dict):
            seen += len(part) if texts else 0
            todo += part.values()
        elif isinstance(part, list):
            todo += part
    return seen <= _SMALL


def compile_schema(schema: Any) -> AnswerSchema:
    """Read a schema. Raises `BadSchema`; a `$ref` to anywhere else is refused, and never fetched."""
    if not isinstance(schema, dict | bool):
        raise BadSchema("a JSON Schema is an object")
    if isinstance(schema, dict) and str(schema.get("$schema", SCHEMA_ID)).rstrip("#") != SCHEMA_ID:
        raise BadSchema(f"`$schema` is {schema['$schema']!r}; taken is 2020-12, `{SCHEMA_ID}`")
    for reference in _references(schema):
        if not reference.startswith("#"):
            raise BadSchema(f"`$ref: {reference}` points out of the schema, and nothing is fetched: put it in `$defs`")

    import jsonschema_rs  # noqa: PLC0415 - only where a check has a schema

    fancy = jsonschema_rs.FancyRegexOptions(backtrack_limit=_STEPS)
    try:
        return AnswerSchema(_compiled(jsonschema_rs, schema, jsonschema_rs.RegexOptions()))
    except BadSchema:  # perhaps for a pattern that looks around
        return AnswerSchema(_compiled(jsonschema_rs, schema, fancy), looks_around=True)


def _compiled(library: Any, schema: Any, options: Any) -> Any:
    try:
        return library.Draft202012Validator(schema, pattern_options=options, retriever=_refuse)
    except (ValueError, RecursionError) as error:  # a `ValidationError` and a `ReferencingError` are such
        raise BadSchema(str(getattr(error, "message", error)).splitlines()[0][:_MESSAGE_CHARACTERS]) from None


def _refuse(uri: str) -> Any:
    raise ValueError(f"{uri} is not fetched")


def _references(schema: Any) -> list[str]:
    """The `$ref` and `$dynamicRef` texts of a schema; not those within `const`, `enum`, `default` or `examples`."""
    found: list[str] = []
    todo = [schema]
    while todo:
        part = todo.pop()
        if isinstance(part, dict):
            for key, value in part.items():
                if key in ("$ref", "$dynamicRef") and isinstance(value, str):
                    found.append(value)
                elif key not in ("const", "enum", "default", "examples"):
                    todo.append(value)
        elif isinstance(part, list):
            todo += part
    return found
