"""What stands between a run and the service, on loopback: a proxy that demands a password, and TLS before a server.

The proxy takes every host of a CONNECT (or of a plain http request) to the one server that it was given, so that names
that are nobody's lead there; the certificates are a private authority's (`trustme`).
"""

import base64
import datetime as dt
import socket
import ssl
import threading
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import trustme

_HEAD_BYTES = 64 * 1024


class Listener:
    """A server that handles each connection in a thread of its own."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(5)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError), closing(connection):
            self.handle(connection)

    def handle(self, connection: socket.socket) -> None:
        """Talk on a connection until its end."""
        raise NotImplementedError


@dataclass
class Seen:
    """What a proxy was asked: the request line's target, and the credentials."""

    method: str
    target: str
    authorization: str


class Proxy(Listener):
    """An HTTP proxy. `to` is the port that every host leads to, or that of each; with `user` it wants `password` too.

    `refusal` answers every request instead: a whole HTTP answer, into which `{authorization}` is filled in.
    """

    def __init__(self, to: int | Mapping[str, int], user: str = "", password: str = "", refusal: str = "") -> None:
        super().__init__()
        self._to = to
        self._wanted = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode() if user else ""
        self._refusal = refusal
        self.seen: list[Seen] = []

    @property
    def hosts(self) -> set[str]:
        """The hosts that were asked for."""
        return {seen.target.rpartition(":")[0] for seen in self.seen}

    def handle(self, connection: socket.socket) -> None:
        """CONNECT, or one plain request."""
        head, rest = _head(connection)
        line, *headers = head.decode("latin-1").split("\r\n")
        method, target, _ = line.split(" ")
        named = {name.strip().lower(): value.strip() for name, _, value in (each.partition(":") for each in headers)}
        authorization = named.get("proxy-authorization", "")
        self.seen.append(Seen(method, target, authorization))
        if self._refusal:
            connection.sendall(self._refusal.format(authorization=authorization).encode())
            return
        if self._wanted and authorization != self._wanted:
            connection.sendall(answer("407 Proxy Authentication Required", Proxy_Authenticate="Basic realm=x"))
            return
        port = self._to if isinstance(self._to, int) else self._to[target.rpartition(":")[0]]
        with socket.create_connection(("127.0.0.1", port), timeout=30) as server:
            if method == "CONNECT":
                connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                server.sendall(rest)
            else:
                server.sendall(head + b"\r\n\r\n" + rest)
            _relay(connection, server)


class TlsFront(Listener):
    """TLS in front of a plain server on `to`; without one it answers every request with `answer`."""

    def __init__(self, certificate: trustme.LeafCert, to: int = 0, answer: bytes = b"") -> None:
        super().__init__()
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(self._context)
        self._to = to
        self._answer = answer
        self.connections = 0
        self.handshakes = 0

    def handle(self, connection: socket.socket) -> None:
        """One connection; a client that does not trust the certificate ends it."""
        self.connections += 1
        try:
            wrapped = self._context.wrap_socket(connection, server_side=True)
        except (ssl.SSLError, OSError):
            return
        self.handshakes += 1
        with closing(wrapped):
            if not self._to:
                while _head(wrapped)[0]:
                    wrapped.sendall(self._answer)
                return
            with socket.create_connection(("127.0.0.1", self._to), timeout=30) as server:
                _relay(wrapped, server)


@dataclass
class Answering(Listener):
    """A plain server that answers every request with the same bytes, whatever they are."""

    answer: bytes
    requests: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle(self, connection: socket.socket) -> None:
        """Answer, and read what else comes, so that the client can send it all."""
        head, _ = _head(connection)
        if head:
            self.requests.append(head.decode("latin-1").partition("\r\n")[0])
            connection.sendall(self.answer)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass


def answer(status: str, body: str | bytes = b"", **headers: str) -> bytes:
    """An HTTP answer."""
    content = body.encode() if isinstance(body, str) else body
    named = {"Content-Length": str(len(content)), "Connection": "close"}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in named.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1") + content


def _head(connection: socket.socket) -> tuple[bytes, bytes]:
    """The head of a request, without the empty line that ends it, and what came with it."""
    data = b""
    while b"\r\n\r\n" not in data and len(data) < _HEAD_BYTES:
        piece = connection.recv(4096)
        data += piece
        if not piece or data[:1] == b"\x16":  # or a client that speaks TLS to a server that does not
            return b"", b""
    head, _, rest = data.partition(b"\r\n\r\n")
    return head, rest


def _relay(left: socket.socket, right: socket.socket) -> None:
    """Carry bytes both ways until one side ends."""

    def carry(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while piece := source.recv(65536):
                sink.sendall(piece)
        for each in (source, sink):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    back = threading.Thread(target=carry, args=(right, left), daemon=True)
    back.start()
    carry(left, right)
    back.join(30)


@dataclass(frozen=True)
class Authority:
    """A private authority: `file` is its certificate."""

    issuer: trustme.CA
    file: Path

    def certificate(self, *names: str, expired: bool = False, begins: dt.datetime | None = None) -> trustme.LeafCert:
        """A certificate for these names."""
        if expired:
            return self.issuer.issue_cert(*names, not_after=dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
        if begins:
            return self.issuer.issue_cert(*names, not_before=begins)
        return self.issuer.issue_cert(*names)


def make_authority(directory: Path) -> Authority:
    """A new one."""
    issuer = trustme.CA()
    file = directory / "ca.pem"
    issuer.cert_pem.write_to_path(file)
    return Authority(issuer, file)
