"""Somebody else's text as it may be shown: nothing in it is obeyed, nothing of what it says is lost."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baseten_deploy.ci.foreign_text import (
    LINE_BYTES,
    cut_lines,
    last_states,
    printable,
    without_controls,
    without_escapes,
)

PIECES = st.lists(
    st.sampled_from(
        [*"\x1b\x9b\x9d\x90\x07\x9c\\[]();0123mKa \n\r\t\x00", "\x1b[", "\x1b]", "\x1b\\", "##[", "---", "\x1bP", "é"]
    ),
    max_size=30,
).map("".join)


class TestEscapes:
    """Sequences that a terminal obeys."""

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("\x1b[31mred\x1b[0m", "red"),
            ("\x1b[38;2;1;2;3mrgb\x1b[m", "rgb"),
            ("\x1b[2K\x1b[1Gagain", "again"),
            ("\x1b[?25lhidden\x1b[?25h", "hidden"),
            ("\x9b31mred\x9b0m", "red"),
            ("\x1b]0;a title\x07text", "text"),
            ("\x1b]8;;https://evil.test\x1b\\link\x1b]8;;\x1b\\", "link"),
            ("\x9d0;a title\x9ctext", "text"),
            ("\x1bPq#0;2;0\x1b\\text", "text"),
            ("\x1b_payload\x1b\\text", "text"),
            ("\x1b(Btext\x1b=", "text"),
            ("\x1bctext", "text"),
            ("\x1b]0;never ended", "0;never ended"),
            ("\x1b[31", ""),
            ("end\x1b", "end"),
            ("no sequence", "no sequence"),
        ],
    )
    def test_are_dropped_whole(self, text, expected):
        """With their parameters; of one without an end no more than its beginning."""
        assert expected == without_escapes(text)

    @given(PIECES)
    def test_leave_no_escape(self, text):
        """Whatever stands around them."""
        assert not re.search("[\x1b\x9b]", without_escapes(text))

    @pytest.mark.parametrize("piece", ["\x1b]", "\x1b[", "\x9d", "\x1bP", "\x90", "\x1b[0", "##", "\x1b]0;x\x1b"])
    def test_in_linear_time(self, piece):
        """A server that sends a megabyte of beginnings does not hang the run: quadratic, this would take minutes."""
        printable(piece * 500_000)


class TestPrintable:
    """Text for a terminal and for a line-based reader."""

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("a\r\nb", "a\nb"),
            ("a\rb", "a b"),
            ("a\tb\nc", "a\tb\nc"),
            ("\x1b[31mred\x1b[0m", "red"),
            ("a\x00\x07\x08\x7fb", "a    b"),
            ("a\x85b\u2028c\u2029d", "a b c d"),
            ("\u202etxet\u2066", " txet "),
            ("ü😀 日本", "ü😀 日本"),
            ("##[error]x", "## [error]x"),
            ("a ##vso[task]x", "a ## vso[task]x"),
            ("##TeamCity[x]", "## TeamCity[x]"),
            ("section_start:1:a", "section_start :1:a"),
            ("--- a\n+++ b\n~~~ c\n^^^ +++", " --- a\n +++ b\n ~~~ c\n ^^^ +++"),
            ("## Heading [x] --- a", "## Heading [x] --- a"),
        ],
    )
    def test_printable(self, text, expected):
        """Escape sequences are gone, other control and invisible characters blanks, marks of CI systems inert."""
        assert expected == printable(text)

    @given(PIECES)
    def test_twice_is_once(self, text):
        """What is printable stays as it is."""
        assert printable(printable(text)).split() == printable(text).split()

    @given(st.text() | PIECES)
    def test_values_have_no_control_characters(self, text):
        """The next step of a job dies of a NUL."""
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", without_controls(text))


class TestLastStates:
    """Carriage returns."""

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("10%\r20%\r100%", "100%"),
            ("10%\r20%\r", "20%"),
            ("a\r\r\r", "a"),
            ("one\r1\nplain\ntwo\r2\r ", "1\nplain\n2"),
            ("\r\r", ""),
            ("plain", "plain"),
        ],
    )
    def test_what_is_seen_in_the_end(self, text, expected):
        """Line by line."""
        assert expected == last_states(text)


class TestCut:
    """Endless lines."""

    @given(st.text(max_size=40), st.integers(20, 60))
    def test_no_line_is_longer(self, text, limit):
        """And no character is torn; as many lines as before."""
        lines = cut_lines(text, limit).split("\n")
        assert len(text.split("\n")) == len(lines)
        assert all(len(line.encode("utf-8", "backslashreplace")) <= limit for line in lines)

    def test_a_short_line_is_whole(self):
        """To the last byte."""
        assert "x" * LINE_BYTES == cut_lines("x" * LINE_BYTES)
        assert cut_lines("x" * (LINE_BYTES + 1)).endswith("x … cut here")


@pytest.mark.parametrize("clean", [printable, without_controls])
@pytest.mark.parametrize("text", ["a\r\x9b:3:7: \nb", "a\r\x1b[31m\nb", "a\r\x1b]0;x\x07\nb"])
def test_an_escape_within_a_line_break(clean, text):
    """A line break that is one only without the sequence is one: cleaned twice is the same as once."""
    assert ("a\nb", "a\nb") == (clean(text), clean(clean(text)))
