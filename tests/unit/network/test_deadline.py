"""One end for one try: a server that drips, stays silent or sends 1xx for ever, at each point of a call."""

import socket
import threading
import time

import pytest
from transport import FakeClock
from way_servers import Answering, Listener, Proxy, TlsFront, answer, make_authority

from baseten_deploy.clock import Clock
from baseten_deploy.network.deadline import Until, bounded
from baseten_deploy.network.way_out import WayOut
from baseten_deploy.service.http import Http, HttpError, make_client
from baseten_deploy.service.retry import Fault

SECONDS, PAUSE = 0.6, 0.05


class Dripping(Listener):
    """Sends `first`, then `piece` again and again, `PAUSE` apart, until the client is gone; it reads nothing."""

    def __init__(self, first: bytes, piece: bytes) -> None:
        super().__init__()
        self._first, self._piece = first, piece
        self.ended = threading.Event()

    def handle(self, connection: socket.socket) -> None:
        """Drip."""
        try:
            connection.sendall(self._first)
            while True:
                connection.sendall(self._piece)
                time.sleep(PAUSE)
        except OSError:
            self.ended.set()


DRIPS = {
    "the status line": (b"", b"H"),
    "a head": (b"HTTP/1.1 200 OK\r\nX: ", b"y"),
    "1xx": (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    "100": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a body": (b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n", b" "),
    "chunks": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "an error's body": (b"HTTP/1.1 500 Oops\r\n\r\n", b" "),
    "nothing": (b"", b""),
}


def call(way: WayOut, url: str) -> tuple[HttpError, float]:
    """The error of a call that may take `SECONDS`, and its time."""
    started = time.monotonic()
    with make_client(way) as client:
        http = Http(url, {}, client=client, clock=Clock())
        with pytest.raises(HttpError) as caught:
            http.request("POST", "/v1/x", body={"a": "b" * 100_000}, retry=False, seconds=SECONDS)
    return caught.value, time.monotonic() - started


@pytest.mark.parametrize("name", DRIPS)
def test_a_call_ends_with_its_time(name):
    """Though each read of it got something in time."""
    with Dripping(*DRIPS[name]) as server:
        error, took = call(WayOut(), f"http://127.0.0.1:{server.port}")
    assert Fault.NO_ANSWER is error.failure.fault
    assert SECONDS * 0.9 < took < 20 * SECONDS


@pytest.mark.parametrize("name", ["a head", "1xx", "nothing"])
@pytest.mark.parametrize("through", ["TLS", "CONNECT"])
def test_connecting_counts(name, through):
    """TLS that does not come about, a proxy that drips its answer to CONNECT: the same end."""
    with Dripping(*DRIPS[name]) as server:
        if through == "TLS":
            error, took = call(WayOut(), f"https://127.0.0.1:{server.port}")
        else:
            way = WayOut({"HTTPS_PROXY": f"http://127.0.0.1:{server.port}"})
            error, took = call(way, "https://api.baseten.test")
    assert error.failure.transient
    assert took < 20 * SECONDS


def test_a_drip_behind_tls(tmp_path):
    """The same inside of it, and through a proxy."""
    authority = make_authority(tmp_path)
    with (
        Dripping(*DRIPS["a head"]) as server,
        TlsFront(authority.certificate("api.baseten.test"), to=server.port) as tls,
        Proxy(tls.port) as proxy,
    ):
        way = WayOut({"HTTPS_PROXY": f"http://127.0.0.1:{proxy.port}", "SSL_CERT_FILE": str(authority.file)})
        error, took = call(way, "https://api.baseten.test")
    assert Fault.NO_ANSWER is error.failure.fault
    assert took < 20 * SECONDS


def test_a_timeout_knows_its_end():
    """Each number is one; what is left of it is not more than what is left of the try."""
    timeout = bounded(7, connect=3, step=5)
    assert {"connect": 3, "read": 5, "write": 5, "pool": 5} == timeout.as_dict()
    ends = {each.end for each in timeout.as_dict().values() if isinstance(each, Until)}
    assert 1 == len(ends)
    assert ends.pop() <= time.monotonic() + 7
    assert {7.0} == set(bounded(7, connect=9).as_dict().values())


def test_a_kept_connection_has_a_new_end_for_each_try():
    """The time of one call is not that of the next on the same connection."""
    with Answering(answer("200 OK", "{}")) as server, make_client(WayOut()) as client:
        http = Http(f"http://127.0.0.1:{server.port}", {}, client=client, clock=FakeClock())
        for _ in range(3):
            assert {} == http.request("GET", "/v1/x", retry=False, seconds=0.5)
            time.sleep(0.2)
