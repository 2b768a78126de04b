"""The map in CONTRIBUTING.md: packages by layer, and the way of one run through them. `generate.py` writes it.

Nothing of it is written by hand, so that it cannot lie: the layers are those of the import contract in pyproject.toml,
the words are the first sentences of docstrings, and the way is read off the calls in `pipeline.deploy`.
"""

import ast
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

PACKAGE = "baseten_deploy"
START, ENTRY = "pipeline", "deploy"
# What every step uses: an arrow to each would hide the others.
EVERYWHERE = frozenset({"inputs", "report", "service", "ci", "run"})


@dataclass(frozen=True)
class Step:
    """A module that the pipeline calls, by its dotted path below the package, and what it calls there, in order."""

    path: str
    functions: tuple[str, ...]

    @property
    def package(self) -> str:
        """The package, or the module that stands outside of all."""
        return self.path.partition(".")[0]


def layers(root: Path) -> list[list[str]]:
    """The layers of the contract, from what starts a run down to what everybody uses."""
    document = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    contract = next(each for each in document["tool"]["importlinter"]["contracts"] if each["id"] == "action")
    return [layer.replace("|", ":").replace(" ", "").split(":") for layer in contract["layers"]]


def sentence(root: Path, name: str) -> str:
    """The first sentence of the docstring of a module or package below `src/baseten_deploy`, without its full stop."""
    docstring = ast.get_docstring(_tree(root, name)) or ""
    return " ".join(docstring.partition("\n\n")[0].split()).partition(". ")[0].rstrip(".")


def way(root: Path) -> list[Step]:
    """The steps of one run: which modules `pipeline.deploy` calls, in the order of the first call of each."""
    tree = _tree(root, START)
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    called: dict[str, dict[str, None]] = {}
    for path, function in _calls(functions, _imports(tree.body), ENTRY, set()):
        if path.partition(".")[0] not in EVERYWHERE:
            called.setdefault(path, {})[function] = None
    return [Step(path, tuple(names)) for path, names in called.items()]


def _calls(
    functions: dict[str, ast.FunctionDef], known: dict[str, str], name: str, seen: set[str]
) -> Iterator[tuple[str, str]]:
    """Module and function of each call in the function `name` and in what it calls beside it."""
    seen.add(name)
    body = functions[name]
    known = {**known, **_imports(ast.walk(body))}
    for node in _in_order(body):
        if not isinstance(node, ast.Call):
            continue
        owner = node.func.value if isinstance(node.func, ast.Attribute) else node.func
        if not isinstance(owner, ast.Name):
            continue
        if owner.id in functions and owner.id not in seen:
            yield from _calls(functions, known, owner.id, seen)
        elif isinstance(node.func, ast.Attribute) and owner.id in known:
            yield known[owner.id], node.func.attr
        elif owner.id in known and owner.id.islower():  # a function; what begins with a capital is made, not done
            yield known[owner.id].rpartition(".")[0], owner.id


def _in_order(node: ast.AST) -> Iterator[ast.AST]:
    """What is below `node`, the arguments of a call before the call: in the order in which it happens."""
    for child in ast.iter_child_nodes(node):
        yield from _in_order(child)
        yield child


def _imports(nodes: Iterable[ast.AST]) -> dict[str, str]:
    """What these nodes import from the package, by the name that it has here: the dotted path below the package."""
    return {
        alias.asname or alias.name: f"{item.module}.{alias.name}".removeprefix(f"{PACKAGE}.")
        for item in nodes
        if isinstance(item, ast.ImportFrom) and item.module and item.module.startswith(PACKAGE)
        for alias in item.names
    }


def uses(root: Path, path: str) -> list[str]:
    """The packages that the module imports, without those that every step uses, in the order of the layers."""
    imported = {value.partition(".")[0] for value in _imports(ast.walk(_tree(root, path))).values()}
    shown = [name for layer in layers(root) for name in layer if _is_package(root, name) and name not in EVERYWHERE]
    return [name for name in shown if name in imported and name != path.partition(".")[0]]


def _is_package(root: Path, name: str) -> bool:
    return (root / "src" / PACKAGE / name / "__init__.py").exists()


def _tree(root: Path, name: str) -> ast.Module:
    path = root / "src" / PACKAGE / name.replace(".", "/")
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(path.read_text(encoding="utf-8"))


def picture(root: Path) -> Iterator[str]:
    """Layers and way as a Mermaid flowchart: solid and numbered what the pipeline calls, dotted what that uses."""
    rows = layers(root)
    yield "```mermaid"
    yield "flowchart TB"
    for number, row in enumerate(rows):
        yield f'    subgraph layer{number}[" "]'
        yield "        direction LR"
        for name in row:
            yield f'        {name}["{name}"]' if _is_package(root, name) else f'        {name}(["{name}"])'
        yield "    end"
    yield "    " + " ~~~ ".join(row[0] for row in rows)
    yield f"    main --> {START}"
    numbers: dict[str, list[str]] = {}
    for number, step in enumerate(way(root), 1):
        numbers.setdefault(step.package, []).append(str(number))
    for package, its in numbers.items():
        yield f'    {START} -- "{", ".join(its)}" --> {package}'
    for package, used in dict.fromkeys((step.package, used) for step in way(root) for used in uses(root, step.path)):
        yield f"    {package} -.-> {used}"
    yield "```"


def names(root: Path) -> Iterator[str]:
    """What each package and module of the picture is for."""
    yield "| | what it is for |"
    yield "|---|---|"
    for row in layers(root):
        for name in row:
            path = f"{name}/" if _is_package(root, name) else f"{name}.py"
            yield f"| `{path}` | {sentence(root, name)} |"


def steps(root: Path) -> Iterator[str]:
    """The way as a table: number, file, functions, what the file is for."""
    yield "| | file | called | what it is for |"
    yield "|---|---|---|---|"
    for number, step in enumerate(way(root), 1):
        file = f"{step.path.replace('.', '/')}.py"
        functions = ", ".join(f"`{name}`" for name in step.functions)
        yield f"| {number} | `{file}` | {functions} | {sentence(root, step.path)} |"


def blocks(root: Path) -> Iterator[str]:
    """The whole map."""
    yield from picture(root)
    yield ""
    yield from names(root)
    yield ""
    yield "The way of one run:"
    yield ""
    yield from steps(root)
