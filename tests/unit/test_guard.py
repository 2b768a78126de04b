"""The guard of `conftest.py`: a unit test cannot reach another machine by accident."""

import socket
import threading

import httpx
import pytest


class TestNetworkGuard:
    """What it refuses and what it lets through."""

    @pytest.mark.parametrize("url", ["http://192.0.2.1/", "http://api.baseten.co/", "http://[2001:db8::1]/"])
    def test_refuses_other_machines(self, url):
        """By address and by name, before anything is sent."""
        with pytest.raises(RuntimeError, match="wants the network"):
            httpx.get(url, timeout=1, trust_env=False)

    def test_refuses_in_threads_too(self):
        """Log streams and uploads run in threads."""
        caught = []

        def connect():
            try:
                socket.create_connection(("192.0.2.1", 80), timeout=1)
            except RuntimeError as error:
                caught.append(error)

        thread = threading.Thread(target=connect)
        thread.start()
        thread.join()
        assert 1 == len(caught)

    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
    def test_lets_loopback_through(self, host):
        """Servers of the tests stand there."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            socket.create_connection((host, server.getsockname()[1]), timeout=5).close()
