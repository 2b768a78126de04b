"""A real server on loopback for the unit tests of what goes over the wire: each connection is a function's."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Serve = Callable[[socket.socket, int], None]


@contextmanager
def serving(serve: Serve, trust: ssl.SSLContext | None = None) -> Iterator[int]:
    """Give each connection and its number (from 0) to `serve`, in a thread, until the body ends; yields the port."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)

    def handle(link: socket.socket, number: int) -> None:
        with suppress(OSError), link:
            if trust:
                link = trust.wrap_socket(link, server_side=True)
            serve(link, number)
            link.close()

    def accept() -> None:
        number = 0
        with suppress(OSError):
            while True:
                link, _ = listener.accept()
                threading.Thread(target=handle, args=(link, number), daemon=True).start()
                number += 1

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def read_request(link: socket.socket) -> bytes:
    """One request, head and body; empty when the client is gone."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = link.recv(65536)
        if not piece:
            return b""
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    while lengths and len(body) < int(lengths[0]):
        body += link.recv(65536)
    return head + b"\r\n\r\n" + body


def answer(body: bytes = b"{}", status: str = "200 OK", media_type: str = "application/json", extra: str = "") -> bytes:
    """An answer, whole."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: {media_type}\r\nContent-Length: {len(body)}\r\n{extra}\r\n"
    return head.encode() + body
