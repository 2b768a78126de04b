"""httpx's way out: each request by the proxy that leads there, and every failure in httpx's own terms.

Whatever an answer holds, what leaves here is an answer or an `httpx.HTTPError`; the bodies are httpx's own streams. No
redirect is built, no cookie is kept, and nothing is read from the environment (see `way_out`).
"""

import threading
from urllib.parse import urlsplit

import httpx

from .deadline import Backend
from .failures import Obstacle, certificate_error, proxy_refused, proxy_unreached, untrusted
from .proxies import Proxy
from .way_out import WayOut

LOCATION = "location"  # the extension of an answer that holds its `Location`
# httpx would make a request of the one, whatever it says, and send the other with every later request.
_UNREAD = ("Location", "Set-Cookie")


class NotReached(httpx.ConnectError):
    """No connection: nothing was sent. What is in the way is said by `obstacle`."""

    def __init__(self, obstacle: Obstacle) -> None:
        self.obstacle = obstacle
        super().__init__(obstacle.message)


class Transport(httpx.BaseTransport):
    """Sends by the way out. Any thread may use it."""

    def __init__(self, way: WayOut) -> None:
        self._way = way
        self._lock = threading.Lock()
        self._transports: dict[Proxy | None, httpx.HTTPTransport] = {}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send. Raises `InvalidInput` when the variable that names the proxy there cannot be used."""
        try:
            proxy = self._way.proxy_for(str(request.url))
            transport = self._transport(proxy)
        except ValueError:
            raise httpx.UnsupportedProtocol("the URL is none") from None
        host = urlsplit(str(request.url)).netloc.rpartition("@")[2]
        try:
            response = transport.handle_request(request)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as error:
            raise NotReached(self._obstacle(error, host, proxy)) from None
        except httpx.HTTPError:
            raise
        except (ValueError, TypeError, OverflowError, RecursionError, LookupError, OSError) as error:
            # UnicodeError and idna's are ValueErrors; h11 and httpcore let some of their own through.
            raise httpx.RemoteProtocolError(f"the answer cannot be read ({type(error).__name__})") from None
        location = response.headers.get("Location")
        if location is not None:
            response.extensions[LOCATION] = location
        for name in _UNREAD:
            if name in response.headers:
                del response.headers[name]
        return response

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            for transport in self._transports.values():
                transport.close()

    def _transport(self, proxy: Proxy | None) -> httpx.HTTPTransport:
        with self._lock:
            if proxy not in self._transports:
                trust = self._way.trust
                through = (
                    httpx.Proxy(proxy.url, ssl_context=trust if proxy.scheme == "https" else None) if proxy else None
                )
                made = httpx.HTTPTransport(verify=trust, trust_env=False, proxy=through)
                # httpx has no argument for it; its pool asks it for each connection.
                made._pool._network_backend = Backend()  # noqa: SLF001
                self._transports[proxy] = made
            return self._transports[proxy]

    def _obstacle(self, error: httpx.TransportError, host: str, proxy: Proxy | None) -> Obstacle:
        said = str(error) or type(error).__name__
        if (refusal := certificate_error(error)) is not None:
            return untrusted(refusal, host, self._way.trusted, proxy)
        if isinstance(error, httpx.ConnectTimeout):
            said = "it did not take a connection in time"
        if proxy is None:
            return Obstacle(f"no connection to {host}: {said}")
        if isinstance(error, httpx.ProxyError):
            status = said.partition(" ")[0]  # as httpcore writes an answer to CONNECT
            known = status.isascii() and status.isdigit() and len(status) == 3
            return proxy_refused(proxy, host, int(status) if known else 0, said)
        if _is_tls(error):
            return Obstacle(f"no connection to {host}: TLS through the proxy {proxy.shown} failed: {said}")
        return proxy_unreached(proxy, host, said)


def _is_tls(error: BaseException) -> bool:
    import ssl  # noqa: PLC0415

    seen = error.__cause__ or error.__context__
    return isinstance(seen, ssl.SSLError) or "SSL" in str(error)
