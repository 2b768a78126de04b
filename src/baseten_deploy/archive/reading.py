"""Reads the files of a packing list, and notices when one is no longer what was listed.

A checkout may have thousands of files, so this asks the system itself and not the layers above it. A small file was
read when it was listed: then it is only looked at once more.
"""

import hashlib
import os
import stat

from baseten_deploy.errors import UploadFailed
from baseten_deploy.truss.packed_file import PackedFile

# As much of a file as is read at once, at most.
BLOCK_BYTES = 1024 * 1024
# Beyond that, the one thread that reads the archive and computes its SHA-256 is the limit.
_MAX_THREADS = 8
# A symlink or a FIFO that has taken a file's place is neither followed nor waited for.
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_DIFFERENT = "was changed while it was packed"


def fill(target: memoryview, file: PackedFile, offset: int) -> None:
    """Fill `target` with the content from `offset` on; both in bytes.

    Raises `UploadFailed` when the file is not the one that was listed, before and after it is read.
    """
    content = file.content
    if content is not None:
        check(file)
        target[:] = content[offset : offset + len(target)]
        return
    try:
        _fill(target, file, file.path, offset)
    except OSError as error:
        raise _changed(file, f"cannot be read any more: {error.strerror}") from None


def check(file: PackedFile) -> None:
    """Look whether a file whose content is known is still the one that was listed. Raises `UploadFailed`."""
    path = file.path
    if not path:
        return
    try:
        found = os.lstat(path)
    except OSError as error:
        raise _changed(file, f"cannot be read any more: {error.strerror}") from None
    _compare(file, found)


def sha256(file: PackedFile, buffer: memoryview | None = None) -> str:
    """SHA-256 of the content, in hex; `buffer` is what it is read into. Raises `UploadFailed`.

    Of a small file it is that of what was listed: whether it is still so is looked at when it is packed.
    """
    content = file.content
    if content is not None:
        return hashlib.sha256(content).hexdigest()
    digest = hashlib.sha256()
    buffer = buffer or memoryview(bytearray(min(BLOCK_BYTES, max(file.size, 1))))
    for offset in range(0, file.size, len(buffer)):
        piece = buffer[: min(len(buffer), file.size - offset)]
        fill(piece, file, offset)
        digest.update(piece)
    return digest.hexdigest()


def _fill(target: memoryview, file: PackedFile, source: str, offset: int) -> None:
    descriptor = os.open(source, _FLAGS)
    try:
        _compare(file, os.fstat(descriptor))
        while target:
            count = os.preadv(descriptor, [target], offset)
            if not count:
                raise _changed(file, _DIFFERENT)
            target = target[count:]
            offset += count
        _compare(file, os.fstat(descriptor))
    finally:
        os.close(descriptor)


def _compare(file: PackedFile, found: os.stat_result) -> None:
    if found.st_mtime_ns != file.mtime_ns or found.st_size != file.size or not stat.S_ISREG(found.st_mode):
        raise _changed(file, _DIFFERENT)


def _changed(file: PackedFile, what: str) -> UploadFailed:
    return UploadFailed(
        f"`{file.name}` {what}",
        f"Its source is {file.source!s}. Nothing may write to the Truss while this step runs; check earlier steps that "
        "left a process behind, and run again.",
    )


def threads() -> int:
    """How many threads read and compute at the same time."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cpus, _MAX_THREADS)
