"""A connection on which every piece says when it came: by the kernel's clock, not when a thread got round to it.

With 64 calls at once an answer waits for its thread, and that time is ours, not the model's. TLS is done in memory, so
that the pieces can be received with their time. Deadlines are of `now`. Spec: `SO_TIMESTAMPNS` in socket(7).
"""

import socket
import ssl
import struct
import sys
import time
from collections.abc import Callable

_TIMESTAMP = 35  # SO_TIMESTAMPNS, which Python does not name; of all Linux machines but sparc and parisc
_TIMESPEC = struct.Struct("@ll")
_ANCILLARY = socket.CMSG_SPACE(_TIMESPEC.size) if hasattr(socket, "CMSG_SPACE") else 0
_PIECE_BYTES = 64 * 1024
_LEAST = 0.001


class Link:
    """A connected socket. Its calls raise `OSError`, of which `TimeoutError` and `ssl.SSLError` are some."""

    def __init__(self, connected: socket.socket, now: Callable[[], float] = time.perf_counter) -> None:
        self._socket = connected
        self._now = now
        self._tls: ssl.SSLObject | None = None
        self._came_in, self._goes_out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._moment = now()
        self._stamped = False
        if sys.platform == "linux":
            try:
                connected.setsockopt(socket.SOL_SOCKET, _TIMESTAMP, 1)
                self._stamped = True
            except OSError:  # a kernel that is none
                self._stamped = False

    def secure(self, trust: ssl.SSLContext, host: str, end: float) -> None:
        """Shake hands."""
        self._tls = trust.wrap_bio(self._came_in, self._goes_out, server_hostname=host)
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._flush(end)
                self._take_in(end)
            else:
                self._flush(end)
                return

    def send(self, data: bytes, end: float) -> None:
        """Send it all."""
        if self._tls is None:
            self._socket.settimeout(max(end - self._now(), _LEAST))
            self._socket.sendall(data)
            return
        view = memoryview(data)
        while view:
            view = view[self._tls.write(view) :]  # into memory, which is never full
        self._flush(end)

    def receive(self, end: float) -> tuple[bytes, float]:
        """The next piece, empty at the end, and when it was there."""
        if self._tls is None:
            return self._receive_raw(end), self._moment
        while True:
            try:
                return self._tls.read(_PIECE_BYTES), self._moment
            except ssl.SSLWantReadError:
                self._flush(end)
                self._take_in(end)
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return b"", self._moment

    def close(self) -> None:
        """End it."""
        self._socket.close()

    def _take_in(self, end: float) -> None:
        data = self._receive_raw(end)
        if data:
            self._came_in.write(data)
        else:
            self._came_in.write_eof()

    def _flush(self, end: float) -> None:
        if data := self._goes_out.read():
            self._socket.settimeout(max(end - self._now(), _LEAST))
            self._socket.sendall(data)

    def _receive_raw(self, end: float) -> bytes:
        left = end - self._now()
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(left)
        if not self._stamped:
            data = self._socket.recv(_PIECE_BYTES)
            self._moment = self._now()
            return data
        data, ancillary, _, _ = self._socket.recvmsg(_PIECE_BYTES, _ANCILLARY)
        moment = self._now()
        for level, kind, stamp in ancillary:
            if level == socket.SOL_SOCKET and kind == _TIMESTAMP and len(stamp) >= _TIMESPEC.size:
                seconds, nanoseconds = _TIMESPEC.unpack_from(stamp)
                lain = time.time() - seconds - nanoseconds / 1e9
                if 0 <= lain < moment - self._moment:  # else the clock was set meanwhile
                    moment -= lain
        self._moment = moment
        return data
