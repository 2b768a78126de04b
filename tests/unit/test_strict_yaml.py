"""Strict YAML: what it reads, where it says things stand, and what it refuses."""

import json
import time

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from baseten_deploy.strict_yaml import Document, YamlError, load

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def refusal(text: str) -> tuple[str, int, int]:
    """Message, line and column of the error for `text`."""
    with pytest.raises(YamlError) as caught:
        load(text)
    return caught.value.message, caught.value.line, caught.value.column


def test_values_and_positions() -> None:
    """Every key and list item has its line and column, counted from 1."""
    expected = Document(
        {"a": 1, "b": ["x", {"c": None}]},
        {("a",): (1, 1), ("b",): (2, 1), ("b", 0): (3, 5), ("b", 1): (4, 5), ("b", 1, "c"): (4, 6)},
        {("a",): "1", ("b", 1, "c"): "~"},
    )
    assert expected == load("a: 1\nb:\n  - x\n  - {c: ~}\n")


def test_an_empty_document_is_none() -> None:
    """So that the caller decides whether nothing is an empty mapping."""
    assert Document(None, {}, {}) == load("# nothing\n")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: yes", True),
        ("a: 010", 8),
        ("a: 1_000", 1000),
        ("a: 1:30", 90),
        ("a: 1.5", 1.5),
        ("a: 1e5", "1e5"),
        ("a: !!str 2024-01-01", "2024-01-01"),
        ("a: !!float 3", 3.0),
        ("a: '1'", "1"),
        ("\ufeffa: 1", 1),
        ("a: é\N{GRINNING FACE}", "é\N{GRINNING FACE}"),
    ],
)
def test_scalars_are_those_of_truss_push(text: str, expected: object) -> None:
    """YAML 1.1 as PyYAML's safe loader reads it, because `truss push` and the service do."""
    assert expected == load(text).value["a"]
    assert yaml.safe_load(text) == load(text).value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": 1e5}', {"a": 1e5}),
        ('{"a": "\\ud83d\\ude00"}', {"a": "\N{GRINNING FACE}"}),
        ('{\n\t"a": "x\u2028 y"\n}', {"a": "x\u2028 y"}),
        ('{"' + "k" * 2000 + '": 1}', {"k" * 2000: 1}),
        ("[1, -1.5E-3]", [1, -0.0015]),
    ],
)
def test_json_is_read_as_json(text: str, expected: object) -> None:
    """Even where YAML would read something else, or nothing."""
    assert expected == load(text).value


@given(PLAIN)
def test_every_json_text_is_read(value: object) -> None:
    """What `json.dumps` writes comes back, unless a character cannot be in YAML or a number is beyond 64 bits."""
    text = json.dumps(value)
    assert value == load(text).value


def test_json_has_positions() -> None:
    """An input or a config in JSON gets errors with a place too."""
    assert {("a",): (2, 2), ("b",): (3, 2), ("b", 0): (3, 8)} == load('{\n "a": 1,\n "b": [1e5]}').positions


def test_merge_keys() -> None:
    """`<<` brings keys that the mapping does not have itself; of several sources the first wins."""
    text = "base: &b {x: 1, y: 2}\none: {<<: *b, y: 3}\ntwo: {<<: [{x: 9}, *b]}\n"
    document = load(text)
    assert {"base": {"x": 1, "y": 2}, "one": {"x": 1, "y": 3}, "two": {"x": 9, "y": 2}} == document.value
    assert yaml.safe_load(text) == document.value
    assert document.positions["one", "x"] == (1, 11)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: 2\na: 3", ("the key `a` is here a second time, after line 1", 3, 1)),
        ('{"a": 1,\n "a": 2}', ("the key `a` is here a second time, after line 1", 2, 2)),
        ("a:\n  1: x", ("the key `1` is a number: write it in quotes", 2, 3)),
        ("on: x", ("the key `on` is true or false: write it in quotes", 1, 1)),
        ("2024-01-01: x", ("the key `2024-01-01` is a date: write it in quotes", 1, 1)),
        ("? [a]\n: b", ("a key must be text", 1, 3)),
        ("a: 2024-01-01", ("`2024-01-01` is a date, which JSON lacks: write it in quotes", 1, 4)),
        ("a: [.inf]", ("`.inf` is not a number that JSON has", 1, 5)),
        ('{"a": NaN}', ("`NaN` is not a number that JSON has", 1, 7)),
        ('{"a": 1e999}', ("`1e999` is not a number that JSON has", 1, 7)),
        ('{"\\ud83d\\ude00": NaN}', ("NaN and Infinity are not numbers that JSON has", 1, 1)),
        ("a: !!binary aGk=", ("the tag `!!binary` is not supported: use plain values", 1, 4)),
        ("a: !!set {x}", ("the tag `!!set` is not supported: use plain values", 1, 4)),
        ("a: !secret x", ("the tag `!secret` is not supported: use plain values", 1, 4)),
        (
            "a: !!python/name:os.system ''",
            ("the tag `!!python/name:os.system` is not supported: use plain values", 1, 4),
        ),
        ("a: !!int x", ("`x` is not a number", 1, 4)),
        ("a: !!bool x", ("`x` is not true or false", 1, 4)),
        ("a: =", ("`=` has a meaning of its own in YAML: write it in quotes", 1, 4)),
        (f"a: {2**64}", (f"`{2**64}` does not fit into 64 bits: write it in quotes", 1, 4)),
        (f"a: {'9' * 5000}", (f"`{'9' * 40}...` is not a number", 1, 4)),
        ("a: {<<: 1}", ("`<<` takes a mapping or a list of mappings", 1, 9)),
        ("a: &a [*a]", ("an alias to something that contains it", 1, 4)),
        ("a: &a {<<: *a}", ("an alias to something that contains it", 1, 4)),
        ("a: \x07", ("the character U+0007 is not allowed", 1, 4)),
        ("a: 1\nb: \udcff", ("the character U+DCFF is not allowed", 2, 4)),
        ("a: 1\n--- \nb: 2", ("expected a single document in the stream, but found another document", 2, 1)),
    ],
)
def test_refusals(text: str, expected: tuple[str, int, int]) -> None:
    """What is lost or surprising as JSON is refused, where it stands, with the remedy."""
    assert expected == refusal(text)


@pytest.mark.parametrize("text", ["a: 1\n\tb: 2", "a: [1", "a: 'x", "a: *b", "- a\nb: c", "a: {"])
def test_syntax_errors_have_a_place(text: str) -> None:
    """Whatever the parser does not understand is a `YamlError` with line and column."""
    message, line, column = refusal(text)
    assert message
    assert line >= 1
    assert column >= 1


@pytest.mark.parametrize("text", ["[" * 100_000, "- " * 100_000, "{a: " * 100_000, "[" * 5000 + "]" * 5000])
def test_deep_nesting_is_refused(text: str) -> None:
    """Before the composer runs out of stack, which would end the process."""
    message, _, _ = refusal(text)
    assert message == "nested more than 100 levels deep"


@pytest.mark.parametrize(
    "line",
    [
        "a{}: &a{} [*a{p}, *a{p}, *a{p}, *a{p}, *a{p}, *a{p}, *a{p}, *a{p}]",
        "a{}: &a{} {{<<: [*a{p}, *a{p}, *a{p}, *a{p}]}}",
    ],
)
def test_alias_bombs_are_refused(line: str) -> None:
    """A few lines that expand to billions of values cost neither time nor memory."""
    text = "a0: &a0 {x: 1}\n" + "\n".join(line.format(i, i, p=i - 1) for i in range(1, 30))
    started = time.monotonic()
    message, _, _ = refusal(text)
    assert message == "more than 100000 values, aliases expanded"
    assert time.monotonic() - started < 60


def test_deep_chains_of_aliases_are_refused() -> None:
    """Each alias adds a level, without any nesting in the text."""
    text = "a0: &a0 [x]\n" + "\n".join(f"a{i}: &a{i} [*a{i - 1}]" for i in range(1, 2000))
    message, _, _ = refusal(text)
    assert message == "nested more than 100 levels deep by aliases"


def test_aliases_are_copies() -> None:
    """What is changed in one place later does not change in another."""
    value = load("a: &a [1]\nb: *a\n").value
    value["a"].append(2)
    assert value["b"] == [1]


def test_both_loaders_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without libyaml, values and positions are the same."""
    text = "a: 1\nb: &b\n  - x # é\n  - {c: 'd', e: \"\\u00e9\"}\nf: *b\ng: |\n  text\n"
    fast = load(text)
    monkeypatch.setattr("baseten_deploy.strict_yaml._Loader", yaml.SafeLoader)
    assert fast == load(text)


class TestMuch:
    """Texts whose values would take a hundred times their memory."""

    @pytest.mark.parametrize("text", ["- a\n" * 100_001, "[" + "1," * 100_000 + "1]", "{" + "a: 1, " * 60_000 + "}"])
    def test_too_many_values(self, text: str) -> None:
        """Refused before nodes are made of them, YAML and JSON alike."""
        with pytest.raises(YamlError, match="more than 100000 values"):
            load(text)

    @pytest.mark.parametrize("depth", [101, 900, 5000])
    @pytest.mark.parametrize(("before", "after"), [("[", "]"), ('{"a":', "}")])
    def test_too_deep_json(self, depth: int, before: str, after: str) -> None:
        """Some Pythons would read it."""
        with pytest.raises(YamlError, match="nested more than 100 levels deep"):
            load(before * depth + "1" + after * depth)
