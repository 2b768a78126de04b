"""What YAML 1.1 makes of a text without quotes where text is meant: `02142` is the number 1122, `12:30` is 750.

The value is sent as `truss` sends it; the warning says so at its line. Where the schema wants text, `shape` says it
already: this is about what may hold anything, `environment_variables` above all. Pure.
"""

import re
from collections.abc import Iterator
from typing import Any

from baseten_deploy.errors import Problem
from baseten_deploy.expressions import expression
from baseten_deploy.strict_yaml import Path

from .config_file import ConfigFile
from .shape import spoken

# Numbers that nobody writes to mean one: octal, base 60, with underscores.
_ODD = expression(r"[+-]?(?:0[0-7_]+|[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?|[0-9]+(?:_[0-9]+)+)")
_GROUPED = expression(r"[+-]?[0-9]{1,3}(?:_[0-9]{3})+")  # 1_000_000 is one
# Keys whose numbers are names: the zero at the end of 1.10 counts.
_NAMELIKE = expression(r"(?:^|_)(?:version|revision|tag|sha|commit|build|zip|postcode|phone)$", re.IGNORECASE)


def find_problems(config: ConfigFile) -> list[Problem]:
    """Warnings about values that are not what was written."""
    return [*_variables(config), *_elsewhere(config)]


def _variables(config: ConfigFile) -> Iterator[Problem]:
    """Environment variables are text: all that differs counts."""
    variables = config.value.get("environment_variables")
    for name, value in variables.items() if isinstance(variables, dict) else ():
        written = config.written.get(("environment_variables", name))
        if written is None or value is None:
            continue
        sent = str(value).lower() if isinstance(value, bool) else str(value)
        if sent != written and not (isinstance(value, bool) and written.lower() == sent):
            reading = f"YAML reads `{written}` of `{name}` as {spoken(value)}"
            message = f"`environment_variables`: {reading}: the model gets `{sent}`"
            yield config.problem(message, f'Write it in quotes: `{name}: "{written}"`.', "environment_variables", name)


def _elsewhere(config: ConfigFile) -> Iterator[Problem]:
    for path, written in config.written.items():
        if path[:1] in {("environment_variables",), ("secrets",)}:
            continue
        value = _at(config.value, path)
        if value is None or isinstance(value, bool) or not _is_lost(path, written, value):
            continue
        key = f"{path[-1]}: " if path and isinstance(path[-1], str) else "- "
        name = ".".join(str(part) for part in path)
        message = f"`{name}`: YAML reads `{written}` as {spoken(value)}"
        yield config.problem(message, f'Write it in quotes if text is meant: `{key}"{written}"`.', *path)


def _is_lost(path: Path, written: str, value: Any) -> bool:
    if _ODD.fullmatch(written) and not _GROUPED.fullmatch(written):
        return str(value) != written
    namelike = bool(path) and isinstance(path[-1], str) and bool(_NAMELIKE.search(path[-1]))
    return namelike and str(value) != written


def _at(value: Any, path: Path) -> Any:
    """What stands at a path that is in the config."""
    for part in path:
        value = value[part]
    return value
