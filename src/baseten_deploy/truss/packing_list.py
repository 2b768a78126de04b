"""The packing list: which files go into the archive under which name, and everything that stands in the way.

A Truss is a checkout that a pull request may have written, so a symlink is followed only to a file of the same Truss:
whatever else the runner has stays there. Rules come from `ignore_rules`; `archive` reads the content.
"""

import os
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from baseten_deploy.errors import Problem
from baseten_deploy.expressions import expression
from baseten_deploy.records import dataclass

from .first_bytes import FIRST_BYTES, TEXT_BYTES, is_text
from .ignore_rules import IGNORE_FILE, UNREMARKABLE, IgnoreRules
from .packed_file import EXECUTABLE, PLAIN, PackedFile

# Where git-annex keeps the content that its links stand for.
_ANNEX = expression(r"(?:^|/)\.git/(?:modules/.+/)?annex/objects/")
# Files up to this size are read whole when they are listed, and larger ones as far as their beginning is looked at.
_WHOLE_BYTES = 4096
# Memory for all of that, and what Python adds to each. Beyond it, they are read again when it is their turn.
ROOM_BYTES = 16 * 1024 * 1024
_OVERHEAD_BYTES = 48
# What has taken a file's place since its directory was listed is neither followed nor waited for.
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_REMOVE_OR_IGNORE = f"Replace it by the file itself, remove it, or add it to `{IGNORE_FILE}`."


@dataclass(frozen=True)
class Dropped:
    """Something that rules left out: a file's name or a directory's with a slash, and the rules."""

    name: str
    rules: IgnoreRules


class Refused(Exception):
    """Why a path cannot be packed."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


def regular_file(path: Path, roots: Sequence[Path]) -> tuple[Path, os.stat_result]:
    """Where the content of `path` is, and its status: a readable file, or a symlink to one below one of `roots`.

    Raises `Refused`. `roots` are resolved.
    """
    try:
        found = path.lstat()
        if not stat.S_ISLNK(found.st_mode):
            return _readable(path, found)
        target = Path(os.path.realpath(path, strict=True))
        found = target.stat()
    except OSError as error:
        raise Refused(*_why_unusable(path, error)) from None
    root = next((root for root in roots if target.is_relative_to(root)), None)
    link = printable(path.readlink())
    if root is None:
        raise Refused(f"A symlink to `{link}`, which is outside of the Truss", _REMOVE_OR_IGNORE)
    if ".git" in target.relative_to(root).parts:
        raise Refused(f"A symlink to `{link}`, into `.git`, where CI checkouts keep a token", _REMOVE_OR_IGNORE)
    if stat.S_ISDIR(found.st_mode):
        raise Refused(f"A symlink to the directory `{link}`", _REMOVE_OR_IGNORE)
    return _readable(target, found)


def _readable(path: Path, found: os.stat_result) -> tuple[Path, os.stat_result]:
    if not stat.S_ISREG(found.st_mode):
        raise Refused(f"{_kind(found.st_mode)}, which an archive cannot hold", _REMOVE_OR_IGNORE)
    if not os.access(path, os.R_OK, effective_ids=os.access in os.supports_effective_ids):
        raise Refused("Cannot be read: Permission denied", "Change its mode or owner before this step.")
    return path, found


def _kind(mode: int) -> str:
    if stat.S_ISFIFO(mode):
        return "A FIFO"
    if stat.S_ISSOCK(mode):
        return "A socket"
    return "A directory" if stat.S_ISDIR(mode) else "A device"


def _why_unusable(path: Path, error: OSError) -> tuple[str, str]:
    if not path.is_symlink():
        return f"Cannot be read: {error.strerror}", ""
    link = printable(path.readlink())
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return f"A broken symlink to `{link}`", _REMOVE_OR_IGNORE
    return f"A symlink to `{link}` that cannot be followed: {error.strerror}", _REMOVE_OR_IGNORE


class PackingList:
    """Collects files by name, as `truss push` walks a Truss, and with them problems and what was dropped.

    `empty` are the directories in which there is nothing, `annexed` the links of git-annex: what to say of them is for
    `stand_ins`. `rules` apply to names in the archive. Problems name files relative to `workspace`. In `room` bytes the
    content of small files is kept, and the beginning of others.
    """

    def __init__(self, rules: IgnoreRules, workspace: Path, *, room: int = ROOM_BYTES) -> None:
        self.problems: list[Problem] = []
        self.dropped: list[Dropped] = []
        self.empty: list[Path] = []
        self.annexed: list[Path] = []
        self.rules = rules
        self._workspace = workspace
        self._files: dict[str, PackedFile] = {}
        self._sorted: tuple[PackedFile, ...] | None = None
        self._origins: dict[str, Path] = {}  # of those whose content is elsewhere
        self._replaced: set[str] = set()
        self._closed: list[tuple[Path, str]] = []  # directories, and why they cannot be read
        self._room = room

    @property
    def files(self) -> tuple[PackedFile, ...]:
        """The files, sorted by name."""
        if self._sorted is None or len(self._sorted) != len(self._files):
            self._sorted = tuple(self._files[name] for name in sorted(self._files))
        return self._sorted

    @property
    def by_name(self) -> Mapping[str, PackedFile]:
        """The files by their names."""
        return self._files

    def replace(self, file: PackedFile, origin: Path) -> None:
        """Put `file` into the list, instead of what is called so on disk; no rule ignores it."""
        self._files[file.name] = file
        self._sorted = None
        self._origins[file.name] = origin
        self._replaced.add(file.name)

    def add_tree(
        self,
        directory: Path,
        roots: Sequence[Path],
        *,
        prefix: str = "",
        also: IgnoreRules | None = None,
        also_below: int = 0,
    ) -> None:
        """Add what is below `directory` as `prefix` + relative path, sorted by name.

        Rules `also` apply as well, to the relative path without its first `also_below` names. Only names that a pattern
        may match are asked about, and all names below a directory that one did match.
        """
        top = os.path.join(directory, "")  # noqa: PTH118 - text: there may be hundreds of thousands of names
        passes = self.rules.sieve.lets_through
        also_passes = also.sieve.lets_through if also is not None else None
        around = [prefix[:end] for end, character in enumerate(prefix, 1) if character == "/"]
        touched = any(map(self.rules.touches, around))
        walk = [("", touched, iter(self._entries(top)))]
        while walk:
            relative, touched, entries = walk[-1]
            folder = top + relative
            for entry, is_directory in entries:
                last = entry.name
                below = f"{relative}{last}/" if is_directory else relative + last
                name = prefix + below
                doubtful = touched or not passes(last, name)
                doubtful = doubtful or (also_passes is not None and not also_passes(last, name))
                if doubtful and (ignored_by := self._ignoring(name, below, also, also_below)) is not None:
                    self.drop(name, Path(folder + last), ignored_by)
                elif not is_directory:
                    self._add_file(folder, last, name, roots)
                elif entry.is_symlink():
                    self._add_special(Path(folder + last), name[:-1], roots)
                else:
                    inside = doubtful and self._touched(name, below, also, also_below)
                    walk.append((below, inside, iter(self._entries(top + below))))
                    break
            else:
                walk.pop()
        while self._closed:
            self.problem(*self._closed.pop(0), "Change its mode or owner before this step.")

    def _ignoring(self, name: str, below: str, also: IgnoreRules | None, also_below: int) -> IgnoreRules | None:
        """The rules that leave a path out, `None` when none do."""
        if self.ignores(name):
            return self.rules
        return also if also is not None and _ask_below(also.ignores, below, also_below) else None

    def _touched(self, name: str, below: str, also: IgnoreRules | None, also_below: int) -> bool:
        """Whether a pattern matches a directory that is not ignored: a later one lets it through."""
        return self.rules.touches(name) or (also is not None and _ask_below(also.touches, below, also_below))

    def ignores(self, name: str) -> bool:
        """Whether the rules leave `name` out by itself; a directory's name ends with a slash."""
        return self.rules.ignores(name)

    def drop(self, name: str, path: Path, rules: IgnoreRules | None = None) -> None:
        """Note that `name` is left out, unless nobody would miss it."""
        if not UNREMARKABLE.ignores(name) and not (name.endswith("/") and _is_unremarkable(path)):
            self.dropped.append(Dropped(printable(name), rules or self.rules))

    def _add_file(self, folder: str, last: str, name: str, roots: Sequence[Path]) -> None:
        """Add a file of `folder` (with a slash): opened once, which also proves that it can be read.

        What is no plain file, or has any other peculiarity, is `_add_special`.
        """
        try:
            descriptor = os.open(folder + last, _FLAGS)
        except OSError:
            self._add_special(Path(folder + last), name, roots)
            return
        try:
            found = os.fstat(descriptor)
            beginning = self._beginning(descriptor, name, found.st_size)
        except OSError:
            beginning = b""
        finally:
            os.close(descriptor)
        if not stat.S_ISREG(found.st_mode) or name in self._files or not (name.isascii() or _is_utf8(name)):
            self._add_special(Path(folder + last), name, roots)
            return
        mode = EXECUTABLE if found.st_mode & stat.S_IXUSR else PLAIN
        self._files[name] = PackedFile(name, folder, mode, found.st_size, found.st_mtime_ns, beginning)

    def _beginning(self, descriptor: int, name: str, size: int) -> bytes:
        """What is read of a file right away, as long as there is room: it is looked at, and a small one is packed."""
        wanted = size if size <= _WHOLE_BYTES else FIRST_BYTES if size <= TEXT_BYTES and is_text(name) else 0
        if not wanted or self._room < wanted + _OVERHEAD_BYTES:
            return b""
        self._room -= wanted + _OVERHEAD_BYTES
        return os.read(descriptor, wanted)

    def _add_special(self, path: Path, name: str, roots: Sequence[Path]) -> None:
        if name in self._replaced:
            return
        try:
            source, found = regular_file(path, roots)
            name.encode()
        except Refused as refused:
            if path.is_symlink() and _ANNEX.search(str(path.readlink())):
                self.annexed.append(path)
            else:
                self.problem(path, refused.message, refused.remedy)
            return
        except UnicodeEncodeError:
            self.problem(path, "The name is not UTF-8", f"Rename it or add it to `{IGNORE_FILE}`.")
            return
        if name in self._files:
            if (other := self._origin(name)) != path:
                self._clash(name, path, other)
            return
        mode = EXECUTABLE if found.st_mode & stat.S_IXUSR else PLAIN
        self._files[name] = PackedFile(name, source, mode, found.st_size, found.st_mtime_ns)
        if source != path:
            self._origins[name] = path

    def _origin(self, name: str) -> Path:
        """Where a file of the list was found, which is not where its content is when it is a link."""
        return self._origins.get(name) or Path(self._files[name].path)

    def find_clashes(self) -> None:
        """Report names that are a file and, from elsewhere, a directory; each with the first file in it."""
        found = set()
        for name in list(self._files):
            for parent in map(str, PurePosixPath(name).parents):
                if parent in self._files and parent not in found:
                    found.add(parent)
                    self._clash(parent, self._origin(name), self._origin(parent))

    def problem(self, path: Path, message: str, remedy: str) -> None:
        """Note what is wrong with a file."""
        self.problems.append(Problem(message, remedy, relative_name(path, self._workspace)))

    def _entries(self, folder: str) -> list[tuple[os.DirEntry[str], bool]]:
        """What is in `folder` (with a slash), and which of it are directories, in the order of names in the archive."""
        try:
            with os.scandir(folder) as entries:
                found = [(entry, _is_directory(entry)) for entry in entries]
        except OSError as error:
            self._closed.append((Path(folder), f"Cannot be read: {error.strerror}"))
            found = []
        if not found:
            self.empty.append(Path(folder))
        found.sort(key=lambda each: f"{each[0].name}/" if each[1] else each[0].name)
        return found

    def _clash(self, name: str, path: Path, other: Path) -> None:
        first, second = sorted(relative_name(each, self._workspace) for each in (path, other))
        self.problems.append(
            Problem(
                f"`{name}` is in the archive twice: from `{first}` and from `{second}`",
                "Rename one of them; `external_package_dirs` are merged into one directory.",
                second,
            )
        )


def relative_name(path: Path, workspace: Path) -> str:
    """`path` as annotations want it: relative to the workspace where that is possible."""
    return printable(path.relative_to(workspace) if path.is_relative_to(workspace) else path)


def shown(file: PackedFile, workspace: Path) -> str:
    """The file for annotations: where its content is."""
    return relative_name(Path(file.path), workspace) if file.path else file.name


def printable(path: Path | str) -> str:
    """`path` as text that can be written anywhere: bytes that are not UTF-8 are escaped."""
    return str(path).encode(errors="backslashreplace").decode()


def listed(names: Iterable[str], limit: int = 5) -> str:
    """Names for a message: the first few, and how many more there are."""
    names = list(names)
    shown = ", ".join(f"`{name}`" for name in names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"


def _is_directory(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a symlink loop
        return False


def _ask_below(ask: Callable[[str], bool], path: str, depth: int) -> bool:
    """What rules say of `path` without its first `depth` names; they know nothing of those."""
    parts = path.split("/", depth)
    return len(parts) > depth and parts[depth] != "" and ask(parts[depth])


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_unremarkable(directory: Path) -> bool:
    """Whether nobody misses the directory: a virtual environment, or empty."""
    try:
        names = {path.name for path in directory.iterdir()}
    except OSError:
        return True
    return not names or "pyvenv.cfg" in names or "conda-meta" in names
