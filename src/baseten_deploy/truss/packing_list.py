"""The packing list: which files go into the archive under which name, and everything that stands in the way.

A Truss is a checkout that a pull request may have written, so a symlink is followed only to a file of the same Truss:
whatever else the runner has stays there. Rules come from `ignore_rules`; `archive` reads the content.
"""

import os
import re
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from baseten_deploy.errors import Problem

from .ignore_rules import IGNORE_FILE, UNREMARKABLE, IgnoreRules

EXECUTABLE = 0o755
PLAIN = 0o644

# Where git-annex keeps the content that its links stand for.
_ANNEX = re.compile(r"(?:^|/)\.git/(?:modules/.+/)?annex/objects/")
_REMOVE_OR_IGNORE = f"Replace it by the file itself, remove it, or add it to `{IGNORE_FILE}`."


@dataclass(frozen=True)
class PackedFile:
    """One file of the archive: `name` in it (with `/`), content, `mode` (0o755 or 0o644), `size` in bytes.

    `mtime_ns` is the source's at the time of the scan, to notice a change until it is packed; 0 for bytes.
    """

    name: str
    source: Path | bytes
    mode: int
    size: int
    mtime_ns: int = 0

    @classmethod
    def of_bytes(cls, name: str, content: bytes) -> "PackedFile":
        """A plain file whose content is in memory."""
        return cls(name, content, PLAIN, len(content))


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
    `stand_ins`. `rules` apply to names in the archive. Problems name files relative to `workspace`.
    """

    def __init__(self, rules: IgnoreRules, workspace: Path) -> None:
        self.problems: list[Problem] = []
        self.dropped: list[Dropped] = []
        self.empty: list[Path] = []
        self.annexed: list[Path] = []
        self.rules = rules
        self._workspace = workspace
        self._files: dict[str, PackedFile] = {}
        self._origins: dict[str, Path] = {}
        self._replaced: set[str] = set()

    @property
    def files(self) -> tuple[PackedFile, ...]:
        """The files, sorted by name."""
        return tuple(self._files[name] for name in sorted(self._files))

    def replace(self, file: PackedFile, origin: Path) -> None:
        """Put `file` into the list, instead of what is called so on disk; no rule ignores it."""
        self._files[file.name] = file
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
        """Add what is below `directory` as `prefix` + relative path.

        Rules `also` apply as well, to the relative path without its first `also_below` names.
        """
        pending = [""]
        while pending:
            relative = pending.pop()
            entries = self._entries(directory / relative)
            if not entries:
                self.empty.append(directory / relative)
            for entry in entries:
                is_directory = _is_directory(entry)
                below = relative + entry.name + ("/" if is_directory else "")
                name = prefix + below
                if self.ignores(name):
                    self.drop(name, Path(entry.path))
                elif also is not None and _ignores_below(also, below, also_below):
                    self.drop(name, Path(entry.path), also)
                elif is_directory and not entry.is_symlink():
                    pending.append(below)
                else:
                    self._add_file(Path(entry.path), name.removesuffix("/"), roots)

    def ignores(self, name: str) -> bool:
        """Whether the rules leave `name` out by itself; a directory's name ends with a slash."""
        return self.rules.ignores(name)

    def drop(self, name: str, path: Path, rules: IgnoreRules | None = None) -> None:
        """Note that `name` is left out, unless nobody would miss it."""
        if not UNREMARKABLE.ignores(name) and not (name.endswith("/") and _is_unremarkable(path)):
            self.dropped.append(Dropped(printable(name), rules or self.rules))

    def _add_file(self, path: Path, name: str, roots: Sequence[Path]) -> None:
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
        other = self._origins.setdefault(name, path)
        if other != path:
            self._clash(name, path, other)
            return
        mode = EXECUTABLE if found.st_mode & stat.S_IXUSR else PLAIN
        self._files[name] = PackedFile(name, source, mode, found.st_size, found.st_mtime_ns)

    def find_clashes(self) -> None:
        """Report names that are a file and, from elsewhere, a directory; each with the first file in it."""
        found = set()
        for name, path in list(self._origins.items()):
            for parent in map(str, PurePosixPath(name).parents):
                if parent in self._origins and parent not in found:
                    found.add(parent)
                    self._clash(parent, path, self._origins[parent])

    def problem(self, path: Path, message: str, remedy: str) -> None:
        """Note what is wrong with a file."""
        self.problems.append(Problem(message, remedy, relative_name(path, self._workspace)))

    def _entries(self, directory: Path) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(directory) as entries:
                return sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            self.problem(directory, f"Cannot be read: {error.strerror}", "Change its mode or owner before this step.")
            return []

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
    return relative_name(file.source, workspace) if isinstance(file.source, Path) else file.name


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


def _ignores_below(rules: IgnoreRules, path: str, depth: int) -> bool:
    """Whether rules ignore `path` without its first `depth` names; they know nothing of those."""
    parts = path.split("/", depth)
    return len(parts) > depth and parts[depth] != "" and rules.ignores(parts[depth])


def _is_unremarkable(directory: Path) -> bool:
    """Whether nobody misses the directory: a virtual environment, or empty."""
    try:
        names = {path.name for path in directory.iterdir()}
    except OSError:
        return True
    return not names or "pyvenv.cfg" in names or "conda-meta" in names
