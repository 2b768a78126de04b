"""The archive: a gzipped tar that is packed while it is read, and ahead of that.

The tar stream is cut into blocks that threads read from disk and compress, each for itself; what they make is one gzip
member, the same for any number of threads. Nothing depends on the machine: names sorted, owner 0, no times. Which files
there are is `truss.packing_list`.
"""

import hashlib
import struct
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache

from baseten_deploy.truss.packing_list import PackedFile

from . import reading
from .deflate import crc32, crc32_combine, deflate, end
from .read_ahead import Ahead
from .reading import BLOCK_BYTES  # what a block costs (a future) and lacks (the text before it) does not show

# Weights lose a sixth or nothing: they are sent as fast as they are compressed, and compressing takes the processor.
_WORTH_IT = 0.8
_SAMPLES, _SAMPLE_BYTES = 4, 8 * 1024
_STORED_BYTES = 0xFFFF
# RFC 1952: no name, no time, unknown system.
_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
# What a ustar header has room for: 11 octal digits.
_USTAR_BYTES = 8**11
# Packed before anybody reads it, while the service and boto3 are waited for: what some 30 MB of code make.
AHEAD_BYTES = 8 * 1024 * 1024


class ArchiveStream:
    """The archive of `files` as a file that can only be read, once, by one thread at a time. Packing begins at once.

    `read` raises `UploadFailed` when a file is no longer what it was when it was listed. `bytes_read` is the size of
    the archive so far, `source_bytes` the content packed so far, of `total_source_bytes`.
    """

    def __init__(self, files: Sequence[PackedFile], *, threads: int | None = None) -> None:
        ordered = sorted(files, key=lambda file: file.name)
        self.bytes_read = 0
        self.source_bytes = 0
        self.total_source_bytes = sum(file.size for file in ordered)
        self._packing = Ahead(
            _pack,
            _blocks(ordered),
            threads=threads or reading.threads(),
            room=AHEAD_BYTES,
            most=BLOCK_BYTES,
            size=lambda packed: len(packed.deflated),
        )
        self._ready = memoryview(_GZIP_HEADER)
        self._ended = False
        self._sha256 = hashlib.sha256()
        self._crc32 = 0
        self._tar_bytes = 0

    @property
    def sha256(self) -> str:
        """SHA-256 of what was read so far, in hex; of the archive at its end."""
        return self._sha256.hexdigest()

    def read(self, size: int = -1) -> bytes:
        """The next `size` bytes, fewer only at the end; all that is left without a size."""
        try:
            piece = b"".join(self._pieces(size))
        except BaseException:
            self.close()  # what was taken is lost, so going on would leave a gap
            raise
        self._sha256.update(piece)
        self.bytes_read += len(piece)
        return piece

    def close(self) -> None:
        """Stop packing. May be called at any time from any thread; a `read` after it fails."""
        self._packing.close()

    def _pieces(self, size: int) -> Iterator[memoryview]:
        missing = size
        while missing != 0 and (self._ready or self._next()):
            piece = self._ready if missing < 0 else self._ready[:missing]
            self._ready = self._ready[len(piece) :]
            missing -= len(piece) if missing > 0 else 0
            yield piece

    def _next(self) -> bool:
        """Make something ready to be read, unless the archive has ended."""
        if self._ended:
            return False
        packed = self._packing.take()
        if packed is None:
            self._ended = True
            trailer = struct.pack("<LL", self._crc32, self._tar_bytes & 0xFFFFFFFF)
            self._ready = memoryview(end() + trailer)
            return True
        self._crc32 = crc32_combine(self._crc32, packed.crc32, packed.tar_bytes)
        self._tar_bytes += packed.tar_bytes
        self.source_bytes += packed.source_bytes
        self._ready = memoryview(packed.deflated)
        return True


class Archives:
    """The archive of `files`, once for each try to upload it. The first is being packed from now on."""

    def __init__(self, files: Sequence[PackedFile]) -> None:
        self._files = files
        self._first: ArchiveStream | None = ArchiveStream(files)

    def open(self) -> ArchiveStream:
        """The archive, to be read from its start."""
        first, self._first = self._first, None
        return first or ArchiveStream(self._files)

    def close(self) -> None:
        """Stop packing what nobody has opened."""
        if self._first:
            self._first.close()


@dataclass(frozen=True)
class _Piece:
    """`size` bytes of a file's content; an empty file is a piece too, because it may have changed."""

    file: PackedFile
    offset: int
    size: int

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, part: slice) -> "_Piece":
        start, stop, _ = part.indices(self.size)
        return _Piece(self.file, self.offset + start, stop - start)


@dataclass
class _Block:
    """Part of the tar stream: literal bytes and pieces of files, `size` bytes together."""

    parts: list[bytes | _Piece] = field(default_factory=list)
    size: int = 0


@dataclass(frozen=True)
class _Packed:
    """A compressed block."""

    deflated: bytes
    crc32: int
    tar_bytes: int
    source_bytes: int


def _blocks(files: Iterable[PackedFile]) -> Iterator[_Block]:
    """The tar stream in blocks of `BLOCK_BYTES`; only the last one has another size."""
    block = _Block()
    total = 0
    for part in _tar_parts(files):
        rest = part
        while len(rest) >= (room := BLOCK_BYTES - block.size):
            block.parts.append(rest[:room])
            block.size += room
            yield block
            block, rest = _Block(), rest[room:]
            if not rest:
                break
        else:
            block.parts.append(rest)
            block.size += len(rest)
        total += len(part)
    # Two empty records end a tar; tools expect its size to be a multiple of 10 240.
    end = 2 * tarfile.BLOCKSIZE
    end += -(total + end) % tarfile.RECORDSIZE
    block.parts.append(bytes(end))
    block.size += end
    yield block


def _tar_parts(files: Iterable[PackedFile]) -> Iterator[bytes | _Piece]:
    for file in files:
        yield _header(file)
        yield _Piece(file, 0, file.size)
        if file.size % tarfile.BLOCKSIZE:
            yield bytes(-file.size % tarfile.BLOCKSIZE)


def _header(file: PackedFile) -> bytes:
    """A plain file of user 0 at time 0. Almost always tarfile's own header with another name, size and checksum.

    A checkout has thousands of files, and to make each header anew took a third of the time to pack them. Spec of the
    fields: POSIX ustar.
    """
    name = file.name.encode()
    if len(name) > tarfile.LENGTH_NAME or not name.isascii() or file.size >= _USTAR_BYTES:
        return _new_header(file.name, file.mode, file.size)
    owner, time, rest, checksum = _template(file.mode)
    size = b"%011o" % file.size
    checksum += sum(name) + sum(size)
    return b"".join((name.ljust(tarfile.LENGTH_NAME, b"\0"), owner, size, time, b"%06o\0 " % checksum, rest))


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


def _pack(block: _Block) -> _Packed:
    tar = memoryview(bytearray(block.size))
    filled = source_bytes = 0
    for part in block.parts:
        target = tar[filled : filled + len(part)]
        filled += len(part)
        if isinstance(part, bytes):
            target[:] = part
        else:
            source_bytes += len(part)
            reading.fill(target, part.file, part.offset)
    deflated = deflate(tar) if _is_compressible(tar) else _store(tar)
    return _Packed(deflated, crc32(tar), block.size, source_bytes)


def _is_compressible(tar: memoryview) -> bool:
    """Whether a few samples of it lose more than a fifth. Depends on nothing but the bytes: an archive must not."""
    if len(tar) < BLOCK_BYTES:
        return True
    step = len(tar) // _SAMPLES
    sample = b"".join(tar[start : start + _SAMPLE_BYTES] for start in range(0, len(tar), step))
    return len(deflate(sample)) < _WORTH_IT * len(sample)


def _store(tar: memoryview) -> bytes:
    """As it is, in stored blocks. Spec: RFC 1951, section 3.2.4."""
    parts: list[bytes | memoryview] = []
    for start in range(0, len(tar), _STORED_BYTES):
        part = tar[start : start + _STORED_BYTES]
        parts += (struct.pack("<BHH", 0, len(part), len(part) ^ 0xFFFF), part)
    return b"".join(parts)
