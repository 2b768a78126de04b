"""Whose a comment is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from baseten_deploy.comment.marker import FOLDED, Key, Marker, read_marker, run_number

KEYS = st.builds(Key, st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
NUMBERS = st.tuples(st.integers(0, 10**12), st.integers(0, 99))


class TestMarker:
    """One line that nobody sees."""

    @given(KEYS, NUMBERS)
    def test_is_read_back(self, key, run):
        """Whatever the names hold, it is one HTML comment, and says the same again."""
        line = str(Marker(key, run))
        (token,) = MarkdownIt("commonmark").parse(line)
        assert ("html_block", line) == (token.type, token.content)
        assert line.find("-->") == len(line) - 3
        found = read_marker(f"{line}\ntext")
        assert found
        again = Key(*(str(value).encode("utf-8", "replace").decode() for value in vars(key).values()))
        assert Marker(again, run) == found

    @given(KEYS, KEYS)
    def test_each_key_has_its_own(self, one, other):
        """No name looks like another's."""
        unsent = lambda key: tuple(str(value).encode("utf-8", "replace") for value in vars(key).values())  # noqa: E731
        assert (unsent(one) == unsent(other)) == (str(Marker(one)) == str(Marker(other)))

    def test_of_before_there_were_targets(self):
        """Only the model is known."""
        assert Marker(Key("", "my model", None)) == read_marker("<!-- baseten-deploy: my%20model -->\n## Planned")

    @pytest.mark.parametrize(
        "body",
        [
            *(None, 7, "", "text", "> <!-- baseten-deploy: m -->", "see <!-- baseten-deploy: m -->", FOLDED),
            *("<!-- baseten-deploy: a b -->", "<!-- baseten-deploy: model=m -->", "<!-- baseten-deploy:  -->"),
        ],
    )
    def test_none(self, body):
        """A quote of ours, or what took the place of one."""
        assert read_marker(body) is None

    @pytest.mark.parametrize(("run", "attempt"), [("", ""), ("x", "1x"), ("-1", "²"), ("9" * 21, "9" * 5000)])
    def test_a_run_without_a_number(self, run, attempt):
        """Is before all."""
        assert (0, 0) == run_number(run, attempt)

    def test_a_later_run_is_greater(self):
        """By number, not by letters; then by attempt."""
        assert run_number("99", "2") > run_number("99", "1") > run_number("9", "10")
