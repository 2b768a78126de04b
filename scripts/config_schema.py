"""Writes `truss/config_schema.json` of the package: what the checks of a config need of the JSON Schema of `truss`.

`make config-schema` runs it with the `truss` of requirements-truss.txt; a test compares the file with that package.
What the schema does not tell is added here, each with its reason.
"""

import json
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

TARGET = Path(__file__).parents[1] / "src/baseten_deploy/truss/config_schema.json"
_LIMITS = {"minimum": "min", "maximum": "max", "exclusiveMinimum": "above", "minLength": "long", "minItems": "long"}
_SCALARS = ["string", "integer", "number", "boolean", "null"]


def official() -> dict[str, Any]:
    """The JSON Schema that the installed `truss` package ships."""
    package = find_spec("truss")
    if package is None or not package.submodule_search_locations:
        raise SystemExit("truss is not installed here: run `make config-schema`")
    schema: dict[str, Any] = json.loads(
        (Path(package.submodule_search_locations[0]) / "config.schema.json").read_text()
    )
    return schema


def compact(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema with short names, and without what nothing reads. See `config_schema` for what a node has."""
    defs: dict[str, Any] = {}
    for name, node in schema["$defs"].items():
        defs[name] = _node(node, schema["$defs"])
        if "properties" in node:
            defs[name].pop("free", None)  # `truss push` refuses a key that such a model lacks, whatever the schema says
    root = _node(schema, schema["$defs"])
    root.pop("free", None)
    # Its schema says text or null, and its validator takes this mapping.
    defs["AcceleratorSpec"] = {
        "types": ["string", "null", "object"],
        "keys": {"accelerator": {"types": ["string", "null"]}, "count": {"types": ["integer"], "min": 0}},
        "example": "A100",
    }
    for name in ("DockerAuthType", "WeightsAuthMethod"):
        defs[name]["fold"] = True  # a validator makes upper case of it
    root["keys"]["hf_cache"] = {"ref": "ModelCache", "types": ["null"]}  # the older name, still read
    root["keys"]["cache_internal"]["types"] = ["null"]  # null is dropped before it is looked at
    root["keys"]["environment_variables"]["rest"] = {"types": _SCALARS}  # made text before they are looked at
    defs["Resources"]["keys"]["use_gpu"] = {}  # dropped before it is looked at
    return {"root": root, "defs": defs}


def _node(node: Mapping[str, Any], defs: Mapping[str, Any]) -> dict[str, Any]:
    result = _shape(node, defs)
    examples = node.get("examples") or [node[key] for key in ("default",) if node.get(key) not in (None, "", [], {})]
    if examples and "ref" not in result and not isinstance(examples[0], dict):
        result["example"] = examples[0]
    return result


def _shape(node: Mapping[str, Any], defs: Mapping[str, Any]) -> dict[str, Any]:
    """What holds for a value: a reference, one of several shapes, or what its own keywords say."""
    if "$ref" in node:
        return {"ref": node["$ref"].rpartition("/")[2]}
    if "oneOf" in node:
        return _union(node, defs)
    if "anyOf" in node:
        nodes = [_node(each, defs) for each in node["anyOf"]]
        rich = [each for each in nodes if set(each) - {"types", "example"}]
        types = [name for each in nodes for name in each.get("types", [])]
        if len(rich) > 1 or {"string", "object"} <= {*types}:
            return {}  # anything of many kinds: nothing is said about it
        return {**(rich[0] if rich else {}), "types": list(dict.fromkeys(types))}
    if "const" in node:
        return {"types": ["string"], "enum": [node["const"]]}
    result: dict[str, Any] = {"types": [node["type"]]} if "type" in node else {}
    result |= {name: node[name] for name in ("enum", "required") if node.get(name)}
    result |= {short: node[name] for name, short in _LIMITS.items() if name in node}
    return result | _inner(node, defs)


def _inner(node: Mapping[str, Any], defs: Mapping[str, Any]) -> dict[str, Any]:
    """What holds for the items of a list, and for the values of a mapping."""
    result: dict[str, Any] = {}
    if node.get("items"):
        result["items"] = _node(node["items"], defs)
    if "properties" in node:
        result["keys"] = {name: _node(each, defs) for name, each in node["properties"].items()}
    if "patternProperties" in node:
        (result["rest"],) = (_node(each, defs) for each in node["patternProperties"].values())
    rest = node.get("additionalProperties")
    if isinstance(rest, dict):
        result["rest"] = _node(rest, defs)
    elif rest is True:
        result["free"] = True
    return result


def _union(node: Mapping[str, Any], defs: Mapping[str, Any]) -> dict[str, Any]:
    """Alternatives that a constant key tells apart. Without a discriminator the first is meant where it is missing."""
    names = [each["$ref"].rpartition("/")[2] for each in node["oneOf"]]
    constants = [
        {key: each["const"] for key, each in defs[name]["properties"].items() if "const" in each} for name in names
    ]
    (tag,) = set.intersection(*(set(each) for each in constants))
    result: dict[str, Any] = {"tag": tag, "of": {each[tag]: name for each, name in zip(constants, names, strict=True)}}
    if "discriminator" not in node:
        result["otherwise"] = constants[0][tag]
    return result


def rendered(value: Mapping[str, Any]) -> str:
    """The file: one definition a line, so that a change reads well."""
    lines = [f"{json.dumps(name)}: {json.dumps(each, sort_keys=True)}" for name, each in sorted(value["defs"].items())]
    keys = [f"{json.dumps(name)}: {json.dumps(each, sort_keys=True)}" for name, each in value["root"]["keys"].items()]
    return (
        '{"root": {"types": ["object"], "keys": {\n'
        + ",\n".join(keys)
        + '\n}},\n"defs": {\n'
        + ",\n".join(lines)
        + "\n}}\n"
    )


def changes(ours: Any, theirs: Any, path: str = "") -> list[str]:
    """What differs, by path, in words."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        found = [f"{path}/{key}: new in truss" for key in theirs if key not in ours]
        found += [f"{path}/{key}: gone from truss" for key in ours if key not in theirs]
        return found + [
            each for key in ours if key in theirs for each in changes(ours[key], theirs[key], f"{path}/{key}")
        ]
    return [] if ours == theirs else [f"{path}: {ours!r} here, {theirs!r} in truss"]


def main() -> None:
    """Write the file, and say what changed."""
    theirs = compact(official())
    if TARGET.exists():
        sys.stdout.writelines(f"{line}\n" for line in changes(json.loads(TARGET.read_text()), theirs))
    TARGET.write_text(rendered(theirs), encoding="utf-8")


if __name__ == "__main__":
    main()
