"""One end for one try: over connecting, TLS, the head of an answer (1xx included) and its body.

A timeout of sockets, and so of httpx, is for each read: a server that sends a byte a second resets it with every one.
`bounded` makes a timeout whose numbers know when the whole try ends, and the `Backend` of httpcore obeys that, also
while a name is looked up (`resolver`).
"""

import ssl
import time
from collections.abc import Iterable
from typing import Any, Self

import httpcore
import httpx

from .resolver import LONGEST_SECONDS, addresses

_PIECE = 64 * 1024


class Until(float):
    """Seconds for one read or write, as any timeout is; the whole try ends at `end` (of `time.monotonic()`)."""

    end: float

    def __new__(cls, seconds: float, end: float) -> Self:
        """Make it."""
        self = super().__new__(cls, seconds)
        self.end = end
        return self


def bounded(seconds: float, *, connect: float | None = None, step: float | None = None) -> httpx.Timeout:
    """A timeout of `seconds` from now for a whole try: `connect` for connecting, `step` for each read and write."""
    end = time.monotonic() + seconds
    each = Until(min(seconds, step or seconds), end)
    return httpx.Timeout(each, connect=Until(min(seconds, connect or seconds), end))


def _left(timeout: float | None, late: type[Exception]) -> float | None:
    """What is left of a timeout. Raises `late` when its try has ended."""
    if not isinstance(timeout, Until):
        return timeout
    left = timeout.end - time.monotonic()
    if left <= 0:
        raise late("the time of this call is up")
    return min(float(timeout), left)


def _addresses(host: str, port: int, timeout: float | None) -> tuple[str, ...]:
    """Those of a name, which may take all that is left of its try: a name server that is down costs seconds."""
    seconds = timeout.end - time.monotonic() if isinstance(timeout, Until) else timeout
    try:
        return addresses(host, port, LONGEST_SECONDS if seconds is None else seconds)
    except OSError as error:
        raise httpcore.ConnectError(str(error)) from error


class Backend(httpcore.NetworkBackend):
    """httpcore's own connections, whose timeouts end with their try."""

    def __init__(self) -> None:
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect."""
        found = _addresses(host, port, timeout)
        for number, address in enumerate(found, start=1):
            left = _left(timeout, httpcore.ConnectTimeout)
            try:
                return _Stream(self._inner.connect_tcp(address, port, left, local_address, socket_options))
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if number == len(found):
                    raise
        raise httpcore.ConnectError("its name has no address")

    def sleep(self, seconds: float) -> None:
        """Wait."""
        self._inner.sleep(seconds)


class _Stream(httpcore.NetworkStream):
    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), _PIECE):
            self._inner.write(buffer[start : start + _PIECE], _left(timeout, httpcore.WriteTimeout))

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = _left(timeout, httpcore.ConnectTimeout)
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, left))

    def close(self) -> None:
        self._inner.close()

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
