"""Which names no pattern of a list can match, decided by the name alone and in no time. Pure.

Of a checkout's files hardly any is ignored. Where no directory around a path was matched, a pattern matches the path
only if its last part matches the path's last name; and the last parts of nearly all patterns are a name, an ending or
a beginning. What is left is for `pathspec` to decide.
"""

import re
from collections.abc import Iterable

from baseten_deploy.expressions import expression

# What means more than itself in a pattern, and where it may be cut. A name with other white space is none's business.
_SPECIAL = expression(r"[*?\[\]\\!#\s]")
_CHOICE = expression(r"([^*?\[\]\\!#\s]*)\[([A-Za-z0-9]+)\]")


def literal(pattern: str) -> str:
    """A text without which no path can match the pattern, as long as that is easy to see; `""` when it is not."""
    if "\\" in pattern:
        return ""
    return max(re.split(r"[*?!/\s]+", pattern.partition("[")[0]), key=len)


class Sieve:
    """The last parts of patterns in gitignore syntax. Those that un-ignore need none: there is nothing to decide."""

    def __init__(self, patterns: Iterable[str]) -> None:
        names: set[str] = set()
        endings: set[str] = set()
        beginnings: set[str] = set()
        inside: set[str] = set()
        around: set[str] = set()
        for pattern in patterns:
            if pattern.startswith("!"):
                continue
            part = pattern.rstrip("/").rpartition("/")[2]
            if part and not _SPECIAL.search(part):
                names.add(part)
            elif part.startswith("*") and part[1:] and not _SPECIAL.search(part[1:]):
                endings.add(part[1:])
            elif part.startswith("*") and (choice := _CHOICE.fullmatch(part[1:])):
                endings |= {choice[1] + each for each in choice[2]}
            elif part.endswith("*") and part[:-1] and not _SPECIAL.search(part[:-1]):
                beginnings.add(part[:-1])
            elif text := literal(part):
                inside.add(text)
            else:
                around.add(literal(pattern))
        self._names = frozenset(names)
        self._endings = (*sorted(endings), "\n")  # before which `$` of a regular expression matches, too
        self._beginnings = tuple(sorted(beginnings))
        self._inside = tuple(sorted(inside))
        self._around = tuple(sorted(around))

    def lets_through(self, name: str, path: str) -> bool:
        """Whether no pattern can match `path`, whose last name is `name`, where none matched a directory around it."""
        return not (
            name in self._names
            or name.endswith(self._endings)
            or (self._beginnings and name.startswith(self._beginnings))
            or (self._inside and any(text in name for text in self._inside))
            or (self._around and any(text in path for text in self._around))
        )
