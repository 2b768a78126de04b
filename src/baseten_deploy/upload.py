"""Puts the archive into S3 while it is being packed: in parts, with bounded memory, leaving nothing half done behind.

Here are what goes in and comes out, the sizes, and when to start over. One run is `transfer`, requests are `s3`, what
an error means is `s3_errors`. Those cost half a second to import, so that happens when they are needed, or ahead of
time in `preload`.
"""

import os
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from .clock import Clock
from .errors import InvalidInput, UploadFailed

if TYPE_CHECKING:
    from .s3 import Multipart

_MIB = 1024 * 1024
# Measured with 1 to 2 GB over https on 2 cores, in MB/s, and the peak memory of the process. "S3" is a sink at 30 ms of
# round trip that takes 90 MB/s per connection: there connections count, and 8 with bigger parts take too much memory.
#   parts by threads   loopback    "S3"
#    8 MiB by 4        530         183     114 MB
#    8 MiB by 8        360 - 530   326     139 MB
#   16 MiB by 4        410         228     189 MB
#   16 MiB by 8        320         361     239 MB
#   32 MiB by 4        475         258     218 MB
#   64 MiB by 4        490         260     378 MB
PART_BYTES = 8 * _MIB
THREADS = 8
BUFFER_BYTES = 64 * _MIB  # parts that wait or are on their way; one more is being read
MOST_PARTS = 10_000  # S3's limit
LARGEST_BYTES = 5 * 1024**4  # S3's limit
RESTARTS = 2


@dataclass(frozen=True)
class Credentials:
    """Temporary S3 credentials, scoped to one key."""

    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)


@dataclass(frozen=True)
class Target:
    """Where one prepare lets us upload. An empty `region` is unknown."""

    bucket: str
    key: str
    region: str
    credentials: Credentials


@dataclass(frozen=True)
class Uploaded:
    """An archive that is in S3: `target` is the one that took it, `size` is in bytes, `seconds` covers all tries."""

    target: Target
    size: int
    sha256: str
    seconds: float


class Stream(Protocol):
    """The archive while it is packed. `sha256` (hex) and `bytes_read` are valid once `read` has returned `b""`."""

    @property
    def sha256(self) -> str: ...  # noqa: D102

    @property
    def bytes_read(self) -> int: ...  # noqa: D102

    def read(self, size: int = -1, /) -> bytes: ...  # noqa: D102

    def close(self) -> None: ...  # noqa: D102


def preload() -> None:
    """Import and build what the first upload of a process needs. Any thread may call it, at any time."""
    from . import s3, s3_errors, transfer  # noqa: F401, PLC0415

    s3.preload()


def part_bytes(largest: int) -> int:
    """Size of a part in bytes, for an archive of at most `largest` bytes. Raises `InvalidInput` above S3's limit."""
    if largest > LARGEST_BYTES:
        raise InvalidInput(
            f"The Truss may make an archive of {largest / 1024**4:.1f} TiB; S3 takes up to 5 TiB",
            "Keep large files out of the Truss with `.truss_ignore`, or load weights at start-up.",
        )
    needed = -(-largest // MOST_PARTS)
    return max(PART_BYTES, -(-needed // _MIB) * _MIB)


def upload(
    open_stream: Callable[[], Stream],
    target: Target,
    *,
    renew: Callable[[], Target],
    largest: int,
    endpoint_url: str = "",
    progress: Callable[[int], None] = lambda _: None,
    environ: Mapping[str, str] | None = None,
    clock: Clock | None = None,
) -> Uploaded:
    """Upload what `open_stream` gives, and return once S3 has it.

    `largest` bounds the size of the archive in bytes. When the credentials expire or are revoked meanwhile, `renew`
    issues others, and everything is sent again, at most twice; likewise when S3 loses the upload. `progress` hears
    about ten times a second, in the caller's thread, how many bytes the present try has sent. Of `environ` (this
    process's, if None) only proxies and CA files are read, see `s3`.

    Raises `UploadFailed`, `InvalidInput` when `largest` is beyond S3's limit, and what the stream, `renew` or
    `progress` raise, as it is. Then, and when a signal handler raises in the caller's thread, the multipart upload is
    aborted and the stream closed, within five seconds.
    """
    size = part_bytes(largest)
    from . import s3, s3_errors  # noqa: PLC0415
    from .transfer import transfer  # noqa: PLC0415

    clock = clock or Clock()
    environ = os.environ if environ is None else environ
    started = clock.now()
    dangling: frozenset[Multipart] = frozenset()
    restarts = 0
    while True:
        try:
            client = s3.Client(target, endpoint_url=endpoint_url, environ=environ, clock=clock)
        except s3.ConfigurationError as wrong:
            raise UploadFailed(str(wrong)) from None
        try:
            with closing(open_stream()) as stream:
                error = transfer(
                    client,
                    stream,
                    target,
                    part_bytes=size,
                    parts_in_memory=max(1, BUFFER_BYTES // size),
                    threads=THREADS,
                    progress=progress,
                )
                if error is None:
                    return Uploaded(target, stream.bytes_read, stream.sha256, clock.now() - started)
        finally:
            dangling = client.tidy(dangling)
            client.close()
        reason = s3_errors.again(error) if restarts < RESTARTS else None
        if reason is None:
            problem = s3_errors.explain(error, s3_errors.Circumstances(target, client.host, client.network))
            raise UploadFailed(problem) if problem else error
        del error  # its traceback holds parts of the archive
        restarts += 1
        if reason is s3_errors.Again.NEW_CREDENTIALS:
            target = renew()
