"""A threaded HTTP server around a WSGI application that starts and stops at once and leaves nothing behind."""

import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import ThreadedWSGIServer

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


class Listener:
    """Serves `app` on `host:port` (port 0: a free one, the same again after a pause) from `start` to `stop`."""

    def __init__(self, app: "WSGIApplication", host: str, port: int) -> None:
        self._app = app
        self._host = host
        self._port = port
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """`http://host:port`; a wildcard address is shown as loopback."""
        host = "127.0.0.1" if self._host in {"0.0.0.0", ""} else self._host  # noqa: S104 - only compared
        return f"http://{host}:{self._port}"

    def start(self) -> None:
        """Listen; connections are accepted when this returns."""
        self._server = _Server(self._host, self._port, self._app, _Handler)
        self._port = self._server.port
        self._thread = threading.Thread(target=self._server.accept_until_told, name=f"sandbox {self.url}")
        self._thread.start()

    def stop(self) -> None:
        """Close the port and every connection, and wait for their threads."""
        if self._server is None or self._thread is None:
            return
        self._server.tell()
        self._server.drop_connections()
        self._thread.join()
        self._server = self._thread = None

    @contextmanager
    def paused(self) -> Iterator[None]:
        """While inside, connections are refused."""
        self.stop()
        try:
            yield
        finally:
            self.start()


class _Handler(MotoRequestHandler):
    """One connection, one request, no words on stderr."""

    def run_wsgi(self) -> None:
        super().run_wsgi()
        self.close_connection = True

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - werkzeug's name
        """The recorder keeps what came."""


class _Server(ThreadedWSGIServer):
    daemon_threads = False  # so that closing waits for them
    timeout = 1.0  # seconds; for a connection that went away before it was accepted

    def __init__(self, *args: Any) -> None:
        self._connections: set[socket.socket] = set()
        self._connections_lock = threading.Lock()
        self._told, self._teller = socket.socketpair()
        super().__init__(*args)

    def accept_until_told(self) -> None:
        """As `serve_forever`, without its ticks: it stops at once, and one that waits takes nothing."""
        with self._told, selectors.DefaultSelector() as selector:
            selector.register(self, selectors.EVENT_READ)
            selector.register(self._told, selectors.EVENT_READ)
            while all(key.fileobj is self for key, _ in selector.select()):
                self.handle_request()
        self.server_close()

    def tell(self) -> None:
        """End `accept_until_told`; no more than once."""
        self._teller.close()

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._connections_lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._connections_lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def drop_connections(self) -> None:
        """End what is under way: a blocked read or write returns at once."""
        with self._connections_lock:
            for connection in self._connections:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:  # it is gone already
                    continue
