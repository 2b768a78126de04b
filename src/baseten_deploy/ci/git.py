"""What `.git` says, read without a git binary: the workspace belongs to another user, and git refuses to look at it."""

import re
from pathlib import Path


def head_commit(workspace: Path) -> str:
    """The commit that `.git/HEAD` points to, `""` when there is none."""
    for directory in (workspace, *workspace.parents):
        git = directory / ".git"
        try:
            head = (git / "HEAD").read_text(encoding="utf-8").strip()
            if head.startswith("ref: "):
                head = _resolved(git, head.removeprefix("ref: "))
        except (OSError, ValueError):
            if git.exists():
                return ""
            continue
        return head if re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", head) else ""
    return ""


def _resolved(git: Path, ref: str) -> str:
    """The commit of a ref: in a file of its own, or in `packed-refs` after `git gc`. Raises `OSError`, `ValueError`."""
    try:
        return (git / ref).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        lines = (git / "packed-refs").read_text(encoding="utf-8").splitlines()
        return next((commit for commit, _, name in (line.partition(" ") for line in lines) if name == ref), "")
