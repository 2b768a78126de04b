"""What `.git` says, read without a git binary: the workspace belongs to another user, and git refuses to look at it.

Nothing in `.git` leads anywhere else: no link, no `gitdir:` out of the workspace is followed. Spec:
gitrepository-layout, and for a commit's parents the format of loose objects.
"""

import re
import zlib
from dataclasses import dataclass
from pathlib import Path

from .regular_files import read_regular

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_MERGE_REF = re.compile(r"refs/remotes/pull/([0-9]+)/merge")
_NAME_BYTES = 4096  # of a file that holds one name
_PACKED_BYTES = 64 * 1024 * 1024  # of `packed-refs`: half a million refs
_COMMIT_BYTES = 64 * 1024
_PULLS = 1000  # `actions/checkout` keeps one
_SYMBOLIC = 5  # refs that name refs, as many as git follows


@dataclass(frozen=True)
class Head:
    """What is checked out. `branch` is the ref that `HEAD` names, `""` when it is detached.

    `merged` is the pull request's head when the commit is one of those that GitHub makes to merge it into its base, and
    `is_merge` says that it is one even when its object cannot be read.
    """

    commit: str
    branch: str = ""
    is_merge: bool = False
    merged: str = ""


def read_head(directory: Path, top: Path | None = None) -> Head | None:
    """What the checkout that has `directory` is at, `None` when there is none or it does not tell.

    It is looked for up to `top`, without one up to the root. A submodule is no checkout of its own: the commit of the
    repository around it names its too.
    """
    for folder in (directory, *directory.parents):
        git, limit = folder / ".git", top or folder
        try:
            if git.is_dir() or (git.is_file() and "/modules/" not in _gitdir(git, limit)):
                return _Repository(git, limit).head()
        except (OSError, ValueError):
            return None
        if folder == top:
            break
    return None


class _Repository:
    """One `.git`, a directory or a file that names one below `top`. Raises `OSError`, `ValueError`."""

    def __init__(self, git: Path, top: Path) -> None:
        self._own = git
        if git.is_file():
            self._own = _named(git, _gitdir(git, top), top)
        common = self._own / "commondir"  # of a worktree: where it shares branches and objects with the others
        self._common = self._own
        if common.exists():
            self._common = _named(self._own / "HEAD", _line(common, self._own), top)
        if not _is_below(self._own, top):
            raise ValueError(f"{git} leads out of {top}")

    def head(self) -> Head | None:
        """The commit and branch of `HEAD`."""
        commit, branch = _line(self._own / "HEAD", self._own), ""
        for _ in range(_SYMBOLIC):
            if not commit.startswith("ref: "):
                break
            name = commit.removeprefix("ref: ").strip()
            branch = branch or name
            commit = self._resolved(name)
        if not _COMMIT.fullmatch(commit):
            return None
        is_merge, merged = self._merge(commit)
        return Head(commit, branch, is_merge, merged)

    def _resolved(self, ref: str) -> str:
        """What a ref holds: in a file of its own, or in `packed-refs` after `git gc`."""
        if not ref.startswith("refs/") or ".." in ref or not ref.isprintable():
            raise ValueError(f"{ref!r} is no ref")
        for root in dict.fromkeys((self._own, self._common)):
            if (root / ref).is_file():
                return _line(root / ref, root)
        return next((commit for commit, name in self._packed() if name == ref), "")

    def _packed(self) -> list[tuple[str, str]]:
        try:
            text = read_regular(self._common / "packed-refs", self._common, _PACKED_BYTES).decode()
        except FileNotFoundError:
            return []
        return [(commit, name) for commit, _, name in (line.partition(" ") for line in text.splitlines())]

    def _merge(self, commit: str) -> tuple[bool, str]:
        """Whether a commit is GitHub's merge of a pull request, and that one's head.

        Its message is "Merge HEAD into BASE". `actions/checkout` keeps it below `refs/remotes/pull`.
        """
        text = self._object(commit)
        parents = re.findall(r"^parent ([0-9a-f]+)$", text.partition("\n\n")[0], re.MULTILINE)
        if len(parents) == 2 and text.partition("\n\n")[2].startswith(f"Merge {parents[1]} into "):
            return True, parents[1]
        return any(found == commit for found in self._merge_refs()), ""

    def _merge_refs(self) -> list[str]:
        found = [commit for commit, name in self._packed() if _MERGE_REF.fullmatch(name)]
        pulls = self._common / "refs" / "remotes" / "pull"
        if pulls.is_dir() and _is_below(pulls, self._common):
            merges = [path / "merge" for path in sorted(pulls.iterdir())[:_PULLS]]
            found += [_line(merge, self._common) for merge in merges if merge.is_file()]
        return found

    def _object(self, commit: str) -> str:
        """The text of a commit that is an object by itself, `""` for one in a pack."""
        path = self._common / "objects" / commit[:2] / commit[2:]
        try:
            data = zlib.decompressobj().decompress(read_regular(path, self._common, _COMMIT_BYTES), _COMMIT_BYTES)
        except (OSError, ValueError, zlib.error):
            return ""
        kind, _, text = data.partition(b"\0")
        return text.decode("utf-8", "replace") if kind.startswith(b"commit ") else ""


def _gitdir(git: Path, top: Path) -> str:
    text = _line(git, top)
    if not text.startswith("gitdir: "):
        raise ValueError(f"{git} names no directory")
    return text.removeprefix("gitdir: ").strip()


def _named(file: Path, name: str, top: Path) -> Path:
    """The directory that `file` names, absolute or relative to its own folder; it must be below `top`."""
    path = (file.parent / name).resolve()
    if not _is_below(path, top):
        raise ValueError(f"{file} leads out of {top}")
    return path


def _is_below(path: Path, top: Path) -> bool:
    return path.resolve().is_relative_to(top.resolve())


def _line(path: Path, root: Path) -> str:
    return read_regular(path, root, _NAME_BYTES).decode().strip()
