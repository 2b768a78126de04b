"""The first bytes of packed files, and only where somebody may find something: mostly they were read by the walk.

A Truss may have thousands of files, so the system is asked itself, and large files and those of data are left alone.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from .packed_file import PackedFile

# As much as is read of a file.
FIRST_BYTES = 2048
# Files up to this size are read whatever they are called: pointers of Git LFS are no larger.
SMALL = 1024
# Larger ones, up to this size, when text that a person wrote is likely in them.
TEXT_BYTES = 64 * 1024
_TEXT = frozenset(
    (
        *(".cfg", ".cnf", ".conf", ".config", ".dvc", ".env", ".ini", ".json", ".key", ".md", ".p8", ".pem", ".pk8"),
        *(".properties", ".py", ".rst", ".sh", ".toml", ".txt", ".yaml", ".yml"),
    )
)
# What has taken a file's place since the walk is neither followed nor waited for.
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


def first_bytes(files: Iterable[PackedFile]) -> Iterator[tuple[PackedFile, bytes]]:
    """The files that are worth a look, with their content's beginning."""
    for file in files:
        if file.size and (file.size <= SMALL or (file.size <= TEXT_BYTES and is_text(file.name))):
            wanted = min(file.size, FIRST_BYTES)
            yield file, (file.beginning or read_first(file.source, wanted))[:wanted]


def read_first(source: Path | bytes, length: int = FIRST_BYTES) -> bytes:
    """At most so many bytes from the beginning of a file; none of what cannot be read, which others report."""
    if isinstance(source, bytes):
        return source[:length]
    try:
        descriptor = os.open(source, _FLAGS)
    except OSError:
        return b""
    try:
        return os.read(descriptor, length)
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def is_text(name: str) -> bool:
    """Whether a file of this name is likely text that a person wrote."""
    base = name[name.rfind("/") + 1 :]
    dot = base.rfind(".")
    return dot < 1 or base[dot:] in _TEXT or base[0] == "."
