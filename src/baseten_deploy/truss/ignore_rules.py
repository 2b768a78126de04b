"""Which files of a Truss are ignored: `.truss_ignore` or the default rules, decided exactly as `truss push` does.

Knows paths as text only, and reads one file. What is walked, and what is said about ignored files, is elsewhere.
"""

import re
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from baseten_deploy.errors import InvalidInput, Problem
from baseten_deploy.records import dataclass

from .bounded_read import TooLarge, read_within
from .sieve import Sieve, literal

if TYPE_CHECKING:
    from pathspec import PathSpec, Pattern

IGNORE_FILE = ".truss_ignore"
IGNORE_BYTES = 1024 * 1024
# Characters of a line; Linux has no longer paths.
_LONGEST = 4096

# Default rules whose victims a user plausibly misses in the archive. The others hit caches, virtual environments and
# build residue only.
PLAUSIBLY_MISSED = (
    "*.so",
    "build/",
    "dist/",
    "downloads/",
    "eggs/",
    "lib/",
    "lib64/",
    "parts/",
    "sdist/",
    "var/",
    "wheels/",
    "share/python-wheels/",
    "*.egg",
    "MANIFEST",
    "*.manifest",
    "*.spec",
    "cover/",
    "*.mo",
    "*.pot",
    "local_settings.py",
    "db.sqlite3",
    "instance/",
    "target/",
    "env/",
    "ENV/",
)

# `truss/util/.truss_ignore` of truss 0.18.35, without comments; a test compares it with the installed package.
DEFAULT_PATTERNS: tuple[str, ...] = (
    "__pycache__/",
    "*.py[cod]",
    "*$py.class",
    "*.so",
    ".Python",
    "build/",
    "develop-eggs/",
    "dist/",
    "downloads/",
    "eggs/",
    ".eggs/",
    "lib/",
    "lib64/",
    "parts/",
    "sdist/",
    "var/",
    "wheels/",
    "share/python-wheels/",
    "*.egg-info/",
    ".installed.cfg",
    "*.egg",
    "MANIFEST",
    ".DS_Store",
    "*.manifest",
    "*.spec",
    "pip-log.txt",
    "pip-delete-this-directory.txt",
    "htmlcov/",
    ".tox/",
    ".nox/",
    ".coverage",
    ".coverage.*",
    ".cache",
    "nosetests.xml",
    "coverage.xml",
    "*.cover",
    "*.py,cover",
    ".hypothesis/",
    ".pytest_cache/",
    "cover/",
    "*.mo",
    "*.pot",
    "*.log",
    "local_settings.py",
    "db.sqlite3",
    "db.sqlite3-journal",
    "instance/",
    ".webassets-cache",
    ".scrapy",
    "docs/_build/",
    ".pybuilder/",
    "target/",
    ".ipynb_checkpoints",
    "profile_default/",
    "ipython_config.py",
    ".pdm.toml",
    "__pypackages__/",
    "celerybeat-schedule",
    "celerybeat.pid",
    "*.sage.py",
    ".env",
    ".venv",
    "env/",
    "venv/",
    "ENV/",
    "env.bak/",
    "venv.bak/",
    ".spyderproject",
    ".spyproject",
    ".ropeproject",
    ".mypy_cache/",
    ".dmypy.json",
    "dmypy.json",
    ".ruff_cache/",
    ".pyre/",
    ".pytype/",
    "cython_debug/",
    ".git",
    "*.tmp",
    "*.swp",
)


@dataclass(frozen=True)
class IgnoreRules:
    """Patterns in gitignore syntax, where the last match wins.

    `custom`: they come from the Truss's own `.truss_ignore`, which replaces the defaults even when it is empty.
    Paths are relative to the Truss and use `/`.
    """

    custom: bool
    patterns: tuple[str, ...]

    def ignores_directory(self, path: str) -> bool:
        """Whether the directory is not even looked into: `d` or `d/` matches."""
        return self.ignores_file(path) or self.ignores_file(path + "/")

    def ignores_file(self, path: str) -> bool:
        """Whether the file itself is ignored; its directories are asked about one by one."""
        return self._decide(path)[0]

    def ignores(self, name: str) -> bool:
        """Either of the two: a directory's `name` ends with a slash."""
        return self.ignores_directory(name[:-1]) if name.endswith("/") else self.ignores_file(name)

    def pattern_for(self, name: str) -> str:
        """The pattern that decides about `name` (a directory's ends with a slash), `""` when none does."""
        return self._decide(name)[1]

    @cached_property
    def sieve(self) -> Sieve:
        """What lets through the names that need not be asked about."""
        return Sieve(self.patterns)

    def touches(self, name: str) -> bool:
        """Whether a pattern matches the directory `name` (with a slash), and so may match all that is below it."""
        return bool(self.pattern_for(name) or self.pattern_for(name[:-1]))

    def _decide(self, path: str) -> tuple[bool, str]:
        """Whether `path` is ignored, and the pattern that decides, `""` for none.

        Patterns whose literal is not in `path` cannot match it. To leave them out, mostly all of them, halves the time
        that a large Truss takes to be listed; and compiling all the default ones would cost each run 20 ms.
        """
        near = tuple(pattern for pattern, literal in self._literals if literal in path)
        if not near:
            return False, ""
        if (spec := self._specs.get(near)) is None:
            from pathspec import PathSpec  # noqa: PLC0415 - 30 modules; most Trusses have no name to ask it about

            spec = self._specs[near] = PathSpec(map(self._compiled, near), backend="simple")
        found = spec.check_file(path)
        return bool(found.include), "" if found.index is None else near[found.index]

    def _compiled(self, pattern: str) -> "Pattern":
        if pattern not in self._patterns:
            from .wildcards import compile_wildcards  # noqa: PLC0415 - needs pathspec

            self._patterns[pattern] = compile_wildcards(pattern)
        return self._patterns[pattern]

    @cached_property
    def _patterns(self) -> "dict[str, Pattern]":
        return {}

    @cached_property
    def _literals(self) -> list[tuple[str, str]]:
        return [(pattern, literal(pattern)) for pattern in self.patterns]

    @cached_property
    def _specs(self) -> "dict[tuple[str, ...], PathSpec[Pattern]]":
        return {}


DEFAULT_RULES = IgnoreRules(custom=False, patterns=DEFAULT_PATTERNS)
UNREMARKABLE = IgnoreRules(
    custom=False, patterns=tuple(pattern for pattern in DEFAULT_PATTERNS if pattern not in PLAUSIBLY_MISSED)
)


def read_rules(directory: Path) -> IgnoreRules:
    """Rules of the Truss in `directory`. Raises `InvalidInput` with a file relative to it."""
    file = directory / IGNORE_FILE
    if not file.exists():
        return DEFAULT_RULES
    if not file.is_file() or not file.resolve().is_relative_to(directory.resolve()):
        raise InvalidInput(Problem("Not a file of this Truss", "Put a copy of it there.", IGNORE_FILE))
    try:
        text = read_within(file, IGNORE_BYTES).decode()
        # Universal newlines and no more: a form feed does not end a line here.
        lines = [line.strip() for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    except TooLarge as error:
        remedy = "Write patterns for directories instead of a line for each file."
        raise InvalidInput(Problem(str(error), remedy, IGNORE_FILE)) from None
    except UnicodeDecodeError:
        raise InvalidInput(Problem("Not UTF-8", "Save it as UTF-8.", IGNORE_FILE)) from None
    except OSError as error:
        raise InvalidInput(
            Problem(f"Cannot be read: {error.strerror}", "Make it readable for this step (`chmod a+r`).", IGNORE_FILE)
        ) from None
    problems = [problem for number, line in enumerate(lines, 1) if (problem := _check(line, number))]
    if problems:
        raise InvalidInput(problems)
    return IgnoreRules(custom=True, patterns=tuple(line for line in lines if line and not line.startswith("#")))


def _check(line: str, number: int) -> Problem | None:
    from pathspec.patterns.gitignore.base import GitIgnorePatternError  # noqa: PLC0415 - few have rules of their own

    from .wildcards import compile_wildcards  # noqa: PLC0415

    if len(line) > _LONGEST and not line.startswith("#"):
        return Problem("Longer than any path", "Remove this line.", IGNORE_FILE, number, 1)
    try:
        compile_wildcards(line)
    except (GitIgnorePatternError, re.error):
        remedy = "Use the pattern syntax of .gitignore."
        return Problem(f"`{line}` is not an ignore pattern", remedy, IGNORE_FILE, number, 1)
    return None
