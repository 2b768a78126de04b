"""Ignore patterns with many wildcards, matched in time that grows with the path's length only.

`pathspec` says what a pattern means, as a regular expression; for `*a*a*a*a*b` and a name of 200 `a` Python's `re`
would need more than a lifetime. Such an expression is made of few parts, so it is walked here as an automaton instead,
with every way through it at once, and each step that was made is remembered. Patterns with few wildcards stay with
`re`.
"""

import re
import warnings

from pathspec import Pattern
from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

from baseten_deploy.expressions import expression

# With so many, the time is at most that of all pairs of places in the path.
_HARMLESS = 2
# Bytes for the steps that a pattern remembers, at most; each takes about hundred, and a bit for each place.
_REMEMBERED = 500_000
_ANY, _NO_SLASH, _SLASH = ".", "[^/]", "/"
# All that pathspec writes between `^` and the end. A class has the user's text, where only the first `]` can be no end.
_PART = expression(
    r"""(?P<leading>\(\?:\.\+/\)\?)|(?P<inner>\(\?:/\.\+\)\?)|(?P<star>\[\^/\]\*)|(?P<plus>\[\^/\]\+)
    |(?P<one>\[\^?\]?[^\]]*\]|\\.|[^\\\[\](){}.*+?^$|])""",
    re.VERBOSE | re.DOTALL,
)
_TO_THE_END = r"(?:(?P<ps_d>/)|$)"
_INTO = "(?P<ps_d>/)"


def compile_wildcards(line: str) -> Pattern:
    """A line of an ignore file. Raises what pathspec does: `GitIgnorePatternError` or `re.error`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # `[[:alpha:]]`: the regular expression may change its meaning
        pattern = GitIgnoreSpecPattern(line)
        parts = None if pattern.regex is None else _split(pattern.regex.pattern)
    if parts is None or sum(kind != "one" for kind, _ in parts) <= _HARMLESS:
        return pattern
    return Automaton(pattern, parts)


def _split(expression: str) -> list[tuple[str, str]] | None:
    """Kinds and texts of the parts between `^` and the end; `None` for an expression of another make."""
    if not expression.startswith("^"):
        return None
    body = expression.removesuffix(_TO_THE_END)
    body = body.removesuffix(_INTO) + "/" if body.endswith(_INTO) else body
    parts: list[tuple[str, str]] = []
    at = 1
    while at < len(body):
        match = _PART.match(body, at)
        if match is None:
            return None
        part = (match.lastgroup or "", match[0])
        if not (part[0] == "star" and parts and parts[-1] == part):  # a second one in a row says nothing new
            parts.append(part)
        at = match.end()
    return parts


class Automaton(Pattern):
    """A pattern as places in it: bit n of a number says that the path, as far as it was read, may lead to place n.

    A character leads from a place to the next one, or leaves it where it is; some places may be skipped.
    """

    __slots__ = ("_advance", "_characters", "_last", "_most", "_needs_end", "_place", "_skip", "_stay", "_steps")

    def __init__(self, pattern: GitIgnoreSpecPattern, parts: list[tuple[str, str]]) -> None:
        super().__init__(pattern.include)
        assert pattern.regex is not None
        self._needs_end = pattern.regex.pattern.endswith(_TO_THE_END)
        # The places, by the expression of the characters that do it, and by how many places are skipped.
        self._advance: dict[str, int] = {}
        self._stay: dict[str, int] = {}
        self._skip = {1: 0, 2: 0, 3: 0}
        self._place = 1
        for kind, text in parts:
            self._add(kind, text)
        self._last = self._place
        self._most = max(1, _REMEMBERED // (200 + self._place.bit_length() // 4))
        self._characters: dict[str, tuple[int, int]] = {}
        self._steps: dict[tuple[int, str], int] = {}

    def _add(self, kind: str, text: str) -> None:
        match kind:
            case "leading":  # (?:.+/)?
                self._put(advance=_ANY, skip=2)
                self._put(advance=_SLASH, stay=_ANY)
            case "inner":  # (?:/.+)?
                self._put(advance=_SLASH, skip=3)
                self._put(advance=_ANY)
                self._put(stay=_ANY, skip=1)
            case "plus":
                self._put(advance=_NO_SLASH)
                self._put(stay=_NO_SLASH, skip=1)
            case "star":
                self._put(stay=_NO_SLASH, skip=1)
            case _:
                self._put(advance=text)

    def _put(self, *, advance: str = "", stay: str = "", skip: int = 0) -> None:
        if advance:
            self._advance[advance] = self._advance.get(advance, 0) | self._place
        if stay:
            self._stay[stay] = self._stay.get(stay, 0) | self._place
        if skip:
            self._skip[skip] |= self._place
        self._place <<= 1

    def match_file(self, file: str) -> bool | None:
        """Whether the path matches, as pathspec asks: `None` if it does not."""
        places = self._with_skips(1)
        steps = self._steps
        for index, character in enumerate(file):
            if places & self._last and (not self._needs_end or character == "/" or file[index:] == "\n"):
                return True
            following = steps.get((places, character))
            places = self._step(places, character) if following is None else following
            if not places:
                return None
        return True if places & self._last else None

    def _step(self, places: int, character: str) -> int:
        if character not in self._characters:
            self._characters[character] = (_sum(self._advance, character), _sum(self._stay, character))
        advance, stay = self._characters[character]
        following = self._with_skips(((places & advance) << 1) | (places & stay))
        if len(self._steps) >= self._most:
            self._steps.clear()
        self._steps[places, character] = following
        return following

    def _with_skips(self, places: int) -> int:
        reached = 0
        while places != reached:
            reached = places
            for distance, starts in self._skip.items():
                places |= (places & starts) << distance
        return places


def _sum(moves: dict[str, int], character: str) -> int:
    """The places from which `character` makes one of the moves."""
    found = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        for expression, places in moves.items():
            if re.match(expression, character):
                found |= places
    return found
