"""One kept connection: what it sends, what it measures, and every way in which the other side can be broken."""

import datetime as dt
import ipaddress
import socket
import ssl
import time
from contextlib import ExitStack

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from wire import answer, read_request, serving

from baseten_deploy.checks.connection import BODY_BYTES, Broken, Connection, NotConnected, make_request
from baseten_deploy.checks.route import Endpoint, Proxy


def ask(port, *, seconds=5.0, method="POST", body=b"{}", connection=None, **more):
    """Make one call."""
    endpoint = Endpoint(more.get("trust") is not None, "127.0.0.1", port, "/predict")
    used = connection or Connection(endpoint, **more)
    try:
        return used.call(make_request(endpoint, method, {"X-A": "b"}, body), body, seconds)
    finally:
        if connection is None:
            used.close()


@pytest.fixture
def keep():
    """Make connections that are kept, and closed in the end."""
    with ExitStack() as stack:

        def make(endpoint, **more):
            connection = Connection(endpoint, **more)
            stack.callback(connection.close)
            return connection

        yield make


@pytest.fixture
def certificate(tmp_path):
    """Make a certificate of 127.0.0.1: contexts of a server that has it, and of a client that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "cert.pem"
    file.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    return server, ssl.create_default_context(cafile=str(file))


class TestCall:
    """An answer."""

    def test_what_is_sent_and_what_comes(self):
        """The request as it was made; status, headers by their lower-case names, and body."""
        seen = []

        def serve(link, _):
            seen.append(read_request(link))
            link.sendall(answer(b'{"a": 1}', extra="X-Baseten-Request-Id: r1\r\n"))

        with serving(serve) as port:
            found = ask(port, body=b'{"x": 1}')
        head, _, body = seen[0].partition(b"\r\n\r\n")
        assert b"POST /predict HTTP/1.1" == head.split(b"\r\n")[0]
        assert {b"content-length: 8", b"x-a: b", f"host: 127.0.0.1:{port}".encode()} <= set(head.lower().split(b"\r\n"))
        assert b'{"x": 1}' == body
        assert (200, b'{"a": 1}', "r1", True) == (found.status, found.body, found.request_id, found.complete)

    def test_connections_are_kept(self, keep):
        """Several calls go over one connection; one that was closed meanwhile is said to be so."""
        connections = []

        def serve(link, number):
            connections.append(number)
            for _ in range(2):
                read_request(link)
                link.sendall(answer())

        with serving(serve) as port:
            connection = keep(Endpoint(False, "127.0.0.1", port, "/predict"))
            ask(port, connection=connection)
            ask(port, connection=connection)
            time.sleep(0.1)
            with pytest.raises(Broken) as caught:
                ask(port, connection=connection)
            assert caught.value.unused
            assert 200 == ask(port, connection=connection).status
        assert [0, 1] == connections

    def test_a_connection_that_is_to_be_closed_is_not_kept(self, keep):
        """`Connection: close` is obeyed."""

        def serve(link, _):
            read_request(link)
            link.sendall(answer(extra="Connection: close\r\n"))

        with serving(serve) as port:
            connection = keep(Endpoint(False, "127.0.0.1", port, "/predict"))
            assert [200, 200] == [ask(port, connection=connection).status for _ in range(2)]

    def test_pieces_have_their_times(self):
        """The first event and the last byte are each measured where they came, over TLS too."""
        events = [b'data: {"a": 1}\n\n', b'data: {"a": 2}\n\n', b"data: [DONE]\n\n"]

        def serve(link, _):
            read_request(link)
            link.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
            for event in events:
                time.sleep(0.1)
                link.sendall(f"{len(event):x}\r\n".encode() + event + b"\r\n")
            link.sendall(b"0\r\n\r\n")

        with serving(serve) as port:
            found = ask(port)
        assert b"".join(events) == found.body
        assert [len(b"".join(events[: n + 1])) for n in range(3)] == [end for end, _ in found.marks]
        assert 0.09 < found.first_event_seconds < found.seconds
        assert found.seconds - found.first_event_seconds > 0.19

    def test_tls(self, certificate, keep):
        """With a certificate that is trusted, also for a body of many records, twice over one connection."""
        server, client = certificate
        large = bytes(range(256)) * 8000

        def serve(link, _):
            while read_request(link):
                link.sendall(answer(large))

        with serving(serve, server) as port:
            connection = keep(Endpoint(True, "127.0.0.1", port, "/predict"), trust=client)
            for _ in range(2):
                assert large == ask(port, connection=connection, trust=client, body=large).body

    def test_informational_answers_are_skipped(self):
        """Some `103` before the answer."""

        def serve(link, _):
            read_request(link)
            link.sendall(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 3 + answer())

        with serving(serve) as port:
            assert 200 == ask(port).status

    def test_a_head_has_no_body(self):
        """HEAD, whose answer tells the length of what it does not send."""

        def serve(link, _):
            read_request(link)
            link.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n")

        with serving(serve) as port:
            assert b"" == ask(port, method="HEAD", body=b"").body

    def test_a_body_is_read_to_its_bound(self):
        """An endless one is cut."""

        def serve(link, _):
            read_request(link)
            link.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            while True:
                link.sendall(b"x" * 2**20)

        with serving(serve) as port:
            found = ask(port, seconds=30.0)
        assert (BODY_BYTES, False) == (len(found.body), found.complete)


def _drips(link):
    for byte in answer(b"x" * 1000):
        link.sendall(bytes([byte]))
        time.sleep(0.05)


def _hints(link):
    while True:
        link.sendall(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        time.sleep(0.02)


class TestBroken:
    """No answer."""

    @pytest.mark.parametrize(
        "drip", [_drips, _hints, lambda _: time.sleep(5)], ids=["a byte at a time", "103", "silent"]
    )
    def test_the_deadline_is_over_all_of_it(self, drip):
        """However it is dragged out, the call ends in its time."""

        def serve(link, _):
            read_request(link)
            drip(link)

        with serving(serve) as port, pytest.raises(TimeoutError):
            ask(port, seconds=0.4)

    @pytest.mark.parametrize(
        "said",
        [
            b"",
            b"SSH-2.0-OpenSSH_9.6\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
            b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            b"HTTP/1.1 200 OK\r\nX: " + b"y" * 1_000_000 + b"\r\n\r\n",
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
            bytes(range(256)) * 10,
        ],
    )
    def test_what_is_no_http(self, said):
        """Ends in an error of the call."""

        def serve(link, _):
            read_request(link)
            link.sendall(said)

        with serving(serve) as port, pytest.raises(Broken) as caught:
            ask(port)
        assert not caught.value.unused

    def test_nobody_listens(self):
        """And a second try may help."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        with pytest.raises(NotConnected, match=f"no connection to 127.0.0.1:{port}: Connection refused") as caught:
            ask(port)
        assert caught.value.again

    def test_an_untrusted_certificate(self, certificate):
        """A second try would not help."""
        server, _ = certificate
        with serving(lambda link, _: read_request(link), server) as port, pytest.raises(NotConnected) as caught:
            ask(port, trust=ssl.create_default_context())
        assert not caught.value.again

    def test_no_tls_there(self):
        """A port that does not speak it."""
        with serving(lambda link, _: link.sendall(b"hello\r\n")) as port, pytest.raises(NotConnected):
            ask(port, trust=ssl.create_default_context())


class TestProxy:
    """Through an HTTP proxy."""

    def test_a_tunnel(self, certificate):
        """TLS goes through it, and only the proxy sees its credentials."""
        server, client = certificate
        seen = []

        def proxy(link, _):
            seen.append(read_request(link))
            link.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            inner = server.wrap_socket(link, server_side=True)
            seen.append(read_request(inner))
            inner.sendall(answer())
            inner.close()

        with serving(proxy) as port:
            found = ask(port, trust=client, proxy=Proxy("127.0.0.1", port, "Basic abc"))
        assert 200 == found.status
        assert seen[0].startswith(f"CONNECT 127.0.0.1:{port} HTTP/1.1".encode())
        assert b"Basic abc" in seen[0]
        assert b"Basic abc" not in seen[1]

    def test_a_proxy_that_refuses(self, certificate):
        """Is named, with its answer, and not asked again."""
        _, client = certificate

        def proxy(link, _):
            read_request(link)
            link.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")

        with serving(proxy) as port, pytest.raises(NotConnected, match="answered 407") as caught:
            ask(port, trust=client, proxy=Proxy("127.0.0.1", port))
        assert not caught.value.again
