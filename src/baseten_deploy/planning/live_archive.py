"""What is in the archive of a live deployment: names, sizes and digests, read while it is downloaded.

The archive is somebody else's and may be of any size, so nothing of it is kept but names, digests and some small files
(for their diffs), nothing is written to disk, and bytes, content, entries and time are bounded. The presigned URL is a
credential by itself: it is fetched without ours, redirects are not followed, and no message repeats it.

The tar headers are read one by one instead of by `tarfile`, which reads a name of any length into memory.
"""

import hashlib
import io
import posixpath
import tarfile
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol
from urllib.parse import urlsplit

import httpx

from baseten_deploy.archive.deflate import DAMAGED, open_gzip
from baseten_deploy.inputs.base_urls import is_loopback
from baseten_deploy.network.deadline import bounded
from baseten_deploy.network.transport import NotReached
from baseten_deploy.records import dataclass
from baseten_deploy.report import amounts

from .diff import ArchivedFile
from .text_diff import ALL_TEXT_BYTES, TEXT_BYTES

_GZIP_MAGIC = b"\x1f\x8b"
_PIECE = 1024 * 1024
# Linux knows no longer path; a PAX header holds a few more such values.
_NAME_BYTES = 4096
_PAX_BYTES = 64 * 1024
_ALL_NAMES_BYTES = 32 * 1024 * 1024
_CHUNK_SECONDS = 15.0


@dataclass(frozen=True)
class Bounds:
    """How much of an archive is read: downloaded bytes, unpacked bytes, entries, seconds."""

    archive_bytes: int = 2 * 1024**3
    content_bytes: int = 8 * 1024**3
    entries: int = 100_000
    seconds: float = 90.0


class Unreadable(Exception):
    """Why the archive cannot be compared, as the end of a sentence."""


def read_archive(
    client: httpx.Client, url: str, bounds: Bounds | None = None, now: Callable[[], float] = time.monotonic
) -> dict[str, ArchivedFile]:
    """The files of the archive at a presigned `url`, by name. Raises `Unreadable`."""
    bounds = bounds or Bounds()
    _check(url)
    try:
        timeout = bounded(bounds.seconds, step=_CHUNK_SECONDS)
        with client.stream("GET", url, timeout=timeout, auth=None, follow_redirects=False) as response:
            if not response.is_success:
                raise Unreadable(f"its download was answered with {response.status_code}")
            declared = response.headers.get("Content-Length", "")
            if declared.isascii() and declared.isdigit() and int(declared[:20]) > bounds.archive_bytes:
                raise Unreadable(
                    f"it has {amounts.size(int(declared[:20]))}; up to {amounts.size(bounds.archive_bytes)} are read"
                )
            meter = _Meter(bounds, now)
            chunks = _joined_start(response.iter_raw(), len(_GZIP_MAGIC))
            return _read(io.BufferedReader(_Download(chunks, meter), _PIECE), meter)
    except NotReached as error:
        raise Unreadable(error.obstacle.message) from None
    except httpx.TimeoutException:
        raise Unreadable("its download did not go on in time") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Unreadable(f"its download broke ({type(error).__name__})") from None
    except DAMAGED as error:
        raise Unreadable(f"it is damaged ({type(error).__name__})") from None
    except (ValueError, OverflowError):  # of a URL or a header that a library stumbles over
        raise Unreadable("it is not what was expected") from None


def _check(url: str) -> None:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        raise Unreadable("its download URL is malformed") from None
    loopback = is_loopback(host)
    if not host or (parts.scheme != "https" and not (parts.scheme == "http" and loopback)):
        raise Unreadable("its download URL is not https")


class _Meter:
    """Counts what is read, and raises `Unreadable` at a bound."""

    def __init__(self, bounds: Bounds, now: Callable[[], float]) -> None:
        self._bounds = bounds
        self._now = now
        self._end = now() + bounds.seconds
        archive, content = bounds.archive_bytes, bounds.content_bytes
        self._limits = {
            "archive": (archive, f"it has more than {amounts.size(archive)}"),
            "content": (content, f"it unpacks to more than {amounts.size(content)}"),
            "entries": (bounds.entries, f"it has more than {bounds.entries} entries"),
            "names": (_ALL_NAMES_BYTES, f"its names have more than {amounts.size(_ALL_NAMES_BYTES)} together"),
        }
        self._counts = dict.fromkeys(self._limits, 0)

    def count(self, what: str, amount: int = 1) -> None:
        """`amount` more of `what` is read."""
        self._counts[what] += amount
        limit, message = self._limits[what]
        if self._counts[what] > limit:
            raise Unreadable(message)
        if self._now() > self._end:
            raise Unreadable(f"reading it takes longer than {self._bounds.seconds:g} s")


def _joined_start(chunks: Iterator[bytes], size: int) -> Iterator[bytes]:
    """The same bytes, the first `size` of them in one piece: a connection may begin with a single one."""
    start = b""
    for chunk in chunks:
        start += chunk
        if len(start) >= size:
            break
    yield start
    yield from chunks


class _Readable(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


class _Download(io.RawIOBase):
    """The body of the answer as a file."""

    def __init__(self, chunks: Iterator[bytes], meter: _Meter) -> None:
        super().__init__()
        self._chunks = chunks
        self._meter = meter
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._meter.count("archive", len(chunk))
            self._ready = memoryview(chunk)
        count = min(len(buffer), len(self._ready))
        buffer[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count


def _read(archive: io.BufferedReader, meter: _Meter) -> dict[str, ArchivedFile]:
    zipped = archive.peek().startswith(_GZIP_MAGIC)
    content: _Readable = open_gzip(archive) if zipped else archive
    return _Tar(content, meter).files()


@dataclass
class _Extension:
    """What the headers before an entry say about it."""

    name: str = ""
    link: str = ""
    size: int | None = None


class _Tar:
    """A tar read from front to back. Spec: POSIX ustar and pax, with GNU's long names."""

    def __init__(self, stream: _Readable, meter: _Meter) -> None:
        self._stream = stream
        self._meter = meter
        self._files: dict[str, ArchivedFile] = {}
        self._links: dict[str, str] = {}
        self._begun = False
        self._room = ALL_TEXT_BYTES

    def files(self) -> dict[str, ArchivedFile]:
        """Everything in it that has content; a link has that of its target, and of equal names the last counts."""
        extension = _Extension()
        while (header := self._exactly(tarfile.BLOCKSIZE)) != bytes(tarfile.BLOCKSIZE):
            self._begun = True
            self._meter.count("entries")
            try:
                info = tarfile.TarInfo.frombuf(header, "utf-8", "replace")
            except (tarfile.HeaderError, ValueError):
                raise Unreadable("it is no tar archive") from None
            if info.size < 0:
                raise Unreadable("it is no tar archive")
            if not self._extend(extension, info):
                self._entry(info, extension)
                extension = _Extension()
        for name, target in self._links.items():
            found = self._files.get(target)
            self._files[name] = ArchivedFile(
                name, found.size if found else 0, found.sha256 if found else "", bool(found and found.executable)
            )
        return self._files

    def _extend(self, extension: _Extension, info: tarfile.TarInfo) -> bool:
        """Take in a header that is about the next entry; `False` for an entry."""
        match info.type:
            case tarfile.GNUTYPE_LONGNAME:
                extension.name = _text(self._content(info.size, _NAME_BYTES))
            case tarfile.GNUTYPE_LONGLINK:
                extension.link = _text(self._content(info.size, _NAME_BYTES))
            case tarfile.XHDTYPE | tarfile.SOLARIS_XHDTYPE:
                _read_pax(self._content(info.size, _PAX_BYTES), extension)
            case tarfile.XGLTYPE:
                self._content(info.size, _PAX_BYTES)
            case _:
                return False
        return True

    def _entry(self, info: tarfile.TarInfo, extension: _Extension) -> None:
        if info.type == tarfile.GNUTYPE_SPARSE:
            raise Unreadable("it has a sparse file")
        name = (extension.name or info.name).removeprefix("./")
        self._meter.count("names", len(name))
        size = info.size if extension.size is None else extension.size
        link = extension.link or info.linkname
        self._links.pop(name, None)
        if info.isreg():
            executable = bool(info.mode & 0o100)
            if size <= min(TEXT_BYTES, self._room):
                self._room -= size
                content = self._padded(size)
                digest = hashlib.sha256(content).hexdigest()
                self._files[name] = ArchivedFile(name, size, digest, executable, content)
            else:
                self._files[name] = ArchivedFile(name, size, self._digest(size), executable)
        elif info.islnk():
            self._links[name] = link.removeprefix("./")
        elif info.issym():
            self._links[name] = posixpath.normpath(posixpath.join(posixpath.dirname(name), link))
        elif info.type not in tarfile.SUPPORTED_TYPES:
            self._digest(size)

    def _digest(self, size: int) -> str:
        digest = hashlib.sha256()
        for start in range(0, size, _PIECE):
            digest.update(self._exactly(min(_PIECE, size - start)))
        self._exactly(-size % tarfile.BLOCKSIZE)
        return digest.hexdigest()

    def _content(self, size: int, limit: int) -> bytes:
        if size > limit:
            raise Unreadable(f"it has a name or header of more than {amounts.size(limit)}")
        return self._padded(size)

    def _padded(self, size: int) -> bytes:
        """So much content, and past what fills its last block."""
        content = self._exactly(size)
        self._exactly(-size % tarfile.BLOCKSIZE)
        return content

    def _exactly(self, size: int) -> bytes:
        self._meter.count("content", size)
        pieces = []
        while size:
            piece = self._stream.read(size)
            if not piece:
                raise Unreadable("it ends too early" if self._begun else "it is no tar archive")
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)


def _text(content: bytes) -> str:
    return content.partition(b"\0")[0].decode("utf-8", "replace")


def _read_pax(content: bytes, extension: _Extension) -> None:
    r"""Take the records `length key=value\n` of a pax header that say name, link and size."""
    while content:
        length, _, _ = content.partition(b" ")
        if not length.isdigit() or not len(length) + 1 < int(length[:9]) <= len(content):
            raise Unreadable("it has a malformed pax header")
        record = content[len(length) + 1 : int(length) - 1]
        content = content[int(length) :]
        key, _, value = record.partition(b"=")
        if key == b"path":
            extension.name = _text(value[:_NAME_BYTES])
        elif key == b"linkpath":
            extension.link = _text(value[:_NAME_BYTES])
        elif key == b"size" and value.isdigit():
            extension.size = int(value[:20])
        elif key.startswith(b"GNU.sparse."):
            raise Unreadable("it has a sparse file")
