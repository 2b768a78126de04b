"""A name that is looked up: as the system does it, with an end, shared, and without a thread for what is no name."""

import socket
import threading
import time

import httpx
import pytest

from baseten_deploy.checks.connection import NotConnected, reach
from baseten_deploy.checks.route import endpoint_of
from baseten_deploy.clock import Clock
from baseten_deploy.network import resolver
from baseten_deploy.network.resolver import Unresolved, addresses
from baseten_deploy.network.way_out import WayOut
from baseten_deploy.service.http import Http, HttpError, make_client
from baseten_deploy.service.retry import Fault

SECONDS, LONG = 0.3, 20.0
REAL = socket.getaddrinfo


class Resolver:
    """The system's, of which the test decides how it answers names under `.test`."""

    def __init__(self):
        self.asked = []
        self.answers = threading.Event()  # until then it hangs
        self.found = ["127.0.0.1"]

    def __call__(self, host, port, family=0, type=0, proto=0, flags=0):  # noqa: A002 - as it is called
        """As `socket.getaddrinfo`."""
        if not host.endswith(".test"):
            return REAL(host, port, family, type, proto, flags)
        self.asked.append((host, threading.current_thread()))
        self.answers.wait(LONG)
        if not self.found:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [
            (socket.AF_INET6, 1, 6, "", (each, port, 0, 0)) if ":" in each else (socket.AF_INET, 1, 6, "", (each, port))
            for each in self.found
        ]


@pytest.fixture
def system(monkeypatch):
    """The host's resolver; what hangs in it ends with the test."""
    made = Resolver()
    monkeypatch.setattr(socket, "getaddrinfo", made)
    yield made
    made.answers.set()


class TestAddresses:
    """What is found, and how."""

    @pytest.mark.parametrize("host", ["127.0.0.1", "::1", "fe80::1%1", "2001:db8::1", "127.1", "0x7f000001"])
    def test_digits_are_no_name(self, monkeypatch, host):
        """No thread is started, and nobody is asked."""
        monkeypatch.setattr(resolver, "in_background", lambda _: pytest.fail("a thread"))
        assert (host,) == addresses(host, 443, 1)

    def test_a_name(self, system):
        """In the resolver's order, each address once, in a thread that keeps nothing from ending."""
        system.answers.set()
        system.found = ["127.0.0.2", "::1", "127.0.0.2"]
        assert ("127.0.0.2", "::1") == addresses("api.test", 443, LONG)
        [(_, thread)] = system.asked
        assert thread.daemon
        assert thread is not threading.main_thread()

    def test_an_unknown_one(self, system):
        """The resolver's own error, each time anew."""
        system.answers.set()
        system.found = []
        for _ in range(2):
            with pytest.raises(socket.gaierror, match="not known"):
                addresses("api.test", 443, LONG)
        assert 2 == len(system.asked)

    def test_nothing_is_kept(self, system):
        """A name that moved is found where it is now."""
        system.answers.set()
        assert ("127.0.0.1",) == addresses("api.test", 443, LONG)
        system.found = ["127.0.0.3"]
        assert ("127.0.0.3",) == addresses("api.test", 443, LONG)

    @pytest.mark.parametrize("host", ["a" * 64 + ".test", "x" * 300])
    def test_what_cannot_be_a_name(self, host):
        """Is refused as Python refuses it."""
        with pytest.raises(UnicodeError):
            addresses(host, 443, LONG)

    def test_a_resolver_that_hangs(self, system):
        """Is left in time, and is asked once, however many ask meanwhile."""
        for _ in range(3):
            began = time.monotonic()
            with pytest.raises(Unresolved, match=r"the name api\.test was not resolved within 0\.3 s"):
                addresses("api.test", 443, SECONDS)
            assert time.monotonic() - began < LONG / 2
        assert 1 == len(system.asked)
        system.answers.set()
        assert ("127.0.0.1",) == addresses("api.test", 443, LONG)

    def test_whoever_is_stopped_leaves_it(self, system):
        """Before its time."""
        stopped = threading.Event()
        threading.Timer(0.1, stopped.set).start()
        began = time.monotonic()
        with pytest.raises(Unresolved):
            addresses("api.test", 443, LONG, stopped=stopped.is_set)
        assert time.monotonic() - began < LONG / 2
        assert 1 == len(system.asked)


class TestCalls:
    """Each client obeys it."""

    @pytest.mark.parametrize("path", ["direct", "by a proxy"])
    @pytest.mark.parametrize("scheme", ["http", "https"])
    def test_of_the_api(self, system, scheme, path):
        """API, inference, NeMo and GitHub are one client: nothing was sent, and a later try may find the name."""
        variables = {"ALL_PROXY": "http://proxy.test:3128"} if path == "by a proxy" else {}
        with make_client(WayOut(variables)) as client:
            http = Http(f"{scheme}://api.test", {}, client=client, clock=Clock())
            with pytest.raises(HttpError, match=r"name (api|proxy)\.test was not resolved within") as caught:
                http.request("GET", "/v1/x", retry=False, seconds=SECONDS)
        assert Fault.NOT_SENT is caught.value.failure.fault
        assert 1 == len(system.asked)

    def test_of_a_check(self, system):
        """The same for what checks open themselves."""
        end = time.perf_counter() + SECONDS
        with pytest.raises(NotConnected, match="was not resolved within"):
            reach(endpoint_of("https://model.test/predict"), None, end, time.perf_counter)
        assert 1 == len(system.asked)

    def test_the_next_address_is_tried(self, system):
        """One that nobody listens at is not the end, for the client and for checks."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            system.answers.set()
            system.found = ["::1", "127.0.0.9", "127.0.0.1"]
            reach(endpoint_of(f"http://api.test:{port}/"), None, time.perf_counter() + LONG, time.perf_counter).close()

            def serve():
                for _ in range(2):
                    link, _ = server.accept()
                    with link:
                        if link.recv(9999):
                            link.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

            threading.Thread(target=serve, daemon=True).start()
            with make_client(WayOut()) as client:
                assert "{}" == client.get(f"http://api.test:{port}/", timeout=httpx.Timeout(LONG)).text
