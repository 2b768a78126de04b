"""Asking only about the names that a pattern may match decides as asking about all of them."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pathspec import PathSpec
from pathspec.patterns.gitignore.base import GitIgnorePatternError
from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern
from trees import write_tree

from baseten_deploy.truss.ignore_rules import DEFAULT_PATTERNS, DEFAULT_RULES, IgnoreRules
from baseten_deploy.truss.packing_list import PackingList
from baseten_deploy.truss.sieve import Sieve

# Names that patterns below meet in all ways: as a whole, by ending and beginning, in a directory, below an ignored one.
TREE = (
    *("a", "b/a", "b/b/a", "b/b/c.py", "b/c.pyc", "b/lib/x.so", "c.so", "c.sob", "lib/a/b", "lib/b", "x/lib", "x/a.b"),
    *("x/a.b.c", "x/ab", "x/.a", "d[1]/a", "d e/a", "x/a\n", "x/lib\n", "n\nl/a", "docs/_build/a", "docs/a", "b!/#a"),
)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of it, on disk."""
    return write_tree(tmp_path_factory.mktemp("tree"), dict.fromkeys(TREE, "x"))


def is_pattern(line: str) -> bool:
    """Whether pathspec takes it for one."""
    try:
        return GitIgnoreSpecPattern(line).include is not None
    except (GitIgnorePatternError, re.error):
        return False


def judged(patterns: Sequence[str], names: Sequence[str]) -> Iterator[str]:
    """The names that are left when pathspec is asked about every file and every directory around it."""
    spec = PathSpec([GitIgnoreSpecPattern(pattern) for pattern in patterns])
    for name in names:
        parts = name.split("/")
        around = ["/".join(parts[:length]) for length in range(1, len(parts))]
        asked = [name, *around, *(f"{directory}/" for directory in around)]
        if not any(spec.check_file(each).include for each in asked):
            yield name


part = st.sampled_from(["a", "b", "c", "x", "lib", "docs", "d e", "n\nl", "*", "**", "*.so", "*.py[cod]", "a.*", "?"])
made = st.builds(
    lambda no, start, parts, end: no + start + "/".join(parts) + end,
    st.sampled_from(["", "", "", "!"]),
    st.sampled_from(["", "", "/"]),
    st.lists(part, min_size=1, max_size=3),
    st.sampled_from(["", "", "/"]),
)
wild = st.text(st.sampled_from("abx.[]*!?#-\\ /"), min_size=1, max_size=6)


@pytest.mark.filterwarnings("ignore::FutureWarning")  # of the judge's regular expressions
@given(st.lists(made | made | wild | st.sampled_from(DEFAULT_PATTERNS), max_size=5))
@example(["lib", "!lib", "b"])
@example(["lib/", "!lib/", "a"])
@example(["b/*", "!b/b"])
@example(["*", "!*/", "!a"])
@example(list(DEFAULT_PATTERNS))
def test_a_tree_is_listed_as_pathspec_would(tree: Path, lines: list[str]) -> None:
    """Whatever the patterns, also where a later one lets a directory through that an earlier one matched."""
    patterns = tuple(line for line in map(str.strip, lines) if is_pattern(line))
    packing = PackingList(IgnoreRules(custom=True, patterns=patterns), tree)
    packing.add_tree(tree, [tree])
    assert [] == packing.problems
    assert sorted(judged(patterns, TREE)) == [file.name for file in packing.files]


@pytest.mark.filterwarnings("ignore::FutureWarning")
@given(st.lists(made | wild, max_size=3), st.lists(made | wild, max_size=3))
def test_two_lists_of_rules(tree: Path, lines: list[str], others: list[str]) -> None:
    """As for `external_package_dirs`: either may leave a path out, the second one by what is below the first name."""
    patterns = tuple(line for line in map(str.strip, lines) if is_pattern(line))
    below = tuple(line for line in map(str.strip, others) if is_pattern(line))
    packing = PackingList(IgnoreRules(custom=True, patterns=patterns), tree)
    packing.add_tree(tree, [tree], prefix="packages/x/", also=IgnoreRules(custom=True, patterns=below), also_below=1)
    spec = PathSpec([GitIgnoreSpecPattern(pattern) for pattern in patterns])
    walked = {f"packages/x/{name}" for name in TREE}
    left = set()
    for name in walked:
        inside = name.split("/")[2:]
        paths = ["/".join(inside[:length]) for length in range(1, len(inside) + 1)]
        asked = [f"packages/x/{path}" + end for path in paths for end in ("", "/") if path != paths[-1] or not end]
        left |= set() if any(spec.check_file(each).include for each in asked) else {name}
    expected = {name for name in left if len(name.split("/")) == 3 or [*judged(below, [name.split("/", 3)[3]])]}
    assert expected == {file.name for file in packing.files}


def test_of_usual_names_few_are_asked_about() -> None:
    """The reason for all of it: with the default rules, what a checkout is made of passes."""
    names = ["model.py", "config.yaml", "README.md", "weights.safetensors", "__init__.py", "data.json", "Dockerfile"]
    assert names == [name for name in names if DEFAULT_RULES.sieve.lets_through(name, f"model/{name}")]
    ignored = ["__pycache__", "a.pyc", "a.so", ".git", ".env", "lib", "x.egg-info", ".coverage.1", "a$py.class"]
    assert [] == [name for name in ignored if DEFAULT_RULES.sieve.lets_through(name, f"model/{name}")]


def test_what_lets_through_is_no_reason_to_ask() -> None:
    """Patterns that un-ignore, alone, leave nothing to decide."""
    assert Sieve(["!*.py", "!data/"]).lets_through("model.py", "model.py")
