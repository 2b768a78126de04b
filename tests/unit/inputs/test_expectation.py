"""What a smoke test's response must contain."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baseten_deploy.inputs.expectation import difference, parse_expectation

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def mismatch(expected: str, response: str) -> str:
    """Why a response is not what was expected."""
    return parse_expectation(expected).mismatch(response)


class TestJson:
    """Objects by subset, arrays by element, scalars by equality."""

    @pytest.mark.parametrize(
        ("expected", "response"),
        [
            ("{}", '{"a": 1}'),
            ('{"a": 1}', '{"a": 1, "b": 2}'),
            ('{"a": {"b": 1}}', '{"a": {"b": 1, "c": 2}, "d": 3}'),
            ("[]", "[1, 2]"),
            ("[1]", "[1, 2]"),
            ('[{"a": 1}, {}]', '[{"a": 1, "b": 2}, {"c": 3}]'),
            ('{"a": null}', '{"a": null}'),
            ("1", "1.0"),
            ('"ü"', '"\\u00fc"'),
            ('"hello"', "hello"),
            ("true", " true\n"),
        ],
    )
    def test_is_contained(self, expected, response):
        """What is there besides does not matter; a plain text equals its JSON string."""
        assert "" == mismatch(expected, response)

    @pytest.mark.parametrize(
        ("expected", "response", "reason"),
        [
            ('{"a": 1}', "{}", "$.a is missing"),
            ('{"a": null}', "{}", "$.a is missing"),
            ('{"a": 1}', '{"a": 2}', "$.a is 2, expected 1"),
            ('{"a": 1}', '{"a": "1"}', '$.a is "1", expected 1'),
            ('{"a": 1}', '{"a": true}', "$.a is true, expected 1"),
            ('{"a": 0}', '{"a": false}', "$.a is false, expected 0"),
            ('{"a": true}', '{"a": 1}', "$.a is 1, expected true"),
            ('{"a": {}}', '{"a": []}', "$.a is an array, not an object"),
            ('{"a": []}', '{"a": {}}', "$.a is an object, not an array"),
            ('{"a": []}', '{"a": null}', "$.a is null, not an array"),
            ("[1, 2]", "[1]", "$ has 1 elements, expected at least 2"),
            ("[1, 2]", "[2, 1]", "$[0] is 2, expected 1"),
            ('[0, {"a": [{"b": 1}]}]', '[0, {"a": [{"b": 2}]}]', "$[1].a[0].b is 2, expected 1"),
            ("{}", "hello", "$ is a string, not an object"),
            ('"hello"', "hello world", '$ is "hello world", expected "hello"'),
            ("1", "", '$ is "", expected 1'),
            ('{"a": 1}', '{"a": 1', "$ is a string, not an object"),
        ],
    )
    def test_says_where_it_differs(self, expected, response, reason):
        """The first place, as a path, with what is there."""
        assert reason == mismatch(expected, response)

    def test_a_long_value_is_cut(self):
        """The response itself is shown elsewhere."""
        assert len(mismatch('"x"', json.dumps("y" * 10_000))) < 120

    def test_a_deep_response_is_no_crash(self):
        """A reader that gives up is a mismatch."""
        assert "$ is a string, not an object" == mismatch("{}", "[" * 100_000)

    @given(JSON)
    def test_everything_contains_itself(self, value):
        """Whatever JSON it is."""
        assert "" == mismatch(json.dumps(value), json.dumps(value))

    @given(JSON, JSON)
    def test_more_never_hurts(self, value, more):
        """A response contains what it contained, with more keys and more elements."""
        assert "" == difference({"a": value}, {"a": value, "b": more}, "$")
        assert "" == difference([value], [value, more], "$")
        assert "" != difference([value, more], [value], "$")


class TestPattern:
    """`/regex/` is searched in the response's text."""

    @pytest.mark.parametrize(
        ("pattern", "response"),
        [("/ell/", "hello"), ("/^h.*o$/", "hello"), ("/a.b/", "a\nb"), ("/(?i)HELLO/", "hello"), ("/a/b/", "a/b")],
    )
    def test_is_found(self, pattern, response):
        """Anywhere, over line ends; what stands between the outer slashes counts."""
        assert "" == mismatch(pattern, response)

    def test_is_not_found(self):
        """The pattern is named."""
        assert "nothing in it matches /^b/" == mismatch("/^b/", "a\nb")

    @pytest.mark.parametrize("pattern", ["/(a+)+$/", "/^(a|aa)*$/", "/(.*)*x/"])
    def test_that_runs_into_its_bound(self, pattern):
        """It is no match, and says why."""
        reason = parse_expectation(pattern).mismatch("a" * 60 + "b", 0.3)
        assert reason.startswith(f"the pattern {pattern} took longer than 0.3 s on this text")


class TestParse:
    """What can be written."""

    @pytest.mark.parametrize(
        ("text", "advice"),
        [
            ("/OK/i", "has `i` after the last `/`: flags go inside, `(?i)`; write `/(?i)OK/`"),
            ("/a.b/sim", "has `sim` after the last `/`: flags go inside, `(?ims)`; write `/(?ims)a.b/`"),
            ("/a/b/g", "has `g` after the last `/`: flags go inside, `(?i)`; write `/a/b/`"),
            ("/OK/gi", "has `gi` after the last `/`: flags go inside, `(?i)`; write `/(?i)OK/`"),
        ],
    )
    def test_flags_behind_a_pattern(self, text, advice):
        """As JavaScript and Perl have them; what Python can be told inside is offered."""
        with pytest.raises(ValueError, match="flags go inside") as caught:
            parse_expectation(text)
        assert advice == str(caught.value)

    @pytest.mark.parametrize("text", ["hello", "/", "/x", "'a'", "{a: 1}", "NaN", "Infinity", "[" * 100_000])
    def test_neither(self, text):
        """Neither JSON nor a pattern."""
        with pytest.raises(ValueError, match="neither JSON nor a /regex/"):
            parse_expectation(text)

    @pytest.mark.parametrize("text", ["/(/", "/*/", "/[/", "/a{99999999999}/", "/(?P<a>x)(?P<a>y)/"])
    def test_no_pattern(self, text):
        """The reason is said."""
        with pytest.raises(ValueError, match="not a regular expression"):
            parse_expectation(text)
