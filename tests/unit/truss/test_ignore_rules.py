"""Ignore rules: which file they come from, and what they match."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pathspec import PathSpec
from pathspec.patterns.gitignore.base import GitIgnorePatternError
from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern
from trees import write_tree

from baseten_deploy.errors import InvalidInput
from baseten_deploy.truss.ignore_rules import DEFAULT_PATTERNS, PLAUSIBLY_MISSED, IgnoreRules, read_rules


def test_defaults_without_an_ignore_file(tmp_path: Path) -> None:
    """No `.truss_ignore`: the default rules."""
    assert IgnoreRules(custom=False, patterns=DEFAULT_PATTERNS) == read_rules(tmp_path)


def test_an_ignore_file_replaces_the_defaults(tmp_path: Path) -> None:
    """Lines are stripped; comments and empty lines are dropped; a form feed does not end a line."""
    write_tree(tmp_path, {".truss_ignore": "# mine\r\n  *.log  \n\n\tdata/\n!keep.log\na\x0cb\n"})
    assert IgnoreRules(custom=True, patterns=("*.log", "data/", "!keep.log", "a\x0cb")) == read_rules(tmp_path)


def test_an_empty_ignore_file_ignores_nothing(tmp_path: Path) -> None:
    """Even an empty `.truss_ignore` replaces the defaults."""
    write_tree(tmp_path, {".truss_ignore": ""})
    rules = read_rules(tmp_path)
    assert IgnoreRules(custom=True, patterns=()) == rules
    assert not rules.ignores_directory("lib")


def test_an_ignore_file_in_a_subdirectory_means_nothing(tmp_path: Path) -> None:
    """Only the Truss root counts."""
    write_tree(tmp_path, {"model/.truss_ignore": "*"})
    assert not read_rules(tmp_path).custom


@pytest.mark.parametrize("content", [b"\xff\n", "*.log\n!\n", "*.log\n[#- ]\n", "\nx\\\n"])
def test_an_unusable_ignore_file_is_an_error(tmp_path: Path, content: str | bytes) -> None:
    """With the line, where there is one."""
    write_tree(tmp_path, {".truss_ignore": content})
    with pytest.raises(InvalidInput) as caught:
        read_rules(tmp_path)
    assert [(".truss_ignore", 2 if isinstance(content, str) else 0)] == [
        (problem.file, problem.line) for problem in caught.value.problems
    ]


@pytest.mark.parametrize("target", ["/dev/zero", "../outside", "."])
def test_an_ignore_file_elsewhere_is_not_read(tmp_path: Path, target: str) -> None:
    """A symlink out of the Truss, a device and a directory are refused before they are opened."""
    write_tree(tmp_path, {"outside": "*.log", "truss/": ""})
    (tmp_path / "truss/.truss_ignore").symlink_to(target)
    with pytest.raises(InvalidInput, match="Not a file of this Truss"):
        read_rules(tmp_path / "truss")


def test_the_last_match_wins() -> None:
    """A negation brings back what an earlier line ignores, and the other way round."""
    rules = IgnoreRules(custom=True, patterns=("*.log", "!keep.log", "/keep.log"))
    assert [True, False, True] == [rules.ignores_file(name) for name in ("a.log", "x/keep.log", "keep.log")]


def test_directories_match_with_and_without_a_slash() -> None:
    """`lib/` prunes the directory `lib`, and leaves the file `lib` alone; `lib` hits both."""
    with_slash = IgnoreRules(custom=True, patterns=("lib/",))
    without = IgnoreRules(custom=True, patterns=("lib",))
    assert [True, False] == [with_slash.ignores_directory("a/lib"), with_slash.ignores_file("a/lib")]
    assert [True, True] == [without.ignores_directory("lib"), without.ignores_file("lib")]


def test_the_deciding_pattern_is_known() -> None:
    """For messages: which line is to blame."""
    rules = IgnoreRules(custom=True, patterns=("*.log", "lib/"))
    assert ["lib/", "*.log", ""] == [rules.pattern_for(name) for name in ("a/lib/", "x.log", "model.py")]


def test_what_users_miss_is_part_of_the_defaults() -> None:
    """The list for warnings has no pattern of its own."""
    assert set(PLAUSIBLY_MISSED) <= set(DEFAULT_PATTERNS)


def test_patterns_that_python_warns_about(tmp_path: Path) -> None:
    """A class like `[[:alpha:]]` is no reason for a warning of the interpreter in somebody's log."""
    write_tree(tmp_path, {".truss_ignore": "[[:alpha:]]x\n"})
    assert not read_rules(tmp_path).ignores_file("model.py")


names = st.text(st.sampled_from("ab.[]*!?#-\\ /"), min_size=1, max_size=8)


@pytest.mark.filterwarnings("ignore::FutureWarning")  # of the judge's regular expressions
@given(st.lists(names | st.sampled_from(DEFAULT_PATTERNS), max_size=5), names | st.sampled_from(DEFAULT_PATTERNS))
def test_asking_few_patterns_decides_as_asking_all(lines: list[str], path: str) -> None:
    """Which patterns are asked at all is only a matter of speed: the judge is pathspec with all of them."""
    patterns = tuple(line for line in map(str.strip, lines) if is_pattern(line))
    rules = IgnoreRules(custom=True, patterns=patterns)
    judge = PathSpec([GitIgnoreSpecPattern(pattern) for pattern in patterns]).check_file(path)
    assert (bool(judge.include), "" if judge.index is None else patterns[judge.index]) == (
        rules.ignores_file(path),
        rules.pattern_for(path),
    )


def is_pattern(line: str) -> bool:
    """Whether pathspec takes it for one."""
    try:
        return GitIgnoreSpecPattern(line).include is not None
    except (GitIgnorePatternError, re.error):
        return False
