"""Every message has a remedy: each place in the sources that makes a problem says what to do about it.

Found by reading the sources: a call of `Problem`, of a class of the exception tree with a text, or of `warn_text`. Its
remedy must be an expression that is never empty, as far as that can be read: not missing, not `""`, not a name or a
parameter that is `""` in some branch. What has none on purpose stands in `SPOKEN_FOR`, with the reason.
"""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from baseten_deploy import errors

SOURCES = Path(errors.__file__).parent
TREE = {name for name, each in vars(errors).items() if isinstance(each, type) and issubclass(each, BaseException)}
# (module, function): why the remedy may be empty there.
SPOKEN_FOR = {
    ("errors", "__init__"): "hands on the remedy that it is given",
    ("run", "warn_text"): "its callers are looked at, but for a status of a newer service, which is waited on",
    ("nemo.remedies", "explain"): "see `_remedy` there, which always has one",
}


def module_of(path: Path) -> str:
    """`service.http` of service/http.py."""
    return ".".join(path.relative_to(SOURCES).with_suffix("").parts)


@dataclass(frozen=True)
class Scope:
    """A function, and the functions of its module by name."""

    node: ast.AST
    functions: Mapping[str, ast.AST]

    def may_be_empty(self, node: ast.expr | None, depth: int = 3) -> bool:
        """Whether an expression for a remedy is, or may be, an empty text. What cannot be read is taken to have one."""
        match node:
            case None:
                return True
            case ast.Constant():
                return not node.value
            case ast.IfExp():
                return self.may_be_empty(node.body, depth) or self.may_be_empty(node.orelse, depth)
            case ast.BoolOp(op=ast.Or()):
                return self.may_be_empty(node.values[-1], depth)
            case ast.Name() if depth:
                return any(self.may_be_empty(value, depth - 1) for value in self.assigned(node.id))
            case ast.Call(func=ast.Name(id=name)) if depth and name in self.functions:
                called = Scope(self.functions[name], self.functions)
                returns = (each for each in ast.walk(called.node) if isinstance(each, ast.Return))
                return any(called.may_be_empty(each.value, depth - 1) for each in returns)
        return False

    def assigned(self, name: str) -> Iterator[ast.expr]:
        """What a name is made of in the function: its assignments, and its default when it is a parameter."""
        for node in ast.walk(self.node):
            for target in node.targets if isinstance(node, ast.Assign) else ():
                yield from assigned_to(name, target, node.value)
        arguments = getattr(self.node, "args", None)
        if not isinstance(arguments, ast.arguments):
            return
        positional = [*arguments.posonlyargs, *arguments.args]
        defaults = zip(reversed(positional), reversed(arguments.defaults), strict=False)
        keywords = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        yield from (default for each, default in (*defaults, *keywords) if each.arg == name and default is not None)


def assigned_to(name: str, target: ast.expr, value: ast.expr) -> Iterator[ast.expr]:
    """What the name gets of an assignment, alone or as one of several."""
    if isinstance(target, ast.Name) and target.id == name:
        yield value
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        for each, part in zip(target.elts, value.elts, strict=False):
            yield from assigned_to(name, each, part)


def functions(tree: ast.AST) -> Iterator[tuple[str, ast.AST, list[ast.Call]]]:
    """Each function (and the module itself) with the calls that stand in it and in no function within it."""

    def calls(node: ast.AST) -> Iterator[ast.Call]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            if isinstance(child, ast.Call):
                yield child
            yield from calls(child)

    yield "", tree, list(calls(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, node, list(calls(node))


def without_remedy(source: str) -> Iterator[tuple[str, int]]:
    """Function and line of each problem in a module's source that has no remedy."""
    found = list(functions(ast.parse(source)))
    by_name = {name: node for name, node, _ in found if name}
    for name, node, calls in found:
        scope = Scope(node, by_name)
        for call in calls:
            function = call.func
            called = function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")
            named = {keyword.arg: keyword.value for keyword in call.keywords}
            if called == "warn_text":
                yield name, call.lineno
            if called not in (*TREE, "Problem", "kind") or (called == "kind" and len(call.args) < 2):
                continue
            text = call.args[0] if call.args else named.get("message")
            if called != "Problem" and not is_text(text):
                continue  # made of problems, which are looked at where they are made
            remedy = call.args[1] if len(call.args) > 1 else named.get("remedy")
            if scope.may_be_empty(remedy):
                yield name, call.lineno


def is_text(node: ast.expr | None) -> bool:
    """Whether an argument is a message rather than problems."""
    if isinstance(node, ast.BinOp):
        return is_text(node.left)
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def test_every_problem_has_a_remedy():
    """In every branch that makes one."""
    found = [
        f"{module_of(path)}:{line} in {name}"
        for path in sorted(SOURCES.rglob("*.py"))
        for name, line in without_remedy(path.read_text(encoding="utf-8"))
        if (module_of(path), name) not in SPOKEN_FOR
    ]
    assert [] == found


def test_what_is_spoken_for_is_there():
    """An exception that nobody needs any more would hide the next one."""
    there = {
        (module_of(path), name)
        for path in SOURCES.rglob("*.py")
        for name, _ in without_remedy(path.read_text(encoding="utf-8"))
    }
    assert {key for key in SPOKEN_FOR if key not in there} <= {("errors", "__init__"), ("nemo.remedies", "explain")}


@pytest.mark.parametrize(
    "source",
    [
        'Problem("x")',
        'Problem("x", "")',
        'Problem("x", remedy="")',
        'Problem("x", "a" if y else "")',
        'def f(remedy=""):\n    raise Rejected("x", remedy)',
        'def f(*, remedy=""):\n    raise Rejected(f"x{y}", remedy)',
        'def f():\n    remedy = ""\n    if y:\n        remedy = "a"\n    return Problem("x", remedy)',
        'def f():\n    message, remedy = "x", ""\n    return Problem(message, remedy)',
        'run.warn_text("x")',
        'raise errors.InvalidInput("x")',
        'raise UploadFailed("x" + y)',
        'Problem("x", y or "")',
        'def g():\n    return "a" if y else ""\ndef f():\n    return Problem("x", g())',
    ],
)
def test_a_missing_remedy_is_found(source):
    """In the forms in which code is written."""
    assert 1 == len(list(without_remedy(source)))


@pytest.mark.parametrize(
    "source",
    [
        'Problem("x", "a")',
        'Problem("x", remedy=f"a{y}")',
        'Problem("x", y or "a")',
        "InvalidInput(problems)",
        'def f(remedy):\n    return Problem("x", remedy)',
        'raise CommitFailed("x", "a" if y else "b")',
    ],
)
def test_a_remedy_is_taken(source):
    """Any that is there."""
    assert [] == list(without_remedy(source))
