"""One commit out of git's packs, where `git fetch` and `git gc` put objects. One kept as a difference is unknown.

Only what is needed is read: a slice of an index, and the one object. Spec: gitformat-pack (index version 2, packs of
version 2 and 3), for repositories of SHA-1 and of SHA-256.
"""

import hashlib
import struct
import zlib
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from .regular_files import open_regular

COMMIT_BYTES = 64 * 1024
_INDEX_MAGIC = b"\xfftOc\x00\x00\x00\x02"
_FANOUT_BYTES = 256 * 4
_COMMIT = 1  # the type of an object that is a whole commit
_HEAD_BYTES = 16  # of an object: its type, and a length of at most 64 bits
_PACKS = 1000  # more are not looked at
_FAR = 0x8000_0000  # an offset that stands in the table of 64-bit ones


def commit_in_packs(commit: str, objects: Path) -> str:
    """The text of a commit (its name in hex) in the packs of `objects`, `""` when no pack has it whole."""
    name = bytes.fromhex(commit)
    try:
        indexes = sorted(islice((objects / "pack").glob("pack-*.idx"), _PACKS))
    except OSError:
        return ""
    for index in indexes:
        try:
            with open_regular(index, objects) as file:
                offset = _offset(file, name)
            if offset is None:
                continue
            with open_regular(index.with_suffix(".pack"), objects) as file:
                text = _commit(file, offset)
        except (OSError, ValueError, LookupError, OverflowError, zlib.error):  # damaged: another pack may have it
            continue
        if text is not None and _is(name, text):
            return text.decode("utf-8", "replace")
    return ""


def _offset(index: BinaryIO, name: bytes) -> int | None:
    """Where an index says that an object begins in its pack, `None` when it does not know it."""
    if _read(index, 0, len(_INDEX_MAGIC)) != _INDEX_MAGIC:
        raise ValueError("an index of another version")
    fanout = struct.unpack(">256I", _read(index, len(_INDEX_MAGIC), _FANOUT_BYTES))
    low, high, count = (fanout[name[0] - 1] if name[0] else 0), fanout[name[0]], fanout[255]
    names = len(_INDEX_MAGIC) + _FANOUT_BYTES
    checksums = names + count * len(name)
    offsets = checksums + count * 4
    while low < high:
        middle = (low + high) // 2
        found = _read(index, names + middle * len(name), len(name))
        if found == name:
            (offset,) = struct.unpack(">I", _read(index, offsets + middle * 4, 4))
            if offset & _FAR:
                (offset,) = struct.unpack(">Q", _read(index, offsets + count * 4 + (offset & ~_FAR) * 8, 8))
            return int(offset)
        low, high = (middle + 1, high) if found < name else (low, middle)
    return None


def _commit(pack: BinaryIO, offset: int) -> bytes | None:
    """The commit at an offset of a pack, `None` for what is none, or only the difference to one, or is too long."""
    head = _read(pack, 0, 8)
    if head[:4] != b"PACK" or head[4:] not in (b"\0\0\0\2", b"\0\0\0\3"):
        raise ValueError("a pack of another version")
    pack.seek(offset)
    data = pack.read(_HEAD_BYTES + COMMIT_BYTES)
    kind, size, start = data[0] >> 4 & 7, data[0] & 15, 1
    shift, more = 4, data[0] & 128
    while more:
        if start >= _HEAD_BYTES:
            raise ValueError("a length that does not end")
        size |= (data[start] & 127) << shift
        more, shift, start = data[start] & 128, shift + 7, start + 1
    if kind != _COMMIT or size > COMMIT_BYTES:
        return None
    text = zlib.decompressobj().decompress(data[start:], COMMIT_BYTES)
    return text if len(text) == size else None


def _is(name: bytes, text: bytes) -> bool:
    """Whether a text is the commit of that name: what an index says is only where to look."""
    whole = b"commit %d\0%s" % (len(text), text)
    made = hashlib.sha256(whole) if len(name) == 32 else hashlib.sha1(whole, usedforsecurity=False)
    return made.digest() == name


def _read(file: BinaryIO, offset: int, size: int) -> bytes:
    file.seek(offset)
    data = file.read(size)
    if len(data) != size:
        raise ValueError("it ends too early")
    return data
