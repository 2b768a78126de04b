"""Puts the archive into S3 while it is being packed: in parts, with bounded memory, leaving nothing half done behind.

Here are what comes out, the sizes, and when to start over. One run is `managed_transfer`, requests are `client`, what
an error means is `remedies`. Those cost half a second to import, so that happens when they are needed, or ahead of time
in `preload`.
"""

from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING

from baseten_deploy.clock import Clock
from baseten_deploy.errors import InvalidInput, UploadFailed
from baseten_deploy.network.way_out import WayOut
from baseten_deploy.records import dataclass
from baseten_deploy.service.answers import UploadTarget

if TYPE_CHECKING:
    from .client import Multipart
    from .managed_transfer import Stream

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
class Uploaded:
    """An archive that is in S3: `target` is the one that took it, `size` is in bytes, `seconds` covers all tries."""

    target: UploadTarget
    size: int
    sha256: str
    seconds: float


def preload() -> None:
    """Import and build what the first upload of a process needs. Any thread may call it, at any time."""
    from . import client, managed_transfer, remedies  # noqa: F401, PLC0415

    client.preload()


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
    open_stream: "Callable[[], Stream]",
    target: UploadTarget,
    *,
    renew: Callable[[], UploadTarget],
    largest: int,
    endpoint_url: str = "",
    progress: Callable[[int], None] = lambda _: None,
    way: WayOut | None = None,
    redact: Callable[[str], str] = str,
    clock: Clock | None = None,
) -> Uploaded:
    """Upload what `open_stream` gives, and return once S3 has it.

    `largest` bounds the size of the archive in bytes. When the credentials expire or are revoked meanwhile, `renew`
    issues others, and everything is sent again, at most twice; likewise when S3 loses the upload. `progress` hears
    about ten times a second, in the caller's thread, how many bytes the present try has sent. `way` is the way out, no
    proxies if None; `redact` takes the run's secrets out of what S3 says, before it is cut.

    Raises `UploadFailed`, `InvalidInput` when `largest` is beyond S3's limit, and what the stream, `renew` or
    `progress` raise, as it is. Then, and when a signal handler raises in the caller's thread, the multipart upload is
    aborted and the stream closed, within five seconds.
    """
    size = part_bytes(largest)
    from . import remedies  # noqa: PLC0415
    from .client import Client, ConfigurationError  # noqa: PLC0415
    from .managed_transfer import transfer  # noqa: PLC0415

    clock = clock or Clock()
    way = way or WayOut()
    started = clock.now()
    dangling: frozenset[Multipart] = frozenset()
    restarts = 0
    while True:
        try:
            client = Client(target, endpoint_url=endpoint_url, way=way, clock=clock)
        except ConfigurationError as wrong:
            raise UploadFailed(str(wrong), remedies.ENDPOINT) from None
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
        reason = remedies.again(error) if restarts < RESTARTS else None
        if reason is None:
            where = remedies.Circumstances(target, client.host, client.proxy, way.trusted, redact)
            problem = remedies.explain(error, where)
            raise UploadFailed(problem) if problem else error
        del error  # its traceback holds parts of the archive
        restarts += 1
        if reason is remedies.Again.NEW_CREDENTIALS:
            target = renew()
