"""A config that YAML cannot read: its line, a caret, what is usually wrong; and refused where `truss` refuses it."""

from pathlib import Path

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from trees import write_tree

from baseten_deploy import strict_yaml
from baseten_deploy.errors import InvalidInput, Problem
from baseten_deploy.truss.config_file import read_config


def refusal(directory: Path, text: str) -> Problem:
    """The problem with a config that cannot be read."""
    root = write_tree(directory, {"config.yaml": text})
    with pytest.raises(InvalidInput) as caught:
        read_config(root / "config.yaml", [root], root)
    (problem,) = caught.value.problems
    return problem


@pytest.mark.parametrize(
    ("text", "line", "excerpt", "remedy"),
    [
        ("a: 1\nb: c: d\n", 2, "b: c: d\n    ^", "there is a colon in it; or check the indentation"),
        ("a: 1\n  b: 2\n", 2, "  b: 2\n   ^", "Check the indentation of this line and of the one above"),
        ("a:1\nb: 2\n", 2, "b: 2\n ^", "there must be a space after its colon"),
        ("a:\n\tb: 1\n", 2, "→b: 1\n^", "There is a tab: indent with spaces"),
        (
            "requirements:\n- numpy==1.26.4\t# pinned\n",
            2,
            "- numpy==1.26.4→# pinned\n               ^",
            "There is a tab",
        ),
        ("a:\n- x\n- [b, c\nd: 1\n", 4, "d: 1\n ^", "is not closed"),
        ("a: @x\n", 1, "a: @x\n   ^", "Write the value in quotes"),
        ('a: "x" y\n', 1, 'a: "x" y\n       ^', "is quoted as a whole"),
        ("a: 'x\n", 2, "", "A quote that was opened above is not closed"),
    ],
)
def test_the_line_a_caret_and_a_remedy(tmp_path: Path, text: str, line: int, excerpt: str, remedy: str) -> None:
    """What was written, where it ends, and what people usually meant."""
    problem = refusal(tmp_path, text)
    assert (line, excerpt, True) == (problem.line, problem.excerpt, remedy in problem.remedy)


def test_a_long_line_is_cut_around_the_place(tmp_path: Path) -> None:
    """The caret stays below it."""
    problem = refusal(tmp_path, f"a: {'x ' * 500}: b\n")
    shown, caret = problem.excerpt.split("\n")
    assert (":", True) == (shown[caret.index("^")], len(shown) <= 100)


def test_what_may_be_a_key_is_not_shown(tmp_path: Path) -> None:
    """A line goes into log and annotations."""
    problem = refusal(tmp_path, "secrets:\n  hf: hf_AbCdEfGh1234567890xyz: x\n")
    assert "AbCdEfGh" not in str(problem)
    assert "  hf: ************************: x\n" in problem.excerpt + "\n"


HOSTILE = [
    "\t",
    " ",
    "\n",
    "  ",
    "- ",
    "a",
    "b",
    ": ",
    ":",
    "a: ",
    "- a",
    "#",
    " # c",
    "'",
    '"',
    "[",
    "]",
    "{",
    "}",
    ",",
]
HOSTILE += [
    "? ",
    "| ",
    "|\n",
    ">\n",
    "&a ",
    "*a",
    "!x ",
    "!!str ",
    "%",
    "@",
    "`",
    "<<: ",
    "1",
    "---",
    "...",
    "\r\n",
    "\r",
]
HOSTILE += [
    "\x85",
    "\u2028",
    "\ufeff",
    "é",
    "😀",
    "=",
    "~",
    "{a:1}",
    "[a:b]",
    '"a":b',
    "%YAML 1.2\n",
    "%TAG ! x\n",
    "- - a",
]


def taken_by_truss(text: str) -> bool:
    """Whether the loader of `truss`, PyYAML's pure one, reads it."""
    try:
        yaml.load(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, ValueError, TypeError, AttributeError, KeyError, IndexError):
        return False
    return True


@given(st.lists(st.sampled_from(HOSTILE), max_size=12).map("".join))
@example("- numpy==1.26.4\t# pinned")
@example("a:\tb")
@example("a: [1,\t2]")
@example("a: |\n\tx")
@example('{"a":\t1}')
@example('{\n\t"a": 1\n}')
def test_nothing_is_read_that_truss_refuses(text: str) -> None:
    """Whatever the snippet: what comes through here is read there."""
    try:
        strict_yaml.load_config(text)
    except strict_yaml.YamlError:
        return
    assert taken_by_truss(text)


@given(st.lists(st.sampled_from(HOSTILE), max_size=12).map("".join))
def test_a_refusal_of_syntax_is_that_of_truss(text: str) -> None:
    """Line and column of an error of the scanner or parser are those that the pure loader names."""
    error: Exception | None = None
    try:
        list(yaml.parse(text, Loader=yaml.SafeLoader))
    except (yaml.YAMLError, ValueError) as caught_there:
        error = caught_there
    if error is None:
        return
    with pytest.raises(strict_yaml.YamlError) as caught:
        strict_yaml.load_config(text)
    mark = getattr(error, "problem_mark", None)
    if isinstance(error, yaml.MarkedYAMLError) and mark is not None and str(error.problem) in caught.value.message:
        assert (mark.line + 1, mark.column + 1) == (caught.value.line, caught.value.column)
