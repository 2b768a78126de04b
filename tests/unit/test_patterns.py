"""Users' regular expressions: they mean what `re` says, and end."""

import os
import re
import signal
import subprocess
import sys
import textwrap
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baseten_deploy import patterns
from baseten_deploy.patterns import Outcome, PatternError, compile_pattern
from runner import ROOT

A = "a" * 40 + "b"


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"(a+)+$", A),
        (r"(a*)*$", A),
        (r"(a|aa)+$", A),
        (r"(a|a?)+$", A),
        (r"(?:a+)+(?:a+)+c", A),
        (r"(.*)*x", A),
        (r"(\w+\s?)*;", "word " * 30),
        (r"^(([a-z])+.)+[A-Z]([a-z])+$", "a" * 60),
        (r"(?=(a+)+$)", A),
        (r"(?<!x)(a+)+$", A),
        (r"(?P<x>a+)+(?P=x)+$", A),
        (r"(a?){40}a{40}$", "a" * 39 + "b"),
        (r"(x+x+)+y", "x" * 60),
        (r"^([^\"]|\\\"|\")*$(?<!\")", '\\"' * 40),
        (r"(?i)(A+)+$", A),
        (r"(\d+)*-(\d+)*-$", "1" * 60 + "-" + "1" * 60),
        (r".*.*.*.*.*.*=.*", "x" * 5000),
        (r"(?:(?:a{0,20}){0,20}){0,20}$", A),
        (r"(?>x|(a+)+$)", A),
        (r"(\S+)+\s\Z", "é" * 60),
    ],
)
def test_an_exploding_pattern_is_given_up(pattern, text):
    """After its time, with a reason; kind: any pattern against any text."""
    search = compile_pattern(pattern).search(text, 0.1)
    assert Outcome.GAVE_UP is search.outcome
    assert "took longer than 0.1 s on this text" in search.reason


def test_a_pattern_that_takes_all_memory_is_given_up():
    """The run's own memory is not touched."""
    search = compile_pattern(r"(?:(a)|b)*c").search("ab" * 8_000_000)
    assert Outcome.GAVE_UP is search.outcome
    assert "took more than 1 GiB of memory" in search.reason


@pytest.mark.parametrize("pattern", [r"(?i)" + "[\0-\U0010ffff]" * 5000, "((((a{1,100}){1,100}){1,100}){1,100})" * 200])
def test_a_pattern_is_read_in_bounded_time(monkeypatch, pattern):
    """Also reading one may take minutes: it is refused then, or it is read."""
    monkeypatch.setattr(patterns, "COMPILE_SECONDS", 0.5)
    try:
        assert pattern == compile_pattern(pattern).text
    except PatternError as error:
        assert "takes longer than 0.5 s to be read" in str(error)  # noqa: PT017 - either is right, as the machine is


def test_reading_one_searches_nothing():
    """Also a pattern that takes for ever on an empty text can be read."""
    pattern = compile_pattern("(?:(?:(?:(?:a|b|){50}){50}){50}){50}c")
    assert Outcome.GAVE_UP is pattern.search("abc" * 9, 0.3).outcome


@pytest.mark.parametrize(
    ("pattern", "message", "position"),
    [
        ("(", "missing ), unterminated subpattern at position 0", 0),
        ("ab*+*", "multiple repeat at position 4", 4),
        ("[z-a]", "bad character range z-a at position 1", 1),
        (r"\p{L}", r"bad escape \p at position 0", 0),
        ("(?P<ü ->x)", "bad character in group name 'ü -' at position 4", 4),
        ("a{99999999999}", "the repetition number is too large", None),
        ("(" * 5000 + ")" * 5000, "maximum recursion depth exceeded", None),
    ],
)
def test_no_pattern(pattern, message, position):
    """As `re` says it, with the position where it knows one."""
    with pytest.raises(PatternError) as caught:
        compile_pattern(pattern)
    assert str(caught.value).startswith(message)
    assert position == caught.value.position


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("a.b", "a\nb", True),
        ("(?i)HELLO", "hello", True),
        (r"\b(4|four)\b", "it is four.", True),
        ("^b", "a\nb", False),
        ("(?m)^b", "a\nb", True),
        (r"(?!.*error)", "no error", True),
        (r"^(?!.*error)", "no error", False),
        (r"(\w)\1", "aa", True),
        ("", "", True),
        ("é", "\u00e9", True),
        ("\ud800", "x\ud800", True),
        ("a\nb", "a\nb", True),
        ("{e}", "x{e}", True),
        ("x", "y" * 5_000_000 + "x", True),
    ],
)
def test_is_searched_as_re_does(pattern, text, found):
    """Anywhere, `.` over line ends; what another engine would read otherwise is read as Python does."""
    assert (Outcome.MATCH if found else Outcome.NO_MATCH) is compile_pattern(pattern).search(text).outcome


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")  # of the judge
@given(
    st.text(st.sampled_from("ab.*?+()|[]^$\\{}1,-dé\n"), max_size=8),
    st.text(st.sampled_from("abd1é-\n{}"), max_size=8),
)
def test_any_pattern_means_what_re_says(pattern, text):
    """The judge is `re` itself, in this process."""
    try:
        expected = re.compile(pattern, re.DOTALL).search(text) is not None
    except (re.error, OverflowError):
        with pytest.raises(PatternError):
            compile_pattern(pattern)
        return
    assert (Outcome.MATCH if expected else Outcome.NO_MATCH) is compile_pattern(pattern).search(text).outcome


def test_without_a_process_it_is_said(monkeypatch):
    """A pattern is read here then, which ends; it is not searched here, which may not."""
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    pattern = compile_pattern("(a+)+$")
    search = pattern.search(A)
    assert Outcome.GAVE_UP is search.outcome
    assert "no process could be started (No such file or directory)" in search.reason
    with pytest.raises(PatternError, match="missing"):
        compile_pattern("(")


def test_the_process_gets_nothing_of_the_job(monkeypatch, tmp_path):
    """Neither its variables, which hold secrets, nor its modules."""
    (tmp_path / "re.py").write_text("raise SystemExit('the job decides')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert Outcome.MATCH is compile_pattern("a+").search("a").outcome


@pytest.mark.parametrize(
    ("pattern", "text"), [("world", "hello world"), (r"^a.\b$", "a\n"), ("", "x"), (".", "y" * 10**6)]
)
def test_a_plain_pattern_needs_no_process(monkeypatch, pattern, text):
    """So it can be searched where none can be started, and costs nothing."""
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    found = re.compile(pattern, re.DOTALL).search(text) is not None
    assert (Outcome.MATCH if found else Outcome.NO_MATCH) is compile_pattern(pattern).search(text).outcome


@pytest.mark.parametrize(("pattern", "text"), [("a." * 100, "a" * 10**6), ("a" * 201, "a"), ("a?", "a"), ("[a]", "a")])
def test_no_other_is_searched_here(monkeypatch, pattern, text):
    """Too long, or with something in it that may be matched in several ways."""
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert Outcome.GAVE_UP is compile_pattern(pattern).search(text).outcome


def test_a_signal_is_obeyed_meanwhile():
    """The handler's exception ends the search at once, and the process with it."""
    program = textwrap.dedent("""
        import signal, sys
        from baseten_deploy.patterns import compile_pattern
        class Cancelled(BaseException): ...
        def handler(*_): raise Cancelled
        signal.signal(signal.SIGTERM, handler)
        pattern = compile_pattern("(a+)+$")
        print("ready", flush=True)
        try:
            pattern.search("a" * 40 + "b")
        except Cancelled:
            print("cancelled", flush=True)
    """)
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT / "src")}
    ) as step:
        assert b"ready\n" == step.stdout.readline()
        time.sleep(0.3)
        step.send_signal(signal.SIGTERM)
        assert b"cancelled\n" == step.stdout.read()
        assert 0 == step.wait(10)
