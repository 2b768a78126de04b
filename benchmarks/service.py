"""What the contenders talk to, in a process of its own: the management APIs and an S3 that discards, on loopback.

It answers just enough: the REST calls of this action, the GraphQL calls of `truss push`, and S3's single and multipart
uploads. S3 is https, as the real one is, because boto3 hashes and signs bodies differently over http. Every request is
recorded with its time; `GET /bench` returns them and `POST /bench` starts over with a new setup.
"""

import json
import re
import socket
import ssl
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BUFFER_BYTES = 256 * 1024
HEADER_BYTES = 1024 * 1024
# What a bucket that was idle may let through at once, in seconds of its rate.
BURST_SECONDS = 0.02


class Bucket:
    """A token bucket that all connections share: `take` returns when `rate` bytes a second allow it (0: at once)."""

    def __init__(self) -> None:
        self.rate = 0.0
        self._free_at = 0.0
        self._lock = threading.Lock()

    def take(self, size: int) -> None:
        """Wait for `size` bytes."""
        if not self.rate:
            return
        with self._lock:
            now = time.monotonic()
            self._free_at = max(self._free_at, now - BURST_SECONDS) + size / self.rate
            pause = self._free_at - now
        if pause > 0:
            time.sleep(pause)


@dataclass
class Record:
    """What was asked since the last reset. Times are those of `time.monotonic`, which all processes share."""

    requests: list[tuple[float, str, str]] = field(default_factory=list)
    bytes: int = 0
    live_after: float = 0.0  # seconds from the commit until a deployment is live
    api_delay: float = 0.0  # seconds until a request of the management API is answered
    s3_delay: float = 0.0  # the same of S3
    committed: float = 0.0

    def status(self) -> str:
        """The status of the deployment now."""
        live = self.committed and time.monotonic() >= self.committed + self.live_after
        return "ACTIVE" if live else "BUILDING"


@dataclass(frozen=True)
class Request:
    """The head of a request."""

    method: str
    path: str
    headers: dict[str, str]

    @property
    def size(self) -> int:
        """The size of the body in bytes."""
        return int(self.headers.get("content-length", 0))


class Connection:
    """HTTP/1.1 over one socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._buffer = memoryview(bytearray(BUFFER_BYTES))
        self._ahead = b""

    def request(self) -> Request | None:
        """The next request, its body still to be read; `None` at the end."""
        while b"\r\n\r\n" not in self._ahead:
            data = self._sock.recv(BUFFER_BYTES)
            if not data or len(self._ahead) > HEADER_BYTES:
                return None
            self._ahead += data
        head, _, self._ahead = self._ahead.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, path, _ = first.split(" ", 2)
        pairs = (line.split(":", 1) for line in lines)
        headers = {name.lower().strip(): value.strip() for name, value in pairs}
        if headers.get("expect", "").lower() == "100-continue":
            self._sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        return Request(method, path, headers)

    def discard(self, request: Request, bucket: Bucket) -> int:
        """Read a body as fast as the bucket allows, and return how many bytes of content it had."""
        if "content-length" in request.headers:
            return self._discard(request.size, bucket)
        total = 0
        if request.headers.get("transfer-encoding") == "chunked":
            while size := int(self._line().partition(b";")[0], 16):
                total += self._discard(size, bucket)
                self._line()
            while self._line():
                pass  # trailers
        return total

    def _discard(self, size: int, bucket: Bucket) -> int:
        count = min(size, len(self._ahead))
        self._ahead = self._ahead[count:]
        bucket.take(count)
        while count < size:
            got = self._sock.recv_into(self._buffer[: size - count])
            if not got:
                raise ConnectionError
            bucket.take(got)
            count += got
        return count

    def _line(self) -> bytes:
        while b"\r\n" not in self._ahead:
            data = self._sock.recv(1024)
            if not data:
                raise ConnectionError
            self._ahead += data
        line, _, self._ahead = self._ahead.partition(b"\r\n")
        return line

    def body(self, size: int) -> bytes:
        """Read a body of `size` bytes and keep it."""
        while len(self._ahead) < size and (data := self._sock.recv(BUFFER_BYTES)):
            self._ahead += data
        content, self._ahead = self._ahead[:size], self._ahead[size:]
        return content

    def answer(self, status: str, body: bytes, **headers: str) -> None:
        """Send an answer."""
        fields = {"Content-Length": str(len(body)), **headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self._sock.sendall(f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body)


class Service:
    """Both servers and what they recorded."""

    def __init__(self, certificate: Path) -> None:
        self.record = Record()
        self.bucket = Bucket()
        self._lock = threading.Lock()
        self._certificate = certificate
        self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._tls.load_cert_chain(certificate)
        self._api = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._s3 = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.api_port = self._api.getsockname()[1]
        self.s3_port = self._s3.getsockname()[1]

    def run(self) -> None:
        """Serve until the process is ended."""
        threading.Thread(target=self._accept, args=(self._s3, self._serve_s3), daemon=True).start()
        self._accept(self._api, self._serve_api)

    def _accept(self, listener: socket.socket, serve: Any) -> None:
        while True:
            sock, _ = listener.accept()
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._guard, args=(serve, sock), daemon=True).start()

    def _guard(self, serve: Any, sock: socket.socket) -> None:
        try:
            serve(sock)
        except OSError:
            pass  # the contender has ended
        finally:
            sock.close()

    def _note(self, method: str, path: str, size: int = 0) -> None:
        with self._lock:
            self.record.requests.append((time.monotonic(), method, path))
            self.record.bytes += size

    def _serve_s3(self, plain: socket.socket) -> None:
        with self._tls.wrap_socket(plain, server_side=True) as sock:
            connection = Connection(sock)
            while request := connection.request():
                upload = request.method == "PUT"
                size = connection.discard(request, self.bucket)
                self._note(request.method, "s3:" + request.path.partition("?")[2], size if upload else 0)
                time.sleep(self.record.s3_delay)
                connection.answer(*_s3_answer(request), ETag='"e"')

    def _serve_api(self, sock: socket.socket) -> None:
        connection = Connection(sock)
        while request := connection.request():
            body = connection.body(request.size)
            path = request.path.partition("?")[0]
            if path == "/bench":
                answer = self._bench(request.method, body)
            elif path.startswith("/graphql"):
                answer = self._graphql(json.loads(body)["query"])
            else:
                answer = self._rest(request.method, path, body)
            if path != "/bench":
                time.sleep(self.record.api_delay)
            connection.answer("200 OK", json.dumps(answer).encode(), **{"Content-Type": "application/json"})

    def _bench(self, method: str, body: bytes) -> Any:
        with self._lock:
            if method == "POST":
                setup = json.loads(body)
                self.bucket.rate = setup["rate"]
                delays = {"api_delay": setup["api_delay"], "s3_delay": setup["s3_delay"]}
                self.record = Record(live_after=setup["live_after"], **delays)
            record = self.record
            return {"requests": record.requests, "bytes": record.bytes, "committed": record.committed}

    def _credentials(self) -> dict[str, str]:
        return {"aws_access_key_id": "AKIABENCH", "aws_secret_access_key": "s" * 40, "aws_session_token": "t" * 300}

    def _rest(self, method: str, path: str, body: bytes) -> Any:
        self._note(method, path)
        deployment = {"id": "dep1234", "name": "bench", "status": self.record.status(), "environment": None}
        model = {"id": "mod1234", "name": "bench"}
        if path == "/v1/prepare_model_upload":
            if json.loads(body)["dry_run"]:
                return {"creds": None, "s3_bucket": None, "s3_key": None, "s3_region": None}
            where = {"s3_bucket": "bench", "s3_key": "models/bench.tgz", "s3_region": "us-west-2"}
            return {"creds": self._credentials(), **where}
        if method == "POST":
            self._commit()
            return {"model": model, "deployment": deployment}
        if "/deployments/" in path:
            return {"logs": []} if path.endswith("/logs") else deployment
        return {"teams": [], "models": [], "users": []}

    def _graphql(self, query: str) -> Any:
        name = (re.search(r"\{\s*(\w+)", query) or [query, "?"])[1]
        self._note("POST", name)
        if name == "model_s3_upload_credentials":
            # `truss` hands all of it to boto3, which is how it finds this S3.
            place = {"endpoint_url": f"https://127.0.0.1:{self.s3_port}", "verify": str(self._certificate)}
            where = {"s3_bucket": "bench", "s3_key": "models/bench.tgz", "region_name": "us-west-2"}
            return {"data": {name: {**self._credentials(), **where, **place}}}
        if name.startswith("create_model"):
            self._commit()
            version = {"id": "dep1234", "oracle": {"id": "mod1234", "name": "bench", "hostname": "127.0.0.1"}}
            return {"data": {name: {**version, "model_version": version, "instance_type": {"name": "1x2"}}}}
        if name == "truss_validation":
            return {"data": {name: {"success": True, "details": "{}"}}}
        return {"data": {name: [], "teams": [], "models": [], "organization": {}}}

    def _commit(self) -> None:
        self.record.committed = time.monotonic()


def _s3_answer(request: Request) -> tuple[str, bytes]:
    query = request.path.partition("?")[2]
    where = "<Bucket>bench</Bucket><Key>models/bench.tgz</Key>"
    if request.method == "POST" and "uploads" in query:
        return "200 OK", f"<R>{where}<UploadId>u1</UploadId></R>".encode()
    if request.method == "POST":
        return "200 OK", f'<R>{where}<ETag>"e"</ETag></R>'.encode()
    return ("200 OK", b"") if request.method == "PUT" else ("204 No Content", b"")


def main() -> None:
    """Serve, and say where in the first line of the output: the ports of the APIs and of S3."""
    service = Service(Path(sys.argv[1]))
    print(service.api_port, service.s3_port, flush=True)
    service.run()


if __name__ == "__main__":
    main()
