"""Ignore patterns with many wildcards: they mean what pathspec says, and end."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pathspec.patterns.gitignore.base import GitIgnorePatternError
from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

from baseten_deploy.truss import wildcards
from baseten_deploy.truss.ignore_rules import IgnoreRules
from baseten_deploy.truss.wildcards import Automaton, compile_wildcards

A200 = "a" * 200
DEEP = "/".join(["a"] * 400)


@pytest.mark.parametrize(
    ("pattern", "name", "ignored"),
    [
        ("*a*a*a*a*a*a*a*a*a*a*a*a*b", A200, False),
        ("*a*a*a*a*a*a*a*a*a*a*a*a*b", A200 + "b", True),
        ("*" + "a*" * 300 + "b", A200 * 2 + "bc", False),
        ("*" + "a*" * 200, A200, True),
        ("*" + "a*" * 201, A200, False),
        ("*" + "?*" * 100 + "b", A200, False),
        ("*" + "[ab]*" * 50 + "[!a]", A200, False),
        ("*" + "[!b]*" * 50 + "x", f"{A200}/{A200}", False),
        ("**/a/" * 20 + "b", DEEP, False),
        ("**/a/" * 20 + "b", DEEP + "/b", True),
        ("/**/a*a/" * 20 + "b", "/".join(["aaaa"] * 200), False),
        ("a/" + "**/*a*/" * 12 + "c", DEEP, False),
        ("*/" * 30 + "x", DEEP, False),
        ("!" + "*a" * 30 + "b", A200, False),
        ("*" * 3000 + "b", A200, False),
        ("*a" * 2000, A200, False),
    ],
)
def test_a_pattern_that_would_take_for_ever(pattern, name, ignored):
    """It ends, with the right answer; kind: any number of any wildcards."""
    assert ignored == IgnoreRules(custom=True, patterns=(pattern,)).ignores_file(name)


SEGMENTS = st.lists(
    st.sampled_from(
        ["a", "b", "*", "**", "?", "[ab]", "[!a]", "[a", "[]a]", "[+-b]", "\\*", "\\[", "-", ".", "é", "\n"]
    ),
    max_size=5,
).map("".join)
PATTERNS = st.builds(
    lambda start, segments, end: start + "/".join(segments) + end,
    st.sampled_from(["", "/", "!", "**/"]),
    st.lists(st.just("**") | SEGMENTS, min_size=1, max_size=4),
    st.sampled_from(["", "/", "/**", "/*", "\\"]),
)
PATHS = st.text(st.sampled_from("aab/é.-*[]\n"), min_size=1, max_size=14)


@pytest.mark.filterwarnings("ignore::FutureWarning")  # of the judge's regular expressions
@given(PATTERNS, st.lists(PATHS, min_size=1, max_size=6))
@example("*[!a]*b", ["x/b", "a/b", "aab"])
@example("**/a/**/b/**/c", ["a/b/c", "a/x/b/y/c/z", "a/b", "a//b/c"])
@example("*a*b*\n", ["xaxb\n", "xaxb\n\n"])
@example("*a*b*c", ["abc\n", "abc\n/", "abc/d"])
def test_an_automaton_decides_as_pathspec(pattern, paths):
    """For any pattern, also those that are left to `re` otherwise, and any path."""
    try:
        judge = GitIgnoreSpecPattern(pattern)
    except (GitIgnorePatternError, re.error):
        with pytest.raises((GitIgnorePatternError, re.error)):
            compile_wildcards(pattern)
        return
    parts = None if judge.regex is None else wildcards._split(judge.regex.pattern)
    if parts is None:
        assert judge.regex is None or not judge.regex.pattern.startswith("^"), "an expression that is not understood"
        return
    automaton = Automaton(judge, parts)
    assert judge.include is automaton.include
    assert [judge.match_file(path) is not None for path in paths] == [
        automaton.match_file(path) is not None for path in paths
    ]


def test_few_wildcards_stay_with_the_regular_expression():
    """It is faster, and needs no more than all pairs of places."""
    assert isinstance(compile_wildcards("*.log"), GitIgnoreSpecPattern)
    assert isinstance(compile_wildcards("*a*b*"), Automaton)


def test_steps_are_forgotten_before_they_fill_the_memory(monkeypatch):
    """And the answers stay right."""
    monkeypatch.setattr(wildcards, "_REMEMBERED", 600)
    pattern = compile_wildcards("*a*b*c")
    assert [True, None] * 10 == [pattern.match_file(name) for name in ["xaxbxc", "xcxbxa"] * 10]
