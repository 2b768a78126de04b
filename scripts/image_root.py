"""Lays out what the image adds to its base: packages and code, small, with bytecode, and the same bytes each time.

    PYTHONHASHSEED=0 python -s -B image_root.py ROOT CODE

The Dockerfile's build stage runs it. ROOT/usr/local/lib/python3.x/site-packages is what `pip install` made; CODE is
entrypoint.py, post_entrypoint.py and src/. Afterwards ROOT and CODE are what the image's two layers hold:

- **Small.** Left out is what no run reads: tests, type stubs, AWS services other than S3, wheels' own lists of files.
  Shared objects end where the part that is loaded ends: symbols for a debugger are 85 % of PyYAML's.
- **What a run loads, compiled**, the standard library's modules included, of which the base image has no bytecode:
  compiling it costs a run 0.6 s. It is in two start files, one for each layer: see `start_file.py`. What is loaded
  without those has bytecode of its own, with unchecked hashes, so that no file's time matters. What no run loads is
  left as source.
- **The same bytes each time.** One time (`SOURCE_DATE_EPOCH`, or 0), one owner, modes 0644 and 0755, sorted work.
  `PYTHONHASHSEED` because a constant set is written in its order.

What is installed is the lock file's business, what the image starts the Dockerfile's.
"""

import ast
import importlib
import marshal
import os
import pkgutil
import py_compile
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec, PathFinder
from importlib.util import cache_from_source
from pathlib import Path

PACKAGE = "baseten_deploy"
NEVER_READ = (
    "tests",  # actions-toolkit's, as a top-level package
    "*/tests",
    "*/_tests",
    "bin",  # command lines
    "boto3/examples",
    "dateutil/zoneinfo/*.tar.gz",  # time zones of last resort; nothing asks for a zone by name
    "botocore/cacert.pem",  # certifi's is there, and comes first
    "**/*.pyi",
    "**/*.c",
    "**/*.pyx",
    "**/*.pxd",
    "**/*.h",
    "*.dist-info/RECORD",
    "*.dist-info/sboms",
)
KEPT_SERVICE = "s3"
# Loaded by name or in a function of a library's, where reading our own imports does not find it.
ALSO_LOADED = ("encodings.idna", "encodings.utf_8_sig", "encodings.latin_1", "multiprocessing.popen_spawn_posix")
_LOAD, _ELF64_LITTLE = 1, b"\x7fELF\x02\x01"


# Run by another interpreter, which has `truss`; the image of the action alone does not.
OF_TRUSS = ("chain/truss_program.py",)


def prune(packages: Path) -> None:
    """Remove from site-packages what no run reads."""
    for pattern in NEVER_READ:
        for path in sorted(packages.glob(pattern)):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for library in ("botocore", "boto3"):  # 28 MB of JSON describe every AWS service
        for path in sorted((packages / library / "data").glob("*/")):
            if path.name != KEPT_SERVICE:
                shutil.rmtree(path)


def loaded_part(elf: bytes) -> bytes:
    """A shared object without what no loader reads: sections for debuggers, and the table of sections itself.

    The dynamic loader goes by program headers alone. Anything that is not a 64-bit little-endian ELF file comes back as
    it is. Spec: System V gABI, chapters 4 and 5.
    """
    if not elf.startswith(_ELF64_LITTLE):
        return elf
    offset, _sections = struct.unpack_from("<QQ", elf, 32)
    entry_bytes, count = struct.unpack_from("<HH", elf, 54)
    end = offset + entry_bytes * count
    for number in range(count):
        kind, _, at, _, _, in_file = struct.unpack_from("<IIQQQQ", elf, offset + entry_bytes * number)
        if kind == _LOAD:
            end = max(end, at + in_file)
    header = bytearray(elf[:end])
    struct.pack_into("<Q", header, 40, 0)  # e_shoff
    struct.pack_into("<HH", header, 60, 0, 0)  # e_shnum, e_shstrndx
    return bytes(header)


def imported_names(source: Path) -> set[str]:
    """Every module that our files below `source` import by its full name, in functions and for types too."""
    names = set()
    for path in sorted(set((source / PACKAGE).rglob("*.py")) - {source / PACKAGE / path for path in OF_TRUSS}):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module)
    return names


def load_everything(source: Path) -> None:
    """Import what a run may import: all of our modules, what they import, and what an S3 client loads by itself."""
    package = importlib.import_module(PACKAGE)
    ours = [module.name for module in pkgutil.walk_packages(package.__path__, f"{PACKAGE}.")]
    others = sorted(name for name in imported_names(source) if not name.startswith("_typeshed"))  # no module: types
    for name in (*sorted(ours), *others, *ALSO_LOADED):
        if not name.endswith("__main__"):
            importlib.import_module(name)
    session = importlib.import_module("botocore.session").Session()
    session.create_client("s3", region_name="us-east-1", aws_access_key_id="none", aws_secret_access_key="none")  # noqa: S106


# In a Python of its own: in this one, some of the standard library's expressions are compiled already.
NOTE = """
import marshal, sys
source, packages, scripts = sys.argv[1:]
sys.path[:0] = [source, packages]
from baseten_deploy import start_file
start_file.ask_before_compiling(noting=True)
from baseten_deploy import expressions
later = expressions.expression
expressions.expression = lambda text, flags=0: later(text, flags).pattern and later(text, flags)
sys.path.append(scripts)
import pathlib, image_root
image_root.load_everything(pathlib.Path(source))
sys.stdout.buffer.write(marshal.dumps(start_file.compiled))
"""
# What Python loads before there is a start file; and for a user's regular expression, in a process that has none.
WITHOUT = """
import sys
sys.path.insert(0, sys.argv[1])
from baseten_deploy import launch, pattern_process
print(*(module.__spec__.origin for module in sys.modules.values() if module.__spec__), sep="\\n")
"""


def python(program: str, *arguments: str | Path) -> bytes:
    """Run a program in a Python of its own, and return what it printed."""
    command = [sys.executable, "-I", "-B", "-c", program, *map(str, arguments)]
    return subprocess.check_output(command)  # noqa: S603 - programs of this file


def noted_expressions(source: Path, packages: Path) -> list[tuple[str | bytes, int]]:
    """The regular expressions of all that a run may load, with their flags."""
    noted: list[tuple[str | bytes, int]] = marshal.loads(  # noqa: S302 - of the program above
        python(NOTE, source, packages, Path(__file__).parent)
    )
    return noted


def loaded_modules() -> Iterator[tuple[ModuleSpec, Path]]:
    """All modules that are loaded now, and the file that each comes from: source, or a shared object."""
    for name, module in sorted(sys.modules.items()):
        spec: ModuleSpec | None = getattr(module, "__spec__", None)
        if spec and spec.name != name:  # `collections.abc` puts another module into its own place
            parent = sys.modules.get(name.rpartition(".")[0])
            spec = PathFinder.find_spec(name, getattr(parent, "__path__", []))
        path = Path((spec and spec.origin) or "")
        if spec and path.name.endswith((".py", *EXTENSION_SUFFIXES)) and path.is_file():
            yield spec, path


def compile_to(target: Path, source: Path, at: Path) -> None:
    """Write the bytecode of `source`, which the image has at `at`, below the tree `target`."""
    bytecode = Path(f"{target}{cache_from_source(str(at))}")
    bytecode.parent.mkdir(parents=True, exist_ok=True)
    unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
    py_compile.compile(str(source), str(bytecode), str(at), doraise=True, invalidation_mode=unchecked)


class Image:
    """What becomes of the files of both trees in the image."""

    def __init__(self, root: Path, code: Path, path: Sequence[str]) -> None:
        """`path` is `sys.path` of a run there: our code comes first, and the packages last."""
        self._root, self._code, self._path = root, code, path
        self._library = Path(path[-1]).parent

    def place(self, path: Path) -> tuple[Path, Path] | None:
        """The tree that a file belongs to, and its path in the image; `None` when it will not be there."""
        for top in (self._code, self._root):
            if path.is_relative_to(top):
                return top, Path("/", path.relative_to(top))
        return (self._root, path) if path.is_relative_to(self._library) else None

    def compile(self, source: Path) -> None:
        """Put the bytecode of a source where Python looks for it."""
        if placed := self.place(source):
            top, at = placed
            compile_to(top, source, at)

    def write_start_files(self, expressions: Sequence[tuple[str | bytes, int]]) -> None:
        """One for each tree: all modules that are loaded now, and in that of the code all expressions."""
        from baseten_deploy import start_file, start_file_writer  # noqa: PLC0415 - on the path by now

        kept: dict[Path, dict[str, start_file_writer.Kept | None]] = {self._root: {}, self._code: {}}
        for spec, path in loaded_modules():
            if placed := self.place(path):
                top, at = placed
                is_source = path.suffix == ".py"
                kept[top][spec.name] = start_file_writer.Kept(
                    source=str(at),
                    bytecode=cache_from_source(str(at)) if is_source else "",
                    is_package=path.name == "__init__.py",
                    time=start_file.UNCHECKED,
                    size=start_file.UNCHECKED,
                    code=marshal.dumps(compile(path.read_bytes(), str(at), "exec", dont_inherit=True))
                    if is_source
                    else b"",
                )
        name = start_file.name_of(self._path)
        for top, folder, programs in (
            (self._root, self._path[-1], {}),
            (self._code, f"{self._path[0]}/{PACKAGE}", start_file_writer.programs_of(expressions)),
        ):
            target = Path(f"{top}{folder}", "__pycache__", name)
            target.parent.mkdir(exist_ok=True)
            start_file_writer.write(target, kept[top], programs)


def same_each_time(top: Path, seconds: int) -> None:
    """Give everything at and below `top` one time and modes that do not depend on who checked it out."""
    for path in (*sorted(top.rglob("*"), reverse=True), top):
        if not path.is_symlink():
            executable = path.is_dir() or (path.suffix == ".py" and path.read_bytes().startswith(b"#!"))
            path.chmod(0o755 if executable else 0o644)
        os.utime(path, (seconds, seconds), follow_symlinks=False)


def main(arguments: list[str]) -> int:
    """Lay out both trees; returns the exit code."""
    root, code = (Path(argument).resolve() for argument in arguments)
    source = code / "app" / "src"
    image = Image(root, code, ["/app/src", *sys.path[1:]])
    packages = Path(f"{root}{sys.path[-1]}")
    prune(packages)
    for path in sorted(packages.rglob("*.so*")):
        path.write_bytes(loaded_part(path.read_bytes()))
    sys.path[:0] = [str(source), str(packages)]
    expressions = noted_expressions(source, packages)
    load_everything(source)  # with the shared objects as they are now
    image.write_start_files(expressions)
    without = {Path(line) for line in python(WITHOUT, source).decode().splitlines() if line.endswith(".py")}
    loaded = {path for _, path in loaded_modules()}
    for path in sorted(without | ({*source.rglob("*.py")} - loaded)):
        image.compile(path)
    command = code / "usr" / "local" / "bin" / "post_entrypoint.py"  # action.yml names it: it must be on the PATH
    command.parent.mkdir(parents=True)
    command.symlink_to("/app/post_entrypoint.py")
    for top in (root, code):
        same_each_time(top, int(os.environ.get("SOURCE_DATE_EPOCH") or 0))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
