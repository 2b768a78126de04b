"""The way to S3: proxies, private CAs, TLS, and what is said when there is none."""

import datetime as dt
import ipaddress
import signal
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from archives import Archive, Immediately, target
from botocore import exceptions as boto
from botocore.parsers import ResponseParserError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from s3_faults import FaultyS3, hang, swallow
from upload_driver import outcome, start
from urllib3.connection import HTTPSConnection
from urllib3.exceptions import NameResolutionError, NewConnectionError

from baseten_deploy.errors import UploadFailed
from baseten_deploy.network.proxies import Proxy
from baseten_deploy.network.way_out import WayOut
from baseten_deploy.service.retry import Failure, Fault
from baseten_deploy.storage.client import NotS3Error
from baseten_deploy.storage.connections import Connections
from baseten_deploy.storage.remedies import Again, Circumstances, again, explain
from baseten_deploy.storage.trouble import failure_of
from baseten_deploy.storage.upload import PART_BYTES, Uploaded, upload

SMALL = 100_000


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for localhost, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "localhost.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(signed.public_bytes(serialization.Encoding.PEM) + secret)
    return path


@pytest.fixture(scope="module")
def tls_server(certificate: Path) -> Iterator[FaultyS3]:
    """S3 over https."""
    with FaultyS3(certificate) as s3:
        yield s3


@pytest.fixture
def tls(tls_server: FaultyS3) -> FaultyS3:
    """An empty bucket and no faults."""
    tls_server.reset()
    return tls_server


@pytest.fixture
def plain() -> Iterator[FaultyS3]:
    """S3 over http."""
    with FaultyS3() as s3:
        s3.reset()
        yield s3


def put(endpoint: str, environ: dict[str, str], size: int = SMALL) -> Uploaded:
    """Upload to an endpoint."""
    return upload(
        lambda: Archive(size),
        target(),
        renew=target,
        largest=size,
        endpoint_url=endpoint,
        way=WayOut(environ),
        clock=Immediately(),
    )


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
@pytest.mark.parametrize("size", [SMALL, PART_BYTES + 1])
def test_a_private_ca_is_trusted_when_it_is_named(tls, certificate, variable, size):
    """By the variables that users know from other tools; parts are not hashed, TLS is their checksum."""
    done = put(tls.url, {variable: str(certificate)}, size)
    assert done.sha256 == tls.stored()
    bodies = [request for request in tls.requests if request.operation in {"PutObject", "UploadPart"}]
    assert {"UNSIGNED-PAYLOAD"} == {request.headers["x-amz-content-sha256"] for request in bodies}


def test_no_request_waits_for_an_acknowledgement(tls, certificate, monkeypatch):
    """With Nagle's algorithm the last packet of a request waits for the server, which puts that off for 40 ms."""
    opened: list[int] = []
    keep = Connections._opened

    def look(self, connected):
        opened.append(connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        keep(self, connected)

    monkeypatch.setattr(Connections, "_opened", look)
    put(tls.url, {"SSL_CERT_FILE": str(certificate)}, PART_BYTES + 1)
    assert len(opened) > 1
    assert all(opened)


@pytest.mark.parametrize("environ", [{}, {"AWS_CA_BUNDLE": "set below"}])
def test_an_unknown_ca_is_not_trusted(tls, certificate, environ):
    """It is not tried again, and the message names the variable that helps."""
    with pytest.raises(UploadFailed) as failed:
        put(tls.url, dict.fromkeys(environ, str(certificate)))
    (problem,) = failed.value.problems
    assert "is not trusted by the public CAs: [SSL: CERTIFICATE_VERIFY_FAILED]" in problem.message
    assert "SSL_CERT_FILE" in problem.remedy
    assert [] == tls.requests


def test_a_ca_file_that_is_not_there_is_named():
    """Before anything is sent."""
    (problem,) = WayOut({"SSL_CERT_FILE": "/nowhere"}).certificate_problems
    assert "`SSL_CERT_FILE`: the certificates cannot be read: there is no such file" == problem.message


def test_a_signal_ends_an_upload_over_tls(tls, certificate):
    """Connections are cut under the TLS layer."""
    tls.fail("UploadPart", range(1, 100), hang)
    process = start({"SSL_CERT_FILE": str(certificate)}, url=tls.url, size=4 * PART_BYTES)
    tls.wait_for("UploadPart", 4)
    process.send_signal(signal.SIGTERM)
    assert "cancelled" == outcome(process, 5)["outcome"]
    assert [] == tls.dangling()


def test_a_proxy_is_used(plain):
    """A corporate runner reaches nothing without it. The proxy here answers by itself."""
    plain.fail("PutObject", 1, swallow)
    put("http://s3.nowhere.invalid", {"HTTP_PROXY": plain.url})
    assert {"s3.nowhere.invalid"} == {request.host for request in plain.requests}


def test_a_loopback_endpoint_is_never_proxied(plain):
    """A sandbox on the runner is out of the reach of any proxy."""
    assert SMALL == put(plain.url, {"HTTP_PROXY": "http://127.0.0.1:1", "ALL_PROXY": "http://127.0.0.1:1"}).size


@pytest.mark.parametrize(
    ("url", "environ", "proxy"),
    [
        ("https://b.s3.amazonaws.com", {}, ""),
        ("https://b.s3.amazonaws.com", {"HTTPS_PROXY": "http://p:1"}, "http://p:1"),
        ("https://b.s3.amazonaws.com", {"https_proxy": "http://p:1", "HTTPS_PROXY": "http://q:1"}, "http://p:1"),
        ("https://b.s3.amazonaws.com", {"ALL_PROXY": "http://p:1"}, "http://p:1"),
        ("https://b.s3.amazonaws.com", {"HTTP_PROXY": "http://p:1"}, ""),
        ("http://b.s3.example.com", {"HTTP_PROXY": "http://p:1"}, "http://p:1"),
        ("https://b.s3.amazonaws.com", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": ".amazonaws.com"}, ""),
        ("https://b.s3.amazonaws.com", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "x.org, amazonaws.com"}, ""),
        ("https://b.s3.amazonaws.com", {"HTTPS_PROXY": "http://p:1", "no_proxy": "b.s3.amazonaws.com"}, ""),
        ("https://b.s3.amazonaws.com", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*"}, ""),
        ("https://b.s3.amazonaws.com", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "c.s3.amazonaws.com"}, "http://p:1"),
        ("https://localhost:9", {"HTTPS_PROXY": "http://p:1"}, ""),
        ("https://s3.localhost:9", {"HTTPS_PROXY": "http://p:1"}, ""),
        ("http://127.8.9.1:9", {"HTTP_PROXY": "http://p:1"}, ""),
        ("http://[::1]:9", {"HTTP_PROXY": "http://p:1"}, ""),
    ],
)
def test_which_proxy_leads_to_an_address(url, environ, proxy):
    """The variables mean what they mean elsewhere, lower case first; loopback is direct."""
    found = WayOut(environ).proxy_for(url)
    assert proxy == (found.shown if found else "")


PROXY = Proxy("http", "p", 1, "user", "hunter2")


def answer(status: int, code: str = "", **headers: str) -> tuple[Any, dict[str, Any]]:
    """What botocore makes of an answer."""
    return SimpleNamespace(status_code=status, headers=headers), {"Error": {"Code": code}}


URL = "https://b.s3.amazonaws.com/k?X-Amz-Signature=abc"
UNTRUSTED = boto.SSLError(endpoint_url=URL, error=ssl.SSLError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] failed"))
BROKEN_TLS = boto.SSLError(endpoint_url=URL, error=ssl.SSLError(8, "EOF occurred in violation of protocol"))
CLOSED = boto.ConnectionClosedError(endpoint_url=URL, error="('Connection aborted.', RemoteDisconnected())")
SLOW = boto.ReadTimeoutError(endpoint_url=URL, error="timed out")
FAR = boto.ConnectTimeoutError(endpoint_url=URL, error="timed out")
NOWHERE = boto.EndpointConnectionError(
    endpoint_url=URL,
    error=NameResolutionError("b", HTTPSConnection("b"), socket.gaierror(-2, "Name or service not known")),
)
REFUSED = boto.EndpointConnectionError(
    endpoint_url=URL, error=NewConnectionError(HTTPSConnection("b"), "Failed to establish: [Errno 111] refused")
)
PROXY_IN_TROUBLE = boto.ProxyConnectionError(proxy_url="http://***:***@p:1", error="Tunnel connection failed: 502")
NO_PROXY_THERE = boto.ProxyConnectionError(proxy_url="http://***:***@p:1", error="Tunnel connection failed: 407")


@pytest.mark.parametrize(
    ("response", "exception", "failure"),
    [
        (answer(200), None, None),
        (answer(503, "SlowDown"), None, Failure(Fault.STATUS, 503)),
        (answer(503, "SlowDown", **{"Retry-After": "7"}), None, Failure(Fault.STATUS, 503, 7.0)),
        (answer(403, "AccessDenied"), None, Failure(Fault.STATUS, 403)),
        (answer(400, "RequestTimeout"), None, Failure(Fault.NO_ANSWER)),
        (None, CLOSED, Failure(Fault.NO_ANSWER)),
        (None, SLOW, Failure(Fault.NO_ANSWER)),
        (None, BROKEN_TLS, Failure(Fault.NO_ANSWER)),
        (None, FAR, Failure(Fault.NOT_SENT)),
        (None, NOWHERE, Failure(Fault.NOT_SENT)),
        (None, REFUSED, Failure(Fault.NOT_SENT)),
        (None, NO_PROXY_THERE, None),
        (None, PROXY_IN_TROUBLE, Failure(Fault.NOT_SENT)),
        (None, UNTRUSTED, None),
        (None, ValueError("a bug"), None),
    ],
)
def test_what_a_try_came_to(response, exception, failure):
    """In the terms in which `retry` decides for all of the action."""
    assert failure == failure_of(response, exception, 0.0)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (boto.ClientError({"Error": {"Code": "ExpiredToken"}}, "PutObject"), Again.NEW_CREDENTIALS),
        (boto.ClientError({"Error": {"Code": "InvalidToken"}}, "PutObject"), Again.NEW_CREDENTIALS),
        (boto.ClientError({"Error": {"Code": "AccessDenied"}}, "PutObject"), Again.NEW_CREDENTIALS),
        (boto.ClientError({"Error": {"Code": "NoSuchUpload"}}, "UploadPart"), Again.LOST),
        (boto.ClientError({"Error": {"Code": "NoSuchBucket"}}, "PutObject"), None),
        (boto.ClientError({}, "PutObject"), None),
        (NotS3Error("x"), Again.LOST),
        (ResponseParserError("x"), Again.LOST),
        (CLOSED, None),
        (KeyError("a bug"), None),
    ],
)
def test_when_to_upload_from_the_start(error, reason):
    """Other credentials help, or another try does."""
    assert reason is again(error)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (UNTRUSTED, "not trusted by the public CAs and SSL_CERT_FILE: [SSL: CERTIFICATE_VERIFY_FAILED]"),
        (BROKEN_TLS, "broke again and again: EOF occurred"),
        (CLOSED, "broke again and again: ('Connection aborted.', RemoteDisconnected())"),
        (SLOW, "did not answer through the proxy http://p:1 within 60 s"),
        (FAR, "did not take a connection through the proxy http://p:1 within 10 s"),
        (NOWHERE, "Unknown host b.s3.amazonaws.com through the proxy http://p:1: Failed to resolve 'b' ([Errno -2]"),
        (REFUSED, "No connection to b.s3.amazonaws.com through the proxy http://p:1: Failed to establish: [Errno 111]"),
        (
            NO_PROXY_THERE,
            "through the proxy http://p:1, which does not accept this user name and password (`HTTPS_PROXY`): 407",
        ),
        (ValueError("Invalid header value b'1token/+==' at ?X-Amz-Signature=abc"), "ValueError: Invalid header value"),
        (boto.HTTPClientError(error=f"cannot {URL}"), "HTTPClientError: cannot https://b.s3.amazonaws.com/k?..."),
    ],
)
def test_what_is_said_when_s3_was_not_reached(error, said):
    """The host, the way there and what happened; no signature, and no password of the proxy."""
    where = Circumstances(target(), "b.s3.amazonaws.com", PROXY, "the public CAs and SSL_CERT_FILE")
    problem = explain(error, where)
    assert problem is not None
    assert said in problem.message
    assert problem.remedy
    for secret in ("hunter2", "Signature=", target().credentials.session_token):
        assert secret not in str(problem)


def test_a_bug_is_not_explained_away():
    """It is an internal error, with its traceback."""
    where = Circumstances(target(), "b.s3.amazonaws.com")
    assert explain(KeyError("x"), where) is None
