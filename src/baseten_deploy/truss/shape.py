"""Whether a config has the shape that `truss` describes: keys, types, required keys and listed values, at every depth.

Pure. Everything is a warning, at its line: the service has the last word, and newer fields than we know. A value is
judged as the validator of `truss` does, which takes `"4"` for a whole number and no number for text. No value from
`secrets` is shown. What the schema cannot say is `config_checks`.
"""

import re
from collections.abc import Collection, Iterator
from typing import Any

from baseten_deploy.errors import Problem
from baseten_deploy.report.amounts import count
from baseten_deploy.strict_yaml import Path

from .config_file import ConfigFile
from .config_schema import Node, resolved, root

UNKNOWN_KEYS = 50  # more are somebody else's file
MISSHAPEN = 50
_NAMES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "`true` or `false`",
    "array": "a list",
    "object": "a mapping of keys to values",
    "null": "empty",
}
_TRUTHS = frozenset({"true", "false", "yes", "no", "on", "off", "t", "f", "y", "n", "1", "0"})
# What somebody who left a key out would write, where the schema has no example.
_EXAMPLES = {
    "server_port": "8000",
    "predict_endpoint": "/predict",
    "readiness_endpoint": "/health",
    "liveness_endpoint": "/health",
    "repo_id": "org/model",
    "use_volume": "false",
    "revision": '"main"',
    "source": "hf://org/model",
    "mount_location": "/models/mine",
    "requirements": "- numpy==2.0.0",
    "system_packages": "- ffmpeg",
    "build_commands": "- git clone https://example.com/x",
    "external_package_dirs": "- ../shared",
    "secrets": "hf_access_token: null",
    "base_image": "image: python:3.11",
    "model_metadata": "example_model_input: {prompt: Hello}",
    "transport": "kind: http",
    "kind": "http",
    "resources": "cpu: 500m",
    "runtime": "predict_concurrency: 4",
}
_MEMORY_UNITS = frozenset({"k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"})


def find_problems(config: ConfigFile) -> list[Problem]:
    """Warnings about keys that no config has, and about values that are not what their key takes."""
    walk = _Walk(config)
    walk.visit(root(), config.value, ())
    unknown = [walk.unknown_key(path, known) for path, known in walk.unknown[:UNKNOWN_KEYS]]
    if more := walk.unknown[UNKNOWN_KEYS:]:
        unknown.append(config.problem(f"{count(len(more), 'more key')} that no Truss config has", "", *more[0][0]))
    return [*unknown, *walk.problems[:MISSHAPEN], *_quantities(config), *_server(config)]


def nearest(word: str, known: Collection[str]) -> str:
    """The known word that `word` may be a misspelling of, or `""`."""
    import difflib  # noqa: PLC0415 - for a word that is wrong

    return next(iter(difflib.get_close_matches(word, sorted(known), n=1, cutoff=0.7)), "")


def known_keys() -> Collection[str]:
    """The keys that a config may have at its top."""
    keys: Collection[str] = root()["keys"].keys()
    return keys


class _Walk:
    """One walk over a config: what it found so far."""

    def __init__(self, config: ConfigFile) -> None:
        self.config = config
        self.unknown: list[tuple[Path, Collection[str]]] = []
        self.problems: list[Problem] = []

    def visit(self, node: Node, value: Any, path: Path) -> None:
        node = resolved(node, value)
        types = node.get("types", ())
        if types and not any(_is(name, value) for name in types):
            self._wrong_type(node, value, path)
        elif isinstance(value, dict):
            self._mapping(node, value, path)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                self.visit(node.get("items", {}), item, (*path, index))
        elif value is not None:
            self._scalar(node, value, path)
        if node.get("long") and value in ("", []):
            self._problem(path, f"`{dotted(path)}` is empty", "Write its value, or remove the key.")

    def _mapping(self, node: Node, value: dict[str, Any], path: Path) -> None:
        keys = node.get("keys")
        if missing := [key for key in node.get("required", ()) if key not in value]:
            name = f"`{dotted(path)}`" if path else "The config"
            message = f"{name} lacks {', '.join(f'`{key}`' for key in missing)}"
            examples = [f"`{_example(key, resolved((keys or {}).get(key, {}), None))}`" for key in missing]
            self._problem(path, message, f"Add {', '.join(examples)}, for example.")
        for key, item in value.items():
            if keys is not None and key in keys:
                self.visit(keys[key], item, (*path, key))
            elif "rest" in node:
                self.visit(node["rest"], item, (*path, key))
            elif keys is not None and not node.get("free"):
                self.unknown.append(((*path, key), keys))

    def _scalar(self, node: Node, value: Any, path: Path) -> None:
        listed = node.get("enum", ())
        text = str(value).upper() if node.get("fold") else value
        if listed and text not in listed:
            hint = nearest(str(value), listed)
            remedy = f"Did you mean `{hint}`?" if hint else f"Known are {', '.join(f'`{each}`' for each in listed)}."
            self._problem(path, f"`{dotted(path)}`: `{_cut(str(value))}` is none of its values", remedy)
        if isinstance(value, str):
            return
        for name, wrong, words in (
            ("min", value < node.get("min", value), "at least"),
            ("max", value > node.get("max", value), "at most"),
            ("above", value <= node.get("above", value - 1), "above"),
        ):
            if wrong:
                message = f"`{dotted(path)}`: {value} is not {words} {node[name]}"
                self._problem(path, message, f"Write a number {words} {node[name]}.")

    def _wrong_type(self, node: Node, value: Any, path: Path) -> None:
        types = [name for name in node["types"] if name != "null" or len(node["types"]) == 1]
        wanted = " or ".join(_NAMES[name] for name in types)
        key = path[-1] if path and isinstance(path[-1], str) else ""
        if "string" in types and not isinstance(value, (list, dict)) and value is not None:
            self._problem(
                path, f"`{dotted(path)}`{self._reading(value, path)}, and must be {wanted}", self._quoted(path)
            )
            return
        example = _example(key, node)
        if isinstance(value, dict) and len(value) == 1 and types == ["string"] and not key:
            ((name, inner),) = value.items()  # `- foo: bar`
            remedy = f'Write it in quotes, `- "{_cut(name)}: {_cut(str(inner))}"`, if it is meant to be one text.'
        elif value is None:
            remedy = f"Remove `{key}`, or write {wanted}." if key else "Remove the item, or write its value."
        elif types == ["object"] and key == "base_image" and isinstance(value, str):
            remedy = f"Write `image: {_cut(value)}` on a line of its own below `base_image:`."
        elif types == ["array"] and isinstance(value, str) and "\n" not in value and not _is_secret(path):
            remedy = f"Write `- {_cut(value)}` on a line of its own below `{key}:`."
        elif types in (["array"], ["object"]):
            remedy = (
                f"Write `{example}` on a line of its own below `{key}:`." if key in _EXAMPLES else f"Write {wanted}."
            )
        else:
            remedy = f"Write `{example}`, for example."
        self._problem(path, f"`{dotted(path)}` is {self._kind(value, path)}, and must be {wanted}", remedy)

    def _kind(self, value: Any, path: Path) -> str:
        if value is None:
            return "empty"
        if isinstance(value, (list, dict)):
            return "a list" if isinstance(value, list) else "a mapping"
        if isinstance(value, str):
            return "text" if _is_secret(path) else f"the text `{_cut(value)}`"
        return "true or false" if isinstance(value, bool) else "a number"

    def _reading(self, value: Any, path: Path) -> str:
        """What YAML made of a text without quotes."""
        written = self.config.written.get(path, "")
        if _is_secret(path) or not written:
            return f" is {self._kind(value, path)}"
        if written.lower() == str(value).lower():
            return f": `{_cut(written)}` is {self._kind(value, path)}"
        return f": YAML reads `{_cut(written)}` as {spoken(value)}"

    def _quoted(self, path: Path) -> str:
        written = self.config.written.get(path, "")
        if _is_secret(path) or not written:
            return "Write it in quotes."
        lead = f"{path[-1]}: " if isinstance(path[-1], str) else "- "
        return f'Write it in quotes: `{lead}"{_cut(written)}"`.'

    def _problem(self, path: Path, message: str, remedy: str) -> None:
        self.problems.append(self.config.problem(message, remedy, *path))

    def unknown_key(self, path: Path, known: Collection[str]) -> Problem:
        hint = nearest(str(path[-1]), known)
        remedy = f"Did you mean `{hint}`?" if hint else "Correct or remove it."
        where = f"`{dotted(path[:-1])}`" if path[:-1] else "a Truss config"
        return self.config.problem(f"`{path[-1]}` is no key of {where}", f"{remedy} `truss push` refuses it.", *path)


def spoken(value: Any) -> str:
    """What YAML made of a text: `false`, or the number 42799."""
    return str(value).lower() if isinstance(value, bool) else f"the number {_cut(str(value))}"


def dotted(path: Path) -> str:
    """A path as people write it: `model_cache[0].revision`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def _is(name: str, value: Any) -> bool:
    """Whether a value is taken for what JSON Schema calls `name`."""
    if name in {"integer", "number"}:
        if isinstance(value, str):
            pattern = (
                r"\s*[+-]?[0-9]+(\.0*)?\s*"
                if name == "integer"
                else r"\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*"
            )
            return len(value) < 100 and bool(re.fullmatch(pattern, value))
        whole = isinstance(value, int) or (isinstance(value, float) and (name == "number" or value.is_integer()))
        return whole and not isinstance(value, bool)
    if name == "boolean":
        return (
            isinstance(value, bool)
            or (isinstance(value, (int, float)) and value in (0, 1))
            or (isinstance(value, str) and value.lower() in _TRUTHS)
        )
    kinds: dict[str, type] = {"string": str, "null": type(None), "array": list, "object": dict}
    return isinstance(value, kinds[name])


def _example(key: str, node: Node) -> str:
    if key in _EXAMPLES:
        below = _EXAMPLES[key]
        return below if ": " in below or below.startswith("- ") else f"{key}: {below}"
    example = node.get("example")
    if example is None:
        kinds = node.get("types", ["string"])
        example = {"integer": "1", "number": "1.5", "boolean": "true", "string": "some text"}.get(kinds[0], "...")
    shown = str(example).lower() if isinstance(example, bool) else str(example)
    return f"{key}: {shown}" if key else f"- {shown}"


def _is_secret(path: Path) -> bool:
    return path[:1] in {("secrets",), ("environment_variables",)}


def _quantities(config: ConfigFile) -> Iterator[Problem]:
    """Texts that say how much, in a unit that Kubernetes has."""
    resources = config.value.get("resources")
    if not isinstance(resources, dict):
        return
    cpu, memory = resources.get("cpu"), resources.get("memory")
    if isinstance(cpu, str) and not re.fullmatch(r"([0-9]+\.?[0-9]*|\.[0-9]+)m?", cpu):
        message = f"`resources.cpu`: `{_cut(cpu)}` is no number of CPUs"
        remedy = 'Write a number in quotes, `cpu: "4"`, or thousandths of one, `cpu: 500m`.'
        yield config.problem(message, remedy, "resources", "cpu")
    if not isinstance(memory, str):
        return
    match = re.fullmatch(r"([0-9]+\.?[0-9]*|\.[0-9]+)(e[0-9]+)?([a-zA-Z]*)", memory)
    if match and match[3] in _MEMORY_UNITS:
        return
    if match and not match[3] and float(match[1] + (match[2] or "")) >= 2**20:
        return  # bytes
    number = re.match(r"[0-9]+", memory)
    example = f"{number[0] if number else '16'}{'Mi' if re.search('m', memory, re.IGNORECASE) else 'Gi'}"
    wrong = "is so many bytes" if match and not match[3] else "is no amount of memory"
    remedy = f"Write a number with a unit, one of `Ki`, `Mi`, `Gi`, `Ti`, `k`, `M`, `G`, `T`: `memory: {example}`."
    yield config.problem(f"`resources.memory`: `{_cut(memory)}` {wrong}", remedy, "resources", "memory")


def _server(config: ConfigFile) -> Iterator[Problem]:
    """What the schema cannot say: who starts a server that is built."""
    server = config.value.get("docker_server")
    if isinstance(server, dict) and server.get("no_build") is not True and server.get("start_command") is None:
        message = "`docker_server` lacks `start_command`, with which its image is started"
        yield config.problem(
            message, "Add it, or `no_build: true` for an image that starts by itself.", "docker_server"
        )


def _cut(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:40]}..."
