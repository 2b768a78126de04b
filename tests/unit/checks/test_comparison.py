"""How a new answer differs from a live one."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample_answers import delta, made, stream

from baseten_deploy.checks.check import Live
from baseten_deploy.checks.comparison import DIFFERENCES, differences, equal, shape

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(-1e9, 1e9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
)


def numbers_changed(value, by):
    """Multiply every number."""
    match value:
        case bool() | None | str():
            return value
        case dict():
            return {key: numbers_changed(inner, by) for key, inner in value.items()}
        case list():
            return [numbers_changed(inner, by) for inner in value]
        case _:
            return value * by


@pytest.mark.parametrize(
    ("live", "new", "told"),
    [
        ({"a": 1}, {"a": 2.5}, []),
        ({"a": 1}, {"a": None}, ["$.a is null, live it is a number"]),
        ({"a": True}, {"a": 1}, ["$.a is a number, live it is true or false"]),
        ({"a": {"b": "x"}}, {"a": {"b": 1}}, ["$.a.b is a number, live it is a text"]),
        ({"a": 1, "b": 1}, {"a": 1}, ["$.b is missing, live it is there"]),
        ([1, 2], [1, 2, 3, "x"], ["$[3] is a text, live it is a number"]),
        ([], [1], []),
        (
            [{"a": 1}],
            [{"a": 1}, {"b": 1}],
            ["$[1].a is missing, live it is there", "$[1].b is new, live it is not there"],
        ),
    ],
)
def test_shape(live, new, told):
    """Keys and types, whatever the values and the lengths."""
    assert told == list(shape(live, new))


@pytest.mark.parametrize(
    ("live", "new", "tolerance", "told"),
    [
        (1.0, 1, 0, []),
        (100, 101, 0.01, []),
        (100, 102, 0.01, ["$ is 102, live it is 100"]),
        (0, 1e-9, 0.01, ["$ is 1e-09, live it is 0"]),
        ("a", "b", 1, ['$ is "b", live it is "a"']),
        (True, 1, 1, ["$ is 1, live it is true"]),
        ([1], [1, 2], 1, ["$ has 2 elements, live it has 1"]),
    ],
)
def test_equal(live, new, tolerance, told):
    """Values, numbers by a relative tolerance."""
    assert told == list(equal(live, new, tolerance))


@given(values)
def test_the_same_has_no_difference(value):
    """In neither way."""
    assert [] == list(shape(value, value))
    assert [] == list(equal(value, value, 0.0))


@given(values, st.floats(0.995, 1.005))
def test_numbers_within_the_tolerance(value, by):
    """At any depth; and the shape stays the shape."""
    changed = numbers_changed(value, by)
    assert [] == list(equal(value, changed, 0.006))
    assert [] == list(shape(value, changed))


def test_not_all_of_them():
    """A long list of differences is cut, and says so."""
    live, new = made(json.dumps([0] * 100)), made(json.dumps([1] * 100))
    found = differences(live, new, Live.EQUAL, 0.0)
    assert (DIFFERENCES + 1, "and more") == (len(found), found[-1])


def test_what_is_no_json():
    """Texts, bytes and streams are compared as such; their shape is their media type."""
    assert [] == differences(made("a", "text/plain"), made("b", "text/plain"), Live.SHAPE, 0)
    assert ['the answer is "b", live it is "a"'] == differences(made("a"), made("b"), Live.EQUAL, 0)
    assert ["the answer is 3 bytes, live it is 2 bytes"] == differences(made(b"\0a"), made(b"\0ab"), Live.EQUAL, 0)
    assert ["the answer is audio/ogg, live it is audio/wav"] == differences(
        made(b"\0", "audio/wav; a=b"), made(b"\0", "audio/ogg"), Live.SHAPE, 0
    )
    assert [] == differences(stream(delta("a"), delta("b")), stream(delta("ab")), Live.EQUAL, 0)
    assert ["the answer is no JSON, live it is JSON"] == differences(made("{}"), made("x"), Live.SHAPE, 0)
