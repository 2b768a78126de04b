"""What is wrong with the model's code beyond doubt: it is parsed, never imported.

A syntax error, a model class that is not there, one without `predict`. What a program may do while it runs (make
classes, inherit from elsewhere, hand on names) is never guessed about.
"""

import ast
import posixpath
import re
import sys
import tokenize
import warnings
from collections.abc import Collection, Iterable, Iterator, Sequence
from io import BytesIO
from pathlib import Path

from baseten_deploy.errors import Problem
from baseten_deploy.expressions import expression
from baseten_deploy.records import dataclass
from baseten_deploy.report.amounts import count

from .config_checks import model_class_file
from .config_file import ConfigFile
from .first_bytes import read_first
from .packed_file import PackedFile
from .packing_list import listed, shown

# Parsing takes half a second a megabyte. What people write is smaller; what is vendored was parsed by others.
_FILE_BYTES = 512 * 1024
_ALL_BYTES = 4 * 1024 * 1024
_SHOWN = 10
# What answers a request; `truss`'s server takes either.
_METHODS = frozenset({"predict", "websocket"})
# With one of these a program can bind any name: functions, and attributes (`sys.modules`).
_DYNAMIC = frozenset({"globals", "locals", "vars", "exec", "eval", "setattr", "__getattr__"})
_DYNAMIC_ATTRIBUTES = frozenset({"__dict__", "modules", "__setattr__"})
# Grammar that came after Python 3.11, by how a line with it looks: statements and parameters of types, f-strings with
# any expression, t-strings, `except` without parentheses. A Python that is older than the model's cannot judge them.
_NEWER = expression(r"""^\s*type\s+\w|\b(?:def|class)\s+\w+\s*\[|\b(?:[rR]?[fFtT]|[fFtT][rR])["']|^\s*except\b[^(]*,""")


@dataclass(frozen=True)
class _Unreadable:
    """Why a file cannot be parsed, and where; `by_any` says that no Python could."""

    message: str
    line: int = 0
    column: int = 0
    by_any: bool = False


def check(config: ConfigFile, files: Iterable[PackedFile], workspace: Path) -> tuple[list[Problem], list[Problem]]:
    """Errors and warnings about the code among the `files` of the archive."""
    main = model_class_file(config.value)
    folder = config.value.get("model_module_dir", "model")
    minor = _minor(config)
    errors: list[Problem] = []
    unreadable: list[Problem] = []
    doubtful: list[Problem] = []
    left = _ALL_BYTES
    for file in sorted(_code(files, folder), key=lambda each: (each.name != main, each.name.count("/"))):
        if file.size > min(_FILE_BYTES, left):
            continue
        left -= file.size
        name = shown(file, workspace)
        parsed = _parse(read_first(file.source, _FILE_BYTES), minor)
        if isinstance(parsed, _Unreadable):
            remedy = f"{_version(minor)} cannot import it; the model would fail when it starts, after the build."
            problem = Problem(parsed.message, remedy, name, parsed.line, parsed.column)
            (errors if parsed.by_any and file.name == main else unreadable).append(problem)
        elif parsed is not None and file.name == main:
            doubtful += _model_class(config, parsed, name)
    if more := unreadable[_SHOWN:]:
        names = listed(dict.fromkeys(problem.file for problem in more))
        unreadable[_SHOWN:] = [
            Problem(
                f"{count(len(more), 'more file')} that cannot be parsed: {names}",
                "Parse all of them: `python -m compileall -q .` in the Truss.",
                more[0].file,
            )
        ]
    return errors, [*unreadable, *doubtful]


def _code(files: Iterable[PackedFile], folder: object) -> Iterator[PackedFile]:
    if isinstance(folder, str):
        inside = posixpath.normpath(folder)
        prefix = "" if inside == "." else inside + "/"
        yield from (file for file in files if file.name.startswith(prefix) and file.name.endswith(".py"))


def _minor(config: ConfigFile) -> int | None:
    """The model's Python is 3 point this; `None` when its image decides, or nobody knows."""
    match = re.fullmatch(r"py3(\d{1,2})", str(config.value.get("python_version", "py313")))
    return int(match[1]) if match and not config.value.get("base_image") else None


def _version(minor: int | None) -> str:
    return "Python" if minor is None else f"Python 3.{minor}"


def _parse(content: bytes, minor: int | None) -> ast.Module | _Unreadable | None:
    """The tree, why there is none, or `None` when this Python cannot tell."""
    text = _text(content)
    if isinstance(text, _Unreadable):
        return text
    here = sys.version_info.minor
    try:
        with warnings.catch_warnings():  # of the code: invalid escapes, `is` with a literal
            warnings.simplefilter("ignore")
            if minor is None or minor >= here:
                return ast.parse(text)
            return ast.parse(text, feature_version=(3, max(minor, 7)))
    except SyntaxError as error:
        line, column = error.lineno or 0, error.offset or 0
        if (minor is None or minor > here) and _may_be_newer(error, text):
            return None
        return _Unreadable(f"Not valid Python: {error.msg}", line, max(column, 0))
    except (ValueError, RecursionError, MemoryError, OverflowError):
        return None  # nested too deep for the parser


def _may_be_newer(error: SyntaxError, text: str) -> bool:
    if error.filename == "<fstring>" or error.msg.startswith("f-string") or not error.lineno:
        return True
    lines = text.split("\n")[error.lineno - 1 : max(error.end_lineno or 0, error.lineno)]
    return any(map(_NEWER.search, lines))


def _text(content: bytes) -> str | _Unreadable:
    """The source as Python decodes it: UTF-8, or what a comment in the first two lines names (PEP 263)."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return _Unreadable("UTF-16, which Python does not read: save it as UTF-8", 1, by_any=True)
    if b"\0" in content:
        line = content.count(b"\n", 0, content.index(b"\0")) + 1
        return _Unreadable("A NUL byte, which no Python source has: save it as UTF-8", line, by_any=True)
    encoding = "UTF-8"
    try:
        encoding, _ = tokenize.detect_encoding(BytesIO(content).readline)
        with warnings.catch_warnings():  # of `unicode_escape`
            warnings.simplefilter("ignore")
            return content.decode(encoding)
    except UnicodeError as error:
        line = content.count(b"\n", 0, getattr(error, "start", 0)) + 1
    except SyntaxError as error:
        line = 1
        if error.msg.startswith("unknown encoding"):
            return _Unreadable(f"{error.msg}: save it as UTF-8, without that comment", line, by_any=True)
    except LookupError:  # `hex` and the like make no text of bytes
        return _Unreadable(f"unknown encoding: {encoding}: save it as UTF-8, without that comment", 1, by_any=True)
    message = f"Not {encoding.upper()}, in which Python reads it: save it as UTF-8"
    return _Unreadable(message, line, by_any=True)


def _model_class(config: ConfigFile, tree: ast.Module, file: str) -> list[Problem]:
    """Warnings about the class that the model server makes the model of."""
    wanted = config.value.get("model_class_name", "Model")
    if not isinstance(wanted, str) or not wanted:
        return []
    nodes = list(ast.walk(tree))
    if any(map(_binds_anything, nodes)):
        return []
    if not any(wanted in _names(node) for node in nodes):
        return [_missing(config, tree, file, wanted)]
    set_from_outside = any(
        isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and node.attr in _METHODS for node in nodes
    )
    if set_from_outside or not _lacks_methods(wanted, nodes, tree.body, ()):
        return []
    line = next(node.lineno for node in tree.body if isinstance(node, ast.ClassDef) and node.name == wanted)
    return [
        Problem(
            f"`{file}`: the class `{wanted}` has no method `predict`, which answers requests",
            f"Add `def predict(self, model_input)`, or name another class with `model_class_name` in `{config.file}`.",
            file,
            line,
        )
    ]


def _missing(config: ConfigFile, tree: ast.Module, file: str, wanted: str) -> Problem:
    classes = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
    has = f"; it has {listed(classes)}" if classes else ""
    offer = f"Write `model_class_name: {classes[0]}`" if len(classes) == 1 else "Name one with `model_class_name`"
    if "model_class_name" in config.value:
        message = f"`{file}` has no class `{wanted}`, which `{config.file}` names as `model_class_name`{has}"
        return config.problem(message, f"{offer}, or rename the class.", "model_class_name")
    message = f"`{file}` has no class `{wanted}`, which it needs unless `{config.file}` has `model_class_name`{has}"
    return Problem(message, f"{offer} in `{config.file}`, or rename the class.", file, 1)


def _lacks_methods(name: str, nodes: Sequence[ast.AST], top: Sequence[ast.stmt], seen: Collection[str]) -> bool:
    """Whether the class of that name certainly has none of the methods, with the bases that it has in the same file."""
    bound = [node for node in nodes if name in _names(node)]
    if len(bound) != 1 or bound[0] not in top or name in seen:
        return False
    (found,) = bound
    if not isinstance(found, ast.ClassDef) or found.decorator_list or found.keywords:
        return False
    if any(_METHODS & {*_names(node)} for node in ast.walk(found)):
        return False
    return all(
        isinstance(base, ast.Name) and (base.id == "object" or _lacks_methods(base.id, nodes, top, (*seen, name)))
        for base in found.bases
    )


def _names(node: ast.AST) -> tuple[str, ...]:
    """The names that a node binds, wherever it is."""
    match node:
        case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            return (name,)
        case ast.Name(id=name, ctx=ast.Store()):
            return (name,)
        case ast.alias(name=name, asname=None):
            return (name.partition(".")[0],)
        case ast.alias(asname=str(name)):
            return (name,)
        case ast.Global(names=names):
            return tuple(names)
        case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            return (name,)
    return ()


def _binds_anything(node: ast.AST) -> bool:
    match node:
        case ast.Name(id=name) | ast.FunctionDef(name=name):
            return name in _DYNAMIC
        case ast.Attribute(attr=name):
            return name in _DYNAMIC_ATTRIBUTES
        case ast.ImportFrom(names=names):
            return any(alias.name == "*" for alias in names)
    return False
