"""One kept HTTP/1.1 connection to a model: a call at a time, each with one deadline over all of it. No retries.

`h11` parses, `link` says when each piece came. When a call is made again is `session`.
"""

import socket
import ssl
import time
from collections.abc import Callable, Mapping

import h11

from baseten_deploy.network.resolver import addresses

from .answer import Answer
from .link import Link
from .route import Endpoint, Proxy

BODY_BYTES = 16 * 1024 * 1024
TOGETHER_BYTES = 256 * 1024 * 1024  # of the answers that are under way at once
HEAD_BYTES = 64 * 1024
CONNECT_SECONDS = 10.0


class NotConnected(Exception):
    """No connection: nothing was sent. `again` is false where a second try would end the same."""

    def __init__(self, message: str, *, again: bool = True) -> None:
        self.again = again
        super().__init__(message)


class Broken(Exception):
    """The connection ended, or what came is no HTTP. `unused`: a kept connection that had been closed meanwhile."""

    def __init__(self, message: str, *, unused: bool = False) -> None:
        self.unused = unused
        super().__init__(message)


def make_request(endpoint: Endpoint, method: str, headers: Mapping[str, str], body: bytes) -> h11.Request:
    """A request that can be sent any number of times."""
    fields = [("Host", endpoint.authority), ("Accept-Encoding", "identity"), *headers.items()]
    if body or method in ("POST", "PUT", "PATCH"):
        fields.append(("Content-Length", str(len(body))))
    return h11.Request(method=method, target=endpoint.target, headers=fields)


class Connection:
    """A connection that is made with its first call and kept for the next. For one thread."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        trust: ssl.SSLContext | None = None,
        proxy: Proxy | None = None,
        body_bytes: int = BODY_BYTES,
        now: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._endpoint = endpoint
        self._body_bytes = body_bytes
        self._trust = trust
        self._proxy = proxy
        self._now = now
        self._link: Link | None = None
        self._protocol = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_BYTES)
        self._fresh = True
        self._received = False

    def close(self) -> None:
        """End the connection; the next call makes another."""
        if self._link is not None:
            self._link.close()
            self._link = None

    def call(self, request: h11.Request, body: bytes, seconds: float) -> Answer:
        """Send a request and read its answer, within so long. Raises `NotConnected`, `Broken` and `TimeoutError`."""
        end = self._now() + seconds
        if self._link is None:
            self._link = self._connect(end)
            self._protocol = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_BYTES)
            self._fresh = True
        try:
            answer = self._exchange(self._link, request, body, end)
        except BaseException:
            self.close()
            raise
        self._fresh = False
        if self._protocol.our_state is h11.DONE and self._protocol.their_state is h11.DONE and answer.complete:
            self._protocol.start_next_cycle()
        else:
            self.close()
        return answer

    def _exchange(self, link: Link, request: h11.Request, body: bytes, end: float) -> Answer:
        self._received = False
        try:
            data = self._written(request, body)
            start = self._now()
            link.send(data, end)
            return self._read(link, start, end)
        except TimeoutError:
            raise
        except h11.RemoteProtocolError as error:
            raise Broken(f"the answer is no HTTP: {error}") from None
        except (OSError, h11.LocalProtocolError) as error:
            unused = isinstance(error, OSError) and not self._received and not self._fresh
            raise Broken(f"the connection broke: {_words(error)}", unused=unused) from None

    def _written(self, request: h11.Request, body: bytes) -> bytes:
        protocol = self._protocol
        data = protocol.send(request) or b""
        if body:
            data += protocol.send(h11.Data(data=body)) or b""
        return data + (protocol.send(h11.EndOfMessage()) or b"")

    def _read(self, link: Link, start: float, end: float) -> Answer:
        """Read until the answer is whole, or longer than it may be."""
        pieces: list[bytes] = []
        marks: list[tuple[int, float]] = []
        size, moment = 0, start
        response: h11.Response | None = None
        while size <= self._body_bytes:
            event = self._protocol.next_event()
            if event is h11.NEED_DATA:
                moment = self._receive(link, end)
            elif isinstance(event, h11.Data):
                size += len(event.data)
                pieces.append(bytes(event.data))
                marks.append((size, moment - start))
            elif isinstance(event, h11.Response):
                response = event
            elif isinstance(event, h11.EndOfMessage):
                break
            elif not isinstance(event, h11.InformationalResponse):
                raise Broken("the connection was closed before the answer was whole")
        assert response is not None
        known = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
        body = b"".join(pieces)[: self._body_bytes]
        whole = size <= self._body_bytes
        return Answer(response.status_code, known, body, moment - start, tuple(marks), complete=whole)

    def _receive(self, link: Link, end: float) -> float:
        """Take in what is there, and say since when."""
        chunk, moment = link.receive(end)
        self._received = self._received or bool(chunk)
        if not self._received and not self._fresh:
            raise Broken("the connection was closed", unused=True)
        self._protocol.receive_data(chunk)
        return moment

    def _connect(self, end: float) -> Link:
        endpoint = self._endpoint
        link = Link(reach(endpoint, self._proxy, end, self._now), self._now)
        if not endpoint.secure:
            return link
        assert self._trust is not None
        try:
            link.secure(self._trust, endpoint.host, end)
        except OSError as error:
            link.close()
            untrusted = isinstance(error, ssl.SSLCertVerificationError)
            raise NotConnected(f"no connection to {endpoint.authority}: {_words(error)}", again=not untrusted) from None
        return link


def reach(endpoint: Endpoint, proxy: Proxy | None, end: float, now: Callable[[], float]) -> socket.socket:
    """A connection to the endpoint, through the proxy when there is one; TLS comes later. Raises `NotConnected`."""
    address = (proxy.host, proxy.port) if proxy else (endpoint.host, endpoint.port)
    where = f"the proxy {proxy.host}:{proxy.port}" if proxy else endpoint.authority
    try:
        link = _connected(address, end, now)
    except (OSError, UnicodeError) as error:
        raise NotConnected(f"no connection to {where}: {_words(error)}") from None
    try:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if proxy and endpoint.secure:
            _tunnel(link, endpoint, proxy, end, now)
    except OSError as error:
        link.close()
        raise NotConnected(f"no connection through {where}: {_words(error)}") from None
    except BaseException:
        link.close()
        raise
    return link


def _connected(address: tuple[str, int], end: float, now: Callable[[], float]) -> socket.socket:
    """A connection to the first of a host's addresses that takes one. Raises `OSError` and `UnicodeError`."""
    host, port = address
    found = addresses(host, port, max(end - now(), 0.001))
    for number, each in enumerate(found, start=1):
        try:
            return socket.create_connection((each, port), timeout=min(max(end - now(), 0.001), CONNECT_SECONDS))
        except OSError:
            if number == len(found):
                raise
    raise OSError("its name has no address")


def _tunnel(link: socket.socket, endpoint: Endpoint, proxy: Proxy, end: float, now: Callable[[], float]) -> None:
    """Ask the proxy for a way through. Raises `NotConnected` and `OSError`."""
    authority = f"{endpoint.host}:{endpoint.port}"
    headers = [("Host", authority)]
    if proxy.authorization:
        headers.append(("Proxy-Authorization", proxy.authorization))
    protocol = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_BYTES)
    try:
        data = protocol.send(h11.Request(method="CONNECT", target=authority, headers=headers)) or b""
        link.settimeout(max(end - now(), 0.001))
        link.sendall(data + (protocol.send(h11.EndOfMessage()) or b""))
        while True:
            event = protocol.next_event()
            if event is h11.NEED_DATA:
                left = end - now()
                if left <= 0:
                    raise TimeoutError("the proxy did not answer in time")
                link.settimeout(left)
                protocol.receive_data(link.recv(1))  # not a byte of what comes after
            elif isinstance(event, h11.Response):
                if 200 <= event.status_code < 300:
                    return
                raise NotConnected(f"the proxy {proxy.host}:{proxy.port} answered {event.status_code}", again=False)
            elif not isinstance(event, h11.InformationalResponse):
                raise NotConnected("the proxy closed the connection")
    except h11.ProtocolError as error:
        raise NotConnected(f"the proxy's answer is no HTTP: {error}", again=False) from None


def _words(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return "timed out" if isinstance(error, TimeoutError) else str(text)
