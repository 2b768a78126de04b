"""What `.git` says, read without a git binary: the workspace belongs to another user, and git refuses to look at it.

Nothing in `.git` leads anywhere else: no link, no `gitdir:` out of the workspace is followed. Spec:
gitrepository-layout, and for a commit's parents the format of loose objects. Those in packs are read by `pack`.
"""

import re
import zlib
from dataclasses import field
from pathlib import Path

from baseten_deploy.expressions import expression
from baseten_deploy.records import dataclass

from .pack import COMMIT_BYTES, commit_in_packs
from .regular_files import read_regular

_COMMIT = expression(r"[0-9a-f]{40}|[0-9a-f]{64}")
_MERGE_REF = expression(r"refs/remotes/pull/([0-9]+)/merge")
_NAME_BYTES = 4096  # of a file that holds one name
_PACKED_BYTES = 64 * 1024 * 1024  # of `packed-refs`: half a million refs
_PULLS = 1000  # `actions/checkout` keeps one
_SYMBOLIC = 5  # refs that name refs, as many as git follows


@dataclass(frozen=True)
class Head:
    """What is checked out. `branch` is the ref that `HEAD` names, `""` when it is detached.

    `merged` is the pull request's head when the commit is one of those that GitHub makes to merge it into its base, and
    `is_merge` says that it is one even when its object cannot be read. `written`: it was read, and somebody wrote it.
    """

    commit: str
    branch: str = ""
    is_merge: bool = False
    merged: str = ""
    written: bool = field(default=False, compare=False)


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
        text = self._object(commit)
        merged = _merged(text)
        is_merge = bool(merged) or commit in self._merge_refs()
        return Head(commit, branch, is_merge, merged, written=bool(text) and not is_merge)

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

    def _merge_refs(self) -> list[str]:
        """The merges of pull requests that `actions/checkout` keeps below `refs/remotes/pull`."""
        found = [commit for commit, name in self._packed() if _MERGE_REF.fullmatch(name)]
        pulls = self._common / "refs" / "remotes" / "pull"
        if pulls.is_dir() and _is_below(pulls, self._common):
            merges = [path / "merge" for path in sorted(pulls.iterdir())[:_PULLS]]
            found += [_line(merge, self._common) for merge in merges if merge.is_file()]
        return found

    def _object(self, commit: str) -> str:
        """The text of a commit, in an object by itself or in a pack, `""` where it cannot be read."""
        objects = self._common / "objects"
        if not _is_below(objects, self._common):
            return ""
        try:
            loose = read_regular(objects / commit[:2] / commit[2:], objects, COMMIT_BYTES)
            data = zlib.decompressobj().decompress(loose, COMMIT_BYTES)
        except FileNotFoundError:
            return commit_in_packs(commit, objects)
        except (OSError, ValueError, zlib.error):
            return ""
        kind, _, text = data.partition(b"\0")
        return text.decode("utf-8", "replace") if kind.startswith(b"commit ") else ""


def _merged(text: str) -> str:
    """The pull request's head, of GitHub's merge of one ("Merge HEAD into BASE"); `""` for any other commit."""
    head, _, message = text.partition("\n\n")
    parents = re.findall(r"^parent ([0-9a-f]+)$", head, re.MULTILINE)
    return parents[1] if len(parents) == 2 and message.startswith(f"Merge {parents[1]} into ") else ""


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
