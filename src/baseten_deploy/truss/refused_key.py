"""Which key of the config a message of the service is about, so that it can point at a line. Pure.

The service words its refusals as it likes. Only what is hardly an ordinary word is taken for a key: a dotted path that
is in the config, a key in quotes, a list or chain of keys as pydantic writes them, the subject of a sentence, a word
with underscores.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from baseten_deploy.errors import Problem
from baseten_deploy.expressions import expression
from baseten_deploy.strict_yaml import Path, Position

# What a service that validates a whole request may put before the path within the config.
_AROUND = frozenset({"body", "source", "deployment", "config", "raw_config", "truss_config"})
_KEY = r"[A-Za-z_][\w-]*"
_INDEX = r"(?:\[\d+\])*"
_DOTTED = expression(rf"(?<![\w./:@-]){_KEY}{_INDEX}(?:\.(?:{_KEY}|\d+){_INDEX})+(?![\w/@-])")
_QUOTED = expression(r"""(?<!\w)(["'`])([^\s"'`]{1,200})\1(?!\w)""")
_LISTED = expression(r"""[\[(]\s*((?:"[^"]*"|'[^']*'|\d+)(?:\s*,\s*(?:"[^"]*"|'[^']*'|\d+))*)\s*,?\s*[\])]""")
_ITEM = expression(r""""([^"]*)"|'([^']*)'|(\d+)""")
_CHAINED = expression(rf"{_KEY}(?:\s*->\s*(?:{_KEY}|\d+))+")
# `resources: accelerator: there is no such one`
_LED = expression(rf"(?<![\w.]){_KEY}{_INDEX}(?::\s+{_KEY}{_INDEX})+(?=:\s)")
# `requirements must be a list`, where a sentence begins; and a word that only a program writes, anywhere.
_SUBJECT = expression(
    rf"(?:^|:\s+)({_KEY})(?=:|\s+(?:must|should|is|has|cannot|can't|may|needs|does|was|are|contains|expects)\b)"
)
_SNAKE = expression(r"(?<![\w./:@\"'`-])[a-z][a-z0-9]*(?:_[a-z0-9]+)+(?![\w/@-]|\.\w)")
_PYDANTIC = expression(rf"\bvalidation errors? for \w+\s+({_KEY}(?:\.[\w-]+)*)\s")
# Messages are cut to far less than that before they get here.
_CHARACTERS = 4000


def at_key(problem: Problem, file: str, positions: Mapping[Path, Position]) -> Problem:
    """`problem` at the line of the key that its message names, as it is when it names none or has a place already."""
    path = None if problem.file else find_key(problem.message, positions)
    if path is None:
        return problem
    line, column = positions[path]
    return replace(problem, file=file, line=line, column=column)


def find_key(message: str, positions: Mapping[Path, Position]) -> Path | None:
    """The path of the key that `message` is about: the longest that is in the config, else the nearest above it."""
    exact: list[Path] = []
    near: list[Path] = []
    for path, is_path in _candidates(message[:_CHARACTERS]):
        for inner in _without_surroundings(path):
            if inner in positions:
                exact.append(inner)
            elif is_path and (above := _nearest(inner, positions)):
                near.append(above)
        if len(path) == 1 and path not in positions and (only := _only_place(path[0], positions)):
            near.append(only)
    found = exact or near
    return max(found, key=len) if found else None  # of equally long ones, the first


def _candidates(message: str) -> Iterator[tuple[Path, bool]]:
    """What may be a path, and whether it is one beyond doubt although the config does not have all of it."""
    for match in _PYDANTIC.finditer(message):
        yield _split(match[1]), True
    for match in _LISTED.finditer(message):
        parts = tuple(int(number) if number else one or two for one, two, number in _ITEM.findall(match[1]))
        if len(parts) > 1:
            yield parts, parts[0] in _AROUND
    for match in _CHAINED.finditer(message):
        yield tuple(int(part) if part.isdigit() else part for part in re.split(r"\s*->\s*", match[0])), True
    for match in _DOTTED.finditer(message):
        yield _split(match[0]), True
    for match in _QUOTED.finditer(message):
        yield _split(match[2]), True
    for match in _LED.finditer(message):
        yield tuple(part for each in re.split(r":\s+", match[0]) for part in _split(each)), False
    for match in _SUBJECT.finditer(message):
        yield (match[1],), False
    for match in _SNAKE.finditer(message):
        yield (match[0],), False


def _split(dotted: str) -> Path:
    parts = re.findall(r"[^.\[\]]+", dotted)
    return tuple(int(part) if part.isdigit() else part for part in parts)


def _without_surroundings(path: Path) -> Iterator[Path]:
    yield path
    while len(path) > 1 and path[0] in _AROUND:
        path = path[1:]
        yield path


def _nearest(path: Path, positions: Mapping[Path, Position]) -> Path | None:
    """The longest start of `path` that is a mapping with a key missing, or a list with an item missing.

    `requirements.txt` is thus not about the list `requirements`.
    """
    for length in range(len(path) - 1, 0, -1):
        above = path[:length]
        if above in positions:
            children = [each[-1] for each in positions if len(each) == length + 1 and each[:length] == above]
            return above if children and type(children[0]) is type(path[length]) else None
    return None


def _only_place(key: str | int, positions: Mapping[Path, Position]) -> Path | None:
    """Where in the config a key is that it has once only, below the top."""
    places = [path for path in positions if path[-1] == key and isinstance(key, str)]
    return places[0] if len(places) == 1 else None
