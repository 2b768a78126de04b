"""The way to S3 and the connections on it, which can be cut from another thread at any moment.

Only what a corporate runner needs to reach S3 at all is read, from the mapping that is passed in: the proxy variables
and `SSL_CERT_FILE` / `REQUESTS_CA_BUNDLE`. What is sent is `client`.
"""

import socket
import struct
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined] # typeshed has it for macOS only
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
from botocore.httpsession import URLLib3Session
from urllib3.exceptions import HTTPError

CONNECT_SECONDS = 10.0
READ_SECONDS = 60.0  # without a byte, in either direction
ANSWER_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Network:
    """What the way to S3 takes from the environment: the URL of a proxy and a CA file, both may be empty."""

    proxy: str
    ca_bundle: str

    @classmethod
    def read(cls, environ: Mapping[str, str], url: str) -> "Network":
        """Find the way to `url`. A loopback host is never reached through a proxy."""

        def variable(name: str) -> str:
            return environ.get(name) or environ.get(name.upper()) or ""

        parts = urlsplit(url)
        direct = _is_loopback(parts.hostname or "") or proxy_bypass_environment(
            parts.netloc, {"no": variable("no_proxy")}
        )
        proxy = "" if direct else variable(f"{parts.scheme}_proxy") or variable("all_proxy")
        return cls(proxy, environ.get("SSL_CERT_FILE") or environ.get("REQUESTS_CA_BUNDLE") or "")


def _is_loopback(host: str) -> bool:
    with suppress(ValueError):
        return ip_address(host).is_loopback
    return host == "localhost" or host.endswith(".localhost")


class Connections(URLLib3Session):
    """botocore's HTTP session, whose connections can be cut from another thread."""

    def __init__(self, network: Network, *, connect: float, read: float) -> None:
        super().__init__(
            verify=network.ca_bundle or True,  # type: ignore[arg-type] # a path, as the client's own `verify`
            proxies={"http": network.proxy, "https": network.proxy} if network.proxy else {},
            timeout=(connect, read),  # type: ignore[arg-type] # as botocore's own endpoint does
        )
        self._read_seconds = read
        self._lock = threading.Lock()
        self._cut = False
        self._open: WeakSet[socket.socket] = WeakSet()
        opened = self._opened

        class Plain(AWSHTTPConnection):
            def connect(self) -> None:
                super().connect()
                opened(self.sock)

        class Tls(AWSHTTPSConnection):
            def connect(self) -> None:
                super().connect()
                opened(self.sock)

        # urllib3 makes connections of these classes. The pool managers share this very mapping.
        self._pool_classes_by_scheme.update(  # type: ignore[attr-defined]
            http=type("PlainPool", (AWSHTTPConnectionPool,), {"ConnectionCls": Plain}),
            https=type("TlsPool", (AWSHTTPSConnectionPool,), {"ConnectionCls": Tls}),
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
