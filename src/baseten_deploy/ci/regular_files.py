"""Files that somebody else named: opened only where they are files, read only as far as is needed.

A pipe would hang the run, a device never end, a link lead out to what is none of our business.
"""

import os
import stat
from pathlib import Path
from typing import BinaryIO

# Opening a pipe that nobody writes to would wait for ever.
_FLAGS = os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_NOFOLLOW", 0)
_MEMORY_DEVICES = 1  # `/dev/null` and its like: who names one means it


def read_regular(path: str | Path, root: Path, limit: int) -> bytes:
    """The content of a file that is really below `root`, wherever links lead.

    Raises `OSError` for what cannot be read or is no file, `ValueError` above `limit` bytes or outside of `root`.
    """
    with open_regular(path, root) as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise ValueError(f"{path} has more than {limit} bytes")
    return data


def open_regular(path: str | Path, root: Path) -> BinaryIO:
    """A file to read pieces of, that is really below `root`. Raises as `read_regular` does."""
    real = Path(os.path.realpath(path))
    if not real.is_relative_to(os.path.realpath(root)):
        raise ValueError(f"{path} leads out of {root}")
    file = _opened(real, os.O_RDONLY, "rb")
    if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        return file
    file.close()
    raise ValueError(f"{path} is no file")


def open_to_append(path: str | Path) -> BinaryIO:
    """A file to append to, made if it is missing; a link may only lead to its own folder.

    `/dev/null` is taken as well: it is how a file is switched off. Raises `OSError`, `ValueError`.
    """
    real = Path(os.path.realpath(path))
    if not real.is_relative_to(os.path.realpath(Path(path).parent)):
        raise ValueError("it is a link to somewhere else")
    file = _opened(real, os.O_WRONLY | os.O_APPEND | os.O_CREAT, "ab")
    status = os.fstat(file.fileno())
    if stat.S_ISREG(status.st_mode) or (
        stat.S_ISCHR(status.st_mode) and os.major(status.st_rdev) == _MEMORY_DEVICES and not file.isatty()
    ):
        return file
    file.close()
    raise ValueError("it is no file")


def _opened(path: Path, flags: int, mode: str) -> BinaryIO:
    descriptor = os.open(path, flags | _FLAGS, 0o666)
    try:
        return os.fdopen(descriptor, mode)  # type: ignore[return-value] # of a binary mode, which its type does not tell
    except BaseException:
        os.close(descriptor)
        raise
