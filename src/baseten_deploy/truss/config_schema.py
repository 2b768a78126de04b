"""What a config may have at every depth, as `truss` itself describes it: `config_schema.json`, read when it is needed.

The file is made by `scripts/config_schema.py` from the JSON Schema of the `truss` package. A node of it has `types`
(names of JSON Schema), `keys` and `required` of a mapping, `rest` for the values of its other keys (`free`: any),
`items` of a list, `enum` (`fold`: in any case), `min`, `max`, `above` and `long` as bounds, an `example`; or `ref`, the
name of a definition; or `tag`, the key whose value chooses one `of` several. What a config lacks of it is `shape`.
"""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

Node = Mapping[str, Any]


@cache
def _read() -> Mapping[str, Any]:
    schema: dict[str, Any] = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
    return schema


def root() -> Node:
    """The node of a whole config."""
    node: Node = _read()["root"]
    return node


def resolved(node: Node, value: Any) -> Node:
    """`node` without references: the definition that holds for `value`, with the types that it may have besides."""
    besides: list[str] = []
    while "ref" in node or "tag" in node:
        besides += node.get("types", ())
        if "ref" in node:
            node = _read()["defs"][node["ref"]]
            continue
        kinds: Mapping[str, str] = node["of"]
        kind = value.get(node["tag"], node.get("otherwise")) if isinstance(value, dict) else None
        if not isinstance(kind, str) or kind not in kinds:
            tag = {"types": ["string"], "enum": list(kinds)}
            node = {"types": ["object"], "free": True, "keys": {node["tag"]: tag}, "required": [node["tag"]]}
            if not isinstance(value, dict) or not value:  # `{}` is the first kind
                node.pop("required")
            break
        node = _read()["defs"][kinds[kind]]
    return {**node, "types": [*node["types"], *besides]} if besides and "types" in node else node
