"""The start file: what a run loads, in one file; the bytecode of modules and the programs of regular expressions.

A run of a small Truss is mostly imports. A sixth of their time goes into finding, checking and reading a file for each
module, and a tenth into compiling a hundred and thirty regular expressions that are the same each time. Here are both,
under the names that Python asks for. `start_file_writer` writes it: the image has one, and elsewhere the first run
leaves it beside its bytecode.

It is as exact as bytecode is: made by this very Python for this very `sys.path`, and a module whose source has another
time or size than it had is taken from where it is. It says nothing of a run: no expression that one made of its inputs.

Format: `MAGIC`; the size of the head in 4 bytes, little-endian; the head, marshalled: `(modules, programs)`; code.
"""
# ruff: noqa: S302 - it is trusted as bytecode is, beside which it lies, and which is marshalled too

import _imp
import marshal
import os
import sys
from _frozen_importlib import ModuleSpec
from _frozen_importlib_external import ExtensionFileLoader, PathFinder, SourceFileLoader

TYPE_CHECKING = False  # `typing` takes longer to import than all the rest of this
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from re import Pattern
    from types import CodeType, FrameType
    from typing import Any

    # The source; the file of its bytecode, none of a shared object; whether it is a package; the time and size of the
    # source as bytecode has them (PEP 552), or -1 where they do not matter; where the code begins, after the head, and
    # its size. `None` instead of it: a module that Python keeps otherwise, or not at all.
    Module = tuple[str, str, bool, int, int, int, int]
    # Whether it is text; the expression; its flags.
    Key = tuple[bool, str | bytes, int]

MAGIC = b"BDSF"
_HEAD_AT = len(MAGIC) + 4
UNCHECKED = -1
# Below it, to write takes longer than it saves: when somebody changed some modules, say.
_MUCH = 20


class StartFile:
    """An open start file, and a finder of modules for `sys.meta_path`."""

    def __init__(self, path: str) -> None:
        """Open it. Raises `OSError`, and of what is none, `EOFError`, `ValueError` or `TypeError`."""
        self.modules: dict[str, Module | None] = {}
        self.programs: dict[Key, bytes] = {}
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        begin = os.pread(self._descriptor, _HEAD_AT, 0)
        size = int.from_bytes(begin[len(MAGIC) :], "little")
        self._body = _HEAD_AT + size
        if not begin.startswith(MAGIC):
            raise ValueError(path)
        self.modules, self.programs = marshal.loads(os.pread(self._descriptor, size, _HEAD_AT))

    def code(self, name: str) -> bytes:
        """The code of a module that there is, marshalled; nothing of a shared object."""
        module = self.modules[name]
        assert module
        at, size = module[5:]
        return os.pread(self._descriptor, size, self._body + at)

    def current(self, name: str) -> "Module | None":
        """A module that the file has, and whose source has the time and the size that it had then."""
        module = self.modules.get(name)
        if module is None or module[4] == UNCHECKED:
            return module
        try:
            return module if module[3:5] == time_and_size(module[0]) else None
        except OSError:
            return None

    def knows(self, name: str) -> bool:
        """Whether writing the file again would make no difference to a module."""
        return name in self.modules and (self.modules[name] is None or self.current(name) is not None)

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> ModuleSpec | None:
        """Where a module is, when this file has it: what Python asks a finder."""
        module = self.current(name)
        if not module:
            return None
        source, bytecode, is_package, *_ = module
        loader = _Loader(name, source, self) if bytecode else ExtensionFileLoader(name, source)
        spec = ModuleSpec(name, loader, origin=source, is_package=is_package)
        if spec.submodule_search_locations is not None:
            spec.submodule_search_locations.append(os.path.dirname(source))  # noqa: PTH120 - before pathlib
        spec.cached = bytecode or None
        spec.has_location = True
        return spec


class _Loader(SourceFileLoader):
    """Loads a module of a start file. What else is asked of a module, its source answers."""

    def __init__(self, name: str, source: str, file: StartFile) -> None:
        super().__init__(name, source)
        self._file = file

    def get_code(self, fullname: str) -> "CodeType | None":
        """The code that was kept; when that cannot be read, what Python finds by itself."""
        try:
            code: CodeType = marshal.loads(self._file.code(fullname))
        except (OSError, EOFError, ValueError, TypeError):
            return super().get_code(fullname)
        return code


def time_and_size(source: str) -> tuple[int, int]:
    """Those of a file, as bytecode has them of its source (PEP 552). Raises `OSError`."""
    status = os.stat(source)  # noqa: PTH116 - before pathlib
    return int(status.st_mtime) & 0xFFFF_FFFF, status.st_size & 0xFFFF_FFFF


# What this run has, and the expressions that it compiled because no start file has those.
files: "list[StartFile]" = []
compiled: "list[tuple[str | bytes, int]]" = []


def use() -> None:
    """From now on, take modules from the start files that there are."""
    name = name_of(sys.path)
    for folder in folders():
        try:
            files.append(StartFile(f"{folder}/{name}"))
        except (OSError, EOFError, ValueError, TypeError):
            continue  # there is none, or none that can be read: then all is as without
    if PathFinder in sys.meta_path:
        at = sys.meta_path.index(PathFinder)  # before it, and before nobody else
        sys.meta_path[at:at] = files


def ask_before_compiling(*, noting: bool) -> None:
    """Let `re` look for a program in the start files before it compiles one: an expression is made of nothing else.

    With `noting`, those that none has are kept for the next start file.
    """
    import re  # noqa: PLC0415 - from the start file

    compiler, machine = (sys.modules[name] for name in (f"{re.__name__}._compiler", "_sre"))
    compile_anew: Callable[[str | bytes, int], Pattern[Any]] = compiler.compile
    programs = {key: program for file in files for key, program in file.programs.items()}

    def compile_(expression: "str | bytes", flags: int = 0) -> "Pattern[Any]":
        program = programs.get((isinstance(expression, str), expression, flags))
        if program:
            kept: Pattern[Any] = machine.compile(*marshal.loads(program))
            return kept
        if noting and _is_constant(sys._getframe(1)):  # noqa: SLF001 - public by use: `logging` and `typing` go by it
            compiled.append((expression, int(flags)))  # some are of `re.RegexFlag`, which is not marshalled
        return compile_anew(expression, flags)

    compile_.__wrapped__ = compile_anew  # type: ignore[attr-defined] # as functools.wraps does
    compiler.compile = compile_  # type: ignore[attr-defined] # no stub knows it


def folders() -> list[str]:
    """Where start files are: beside the action's own bytecode, and in the image, beside the packages'.

    None where Python keeps no bytecode.
    """
    own = sys.modules["baseten_deploy"].__spec__
    if not own or not own.cached:
        return []
    return [os.path.dirname(own.cached), f"{sys.path[-1]}/__pycache__"]  # noqa: PTH120 - before pathlib


def name_of(path: "Sequence[str]") -> str:
    """The name of the start file of this Python with its options, for modules that are found along `path`."""
    conditions = repr((sys.version, sys.flags.optimize, [*map(os.path.abspath, path)])).encode()
    return f"start-{_imp.source_hash(0, conditions).hex()}.{sys.implementation.cache_tag}"


def lacks_much() -> bool:
    """Whether this run loaded more than a few things that its start files do not have."""
    new = [spec for spec in found_by_python() if not any(file.knows(spec.name) for file in files)]
    return len(compiled) + len(new) > _MUCH


def found_by_python() -> "Iterator[ModuleSpec]":
    """The modules from source and shared objects that this run has, and not from a start file."""
    for module in list(sys.modules.values()):
        spec: ModuleSpec | None = getattr(module, "__spec__", None)
        if spec and type(spec.loader) in {SourceFileLoader, ExtensionFileLoader}:
            yield spec


def _is_constant(frame: "FrameType | None") -> bool:
    """Whether an expression is a module's own, as what is compiled during an import is. Any other may be a secret."""
    while frame:
        name = frame.f_globals.get("__name__")
        if name == "baseten_deploy.expressions":
            return True  # what they have is of modules
        if frame.f_code.co_name == "<module>":
            return name != "__main__"
        frame = frame.f_back
    return False
