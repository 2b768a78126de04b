"""A compiled schema against answers: what is told of a small one and of a large one."""

import pytest

from baseten_deploy.checks.answer_schema import ERRORS, compile_schema

TEXTS = compile_schema({"items": {"type": "string"}})


def test_each_error_has_its_path():
    """By key and by index."""
    schema = compile_schema({"properties": {"a": {"items": {"type": "string"}}}, "required": ["b"]})
    found = schema.mismatches({"a": ["x", 5]})
    expected = {'$.a[1]: 5 is not of type "string"', '$: "b" is a required property'}
    assert expected == set(found)


def test_of_a_small_answer_several_are_told():
    """At most so many."""
    assert 3 == len(TEXTS.mismatches([1, "a", 2, 3]))
    assert ERRORS == len(TEXTS.mismatches(list(range(100))))


@pytest.mark.parametrize("value", [list(range(100_000)), ["a"] * 600 + [5]])
def test_of_a_large_answer_the_first(value):
    """The library would make every error before it hands out one, for minutes, and no cancel would get through."""
    wrong = next(at for at, item in enumerate(value) if isinstance(item, int))
    assert [f'$[{wrong}]: {value[wrong]} is not of type "string"'] == TEXTS.mismatches(value)


@pytest.mark.parametrize("value", [[], ["a"], ["a"] * 100_000, {"a": 5}])
def test_what_follows_it(value):
    """Is told nothing of."""
    assert [] == TEXTS.mismatches(value)


def test_what_cannot_be_taken_over():
    """A text of half a character, which JSON may hold."""
    [told] = TEXTS.mismatches([5, "\ud800"])
    assert told


@pytest.mark.parametrize(
    ("pattern", "looks_around"),
    [("^(a+)+$", False), (r"\p{L}", False), ("^(?=x)", True), (r"(a)\1", True), ("(?!x)", True)],
)
def test_patterns(pattern, looks_around):
    """Are searched in linear time where they can be."""
    assert looks_around == compile_schema({"pattern": pattern}).looks_around


@pytest.mark.parametrize(
    ("value", "tried"),
    [
        (["aab"] * 400, True),
        ([["aab", 1.5]] * 500, True),
        ([0.5] * 100_000, True),
        (["aab"] * 501, False),
        ([{"a": "b"}] * 300, False),
    ],
)
def test_a_pattern_that_looks_around(value, tried):
    """Takes steps that are bounded, on each text: of many texts it is not tried, and says so. Numbers are no texts."""
    schema = compile_schema({"items": {"pattern": "^(?!z)"}})
    found = schema.mismatches(value)
    told = "a pattern of it looks around or back, and is not tried on an answer of more than 500 texts"
    assert ([] if tried else [told]) == found
