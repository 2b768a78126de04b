"""The other side, hostile: a server on loopback between a run and the sandbox that answers some calls in its own way.

What it does is data: a `Trap` names calls and an act. Everything else is passed on, so that a run gets as far as the
call that is meant. It hears all that the step sends, its secrets included, and repeats them where an act has `{key}`,
`{secret}` or `{token}`.
"""

import contextlib
import http.client
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urlsplit

_CHUNK = 64 * 1024


@dataclass(frozen=True)
class Answer:
    """An answer; in a text of headers and body the secrets that were heard are filled in. `write` forms each first."""

    status: int = 200
    body: str | bytes = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    write: Callable[[str], str] = str
    acts: bool = False  # whether the sandbox has done what it was asked


@dataclass(frozen=True)
class Changed:
    """The sandbox's answer, with other values: of its object, or of the object at `within` (`deployments.0`)."""

    values: Mapping[str, Any]
    within: str = ""


@dataclass(frozen=True)
class Slowly:
    """Bytes that come one after the other, each `seconds` after the one before; the last `repeat` for ever."""

    data: bytes
    seconds: float = 0.2
    repeat: bytes = b""
    at_once: bytes = b""


@dataclass(frozen=True)
class Trap:
    """What is done to calls (`METHOD /path`) that match; to the first `times` of them."""

    call: str
    act: Answer | Changed | Slowly
    times: int = 1_000_000


class Adversary:
    """Listens from `with` to its end. `heard` are the calls; `upstream` is a base URL."""

    def __init__(self, upstream: str, traps: tuple[Trap, ...], heard: dict[str, str]) -> None:
        parts = urlsplit(upstream)
        self._upstream = (str(parts.hostname), int(parts.port or 80))
        self._traps = traps
        self._sprung = dict.fromkeys(range(len(traps)), 0)
        self.secrets = heard
        self.calls: list[str] = []
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError, http.client.HTTPException, ValueError), connection:
            connection.settimeout(60)
            method, path, headers, body = _read_request(connection)
            call = f"{method} {path}"
            act = self._act_for(call)
            forwards = act is None or isinstance(act, Changed) or (isinstance(act, Answer) and act.acts)
            reply = self._forward(method, path, headers, body) if forwards else (0, {}, b"")
            if act is None:
                _send(connection, *reply)
            elif isinstance(act, Changed):
                _send(connection, reply[0], reply[1], _changed(reply[2], act))
            elif isinstance(act, Answer):
                text = act.body if isinstance(act.body, bytes) else self._filled(act.body, act.write).encode()
                told = {name: self._filled(value, act.write) for name, value in act.headers.items()}
                _send(connection, act.status, told, text)
            else:
                self._slowly(connection, act)

    def _act_for(self, call: str) -> Answer | Changed | Slowly | None:
        with self._lock:
            self.calls.append(call)
            for number, trap in enumerate(self._traps):
                if re.search(trap.call, call) and self._sprung[number] < trap.times:
                    self._sprung[number] += 1
                    return trap.act
        return None

    def _forward(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Any, bytes]:
        upstream = http.client.HTTPConnection(*self._upstream, timeout=60)
        with contextlib.closing(upstream):
            kept = {name: value for name, value in headers.items() if name.lower() not in {"connection", "expect"}}
            upstream.request(method, path, body=body, headers=kept)
            response = upstream.getresponse()
            data = response.read()
            self._listen(data)
            return response.status, dict(response.getheaders()), data

    def _listen(self, data: bytes) -> None:
        if b"aws_secret_access_key" in data and (creds := json.loads(data).get("creds")):
            self.secrets.update(secret=creds["aws_secret_access_key"], token=creds["aws_session_token"])

    def _filled(self, text: str, write: Callable[[str], str]) -> str:
        text = text.replace("{api}", self.url)
        for name, secret in self.secrets.items():
            text = text.replace(f"{{{name}}}", write(secret))
        return text

    def _slowly(self, connection: socket.socket, act: Slowly) -> None:
        connection.sendall(act.at_once)
        for byte in act.data:
            connection.sendall(bytes([byte]))
            time.sleep(act.seconds)
        while act.repeat and not self._stopping.is_set():
            connection.sendall(act.repeat)
            time.sleep(act.seconds)
        self._stopping.wait(60)


def _read_request(connection: socket.socket) -> tuple[str, str, dict[str, str], bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        if not (piece := connection.recv(_CHUNK)):
            raise ValueError("no request")
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    method, path, _ = lines[0].split(" ", 2)
    headers = {name: value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    named = {name.lower(): value for name, value in headers.items()}
    if "100-continue" in named.get("expect", ""):
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    while len(body) < int(named.get("content-length", "0")):
        body += connection.recv(_CHUNK)
    return method, path, headers, body


def _send(connection: socket.socket, status: int, headers: Mapping[str, str], body: bytes) -> None:
    own = {"content-length", "connection", "transfer-encoding"}
    lines = [f"HTTP/1.1 {status} Said"]
    lines += [f"{name}: {value}" for name, value in headers.items() if name.lower() not in own]
    lines += [f"Content-Length: {len(body)}", "Connection: close", "", ""]
    connection.sendall("\r\n".join(lines).encode("latin-1") + body)


def _changed(data: bytes, act: Changed) -> bytes:
    whole = json.loads(data)
    part = whole
    for step in filter(None, act.within.split(".")):
        part = part[int(step) if step.isdigit() else step]
    part.update(act.values)
    return json.dumps(whole).encode()
