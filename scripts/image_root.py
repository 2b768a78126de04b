"""Lays out what the image adds to its base: packages and code, small, with bytecode, and the same bytes each time.

    PYTHONHASHSEED=0 python -s -B image_root.py ROOT CODE

The Dockerfile's build stage runs it. ROOT/usr/local/lib/python3.x/site-packages is what `pip install` made; CODE is
entrypoint.py, post_entrypoint.py and src/. Afterwards ROOT and CODE are what the image's two layers hold:

- **Small.** Left out is what no run reads: tests, type stubs, AWS services other than S3, wheels' own lists of files.
  Shared objects end where the part that is loaded ends: symbols for a debugger are 85 % of PyYAML's.
- **Bytecode of what a run loads**, the standard library's included, of which the base image has none: compiling it
  costs a run 0.6 s. Unchecked hashes, so that no file's time matters. What no run loads is left as source.
- **The same bytes each time.** One time (`SOURCE_DATE_EPOCH`, or 0), one owner, modes 0644 and 0755, sorted work.
  `PYTHONHASHSEED` because a constant set is written in its order.

What is installed is the lock file's business, what the image starts the Dockerfile's.
"""

import ast
import importlib.util
import os
import pkgutil
import py_compile
import shutil
import struct
import sys
from collections.abc import Iterator
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


def loaded_files() -> Iterator[Path]:
    """The source files of all modules that are loaded now."""
    for _, module in sorted(sys.modules.items()):
        origin = getattr(getattr(module, "__spec__", None), "origin", None) or ""
        if origin.endswith(".py") and Path(origin).is_file():
            yield Path(origin)


def compile_into(root: Path, source: Path, at: Path) -> None:
    """Write the bytecode of `source`, which the image has at `at`, to its place below `root`."""
    target = root / at.parent.relative_to("/") / "__pycache__" / f"{at.stem}.{sys.implementation.cache_tag}.pyc"
    target.parent.mkdir(parents=True, exist_ok=True)
    unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
    py_compile.compile(str(source), str(target), str(at), doraise=True, invalidation_mode=unchecked)


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
    library = Path("/usr/local/lib", f"python{sys.version_info.major}.{sys.version_info.minor}")
    packages = root / library.relative_to("/") / "site-packages"
    source = code / "app" / "src"
    prune(packages)
    for path in sorted(packages.rglob("*.so*")):
        path.write_bytes(loaded_part(path.read_bytes()))
    sys.path[:0] = [str(source), str(packages)]
    load_everything(source)  # with the shared objects as they are now
    for path in sorted({*loaded_files(), *source.rglob("*.py")}):
        for top in (code, root):
            if path.is_relative_to(top):
                compile_into(top, path, Path("/") / path.relative_to(top))
                break
        else:
            if path.is_relative_to(library):
                compile_into(root, path, path)
    command = code / "usr" / "local" / "bin" / "post_entrypoint.py"  # action.yml names it: it must be on the PATH
    command.parent.mkdir(parents=True)
    command.symlink_to("/app/post_entrypoint.py")
    for top in (root, code):
        same_each_time(top, int(os.environ.get("SOURCE_DATE_EPOCH") or 0))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
