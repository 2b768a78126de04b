"""Packs one block of the tar stream: its files are read, hashed where that is asked for, and what they make compressed.

Depends on nothing but the content. What does not compress is stored.
"""

import hashlib
import struct
import threading
from collections.abc import Sequence
from contextlib import nullcontext

from baseten_deploy.records import dataclass
from baseten_deploy.truss.packed_file import PackedFile

from . import reading
from .deflate import crc32, deflate
from .reading import BLOCK_BYTES
from .tar import Block, header, padded

# What loses less than a seventh is left as it is: noise, and what is compressed already. Weights in bfloat16 lose a
# fifth, at some 400 MB/s a core: behind a link of 1 Gbit/s that is a fifth of the time, behind one of 5 Gbit/s nothing.
_WORTH_IT = 0.85
_SAMPLES, _SAMPLE_BYTES = 4, 8 * 1024
_STORED_BYTES = 0xFFFF
# With so many files a block takes Python longer than the compressor. Threads that all do that are in each other's way
# with every call to the system, so one gathers files while the others compress.
_MANY = 32
_gathering = threading.Lock()


@dataclass(frozen=True)
class Packed:
    """A compressed block; `lines` is what the files that begin in it give to the content digest, if asked for."""

    deflated: bytes
    crc32: int
    tar_bytes: int
    source_bytes: int
    begun: int = 0
    lines: bytes = b""


def pack(block: Block, *, digest: bool = False) -> Packed:
    """The block, compressed. Raises `UploadFailed` when a file is no longer what it was when it was listed."""
    tar = bytearray(block.size)
    lines: list[bytes] = []
    with memoryview(tar) as view:
        with turn(block.files):
            source_bytes = _gather(block, tar, view, lines if digest else None)
        deflated = deflate(view) if _is_compressible(view) else _store(view)
        return Packed(deflated, crc32(view), block.size, source_bytes, len(lines), b"".join(lines))


def turn(files: Sequence[PackedFile]) -> "nullcontext[None] | threading.Lock":
    """What a thread holds that goes through `files`."""
    return _gathering if len(files) >= _MANY else nullcontext()


def digest_line(file: PackedFile, sha256: str) -> bytes:
    """What a file gives to the content digest."""
    return f"{file.name}\0{file.mode:o}\0{file.size}\0{sha256}\n".encode()


def _gather(block: Block, tar: bytearray, view: memoryview, lines: list[bytes] | None) -> int:
    """Write the entries of a block into `tar`, which is all zeros; returns the bytes of content."""
    at, limit, source_bytes = block.start, block.size, 0
    for file in block.files:
        head = header(file)
        start = at + len(head)
        end = start + file.size
        low, high = max(start, 0), min(end, limit)
        if at >= 0 and start <= limit:
            tar[at:start] = head
        elif start > 0:
            part = head[max(-at, 0) : limit - at]
            tar[max(at, 0) : max(at, 0) + len(part)] = part
        whole = low == start and high == end
        if low < high or not file.size:
            source_bytes += high - low if low < high else 0
            content = file.content
            if content is None:
                with view[low:high] as target:
                    reading.fill(target, file, low - start)
            else:
                reading.check(file)
                tar[low:high] = content if whole else content[low - start : high - start]
        if lines is not None and at >= 0:
            if not whole:
                sha256 = reading.sha256(file)
            else:
                with view[low:high] as target:
                    sha256 = hashlib.sha256(target).hexdigest()
            lines.append(digest_line(file, sha256))
        at = start + padded(file.size)
    return source_bytes


def _is_compressible(tar: memoryview) -> bool:
    """Whether a few samples of it lose more than a seventh. Depends on nothing but the bytes: an archive must not."""
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
