"""The digest of what a Truss packs: known before anything is sent, and the same wherever the content is the same.

Where an archive will be sent, its beginning is packed in the same pass, so that most Trusses are read once.
"""

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence

from baseten_deploy.records import dataclass
from baseten_deploy.truss.packed_file import PackedFile

from . import reading
from .packing import Packed, digest_line, pack, turn
from .read_ahead import Ahead
from .reading import BLOCK_BYTES
from .tar import Block, blocks

# As much of the archive is kept until it is sent: what some 80 MB of code make.
READY_BYTES = 20 * 1024 * 1024
# Files of a batch, at most, and of the batches that are hashed ahead.
_MANY, _AHEAD = 1000, 20_000
# To read a file that is smaller takes Python longer than the system; to read so few of them takes it 5 ms.
_SMALL_BYTES, _FEW = 256 * 1024, 200


@dataclass(frozen=True)
class FirstPass:
    """The content digest, and the first blocks of the archive."""

    digest: str
    ready: tuple[Packed, ...] = ()


class _Progress:
    """How much is read, and who waits until Python has little left to do: a few files, or large ones.

    Threads that all run Python are slower together than one after the other: each call to the system is a chance to
    lose the interpreter for 5 ms. So what else has to be imported is imported then.
    """

    def __init__(self, ordered: Sequence[PackedFile], calm: Callable[[], None] | None) -> None:
        small = [number for number, file in enumerate(ordered if calm else ()) if file.size < _SMALL_BYTES]
        self._busy_until = small[-1] + 1 if len(small) > _FEW else 0
        self._calm = calm
        self._read = 0
        self.read(0)

    def read(self, count: int) -> None:
        """Note that so many more files are read."""
        self._read += count
        if self._calm and self._read >= self._busy_until:
            self._calm()
            self._calm = None


def content_digest(files: Sequence[PackedFile], *, calm: Callable[[], None] | None = None) -> str:
    """SHA-256 over the sorted (name, mode, size, SHA-256) of `files`, in hex. Raises `UploadFailed`.

    Calls `calm` once what is left to read takes hardly any Python, which may be at once.
    """
    ordered = sorted(files, key=_name)
    return _of_rest(hashlib.sha256(), ordered, _Progress(ordered, calm))


def digest_and_pack(
    files: Sequence[PackedFile],
    *,
    calm: Callable[[], None] | None = None,
    room: int = READY_BYTES,
    threads: int | None = None,
) -> FirstPass:
    """The content digest, and the blocks of the archive that could be packed meanwhile, in `room` bytes or little more.

    They end before the first file that is larger than a block: those are not kept in memory. `calm` is called as by
    `content_digest`. Raises `UploadFailed`.
    """
    ordered = sorted(files, key=_name)
    progress = _Progress(ordered, calm)
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
            progress.read(packed.begun)
    finally:
        packing.close()
    return FirstPass(_of_rest(whole, ordered[begun:], progress), tuple(ready))


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


def _of_rest(whole: "hashlib._Hash", ordered: Sequence[PackedFile], progress: _Progress) -> str:
    """`whole` with what these files give to it, in hex."""
    stopped = threading.Event()
    hashing = Ahead(
        lambda batch: _lines(batch, stopped),
        _batches(ordered),
        threads=reading.threads(),
        room=_AHEAD,
        most=_MANY,
        size=len,
    )
    try:
        while (lines := hashing.take()) is not None:
            whole.update(b"".join(lines))
            progress.read(len(lines))
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


def _lines(files: Sequence[PackedFile], stopped: threading.Event) -> list[bytes]:
    unread = (file.size for file in files if file.content is None)
    buffer = memoryview(bytearray(min(BLOCK_BYTES, max(unread, default=1))))
    lines = []
    with turn([file for file in files if file.content is not None]):
        for file in files:
            if stopped.is_set():
                break
            lines.append(digest_line(file, reading.sha256(file, buffer)))
    return lines
