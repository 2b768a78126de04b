"""The digest of what a Truss packs: known before anything is sent, and the same wherever the content is the same.

Where an archive will be sent, its beginning is packed in the same pass, so that most Trusses are read once.
"""

import hashlib
import threading
from collections.abc import Iterable, Iterator, Sequence

from baseten_deploy.records import dataclass
from baseten_deploy.truss.packed_file import PackedFile

from . import reading
from .packing import Packed, digest_line, pack, turn
from .read_ahead import Ahead
from .reading import BLOCK_BYTES
from .tar import Block, blocks

# As much of the archive is kept until it is sent: what some 80 MB of code make.
READY_BYTES = 20 * 1024 * 1024
# Files of a batch, at most.
_MANY = 1000


@dataclass(frozen=True)
class FirstPass:
    """The content digest, and the first blocks of the archive."""

    digest: str
    ready: tuple[Packed, ...] = ()


def content_digest(files: Sequence[PackedFile]) -> str:
    """SHA-256 over the sorted (name, mode, size, SHA-256) of `files`, in hex. Raises `UploadFailed`."""
    return _of_rest(hashlib.sha256(), sorted(files, key=_name))


def digest_and_pack(files: Sequence[PackedFile], *, room: int = READY_BYTES, threads: int | None = None) -> FirstPass:
    """The content digest, and the blocks of the archive that could be packed meanwhile, in `room` bytes or little more.

    They end before the first file that is larger than a block: those are not kept in memory. Raises `UploadFailed`.
    """
    ordered = sorted(files, key=_name)
    whole = hashlib.sha256()
    ready: list[Packed] = []
    begun = kept = 0
    packing = Ahead(
        lambda block: pack(block, digest=True),
        _small(blocks(ordered)),
        threads=threads or reading.threads(),
        room=room,
        most=BLOCK_BYTES,
        size=lambda packed: len(packed.deflated),
    )
    try:
        while kept < room and (packed := packing.take()) is not None:
            whole.update(packed.lines)
            ready.append(packed)
            begun += packed.begun
            kept += len(packed.deflated)
    finally:
        packing.close()
    return FirstPass(_of_rest(whole, ordered[begun:]), tuple(ready))


def file_digest(file: PackedFile) -> str:
    """SHA-256 of one file's content, in hex. Raises `UploadFailed`."""
    return reading.sha256(file)


def _name(file: PackedFile) -> str:
    return file.name


def _small(found: Iterable[Block]) -> Iterator[Block]:
    """The blocks before the first one with a file that is larger than a block."""
    for block in found:
        if any(file.size > BLOCK_BYTES for file in block.files):
            return
        yield block


def _of_rest(whole: "hashlib._Hash", ordered: Sequence[PackedFile]) -> str:
    """`whole` with what these files give to it, in hex."""
    stopped = threading.Event()
    hashing = Ahead(
        lambda batch: _lines(batch, stopped),
        _batches(ordered),
        threads=reading.threads(),
        room=BLOCK_BYTES,
        most=1,
        size=len,
    )
    try:
        while (lines := hashing.take()) is not None:
            whole.update(lines)
    finally:
        stopped.set()
        hashing.close()
    return whole.hexdigest()


def _batches(files: Iterable[PackedFile]) -> Iterator[list[PackedFile]]:
    """Files that are worth a thread's while together."""
    batch: list[PackedFile] = []
    size = 0
    for file in files:
        batch.append(file)
        size += file.size
        if size >= BLOCK_BYTES or len(batch) >= _MANY:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _lines(files: Sequence[PackedFile], stopped: threading.Event) -> bytes:
    unread = (file.size for file in files if file.content is None)
    buffer = memoryview(bytearray(min(BLOCK_BYTES, max(unread, default=1))))
    lines = []
    with turn([file for file in files if file.content is not None]):
        for file in files:
            if stopped.is_set():
                break
            lines.append(digest_line(file, reading.sha256(file, buffer)))
    return b"".join(lines)
