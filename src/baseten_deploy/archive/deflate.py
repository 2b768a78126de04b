"""The compressor: ISA-L where there is a wheel of it, else zlib, which does the same at a tenth of the speed.

With zlib the archive has other bytes, so its SHA-256 differs from that of another machine; the content digest does not,
it is over the files. Whoever imports `isal` imports it from here, so that a machine without it never fails on that.
"""

import gzip
import zlib
from typing import Any, BinaryIO

from baseten_deploy.errors import Problem

# ISA-L's fastest that is worth it: on weights a quarter faster than its default (2), on code as fast for 1 % more.
_LEVEL = 1
_RAW_DEFLATE = -15
_POLYNOMIAL = 0xEDB88320

try:
    from isal import igzip, isal_zlib
except ImportError:  # musl, processors without a wheel
    igzip = isal_zlib = None  # type: ignore[assignment]

# What reading a damaged archive raises.
DAMAGED: tuple[type[Exception], ...] = (EOFError, OSError, zlib.error)
if isal_zlib is not None:
    DAMAGED = (*DAMAGED, isal_zlib.IsalError)  # type: ignore[arg-type] # its stub takes the class for an instance


def missing() -> Problem | None:
    """What it costs that there is no ISA-L here; `None` where there is."""
    if isal_zlib is not None:
        return None
    return Problem(
        "The package `isal` is not installed here, so the archive is packed with zlib: about 40 MB/s instead of 400, "
        "and with another SHA-256 than elsewhere (the content digest is the same)",
        "Use this action's image, or a machine for which there is a wheel of `isal`; or leave it so.",
    )


def deflate(data: memoryview | bytes) -> bytes:
    """`data` compressed, as a part of a raw deflate stream that ends on a byte: parts can be joined."""
    if isal_zlib is None:
        plain = zlib.compressobj(_LEVEL, zlib.DEFLATED, _RAW_DEFLATE)
        return plain.compress(data) + plain.flush(zlib.Z_SYNC_FLUSH)
    compressor = isal_zlib.compressobj(_LEVEL, isal_zlib.DEFLATED, _RAW_DEFLATE)
    # The flush ends the block on a byte without ending the stream.
    return bytes(compressor.compress(data) + compressor.flush(isal_zlib.Z_SYNC_FLUSH))


def end() -> bytes:
    """The last part of such a stream."""
    if isal_zlib is None:
        last = zlib.compressobj(_LEVEL, zlib.DEFLATED, _RAW_DEFLATE)
        return last.flush()
    return bytes(isal_zlib.compress(b"", _LEVEL, _RAW_DEFLATE))


def crc32(data: memoryview | bytes) -> int:
    """The checksum of gzip."""
    return zlib.crc32(data) if isal_zlib is None else int(isal_zlib.crc32(data))


def crc32_combine(first: int, second: int, second_bytes: int) -> int:
    """The checksum of two texts one after the other, from theirs and the length of the second."""
    if isal_zlib is not None:
        return int(isal_zlib.crc32_combine(first, second, second_bytes))
    return combine(first, second, second_bytes)


def combine(first: int, second: int, second_bytes: int) -> int:
    """As `crc32_combine`, without a library: zlib has it, Python does not hand it on.

    To append a zero bit is a linear map of the checksum's 32 bits, so `first` is sent through a power of it.
    """
    operator = [_POLYNOMIAL, *(1 << bit for bit in range(31))]  # one zero bit
    bits = 8 * second_bytes
    while bits:
        if bits & 1:
            first = _times(operator, first)
        operator = [_times(operator, column) for column in operator]
        bits >>= 1
    return first ^ second


def _times(matrix: list[int], vector: int) -> int:
    total = 0
    for column in matrix:
        if vector & 1:
            total ^= column
        vector >>= 1
        if not vector:
            break
    return total


def open_gzip(file: BinaryIO) -> Any:
    """A gzip file, to be read."""
    if igzip is None:
        return gzip.open(file, "rb")
    return igzip.open(file, "rb")  # type: ignore[no-untyped-call]
