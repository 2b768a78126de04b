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
