"""A websocket of a deployed model: takes over the connection of a request, and answers each message.

`websockets` speaks the protocol, here without input and output of its own. What is answered is `answer`'s business.
"""

import socket
from collections.abc import Callable, Mapping
from typing import NoReturn

from websockets.frames import Opcode
from websockets.http11 import Request as Handshake
from websockets.server import ServerProtocol
from werkzeug.wrappers import Request

Message = str | bytes


def converse(request: Request, headers: Mapping[str, str], answer: Callable[[Message], Message | None]) -> NoReturn:
    """Open the websocket that `request` asks for and talk until it is closed. Raises `ConnectionError` at its end.

    The request has no other answer; `answer` None closes with 1011, an internal error.
    """
    link: socket.socket = request.environ["werkzeug.socket"]
    protocol = ServerProtocol()
    _receive(protocol, _head(request))
    [handshake] = protocol.events_received()
    assert isinstance(handshake, Handshake)
    response = protocol.accept(handshake)
    response.headers.update(headers)
    protocol.send_response(response)
    _send(protocol, link)
    pieces: list[bytes] = []
    kind = Opcode.TEXT
    while not protocol.close_expected():
        data = link.recv(65536)
        if not data:
            break
        _receive(protocol, data)
        for event in protocol.events_received():
            opcode = getattr(event, "opcode", None)
            if opcode in (Opcode.TEXT, Opcode.BINARY):
                kind, pieces = opcode, []
            if opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                pieces.append(bytes(event.data))  # type: ignore[union-attr] # it is a frame
                if event.fin:  # type: ignore[union-attr]
                    whole = b"".join(pieces)
                    _reply(protocol, answer(whole.decode() if kind is Opcode.TEXT else whole))
        _send(protocol, link)
    raise ConnectionAbortedError("the websocket is closed")


def _reply(protocol: ServerProtocol, message: Message | None) -> None:
    if message is None:
        protocol.send_close(1011, "the model failed")
    elif isinstance(message, str):
        protocol.send_text(message.encode())
    else:
        protocol.send_binary(message)


def _head(request: Request) -> bytes:
    """The request as it came, as far as the handshake needs it."""
    lines = [f"GET {request.environ['RAW_URI']} HTTP/1.1", *(f"{name}: {value}" for name, value in request.headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _receive(protocol: ServerProtocol, data: bytes) -> None:
    protocol.receive_data(data)


def _send(protocol: ServerProtocol, link: socket.socket) -> None:
    for data in protocol.data_to_send():
        if data:
            link.sendall(data)
