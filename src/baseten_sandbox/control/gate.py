"""What every request passes: it is recorded, and if a fault strikes, broken here, down to the socket."""

import io
import json
import os
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import parse_qsl, unquote, urlsplit

from werkzeug.wrappers import Request, Response

from .faults import Fault, Faults, Kind
from .recorder import RecordedRequest, Recorder, Service

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_TICK = 0.02  # seconds between two looks whether the client or the server is gone
_ENDLESS = b" " * 65536


class Gate:
    """A WSGI application around another one."""

    def __init__(
        self,
        app: "WSGIApplication",
        *,
        service_of: Callable[[str], Service | None],
        recorder: Recorder,
        faults: Faults,
        stopping: threading.Event,
    ) -> None:
        self._app = app
        self._service_of = service_of
        self._recorder = recorder
        self._faults = faults
        self._stopping = stopping

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Serve the request, or break it."""
        target: str = environ["RAW_URI"]
        service = self._service_of(urlsplit(target).path)
        if service is None:
            return self._app(environ, start_response)
        fault = self._faults.pick(service, environ["REQUEST_METHOD"], target)
        refused = fault is not None and fault.kind is Kind.REFUSE
        body = b"" if service == "s3" or refused else Request(environ).get_data(cache=True)
        number = self._recorder.begin(_recorded(service, environ, target, body))
        if body:
            environ["wsgi.input"] = io.BytesIO(body)
        if fault is None:
            return self._serve(number, environ, start_response)
        self._recorder.end(number, fault=str(fault))
        return self._break(fault, number, environ, start_response)

    def _serve(self, number: int, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        def started(status: str, headers: list[tuple[str, str]], *rest: object) -> Callable[[bytes], object]:
            self._recorder.end(number, status=int(status.split(maxsplit=1)[0]))
            return start_response(status, headers, *rest)  # type: ignore[arg-type] # exc_info, passed on as it came

        return self._app(environ, started)

    def _break(
        self, fault: Fault, number: int, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        if fault.kind in {Kind.REFUSE, Kind.RESET, Kind.HANG}:
            if fault.acts:
                Response.from_app(self._app, environ, buffered=True)
            if fault.kind is Kind.HANG:
                self._wait(environ, fault.duration)
            reset(environ)
        answer = self._spoilt(fault, environ)
        self._recorder.end(number, status=answer.status_code)
        return answer(environ, start_response)

    def _spoilt(self, fault: Fault, environ: "WSGIEnvironment") -> Response:
        if fault.kind is Kind.STATUS:
            if fault.acts:
                Response.from_app(self._app, environ, buffered=True)
            answer = Response(fault.body, fault.status, content_type="application/json")
            answer.headers.update(fault.headers)
            return answer
        answer = Response.from_app(self._app, environ, buffered=True)
        data = answer.get_data()
        match fault.kind:
            case Kind.TRUNCATE:
                answer.set_data(data[: len(data) // 2])
            case Kind.CUT:
                answer = Response(iter([data[: len(data) // 2]]), answer.status_code, answer.headers)
            case Kind.CONTENT_TYPE:
                answer.content_type = "text/html; charset=utf-8"
            case Kind.SHAPE:
                answer.set_data(fault.body or json.dumps(["not", "what", "is", "documented"]))
            case Kind.DELAY:
                self._wait(environ, fault.duration)
            case _:
                parts = self._drip(data, fault, environ) if fault.kind is Kind.DRIP else self._endless(data, environ)
                answer.headers.remove("Content-Length")
                answer = Response(parts, answer.status_code, answer.headers)
        return answer

    def _drip(self, data: bytes, fault: Fault, environ: "WSGIEnvironment") -> Iterator[bytes]:
        for number in range(len(data)):
            yield data[number : number + 1]
            if not self._wait(environ, fault.duration):
                return

    def _endless(self, data: bytes, environ: "WSGIEnvironment") -> Iterator[bytes]:
        yield data[:1]
        while self._wait(environ, 0):
            yield _ENDLESS

    def _wait(self, environ: "WSGIEnvironment", seconds: float) -> bool:
        """Wait, but no longer than the client or the server lives; whether both still do."""
        end = time.monotonic() + seconds
        while not self._stopping.is_set() and not _gone(environ["werkzeug.socket"]):
            left = end - time.monotonic()
            if left <= 0:
                return True
            self._stopping.wait(min(left, _TICK))
        return False


def reset(environ: "WSGIEnvironment") -> NoReturn:
    """Reset the connection: the client gets no further byte."""
    connection: socket.socket = environ["werkzeug.socket"]
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    os.close(connection.detach())
    raise ConnectionResetError


def _gone(connection: socket.socket) -> bool:
    readable, _, _ = select.select([connection], [], [], 0)
    try:
        return bool(readable) and connection.recv(1, socket.MSG_PEEK) == b""
    except OSError:
        return True


def _recorded(service: Service, environ: "WSGIEnvironment", target: str, body: bytes) -> RecordedRequest:
    parts = urlsplit(target)
    headers = {name.lower(): value for name, value in Request(environ).headers.items()}
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    return RecordedRequest(service, environ["REQUEST_METHOD"], unquote(parts.path), query, headers, body, 0.0)
