"""Reads the GraphQL documents that `truss` sends: operations, arguments of every kind, selections. Nothing beyond.

Spec: GraphQL, "Document syntax". Fragments, directives and block strings do not occur, and are refused.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .errors import malformed

_TOKEN = re.compile(
    r'[\s,]*(?:(?P<string>"(?:[^"\\\n]|\\.)*")|(?P<name>[_A-Za-z]\w*)|(?P<number>-?\d+)|(?P<mark>[{}()\[\]:!$=]))'
)


@dataclass(frozen=True)
class Field:
    """A field with its arguments, variables filled in, and what is selected of it."""

    name: str
    arguments: Mapping[str, Any]
    selection: tuple["Field", ...] = ()


@dataclass
class _Reader:
    text: str
    variables: Mapping[str, Any]
    at: int = 0
    declared: dict[str, str] = field(default_factory=dict)

    def peek(self) -> str:
        found = _TOKEN.match(self.text, self.at)
        return found[0].lstrip(" \t\r\n,") if found else ""

    def take(self, expected: str = "") -> str:
        found = _TOKEN.match(self.text, self.at)
        token = found[0].lstrip(" \t\r\n,") if found else ""
        if not found or (expected and token != expected):
            raise malformed(
                f"Syntax Error: expected {expected or 'more'}, found {token or self.text[self.at : self.at + 20]!r}"
            )
        self.at = found.end()
        return token

    def selection(self) -> tuple[Field, ...]:
        self.take("{")
        fields = []
        while self.peek() != "}":
            fields.append(self.field())
        self.take("}")
        return tuple(fields)

    def field(self) -> Field:
        name = self.take()
        if not name.isidentifier():
            raise malformed(f"Syntax Error: {name!r} is no name of a field")
        arguments = self.arguments() if self.peek() == "(" else {}
        return Field(name, arguments, self.selection() if self.peek() == "{" else ())

    def arguments(self) -> dict[str, Any]:
        self.take("(")
        found = {}
        while self.peek() != ")":
            name = self.take()
            self.take(":")
            found[name] = self.value()
        self.take(")")
        return found

    def value(self) -> Any:
        word = self.take()
        if word == "$":
            name = self.take()
            if name not in self.declared:
                raise malformed(f"Variable ${name} is not defined")
            return self.variables.get(name)
        if word == "[":
            items = []
            while self.peek() != "]":
                items.append(self.value())
            self.take("]")
            return items
        if word == "{":
            found = {}
            while self.peek() != "}":
                name = self.take()
                self.take(":")
                found[name] = self.value()
            self.take("}")
            return found
        if word.startswith('"'):
            return json.loads(word)
        return {"true": True, "false": False, "null": None}.get(word, int(word) if word.lstrip("-").isdigit() else word)

    def declarations(self) -> None:
        self.take("(")
        while self.peek() != ")":
            self.take("$")
            name = self.take()
            self.take(":")
            self.declared[name] = self.take()
            if self.peek() == "!":
                self.take()
        self.take(")")


def read(text: str, variables: Mapping[str, Any]) -> tuple[str, tuple[Field, ...]]:
    """The one operation of a document: `query` or `mutation`, and its fields. Refuses what it does not understand."""
    reader = _Reader(text, variables)
    kind = "query"
    if reader.peek() != "{":
        kind = reader.take()
        if kind not in {"query", "mutation"}:
            raise malformed(f"Syntax Error: unexpected {kind!r}")
        if reader.peek() not in {"{", "("}:
            reader.take()  # its name
        if reader.peek() == "(":
            reader.declarations()
    fields = reader.selection()
    if reader.text[reader.at :].strip():
        raise malformed("Syntax Error: one operation at a time")
    return kind, fields
