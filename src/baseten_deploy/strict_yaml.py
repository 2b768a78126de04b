r"""YAML and JSON objects, read strictly, with the place of every key: `config.yaml` and the object inputs.

Values are what PyYAML's safe loader (and so `truss push`) makes of them, minus everything that is lost or surprising as
JSON: duplicate keys, keys that are not text, dates, tags, NaN. A text that is JSON is read as JSON, because YAML 1.1
reads `1e-5` as text and cannot read `"\ud83d\ude00"`. What a value means is for the caller.

`load` takes what is only ours to read. `load_config` also refuses what PyYAML's pure loader refuses, because `truss`
and the image builder use that one: libyaml takes tabs between tokens, for example. `load_texts` takes every scalar as
the text that was written, for labels.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

import yaml

Path = tuple[str | int, ...]
Position = tuple[int, int]

# libyaml where there is one (10 times faster); both loaders compose the same nodes.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# The composer recurses in C for every level and overflows the stack at some 10 000; nobody nests a config this deep.
MAX_DEPTH = 100
# After aliases and merge keys are expanded; a 100 KiB config has some 10 000 values.
MAX_VALUES = 100_000

_TAG = "tag:yaml.org,2002:"
_NOT_JSON: Any = object()
# What YAML does not call printable. PyYAML has compiled it already, and spells out all planes of Unicode.
_UNPRINTABLE = yaml.reader.Reader.NON_PRINTABLE
_BYTE_ORDER_MARK = "\ufeff"  # is printable for PyYAML, and counts only at the start
_KINDS = {"int": "a number", "float": "a number", "bool": "true or false", "null": "null", "timestamp": "a date"}
_TEXTS = frozenset({"str", "int", "float", "bool", "timestamp", "merge", "value"})  # with a text that was written


class _PureLoader(yaml.SafeLoader):
    """The loader of `truss` and the image builder, with a bound on what its composer recurses into."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.depth > MAX_DEPTH:
            raise YamlError(f"nested more than {MAX_DEPTH} levels deep", *_position(parent))
        self.depth += 1
        node: yaml.Node | None = super().compose_node(parent, index)
        self.depth -= 1
        return node


class YamlError(ValueError):
    """Why a text cannot be used, and where: `line` and `column` count from 1."""

    def __init__(self, message: str, line: int = 1, column: int = 1) -> None:
        super().__init__(f"line {line}, column {column}: {message}")
        self.message = message
        self.line = line
        self.column = column


class TooMuch(YamlError):
    """Deeper or more than anybody writes: no JSON either, which some Pythons read thousands of levels deep."""


class Document(NamedTuple):
    """A text's value, made of dict, list, str, int, float, bool and None only, and where its parts stand.

    `positions` maps the path of a key or a list item to its (line, column), from 1. It is empty for the rare JSON that
    is not YAML. `written` has the text of the values that YAML took for something else than text.
    """

    value: Any
    positions: Mapping[Path, Position]
    written: Mapping[Path, str]


def load(text: str) -> Document:
    """Read one YAML or JSON document; an empty one is `None`. Raises `YamlError`."""
    return _load(text, _compose)


def load_config(text: str) -> Document:
    """As `load`; what PyYAML's pure loader refuses is refused as it says it. Some 20 times slower: 1 s for 1.5 MB."""
    return _load(text, _compose_purely, needs_yaml=True)


def load_texts(text: str) -> Any:
    """An object, in YAML or JSON, whose values are the texts as which they were written; null stays `None`.

    A number keeps its digits, a date is text, quotes and escapes are resolved. Raises `YamlError`.
    """
    _refuse_unprintable(text)
    value = _read_json(text, number=str)
    if value is not _NOT_JSON:
        return _booleans_as_text(value)
    node = _compose(text)
    return None if node is None else _Converter(is_json=False, texts=True).convert(node, ())


def refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An `object_pairs_hook` for `json.loads`. Raises `ValueError` that names the key that is there twice."""
    value = dict(pairs)
    if len(value) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {json.dumps(_cut(twice))} is there twice in one object")
    return value


def _load(text: str, compose: Callable[[str], yaml.Node | None], *, needs_yaml: bool = False) -> Document:
    _refuse_unprintable(text)
    value = _read_json(text)
    is_json = value is not _NOT_JSON
    try:
        node = compose(text)
    except TooMuch:
        raise
    except YamlError:
        if is_json and not needs_yaml:
            return Document(_refuse_infinite(value), {}, {})
        raise
    converter = _Converter(is_json=is_json)
    converted = None if node is None else converter.convert(node, ())
    return Document(value if is_json else converted, converter.positions, converter.written)


def _refuse_unprintable(text: str) -> None:
    match = _UNPRINTABLE.search(text)
    found = [match.start()] if match else []
    found += [mark] if (mark := text.find(_BYTE_ORDER_MARK, 1)) > 0 else []
    if found:
        first = min(found)
        line, column = text.count("\n", 0, first) + 1, first - text.rfind("\n", 0, first)
        raise YamlError(f"the character U+{ord(text[first]):04X} is not allowed", line, column)


def _read_json(text: str, number: Callable[[str], Any] | None = None) -> Any:
    """Value of a JSON text, or `_NOT_JSON`, also for one with duplicate keys: the YAML reader says where they are."""
    readers: dict[str, Any] = {"parse_int": number, "parse_float": number, "parse_constant": number} if number else {}
    try:
        return json.loads(text, object_pairs_hook=refuse_duplicates, **readers)
    except (ValueError, RecursionError):
        return _NOT_JSON


def _booleans_as_text(value: Any) -> Any:
    """`true` and `false` of an object as JSON writes them; what is nested deeper is nobody's text."""
    if not isinstance(value, dict):
        return value
    return {key: json.dumps(item) if isinstance(item, bool) else item for key, item in value.items()}


def _refuse_infinite(value: Any) -> Any:
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        raise YamlError("NaN and Infinity are not numbers that JSON has") from None
    return value


def _compose(text: str) -> yaml.Node | None:
    """The text's only document as nodes."""
    try:
        _bound(text)
        node: yaml.Node | None = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        raise _as_ours(error) from None
    return node


def _compose_purely(text: str) -> yaml.Node | None:
    """As `_compose`, by the loader that has the last word about a config."""
    with suppress(yaml.MarkedYAMLError):  # it says so itself, in its own words
        _bound(text)
    try:
        node: yaml.Node | None = yaml.compose(text, Loader=_PureLoader)
    except yaml.MarkedYAMLError as error:
        raise _as_ours(error) from None
    except RecursionError:
        raise TooMuch(f"nested more than {MAX_DEPTH} levels deep") from None
    return node


def _bound(text: str) -> None:
    """Count before nodes are made: the composer recurses, and nodes take a hundred times the memory of the text."""
    depth = values = 0
    for event in yaml.parse(text, Loader=_Loader):
        values += isinstance(event, yaml.NodeEvent)
        if values > MAX_VALUES:
            raise TooMuch(f"more than {MAX_VALUES} values", *_position(event))
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise TooMuch(f"nested more than {MAX_DEPTH} levels deep", *_position(event))
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _as_ours(error: yaml.MarkedYAMLError) -> YamlError:
    message = ", ".join(part for part in (error.context, error.problem) if part)
    mark = error.problem_mark
    return YamlError(message) if mark is None else YamlError(message, mark.line + 1, mark.column + 1)


def _position(part: Any) -> Position:  # a node or an event; their stubs say that marks can be missing
    return part.start_mark.line + 1, part.start_mark.column + 1


class _Converter:
    """Nodes to plain values. Remembers positions, and counts what aliases multiply."""

    def __init__(self, *, is_json: bool, texts: bool = False) -> None:
        self.positions: dict[Path, Position] = {}
        self.written: dict[Path, str] = {}
        self._is_json = is_json
        self._texts = texts
        self._constructor = yaml.constructor.SafeConstructor()
        self._values = 0
        self._open: list[int] = []  # the collections around the current node, by identity

    def convert(self, node: yaml.Node, path: Path) -> Any:
        self._count(node)
        if isinstance(node, yaml.MappingNode):
            with self._inside(node):
                return {
                    key: self._item(value, key_node, (*path, key))
                    for key, (key_node, value) in self._pairs(node).items()
                }
        if isinstance(node, yaml.SequenceNode):
            with self._inside(node):
                return [self._item(item, item, (*path, index)) for index, item in enumerate(node.value)]
        assert isinstance(node, yaml.ScalarNode)
        value = self._scalar(node)
        if not isinstance(value, str):
            self.written[path] = node.value
        return value

    def _item(self, node: yaml.Node, place: yaml.Node, path: Path) -> Any:
        self.positions[path] = _position(place)
        return self.convert(node, path)

    def _pairs(self, node: yaml.MappingNode) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        """Keys with key node and value node. Own keys win over merged ones, earlier sources over later."""
        own: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        merged: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        for key_node, value in node.value:
            self._count(key_node)
            if key_node.tag == f"{_TAG}merge":
                merged |= self._merge(value)
                continue
            key = self._key(key_node)
            if key in own:
                line, _ = _position(own[key][0])
                raise YamlError(f"the key `{key}` is here a second time, after line {line}", *_position(key_node))
            own[key] = (key_node, value)
        return merged | own

    def _merge(self, node: yaml.Node) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        pairs: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        for source in node.value if isinstance(node, yaml.SequenceNode) else [node]:
            if not isinstance(source, yaml.MappingNode):
                raise YamlError("`<<` takes a mapping or a list of mappings", *_position(source))
            with self._inside(source):
                pairs = self._pairs(source) | pairs
        return pairs

    def _key(self, node: yaml.Node) -> str:
        if isinstance(node, yaml.ScalarNode) and node.tag == f"{_TAG}str":
            return str(node.value)
        if isinstance(node, yaml.ScalarNode):
            kind = _KINDS.get(node.tag.removeprefix(_TAG), "not text")
            raise YamlError(f"the key `{node.value}` is {kind}: write it in quotes", *_position(node))
        raise YamlError("a key must be text", *_position(node))

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        kind = node.tag.removeprefix(_TAG)
        if self._texts and node.tag.startswith(_TAG) and kind in _TEXTS:
            return str(node.value)
        readers = {
            "str": self._text,
            "int": self._integer,
            "float": self._float,
            "bool": self._constructor.construct_yaml_bool,
            "null": self._constructor.construct_yaml_null,
        }
        if kind in readers:
            try:
                return readers[kind](node)
            except YamlError:
                raise
            except (ValueError, KeyError):
                raise YamlError(f"`{_cut(node.value)}` is not {_KINDS[kind]}", *_position(node)) from None
        if kind == "timestamp":
            raise YamlError(f"`{node.value}` is a date, which JSON lacks: write it in quotes", *_position(node))
        if kind in {"merge", "value"}:
            raise YamlError(f"`{node.value}` has a meaning of its own in YAML: write it in quotes", *_position(node))
        raise self._unknown_tag(node)

    def _text(self, node: yaml.ScalarNode) -> str:
        if self._is_json and not node.style:  # a number that only JSON knows: 1e5, NaN
            self._refuse_infinite(node, float(node.value))
        return str(node.value)

    def _integer(self, node: yaml.ScalarNode) -> int:
        value = self._constructor.construct_yaml_int(node)  # raises ValueError beyond 4300 digits
        if not -(2**63) <= value < 2**64:
            raise YamlError(f"`{_cut(node.value)}` does not fit into 64 bits: write it in quotes", *_position(node))
        return int(value)

    def _float(self, node: yaml.ScalarNode) -> float:
        value = float(self._constructor.construct_yaml_float(node))
        self._refuse_infinite(node, value)
        return value

    @staticmethod
    def _refuse_infinite(node: yaml.Node, value: float) -> None:
        if not math.isfinite(value):
            raise YamlError(f"`{_cut(node.value)}` is not a number that JSON has", *_position(node))

    @contextmanager
    def _inside(self, node: yaml.Node) -> Iterator[None]:
        expected = "map" if isinstance(node, yaml.MappingNode) else "seq"
        if node.tag != _TAG + expected:
            raise self._unknown_tag(node)
        if id(node) in self._open:
            raise YamlError("an alias to something that contains it", *_position(node))
        if len(self._open) >= MAX_DEPTH:
            raise YamlError(f"nested more than {MAX_DEPTH} levels deep by aliases", *_position(node))
        self._open.append(id(node))
        yield
        self._open.pop()

    def _count(self, node: yaml.Node) -> None:
        self._values += 1
        if self._values > MAX_VALUES:
            raise YamlError(f"more than {MAX_VALUES} values, aliases expanded", *_position(node))

    @staticmethod
    def _unknown_tag(node: yaml.Node) -> YamlError:
        tag = node.tag.replace(_TAG, "!!")
        return YamlError(f"the tag `{_cut(tag)}` is not supported: use plain values", *_position(node))


def _cut(text: str, length: int = 40) -> str:
    return text if len(text) <= length else f"{text[:length]}..."
