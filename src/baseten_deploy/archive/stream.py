"""The archive: a gzipped tar that is packed while it is read, and ahead of that.

The tar stream (`tar`) is cut into blocks that threads read from disk and compress (`packing`), each for itself; what
they make is one gzip member, the same for any number of threads. Which files there are is `truss.packing_list`.
"""

import hashlib
import struct
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice

from baseten_deploy.truss.packed_file import PackedFile

from . import reading
from .deflate import crc32_combine, end
from .packing import Packed, pack
from .read_ahead import Ahead
from .reading import BLOCK_BYTES
from .tar import blocks

# RFC 1952: no name, no time, unknown system.
_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
# Packed before anybody reads it, while the service and boto3 are waited for, beyond what was packed for the digest.
AHEAD_BYTES = 8 * 1024 * 1024


class ArchiveStream:
    """The archive of `files` as a file that can only be read, once, by one thread at a time. Packing begins at once.

    `read` raises `UploadFailed` when a file is no longer what it was when it was listed. `bytes_read` is the size of
    the archive so far, `source_bytes` the content packed so far, of `total_source_bytes`. `ready` are its first blocks,
    where they were packed before; they are taken from there.
    """

    def __init__(
        self, files: Sequence[PackedFile], *, threads: int | None = None, ready: deque[Packed] | None = None
    ) -> None:
        ordered = sorted(files, key=lambda file: file.name)
        self.bytes_read = 0
        self.source_bytes = 0
        self.total_source_bytes = sum(file.size for file in ordered)
        self._before = deque() if ready is None else ready
        self._packing = Ahead(
            pack,
            islice(blocks(ordered), len(self._before), None),
            threads=threads or reading.threads(),
            room=AHEAD_BYTES,
            most=BLOCK_BYTES,
            size=lambda packed: len(packed.deflated),
        )
        self._ready = memoryview(_GZIP_HEADER)
        self._ended = False
        self._closed = False
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
        self._closed = True

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
        packed = self._before.popleft() if self._before and not self._closed else self._packing.take()
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
    """The archive of `files`, once for each try to upload it. The first is being packed from now on.

    `ready` are its first blocks, where they were packed before; they are taken from there.
    """

    def __init__(self, files: Sequence[PackedFile], ready: deque[Packed] | None = None) -> None:
        self._files = files
        self._first: ArchiveStream | None = ArchiveStream(files, ready=ready)

    def open(self) -> ArchiveStream:
        """The archive, to be read from its start."""
        first, self._first = self._first, None
        return first or ArchiveStream(self._files)

    def close(self) -> None:
        """Stop packing what nobody has opened."""
        if self._first:
            self._first.close()
