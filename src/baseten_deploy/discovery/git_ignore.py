"""Git's ignore rules while a directory tree is walked: `.gitignore` of each directory, and `.git/info/exclude`. Pure.

The deepest file that says anything about a path decides, in it the last line that does; what is below an ignored
directory is not looked at. The rules of the user's own machine (`core.excludesFile`) are not the repository's. What
git would not take for a pattern is left out, as git does. Spec: gitignore(5).
"""

import re

from pathspec.patterns.gitignore import GitIgnorePatternError

from baseten_deploy.records import dataclass
from baseten_deploy.truss.ignore_rules import IgnoreRules
from baseten_deploy.truss.wildcards import compile_wildcards

_LONGEST = 4096  # characters of a line; Linux has no longer paths


@dataclass(frozen=True)
class Scope:
    """The rules of one directory, `""` for the top or with a slash at its end, and those `around` it."""

    directory: str
    rules: IgnoreRules
    around: "Scope | None" = None

    def ignores(self, path: str) -> bool:
        """Whether git ignores `path`, whose parents it does not; a directory's ends with a slash."""
        scope: Scope | None = self
        while scope:
            if pattern := scope.rules.pattern_for(path.removeprefix(scope.directory)):
                return not pattern.startswith("!")
            scope = scope.around
        return False


def parse(text: str) -> IgnoreRules:
    """The rules of an ignore file's text."""
    lines = (line.strip() for line in text.replace("\r\n", "\n").split("\n"))
    return IgnoreRules(custom=True, patterns=tuple(line for line in lines if _is_pattern(line)))


def _is_pattern(line: str) -> bool:
    if not line or line.startswith("#") or len(line) > _LONGEST:
        return False
    try:
        compile_wildcards(line)
    except (GitIgnorePatternError, re.error):
        return False
    return True
