"""Reads the files of a packing list, and notices when one is no longer what was listed.

A checkout may have thousands of files, each read twice (for its digest, and into the archive), so this asks the system
itself and not the layers above it.
"""

import os
from pathlib import Path

from baseten_deploy.errors import UploadFailed
from baseten_deploy.truss.packing_list import PackedFile

# As much of a file as is read at once, at most.
BLOCK_BYTES = 1024 * 1024
# Beyond that, the one thread that reads the archive and computes its SHA-256 is the limit.
_MAX_THREADS = 8
# A symlink or a FIFO that has taken a file's place is neither followed nor waited for.
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


def fill(target: memoryview, file: PackedFile, offset: int) -> None:
    """Fill `target` with the content from `offset` on; both in bytes.

    Raises `UploadFailed` when the file is not the one that was listed, before and after it is read.
    """
    if isinstance(file.source, bytes):
        target[:] = file.source[offset : offset + len(target)]
        return
    try:
        _fill(target, file, file.source, offset)
    except OSError as error:
        raise _changed(file, f"cannot be read any more: {error.strerror}") from None


def _fill(target: memoryview, file: PackedFile, source: Path, offset: int) -> None:
    descriptor = os.open(source, _FLAGS)
    try:
        _compare(file, os.fstat(descriptor))
        while target:
            count = os.preadv(descriptor, [target], offset)
            if not count:
                raise _changed(file, "was changed while it was packed")
            target = target[count:]
            offset += count
        _compare(file, os.fstat(descriptor))
    finally:
        os.close(descriptor)


def _compare(file: PackedFile, found: os.stat_result) -> None:
    if found.st_mtime_ns != file.mtime_ns or found.st_size != file.size:
        raise _changed(file, "was changed while it was packed")


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
