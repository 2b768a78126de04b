"""Writes start files. What one is for, and what it looks like, says `start_file`."""

import inspect
import marshal
import os
import re
import sys
from collections.abc import Iterable, Mapping
from importlib.machinery import ModuleSpec
from itertools import accumulate
from pathlib import Path
from types import FunctionType, SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

from baseten_deploy import start_file

if TYPE_CHECKING:
    from baseten_deploy.start_file import Key

# Bytecode begins with a magic number, flags, and the time and size of its source (PEP 552).
_HEADER_BYTES = 16
# Of the marshal format: the last one that does not depend on who else knows an object, for the same bytes each time.
_VERSION = 2
# One for each way in which the action is started; of more, some are of ways that nobody goes any more.
_FILES = 4


class Kept(NamedTuple):
    """A module: the first fields of `start_file.Module`, and its code, marshalled."""

    source: str
    bytecode: str
    is_package: bool
    time: int
    size: int
    code: bytes


def keep() -> None:
    """Write the start file of the next run: what this run loaded, and what was kept before and is still true.

    Raises `OSError` where it cannot be written.
    """
    target = Path(start_file.folders()[0], start_file.name_of(sys.path))
    modules: dict[str, Kept | None] = {}
    programs: dict[Key, bytes] = {}
    for file in start_file.files:
        modules |= {name: Kept(*module[:5], file.code(name)) for name in file.modules if (module := file.current(name))}
        programs |= file.programs
    modules |= {
        spec.name: as_python_keeps_it(spec) for spec in start_file.found_by_python() if spec.name not in modules
    }
    programs |= programs_of(start_file.compiled)
    write(target, modules, programs)
    _remove_others(target)


def as_python_keeps_it(spec: ModuleSpec) -> Kept | None:
    """A module as its bytecode has it; none where Python kept none, or goes by another condition than time and size."""
    source, is_package = spec.origin or "", spec.submodule_search_locations is not None
    try:
        if not spec.cached:
            return Kept(source, "", is_package, *start_file.time_and_size(source), b"")
        bytecode = Path(spec.cached).read_bytes()
    except OSError:
        return None
    flags, time, size = (int.from_bytes(bytecode[at : at + 4], "little") for at in (4, 8, 12))
    return None if flags else Kept(source, spec.cached, is_package, time, size, bytecode[_HEADER_BYTES:])


def programs_of(expressions: Iterable[tuple[str | bytes, int]]) -> "dict[Key, bytes]":
    """What `re` makes of expressions with their flags: the arguments of `_sre.compile`, marshalled."""
    compiler: Any = sys.modules[f"{re.__name__}._compiler"]
    # The same function, with something else to hand over to.
    arguments = FunctionType(
        inspect.unwrap(compiler.compile).__code__,
        {**vars(compiler), "_sre": SimpleNamespace(compile=lambda *arguments: arguments)},
        argdefs=(0,),
    )
    programs: dict[Key, bytes] = {}
    for expression, flags in expressions:
        text, all_flags, program, *others = arguments(expression, flags)
        if not all_flags & re.LOCALE:  # that one depends on who asks
            key = isinstance(expression, str), expression, flags
            programs[key] = marshal.dumps((text, all_flags, [*map(int, program)], *others), _VERSION)
    return programs


def write(target: Path, modules: Mapping[str, Kept | None], programs: "Mapping[Key, bytes]") -> None:
    """Write a start file, all of it or none. Raises `OSError`."""
    code = [kept.code if kept else b"" for kept in modules.values()]
    begins = accumulate(map(len, code), initial=0)
    index = {
        name: kept and (*kept[:5], at, len(kept.code))
        for (name, kept), at in zip(modules.items(), begins, strict=False)
    }
    head = marshal.dumps((index, dict(programs)), _VERSION)
    half = target.with_name(f"{target.name}.{os.getpid()}")
    try:
        with half.open("wb") as file:
            file.write(start_file.MAGIC + len(head).to_bytes(4, "little") + head)
            file.writelines(code)
        half.replace(target)
    except OSError:
        half.unlink(missing_ok=True)
        raise


def _remove_others(target: Path) -> None:
    """Remove the oldest start files of the folder, but for a few."""
    oldest = sorted(target.parent.glob("start-*"), key=lambda path: path.stat().st_mtime)
    for path in oldest[:-_FILES]:
        path.unlink(missing_ok=True)
