"""What a smoke test's response must contain: `predict-expect`, as a comparison.

JSON is compared by containment: objects by subset, arrays by element, scalars by equality. `/regex/` is searched in
the response's text; how that is kept from taking for ever is `patterns`.
"""

import json
import re
from typing import Any

from baseten_deploy.expressions import expression
from baseten_deploy.patterns import SEARCH_SECONDS, Outcome, Pattern, PatternError, compile_pattern
from baseten_deploy.records import dataclass
from baseten_deploy.strict_yaml import refuse_duplicates

# What other languages write behind a pattern, and which of it Python can be told inside.
_FLAGS = expression(r"/(.+)/([dgimsuvxy]{1,5})", re.DOTALL)
_INSIDE = "imsx"


@dataclass(frozen=True)
class Expectation:
    """Either a pattern to find in the text or a JSON value that the response must contain."""

    text: str
    pattern: Pattern | None = None
    value: Any = None

    def mismatch(self, response: str, seconds: float = SEARCH_SECONDS) -> str:
        """Why `response` is not what was expected, or `""` when it is. A pattern is searched for so many seconds."""
        if self.pattern:
            search = self.pattern.search(response, seconds)
            if search.outcome is Outcome.GAVE_UP:
                return f"the pattern {self.text} {search.reason}"
            return "" if search.outcome is Outcome.MATCH else f"nothing in it matches {self.text}"
        try:
            actual = json.loads(response)
        except (ValueError, RecursionError):
            actual = response  # a plain text answer can still equal an expected JSON string
        return difference(self.value, actual, "$")


def parse_expectation(text: str) -> Expectation:
    """Read the input. Raises `ValueError` with what is wrong when it is neither JSON nor `/regex/`."""
    if len(text) > 1 and text.startswith("/") and text.endswith("/"):
        try:
            return Expectation(text, pattern=compile_pattern(text[1:-1]))
        except PatternError as error:
            raise ValueError(f"is not a regular expression: {error}") from None
    if flagged := _FLAGS.fullmatch(text):
        inside = "".join(flag for flag in _INSIDE if flag in flagged[2])
        group = f"(?{inside})" if inside else ""
        example = f"flags go inside, `{group or '(?i)'}`; write `/{group}{flagged[1]}/`"
        raise ValueError(f"has `{flagged[2]}` after the last `/`: {example}")
    try:
        return Expectation(
            text, value=json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=refuse_duplicates)
        )
    except (ValueError, RecursionError) as error:
        raise ValueError(f"is neither JSON nor a /regex/: {error}") from None


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON value")


def difference(expected: Any, actual: Any, path: str) -> str:
    """The first place where `actual` does not contain `expected`, as JSONPath and reason, or `""`.

    An array contains another when each expected element is contained in the element at the same index; it may have
    more.
    """
    if isinstance(expected, dict):
        if not isinstance(actual, dict):
            return f"{path} is {_kind(actual)}, not an object"
        for key, value in expected.items():
            if key not in actual:
                return f"{path}.{key} is missing"
            if reason := difference(value, actual[key], f"{path}.{key}"):
                return reason
        return ""
    if isinstance(expected, list):
        if not isinstance(actual, list):
            return f"{path} is {_kind(actual)}, not an array"
        if len(actual) < len(expected):
            return f"{path} has {len(actual)} elements, expected at least {len(expected)}"
        pairs = enumerate(zip(expected, actual, strict=False))
        reasons = (difference(one, other, f"{path}[{index}]") for index, (one, other) in pairs)
        return next(filter(None, reasons), "")
    if _kind(expected) == _kind(actual) and expected == actual:
        return ""
    return f"{path} is {_short(actual)}, expected {_short(expected)}"


def _kind(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case dict():
            return "an object"
        case _:
            return "an array"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."
