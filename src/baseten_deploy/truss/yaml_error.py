"""What is usually wrong where YAML ends: the line with a caret below the place, and a remedy. Pure.

The loader's own words say what it expected, which is seldom what its reader has to change.
"""

import re

from baseten_deploy.errors import Problem
from baseten_deploy.expressions import expression
from baseten_deploy.strict_yaml import YamlError

from .placeholder_forms import WHAT_TO_DO, placeholder_in

_WIDTH = 100
# Long runs of letters and digits may be somebody's key, and the line is shown to everybody.
_KEYLIKE = expression(r"(?=[\w+/=-]*[0-9])(?=[\w+/=-]*[A-Za-z])[\w+/=-]{20,}")
_TEMPLATE = "the input `model-name` gives the name of a model"
_KEY_REMEDY = "Check this line and the one above: a key needs a colon and a space after it, and a list item a `- `."


def problem_of(error: YamlError, text: str, file: str) -> Problem:
    """The problem for an error of a config's text."""
    lines = text.splitlines()
    line = lines[error.line - 1] if error.line <= len(lines) else ""
    before = lines[error.line - 2] if 2 <= error.line <= len(lines) + 1 else ""
    return Problem(
        error.message, _remedy(error, line, before), file, error.line, error.column, _excerpt(line, error.column)
    )


# Words of the loader, and what usually is the cause, in this order.
_CAUSES = (
    ("could not find expected ':'", _KEY_REMEDY),
    ("a simple key", _KEY_REMEDY),
    ("quoted scalar", "A quote that was opened above is not closed: look for the one that is missing."),
    ("flow", "A `[` or `{` that was opened here or above is not closed, or there is a comma missing."),
    ("cannot start any token", "Write the value in quotes: no value begins with this character."),
    ("undefined alias", "A `*` at the start of a value means another part of the file: write the value in quotes."),
    (
        "expected <block end>",
        "Check the indentation of this line, and that a text with quotes in it is quoted as a whole.",
    ),
    ("block scalar", "Write the value in quotes: `>` and `|` begin a text of several lines."),
)


def _remedy(error: YamlError, line: str, before: str) -> str:
    message = error.message
    if (found := placeholder_in(line)) and "second time" not in message:
        return f"`{found}` looks like a placeholder. {WHAT_TO_DO}; {_TEMPLATE}."
    if r"'\t'" in message or "tab character" in message or "\t" in line[: error.column + 1]:
        return "There is a tab: indent with spaces, and put spaces before a comment."
    if "mapping values are not allowed" in message:
        if re.search(r":\s.*:(?:\s|$)", line):
            return "Write the value in quotes, because there is a colon in it; or check the indentation."
        if re.fullmatch(r"\s*[\w-]+:\S.*", before):
            return "Check the line above: there must be a space after its colon. Else check the indentation."
        return "Check the indentation of this line and of the one above: keys of one mapping begin in one column."
    return next((remedy for words, remedy in _CAUSES if words in message), "")


def _excerpt(line: str, column: int) -> str:
    """The line, and a caret below its `column` (from 1); a window of a long line, and nothing of an empty one."""
    if not line.strip():
        return ""
    shown = _KEYLIKE.sub(lambda match: "*" * len(match[0]), line.replace("\t", "→"))
    start = max(0, column - 1 - _WIDTH // 2) if len(shown) > _WIDTH else 0
    return f"{shown[start : start + _WIDTH]}\n{' ' * (column - 1 - start)}^"
