"""Lines about a long upload: how far it is, how fast, and how long it will take."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from baseten_deploy.clock import Clock
from baseten_deploy.report.amounts import duration, size

# A smaller archive is there before anybody wonders.
LARGE_BYTES = 50_000_000
FIRST_SECONDS = 2.0
EVERY_SECONDS = 10.0


class Packing(Protocol):
    """An archive that is being packed, see `archive.stream`. All in bytes."""

    @property
    def bytes_read(self) -> int: ...  # noqa: D102

    @property
    def source_bytes(self) -> int: ...  # noqa: D102

    @property
    def total_source_bytes(self) -> int: ...  # noqa: D102


P = TypeVar("P", bound=Packing)


class UploadProgress:
    """Says how an upload goes, unless it is small or soon over. A try that starts over is counted anew."""

    def __init__(self, say: Callable[[str], None], clock: Clock) -> None:
        self._say = say
        self._clock = clock
        self._packing: Packing | None = None
        self._started = self._next = 0.0

    def of(self, packing: P) -> P:
        """Watch this archive from now on."""
        self._packing = packing
        self._started = self._clock.now()
        self._next = self._started + FIRST_SECONDS
        return packing

    def __call__(self, sent: int) -> None:
        """Hear how many bytes of the archive are sent."""
        now, packing = self._clock.now(), self._packing
        if packing is None or now < self._next:
            return
        self._next = now + EVERY_SECONDS
        total = expected_size(packing)
        if total >= LARGE_BYTES and sent < total:
            self._say(progress_line(sent, total, now - self._started))


def last_line(total: int, seconds: float) -> str:
    """What was uploaded, and, of a large archive, how fast."""
    rate = f", {size(round(total / seconds))}/s" if total >= LARGE_BYTES and seconds > 0 else ""
    return f"Uploaded {size(total)} in {duration(seconds)}{rate}"


def expected_size(packing: Packing) -> int:
    """How large the archive is going to be, if what is still to be packed is like what was."""
    if not packing.source_bytes:
        return packing.total_source_bytes
    return max(packing.bytes_read, packing.bytes_read * packing.total_source_bytes // packing.source_bytes)


def progress_line(sent: int, total: int, seconds: float) -> str:
    """Where an upload is after `seconds`; `total` is an estimate."""
    parts = [f"Uploaded {size(sent)} of about {size(total)} ({100 * sent // max(1, total)} %)"]
    rate = sent / seconds if seconds > 0 else 0.0
    if rate:
        parts += [f"{size(round(rate))}/s", f"about {duration(max(1, round((total - sent) / rate)))} left"]
    return ", ".join(parts)
