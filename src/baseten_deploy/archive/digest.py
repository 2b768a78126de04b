"""The digest of what a Truss packs: known before anything is sent, and the same wherever the content is the same."""

import hashlib
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

from baseten_deploy.truss.packing_list import PackedFile

from .reading import BLOCK_BYTES, fill, threads


def content_digest(files: Sequence[PackedFile]) -> str:
    """SHA-256 over the sorted (name, mode, size, SHA-256) of `files`, in hex. Raises `UploadFailed`."""
    stopped = threading.Event()
    pool = ThreadPoolExecutor(threads(), thread_name_prefix="digest")
    try:
        ordered = sorted(files, key=lambda file: file.name)
        try:
            digests = pool.map(lambda batch: _digests(batch, stopped), _batches(ordered))
        except RuntimeError:  # the host allows no more threads
            digests = (_digests(batch, stopped) for batch in _batches(ordered))
        whole = hashlib.sha256()
        for file, digest in zip(ordered, chain.from_iterable(digests), strict=True):
            whole.update(f"{file.name}\0{file.mode:o}\0{file.size}\0{digest}\n".encode())
    finally:
        stopped.set()
        pool.shutdown(wait=False, cancel_futures=True)
    return whole.hexdigest()


def file_digest(file: PackedFile) -> str:
    """SHA-256 of one file's content, in hex. Raises `UploadFailed`."""
    return _digests([file], threading.Event())[0]


def _batches(files: Iterable[PackedFile]) -> Iterator[list[PackedFile]]:
    """Files that are worth a thread's while together."""
    batch: list[PackedFile] = []
    size = 0
    for file in files:
        batch.append(file)
        size += file.size
        if size >= BLOCK_BYTES:
            yield batch
            batch, size = [], 0
    yield batch


def _digests(files: Sequence[PackedFile], stopped: threading.Event) -> list[str]:
    largest = max((file.size for file in files), default=0)
    buffer = memoryview(bytearray(min(BLOCK_BYTES, max(largest, 1))))
    return [_sha256(file, buffer, stopped) for file in files]


def _sha256(file: PackedFile, buffer: memoryview, stopped: threading.Event) -> str:
    digest = hashlib.sha256()
    # An empty file is looked at too: it may have changed.
    for offset in range(0, file.size or 1, len(buffer)):
        if stopped.is_set():
            break
        piece = buffer[: min(len(buffer), file.size - offset)]
        fill(piece, file, offset)
        digest.update(piece)
    return digest.hexdigest()
