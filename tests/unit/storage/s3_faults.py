"""A real S3 over HTTP on loopback (moto), with a front that records every request and breaks the chosen ones."""

import hashlib
import http.client
import socket
import ssl
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs

import boto3
from archives import BUCKET, KEY
from botocore.config import Config
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.test import EnvironBuilder

_ADMIN = "ADMIN"
REQUEST_ID = "REQ0123456789"


def swallow(_act: Callable[[], None]) -> "Answer":
    """A success of which nothing is kept, for archives that are too large to keep."""
    return 200, b"<X><UploadId>swallowed</UploadId><ETag>x</ETag></X>", {"ETag": '"x"'}


@dataclass(frozen=True)
class Request:
    """What arrived."""

    operation: str
    host: str
    headers: dict[str, str]
    size: int
    part: int


class Broken(Exception):
    """The connection is to be reset."""


Answer = tuple[int, bytes, dict[str, str]]  # status, body, headers
Fault = Callable[[Callable[[], None]], Answer]  # gets what lets the real S3 act; raises Broken


def error(status: int, code: str) -> Fault:
    """S3's own error."""
    body = f"<Error><Code>{code}</Code><Message>Because of {code}?X-Amz-Signature=abc</Message></Error>".encode()
    return lambda _act: (status, body, {"Content-Type": "application/xml"})


def page(status: int) -> Fault:
    """A page of something between."""
    return lambda _act: (status, b"<html><body>Not your S3</body></html>", {"Content-Type": "text/html"})


def reset(_act: Callable[[], None]) -> Answer:
    """Reset before S3 acted."""
    raise Broken


def reset_after(act: Callable[[], None]) -> Answer:
    """Reset after S3 acted: only the answer is lost."""
    act()
    raise Broken


def hang(_act: Callable[[], None]) -> Answer:
    """No answer, for longer than any test takes."""
    threading.Event().wait(120)
    raise Broken


class FaultyS3:
    """The server: `url` is its endpoint; `faults` maps (operation, how many-th of it, from 1) to a fault.

    `certificate` is a file with a certificate for localhost and its key; without it, it is plain http.
    """

    def __init__(self, certificate: Path | None = None) -> None:
        self._app: Any = DomainDispatcherApplication(create_backend_app)
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self.requests: list[Request] = []
        self.faults: dict[tuple[str, int], Fault] = {}
        self._certificate = certificate
        context = None
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
        self._server = make_server("127.0.0.1", 0, self, threaded=True, request_handler=_Quiet, ssl_context=context)
        scheme, host = ("https", "localhost") if certificate else ("http", "127.0.0.1")
        self.url = f"{scheme}://{host}:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def reset(self) -> None:
        """Have an empty bucket; forget all faults and requests."""
        environ = EnvironBuilder(path="/moto-api/reset", method="POST").get_environ()
        list(self._app(environ, lambda *_: None))
        self.faults.clear()
        self.requests.clear()
        self._counts.clear()
        self._admin.create_bucket(Bucket=BUCKET)

    def fail(self, operation: str, nth: int | Iterable[int], fault: Fault) -> None:
        """Break the nth requests of an operation."""
        for number in (nth,) if isinstance(nth, int) else nth:
            self.faults[operation, number] = fault

    def operations(self) -> list[str]:
        """The operations so far, in order of arrival."""
        return [request.operation for request in self.requests]

    def count(self, operation: str) -> int:
        """How many requests of an operation arrived."""
        return self.operations().count(operation)

    def wait_for(self, operation: str, count: int, seconds: float = 20) -> None:
        """Wait until so many requests of an operation arrived."""
        end = time.monotonic() + seconds
        while self.count(operation) < count:
            assert time.monotonic() < end, f"{count} {operation} did not arrive: {self.operations()}"
            time.sleep(0.01)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """WSGI."""
        operation, part = _operation(environ)
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        headers = {name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name[:5] == "HTTP_"}
        fault = None
        if f"Credential={_ADMIN}/" not in headers.get("authorization", ""):
            with self._lock:
                self._counts[operation] += 1
                self.requests.append(Request(operation, environ.get("HTTP_HOST", ""), headers, len(body), part))
                fault = self.faults.get((operation, self._counts[operation]))

        def act() -> None:
            environ["wsgi.input"] = BytesIO(body)
            list(self._app(environ, lambda *_: None))

        if fault is None:
            environ["wsgi.input"] = BytesIO(body)
            served: Iterable[bytes] = self._app(environ, start_response)
            return served
        try:
            status, text, given = fault(act)
        except Broken:
            _reset(environ["werkzeug.socket"])
            raise ConnectionResetError from None  # werkzeug takes it for the client's doing
        answered = {"Content-Length": str(len(text)), "x-amz-request-id": REQUEST_ID, **given}
        start_response(f"{status} {http.client.responses.get(status, 'Unknown')}", list(answered.items()))
        return [text]

    def stored(self) -> str:
        """Digest of the archive that is there."""
        return hashlib.sha256(self._admin.get_object(Bucket=BUCKET, Key=KEY)["Body"].read()).hexdigest()

    def keys(self) -> list[str]:
        """Names of all objects."""
        return [found["Key"] for found in self._admin.list_objects_v2(Bucket=BUCKET).get("Contents", [])]

    def dangling(self) -> list[str]:
        """Multipart uploads that nobody completed or aborted."""
        return [found["UploadId"] for found in self._admin.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])]

    @cached_property
    def _admin(self) -> Any:
        """A client whose requests are neither recorded nor broken."""
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=_ADMIN,
            aws_secret_access_key="admin",
            verify=str(self._certificate) if self._certificate else None,
            config=Config(retries={"total_max_attempts": 3}, proxies={}, s3={"addressing_style": "path"}),
        )


class _Quiet(WSGIRequestHandler):
    """Logs nothing, and takes a connection that was cut for what it is."""

    def log_request(self, *_: object) -> None:
        """Say nothing."""

    def log(self, *_: object) -> None:
        """Say nothing."""

    def handle(self) -> None:
        """Handle requests until the connection ends, in whatever way."""
        with suppress(OSError, ValueError, AssertionError):
            super().handle()

    def finish(self) -> None:
        """Close."""
        with suppress(OSError, ValueError):
            super().finish()


def _operation(environ: dict[str, Any]) -> tuple[str, int]:
    method = environ["REQUEST_METHOD"]
    query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    part = int(query.get("partNumber", ["0"])[0])
    if "uploads" in query:
        return ("CreateMultipartUpload" if method == "POST" else "ListMultipartUploads"), part
    if "uploadId" in query:
        named = {"POST": "CompleteMultipartUpload", "DELETE": "AbortMultipartUpload", "GET": "ListParts"}
        return named.get(method, "UploadPart"), part
    return ("PutObject" if method == "PUT" else method), part


def _reset(sock: socket.socket) -> None:
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        socket.close(sock.detach())  # not sock.close, which waits for the files made of it
