"""The tar stream, in blocks of one size: which files are in which block. Spec: POSIX ustar, pax where needed.

Nothing depends on the machine: names sorted, owner 0, no times.
"""

import tarfile
import zlib
from collections.abc import Iterable, Iterator
from functools import cache

from baseten_deploy.records import dataclass
from baseten_deploy.truss.packed_file import PackedFile

from .reading import BLOCK_BYTES  # what a block costs (a future) and lacks (the text before it) does not show

# What a ustar header has room for: 11 octal digits.
_USTAR_BYTES = 8**11


@dataclass(frozen=True)
class Block:
    """`size` bytes of the tar stream: all or parts of the entries of `files`, one after the other.

    The first entry begins at `start`, which is negative when it began in an earlier block.
    """

    files: tuple[PackedFile, ...]
    start: int
    size: int


def blocks(files: Iterable[PackedFile]) -> Iterator[Block]:
    """The tar stream of `files` in blocks of `BLOCK_BYTES`; only the last one has another size."""
    inside: list[PackedFile] = []
    start = position = total = 0
    for file in files:
        if not inside:
            start = position
        inside.append(file)
        size = header_bytes(file) + padded(file.size)
        total += size
        position += size
        while position >= BLOCK_BYTES:
            yield Block(tuple(inside), start, BLOCK_BYTES)
            position -= BLOCK_BYTES
            start = position - size
            inside = [file] if position else []
    # Two empty records end a tar; tools expect its size to be a multiple of 10 240.
    end = 2 * tarfile.BLOCKSIZE
    end += -(total + end) % tarfile.RECORDSIZE
    yield Block(tuple(inside), start, position + end)


def padded(size: int) -> int:
    """A size of content in whole records."""
    return size + -size % tarfile.BLOCKSIZE


def header_bytes(file: PackedFile) -> int:
    """The size of a file's header in bytes."""
    return tarfile.BLOCKSIZE if _is_plain(file) else len(header(file))


def header(file: PackedFile) -> bytes:
    """A plain file of user 0 at time 0. Almost always tarfile's own header with another name, size and checksum.

    A checkout has thousands of files, and to make each header anew took a third of the time to pack them.
    """
    if not _is_plain(file):
        return _new_header(file.name, file.mode, file.size)
    name = file.name.encode()
    owner, time, rest, checksum = _template(file.mode)
    size = b"%011o" % file.size
    # The lower half of Adler-32 is one more than the sum of so few bytes; Python's `sum` makes a number of each.
    checksum += (zlib.adler32(name) & 0xFFFF) - 1 + (zlib.adler32(size) & 0xFFFF) - 1
    return b"".join((name.ljust(tarfile.LENGTH_NAME, b"\0"), owner, size, time, b"%06o\0 " % checksum, rest))


def _is_plain(file: PackedFile) -> bool:
    name = file.name
    return len(name) <= tarfile.LENGTH_NAME and name.isascii() and file.size < _USTAR_BYTES


@cache
def _template(mode: int) -> tuple[bytes, bytes, bytes, int]:
    """What stands between name and size, between size and checksum, and after it; and the checksum of that alone."""
    header = _new_header("", mode, 0)
    parts = header[100:124], header[135:148], header[156:]
    return *parts, sum(map(sum, parts)) + sum(b" " * 8)


def _new_header(name: str, mode: int, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.mode = mode
    info.size = size
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8")
