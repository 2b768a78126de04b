"""Reads what a Truss says about itself, and no more of it than such a file can have: its size bounds memory and time.

What may be read at all (links, what is outside) is for the caller.
"""

import os
import stat
from pathlib import Path


class TooLarge(Exception):
    """The file is larger than its limit; `str()` of it says so, in words for people."""


def read_within(path: Path, limit: int) -> bytes:
    """The content of a regular file of at most `limit` bytes. Raises `TooLarge` and `OSError`.

    What was opened is looked at: a FIFO or a device that has taken the file's place is neither waited for nor read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(0, "it is no regular file")
        content = b"" if found.st_size > limit else file.read(limit + 1)
    if found.st_size > limit or len(content) > limit:
        raise TooLarge(f"Larger than {limit // 1024 // 1024} MiB, so it is not read")
    return content
