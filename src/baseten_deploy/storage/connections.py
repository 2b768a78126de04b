"""botocore's connections by the run's own way out (`network`), which can be cut from another thread at any moment.

What is sent is `client`.
"""

import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from weakref import WeakSet

from botocore.awsrequest import (
    AWSHTTPConnection,
    AWSHTTPConnectionPool,
    AWSHTTPSConnection,
    AWSHTTPSConnectionPool,
    AWSPreparedRequest,
    AWSRequest,
    AWSResponse,
)
from botocore.exceptions import ConnectionClosedError
from botocore.httpsession import ProxyConfiguration, URLLib3Session
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NameResolutionError, NewConnectionError

from baseten_deploy.background import start
from baseten_deploy.network.resolver import addresses
from baseten_deploy.network.way_out import WayOut

CONNECT_SECONDS = 10.0
READ_SECONDS = 60.0  # without a byte, in either direction
ANSWER_BYTES = 1024 * 1024
_WATCH_SECONDS = 0.25
# As botocore's own endpoint has them. Else the last packet of a request waits until the server acknowledges the one
# before, which it puts off for 40 ms.
_SOCKET_OPTIONS = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]


class _Proxies:
    """What botocore's session asks about proxies."""

    def __init__(self, way: WayOut) -> None:
        self._way = way
        self.settings: dict[str, Any] = {}

    def proxy_url_for(self, url: str) -> str | None:
        """The proxy that leads to a URL."""
        proxy = self._way.proxy_for(url)
        return proxy.url if proxy else None

    def proxy_headers_for(self, proxy_url: str) -> dict[str, str]:
        """What a request to the proxy itself carries."""
        return ProxyConfiguration(proxies={}).proxy_headers_for(proxy_url)


class Connections(URLLib3Session):
    """botocore's HTTP session, whose connections can be cut from another thread."""

    def __init__(self, way: WayOut, *, connect: float, read: float) -> None:
        self._way = way  # of which the base class asks for the certificates
        patience = (connect, read)  # botocore's own endpoint gives two as well; the stubs know of one
        super().__init__(timeout=patience, socket_options=_SOCKET_OPTIONS)  # type: ignore[arg-type] # see `patience`
        self._proxy_config = _Proxies(way)  # it asks it no more than that
        self._read_seconds = read
        self._lock = threading.Lock()
        self._cut = False
        self._ends: dict[Any, float] = {}  # of what a connection is doing, by `time.monotonic()`
        self._watching = False
        self._open: WeakSet[socket.socket] = WeakSet()
        sessions = self

        class Watched:
            """What the two kinds of connections have in common. Overrides what urllib3 and botocore call."""

            sock: Any

            def connect(self) -> None:
                with sessions._watched(self):
                    super().connect()  # type: ignore[misc] # of the class that it is mixed into, as below
                sessions._opened(self.sock)

            def _new_conn(self) -> socket.socket:
                return sessions._connected(self, super()._new_conn)  # type: ignore[misc]

            def getresponse(self, *arguments: Any, **named: Any) -> Any:
                with sessions._watched(self):
                    return super().getresponse(*arguments, **named)  # type: ignore[misc]

            def _handle_expect_response(self, message_body: Any) -> None:
                with sessions._watched(self):
                    super()._handle_expect_response(message_body)  # type: ignore[misc]

            def _send_message_body(self, message_body: Any) -> None:
                sessions._unwatch(self)  # it may take as long as the uplink needs
                super()._send_message_body(message_body)  # type: ignore[misc]

        plain, tls = type("Plain", (Watched, AWSHTTPConnection), {}), type("Tls", (Watched, AWSHTTPSConnection), {})
        # urllib3 makes connections of these classes. The pool managers share this very mapping.
        self._pool_classes_by_scheme.update(  # type: ignore[attr-defined]
            http=type("PlainPool", (AWSHTTPConnectionPool,), {"ConnectionCls": plain}),
            https=type("TlsPool", (AWSHTTPSConnectionPool,), {"ConnectionCls": tls}),
        )

    def send(self, request: AWSRequest | AWSPreparedRequest) -> AWSResponse:
        """Send, and read the answer, which is short whatever S3 is asked: one that does not end is a broken one."""
        request.stream_output = True  # else botocore reads it, whatever its length
        response = super().send(request)
        url = request.url or ""
        data, end = bytearray(), time.monotonic() + self._read_seconds
        try:
            for chunk in response.raw.stream(ANSWER_BYTES // 16):
                data += chunk
                if len(data) > ANSWER_BYTES or time.monotonic() > end:
                    raise ConnectionClosedError(endpoint_url=url)
        except HTTPError as error:
            raise ConnectionClosedError(endpoint_url=url, error=error) from None
        response._content = bytes(data)  # type: ignore[attr-defined] # noqa: SLF001 - what its `content` would read
        return response

    def _get_ssl_context(self) -> ssl.SSLContext:
        """The certificates of the way out. Overrides botocore's, which knows none."""
        return self._way.trust

    def _setup_ssl_cert(self, conn: Any, url: str, verify: Any) -> None:
        """Add none to them. Overrides botocore's, which loads a file for each connection."""

    def _setup_proxy_ssl_context(self, proxy_url: str) -> ssl.SSLContext | None:
        """The same for a proxy that is spoken to over TLS."""
        return self._way.trust if proxy_url.startswith("https:") else None

    def _connected(self, connection: Any, connect: Callable[[], socket.socket]) -> socket.socket:
        """Look up the name, in bounded time, and `connect` to one of its addresses.

        urllib3 keeps the name apart from what certificates are compared with, but not for long: it is put back.
        """
        name = connection._dns_host  # noqa: SLF001
        try:
            found = addresses(name, connection.port, self._read_seconds, stopped=lambda: self._cut)
        except (OSError, UnicodeError) as error:
            unknown = error if isinstance(error, socket.gaierror) else socket.gaierror(socket.EAI_AGAIN, str(error))
            raise NameResolutionError(connection.host, connection, unknown) from error
        try:
            for number, address in enumerate(found, start=1):
                connection._dns_host = address  # noqa: SLF001
                try:
                    return connect()
                except (NewConnectionError, ConnectTimeoutError):
                    if number == len(found) or self._cut:
                        raise
        finally:
            connection._dns_host = name  # noqa: SLF001
        raise NameResolutionError(connection.host, connection, socket.gaierror(socket.EAI_NONAME, "it has no address"))

    @contextmanager
    def _watched(self, connection: Any) -> Iterator[None]:
        """End what a connection does in the body, connecting or reading the head of an answer, after its time.

        A timeout of a socket is for each read, and a server that drips a byte a second resets it with every one. The
        body of a request may take as long as the uplink needs; that of an answer has its end in `send`.
        """
        with self._lock:
            self._ends[connection] = time.monotonic() + self._read_seconds
            if not self._watching:
                self._watching = start(self._watch, "s3-watch") is not None
        try:
            yield
        finally:
            self._unwatch(connection)

    def _unwatch(self, connection: Any) -> None:
        with self._lock:
            self._ends.pop(connection, None)

    def _watch(self) -> None:
        """Cut what takes too long, as long as there is anything to watch."""
        while True:
            time.sleep(_WATCH_SECONDS)
            with self._lock:
                late = [each for each, end in self._ends.items() if end < time.monotonic()]
                for connection in late:
                    if (sock := connection.sock) is not None:
                        _shut(getattr(sock, "socket", sock))
                if not self._ends:
                    self._watching = False
                    return

    def _opened(self, connected: Any) -> None:
        sock: socket.socket = getattr(connected, "socket", connected)  # TLS in TLS, to an https proxy, wraps one
        sock.settimeout(self._read_seconds)  # so far it was the connect timeout: too short for a slow uplink
        with self._lock:
            self._open.add(sock)
            if self._cut:
                _shut(sock)

    def cut(self) -> None:
        """Make every request fail that is on its way, and every one that comes."""
        with self._lock:
            self._cut = True
            for sock in self._open:
                _shut(sock)


def _shut(sock: socket.socket) -> None:
    with suppress(OSError):  # closed already
        # Megabytes in the kernel's buffer must not go out before the abort does: close discards them.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # Not SSLSocket's own method, which also changes state that the thread inside of it is using.
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
