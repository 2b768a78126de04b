"""Files that a checks file names: payloads and schemas. Read from the workspace, and never from outside of it."""

import os
import stat
from pathlib import Path

from baseten_deploy.expressions import expression

PAYLOAD_BYTES = 64 * 1024 * 1024
TEXT_BYTES = 1024 * 1024

# Spec: Git LFS, "The Pointer". A text that only quotes one has more around it.
_LFS_POINTER = expression(
    rb"version https://git-lfs\.github\.com/spec/v1\n(?:ext-\d-\S+ \S+\n)*oid sha256:([0-9a-f]{64})\nsize (\d+)\n?"
)
_LFS_BYTES = 1024


class Unusable(ValueError):
    """Why a file cannot be used: what is wrong, and what to do about it."""

    def __init__(self, message: str, remedy: str) -> None:
        self.message = message
        self.remedy = remedy
        super().__init__(message)


def read_fixture(name: str, beside: Path, workspace: Path, limit: int) -> bytes:
    """The bytes of the file `name` in the directory `beside`, at most `limit`. Raises `Unusable`."""
    path = resolve_inside(name, beside, workspace)
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a FIFO would wait for its writer
        try:
            facts = os.fstat(file)
            if not stat.S_ISREG(facts.st_mode):
                raise Unusable(f"{name!r} is not a regular file", "Name a file.")
            if facts.st_size > limit:
                raise Unusable(f"{name!r} has more than {limit // 2**20} MiB", "Use a smaller file.")
            with os.fdopen(os.dup(file), "rb") as stream:
                data = stream.read(limit + 1)
        finally:
            os.close(file)
    except FileNotFoundError:
        raise Unusable(f"there is no file {name!r}", "It is looked for beside the checks file.") from None
    except OSError as error:
        raise Unusable(f"{name!r} cannot be read: {error.strerror}", "Correct the name or the file's mode.") from None
    if len(data) > limit:
        raise Unusable(f"{name!r} has more than {limit // 2**20} MiB", "Use a smaller file.")
    if is_lfs_pointer(data):
        raise Unusable(
            f"{name!r} is a Git LFS pointer, not the file that it stands for",
            "Set `lfs: true` in the `with:` of `actions/checkout`; elsewhere run `git lfs pull` before this step.",
        )
    return data


def resolve_inside(name: str, directory: Path, workspace: Path) -> Path:
    """`name` in a directory, symbolic links followed. Raises `Unusable` when that is not within the workspace."""
    try:
        path = Path(os.path.realpath(directory / name))
    except (OSError, ValueError):  # a NUL
        raise Unusable(f"{name!r} is no name of a file", "Correct it.") from None
    if not path.is_relative_to(workspace):
        raise Unusable(f"{name!r} is outside of the workspace", "Put the file into the repository.")
    return path


def is_lfs_pointer(data: bytes) -> bool:
    """Whether these bytes are a Git LFS pointer and nothing else."""
    return len(data) <= _LFS_BYTES and _LFS_POINTER.fullmatch(data) is not None
