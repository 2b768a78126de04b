"""What went wrong when a Chain's file was imported, for the person who wrote it: what, where, and what to do. Pure."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from baseten_deploy.errors import Problem
from baseten_deploy.expressions import expression

from .process import Answer, signal_name

_SHOWN = 2000
# `ChainsUsageError` lists what is wrong with the classes, one a line: `file:line (Chainlet.method) [kind: X]: what`.
_USAGE = expression(r"^(?P<file>.+?):(?P<line>\d+|None)(?: \((?P<where>[^)]*)\))? \[kind: \w+\]: (?P<what>.*)$")
_PLAIN = "A Chain's file only defines classes: what it does when it is imported is done here too, before the push."
_SEALED = "The file is imported here apart from the job: without its environment variables, secrets and files in HOME."

_RELATIVE = "attempted relative import"
_HERE = "Correct the import: the push does it here too, and not in the image that is built."
_BY_PATH = "The file is imported by its path and belongs to no package: write `import helper` for what lies beside it."


def problems_of(answer: Answer, relative: Callable[[str], str], file: str, seconds: float) -> list[Problem]:
    """The problems of an import that came to no result. `file` is the Chain's, `relative` makes paths short."""
    if answer.timed_out:
        return [Problem(f"The Chain's file was not imported within {seconds:g} s", _PLAIN, file)]
    error = answer.last("error")
    if error is None:
        how = signal_name(answer.code)
        return [Problem(f"The Chain's file ended the process that imported it, {how}", _PLAIN, file)]
    return list(_explained(error, relative, file))


def text_of(error: Mapping[str, Any], key: str) -> str:
    """A text of what was told, `""` for none."""
    value = error.get(key)
    return value if isinstance(value, str) else ""


def number_of(error: Mapping[str, Any], key: str) -> int:
    """A number of what was told, 0 for none."""
    value = error.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**9 else 0


def _explained(error: Mapping[str, Any], relative: Callable[[str], str], file: str) -> Iterator[Problem]:
    kind, said = text_of(error, "type"), text_of(error, "message").strip()[:_SHOWN]
    kinds = [each for each in error.get("kinds", ()) if isinstance(each, str)]
    place, line = text_of(error, "file"), number_of(error, "line")
    place = relative(place) if place else file
    if "builtins.SyntaxError" in kinds:
        yield Problem(f"{kind}: {said}", "Correct it; no chainlet was pushed.", place, line, number_of(error, "column"))
    elif kind == "ModuleNotFoundError":
        yield _missing(text_of(error, "module"), said, place, line)
    elif kind == "SystemExit":
        yield Problem(
            f"The Chain's file ends the process when it is imported (exit code {said or 0})", _PLAIN, place, line
        )
    elif kind == "ChainsUsageError" and (found := list(_usage(said, relative))):
        yield from found
    elif of_entry_point := _of_entry_point(said, file, line):
        yield of_entry_point
    elif kind == "FileNotFoundError" and "ruff" in said:
        yield Problem(
            "`truss` found no `ruff` to write the chainlets with",
            "Install `ruff` in the environment that `BASETEN_DEPLOY_TRUSS_PYTHON` names.",
        )
    elif "builtins.ImportError" in kinds:
        yield Problem(f"{kind}: {said}", _BY_PATH if said.startswith(_RELATIVE) else _HERE, place, line)
    elif said == "could not get source code":
        yield Problem("The Chain's file cannot be read as Python's text", "Save it as UTF-8.", file)
    else:
        remedy = _SEALED if kind in ("KeyError", "FileNotFoundError", "PermissionError") else _PLAIN
        yield Problem(f"Importing the Chain failed: {kind}{f': {said}' if said else ''}", remedy, place, line)


def _of_entry_point(said: str, file: str, line: int) -> Problem | None:
    """What is wrong with the class that the push begins with, by the words of `truss`; `None` for any others."""
    if "`@chains.mark_entrypoint`" in said and said.startswith("No "):
        return Problem(
            "No class of the Chain's file is marked as its entry point",
            "Mark one with `@chains.mark_entrypoint`, or name it with `chain-entrypoint`.",
            file,
        )
    if "`@chains.mark_entrypoint`" in said:
        names = ", ".join(sorted(re.findall(r"'([^']+)'", said.partition("Found Chainlets:")[2])))
        return Problem(
            f"More than one class is marked as entry point{f': {names}' if names else ''}",
            "Mark one with `@chains.mark_entrypoint`, or say which one with `chain-entrypoint`.",
            file,
        )
    if said.startswith("Target class"):
        return Problem(
            f"`chain-entrypoint`: the file has no class {_quoted(said)!r}", "Correct the name of the class.", file
        )
    if said.startswith("Target `"):
        return Problem(
            "`chain-entrypoint`: what it names is no chainlet",
            "Name a class that inherits `chains.ChainletBase`.",
            file,
        )
    if said.endswith("has no attribute 'meta_data'") or said == "issubclass() arg 1 must be a class":
        return Problem(
            "What is marked as entry point is no chainlet",
            "Mark a class that inherits `chains.ChainletBase`.",
            file,
            line,
        )
    return None


def _missing(module: str, said: str, place: str, line: int) -> Problem:
    if module.partition(".")[0] in ("truss_chains", "truss"):
        return Problem(
            f"`BASETEN_DEPLOY_TRUSS_PYTHON`: that interpreter has no `{module}`",
            "Install `truss` in its environment, or name another one.",
        )
    return Problem(
        f"The Chain imports {module or said!r}, which is not installed where the push runs",
        "The build installs what `pip_requirements` names, but the push imports this file here too, and needs it here. "
        "Move the import into the method that uses it, or guard it with `try: ... except ImportError`.",
        place,
        line,
    )


def _usage(said: str, relative: Callable[[str], str]) -> Iterator[Problem]:
    lines: list[str] = []
    for line in [*said.splitlines(), ""]:
        if lines and (not line or _USAGE.match(line)):
            yield _of_usage(lines, relative)
            lines = []
        if _USAGE.match(line):
            lines = [line]
        elif lines:
            lines.append(line)


def _of_usage(lines: list[str], relative: Callable[[str], str]) -> Problem:
    found = _USAGE.match(lines[0])
    assert found
    where = f"{found['where']}: " if found["where"] else ""
    what = " ".join([found["what"], *(each.strip() for each in lines[1:])])[:_SHOWN]
    line = int(found["line"]) if found["line"].isdigit() else 0
    return Problem(
        f"{where}{what}", "Correct the class; see Baseten's documentation of Chains.", relative(found["file"]), line
    )


def _quoted(said: str) -> str:
    found = re.search(r"`([^`]*)`", said)
    return found[1] if found else ""
