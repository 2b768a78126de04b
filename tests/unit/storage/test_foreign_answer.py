"""What answers instead of S3: few requests, `upload_failed`, what it is, where a redirect leads, and no traceback."""

import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from archives import BUCKET, Archive, Immediately, target
from hypothesis import given, settings
from hypothesis import strategies as st
from s3_faults import FaultyS3, error, page, swallow
from way_servers import Answering, Listener, Proxy, TlsFront, answer, make_authority

from baseten_deploy.errors import UploadFailed
from baseten_deploy.network.way_out import WayOut
from baseten_deploy.storage.foreign_answer import recognise_foreign
from baseten_deploy.storage.upload import PART_BYTES, upload

SMALL, LARGE = 100_000, 20 * 1024**2
S3 = "s3.baseten.test"
URL = f"https://{S3}/uploads/k"
SOURCE = Path(__file__).resolve().parents[3] / "src"
FEW = 12  # requests, for an archive of three parts

PAGE = "<!DOCTYPE html><html><head><title>Web Page Blocked</title></head><body>x</body></html>"
SIGN_IN = '<html><head><title>Corp Sign-In</title></head><body><input type="password"></body></html>'


def fail(endpoint: str, size: int, way: WayOut | None = None) -> str:
    """Upload there, which fails; the problem as it is told, message and remedy."""
    with pytest.raises(UploadFailed) as failed:
        upload(
            lambda: Archive(size),
            target(),
            renew=target,
            largest=size,
            endpoint_url=endpoint,
            way=way,
            clock=Immediately(),
        )
    (problem,) = failed.value.problems
    assert problem.remedy
    return str(problem)


ANSWERS = {
    "a redirect to a sign-in page": (
        answer("302 Found", Location="https://login.corp.test/sso?RelayState=Zm9v"),
        "redirected to https://login.corp.test/sso; redirects are not followed",
    ),
    "a permanent redirect": (answer("301 Moved", Location=f"https://{S3}/elsewhere"), "redirected to"),
    "a temporary redirect": (answer("307 Temporary", SIGN_IN, Location="/login"), "redirected to /login;"),
    "a firewall's page": (answer("403 Forbidden", PAGE, Content_Type="text/html"), "titled 'Web Page Blocked'"),
    "too large for a firewall": (answer("413 Too Large", PAGE, Content_Type="text/html"), "titled 'Web Page Blocked'"),
    "a sign-in page": (answer("200 OK", SIGN_IN, Content_Type="text/html"), "a sign-in page answered"),
    "a 501": (answer("501 Not Implemented", "no"), "the answer 501"),
    "a 501 with a page": (answer("501 Not Implemented", "<html><title>Hm</title></html>"), "the answer 501"),
    "a 403 without a body": (answer("403 Forbidden"), "the answer 403"),
    "a 404 of plain text": (answer("404 Not Found", "404 page not found"), "the answer 404"),
    "a 400 of JSON": (answer("400 Bad", '{"error": "no"}', Content_Type="application/json"), "the answer 400"),
    "a 407": (answer("407 Proxy Authentication Required", "x"), "a proxy in between wants a user name"),
    "a 511": (answer("511 Network Authentication Required", SIGN_IN), "wants a sign-in first"),
    "a success without a body": (answer("200 OK"), "does not answer like S3"),
    "a success of something else": (answer("200 OK", "{}", Content_Type="application/json"), "does not answer like S3"),
    "broken XML": (answer("403 Forbidden", "<Error><Code>", Content_Type="application/xml"), ""),
    "XML of something else": (answer("403 Forbidden", "<?xml version='1.0'?><x/>"), "the answer 403"),
    "no HTTP": (b"SSH-2.0-OpenSSH_9.6\r\n", ""),
    "a redirect to nowhere at all": (answer("302 Found", Location="http://xn--"), "redirected to http://xn--;"),
}


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["one request", "parts"])
@pytest.mark.parametrize("name", ANSWERS)
def test_what_is_not_s3_is_named_after_few_requests(name, size):
    """Whatever the archive's size; the queries that may be credentials are not shown."""
    given, said = ANSWERS[name]
    with Answering(given) as server:
        told = fail(f"http://127.0.0.1:{server.port}", size)
    assert said in told
    assert "support" not in told or name == "broken XML"
    assert "RelayState" not in told
    assert len(server.requests) <= FEW


@pytest.mark.parametrize("name", ["a redirect to a sign-in page", "a firewall's page", "a 501", "a 407"])
def test_one_request_is_enough(name):
    """It says the same however often it is asked."""
    with Answering(ANSWERS[name][0]) as server:
        fail(f"http://127.0.0.1:{server.port}", SMALL)
    assert 1 == len(server.requests)


@pytest.fixture
def s3() -> Iterator[FaultyS3]:
    """S3 over http."""
    with FaultyS3() as server:
        server.reset()
        yield server


@pytest.mark.parametrize("operation", ["CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"])
def test_a_page_in_the_middle_leaves_nothing_behind(s3, operation):
    """The upload that was begun is aborted."""
    s3.fail(operation, range(1, 100), lambda _act: (403, PAGE.encode(), {"Content-Type": "text/html"}))
    told = fail(s3.url, LARGE)
    assert f"the answer 403 to {operation} of s3://{BUCKET}/models/archive.tgz is not S3's" in told
    assert [] == s3.dangling()


def test_a_wrong_region_is_asked_for_once(s3):
    """S3's own redirect, which botocore follows to the region that is named; a bucket that is in none ends it."""
    body = b"<Error><Code>PermanentRedirect</Code><Message>elsewhere</Message></Error>"
    s3.fail("PutObject", range(1, 100), lambda _act: (301, body, {"x-amz-bucket-region": "eu-central-1"}))
    s3.fail("HEAD", range(1, 100), lambda _act: (301, b"", {}))
    assert "S3 answered 301 PermanentRedirect" in fail(s3.url, SMALL)
    assert len(s3.requests) <= 4


def test_words_of_s3_stay_s3s(s3):
    """Its own refusals keep their remedies."""
    s3.fail("PutObject", range(1, 100), error(403, "SignatureDoesNotMatch"))
    assert "S3 answered 403 SignatureDoesNotMatch" in fail(s3.url, SMALL)
    s3.fail("PutObject", range(1, 200), page(502))
    assert "S3 did not recover in several tries" in fail(s3.url, SMALL)


def test_secrets_are_taken_out_before_anything_is_cut(s3):
    """S3 may repeat what was sent, at any length."""
    secret = target().credentials.session_token
    for length in range(200, 320, 7):
        body = f"<Error><Code>X</Code><Message>{'a' * length}{secret}</Message></Error>".encode()
        s3.fail("PutObject", range(1, 2000), lambda _act, body=body: (400, body, {}))
        told = fail(s3.url, SMALL)
        assert secret[:6] not in told


@settings(deadline=None)
@given(
    st.integers(100, 599),
    st.dictionaries(st.sampled_from(["Location", "Content-Type", "x-amz-bucket-region"]), st.text(max_size=30)),
    st.one_of(st.binary(max_size=200), st.sampled_from([PAGE.encode(), b"<Error><Code>X</Code></Error>", b""])),
    st.sampled_from(["PUT", "HEAD", "POST"]),
)
def test_any_answer_is_taken(status, headers, body, method):
    """S3's or what it is; no exception."""
    found = recognise_foreign(status, headers, body, URL, method)
    assert found is None or found.said


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """A private authority."""
    return make_authority(tmp_path_factory.mktemp("authority"))


class TestWay:
    """The way to S3, with the same servers as for the API."""

    @pytest.mark.parametrize("size", [SMALL, PART_BYTES + 1])
    def test_a_proxy_with_a_password(self, s3, authority, size):
        """CONNECT with it, TLS inside with the authority that is named."""
        for operation in ("PutObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"):
            s3.fail(operation, range(1, 9), swallow)
        plain = int(s3.url.rpartition(":")[2])
        with (
            TlsFront(authority.certificate(S3), to=plain) as tls,
            Proxy(tls.port, "bob", "Winter#2026") as proxy,
        ):
            environment = {
                "HTTPS_PROXY": f"http://bob:Winter%232026@127.0.0.1:{proxy.port}",
                "SSL_CERT_FILE": str(authority.file),
            }
            done = upload(
                lambda: Archive(size),
                target(),
                renew=target,
                largest=size,
                endpoint_url=f"https://{S3}",
                way=WayOut(environment),
                clock=Immediately(),
            )
        assert size == done.size
        assert size == sum(request.size for request in s3.requests if request.operation in ("PutObject", "UploadPart"))
        assert ({S3}, {S3}) == (proxy.hosts, {request.host for request in s3.requests})

    @pytest.mark.parametrize(
        ("environment", "said", "tries"),
        [
            ({}, "wants a user name and a password (`HTTPS_PROXY`): 407", 1),
            ({"credentials": "bob:wrongword@"}, "does not accept this user name and password (`HTTPS_PROXY`): 407", 1),
        ],
    )
    def test_a_proxy_that_refuses(self, authority, environment, said, tries):
        """Once, in the words that the API's calls have."""
        with TlsFront(authority.certificate(S3), answer=b"") as tls, Proxy(tls.port, "bob", "Winter#2026") as proxy:
            told = fail(
                f"https://{S3}",
                SMALL,
                WayOut({"HTTPS_PROXY": f"http://{environment.get('credentials', '')}127.0.0.1:{proxy.port}"}),
            )
        assert said in told
        assert tries == len(proxy.seen)
        assert "wrongword" not in told

    @pytest.mark.parametrize(
        ("names", "expired", "trusted", "said"),
        [
            ((S3,), False, False, "is not trusted by the public CAs"),
            ((S3,), True, True, "has expired"),
            (("other.test",), False, True, "is for another name"),
        ],
    )
    @pytest.mark.parametrize("size", [SMALL, PART_BYTES + 1])
    def test_a_certificate_that_is_not_trusted(self, authority, names, expired, trusted, said, size):
        """One try; it is not the proxy's doing, nor DNS."""
        with TlsFront(authority.certificate(*names, expired=expired), answer=b"") as tls, Proxy(tls.port) as proxy:
            environment = {"HTTPS_PROXY": f"http://127.0.0.1:{proxy.port}"}
            if trusted:
                environment["SSL_CERT_FILE"] = str(authority.file)
            told = fail(f"https://{S3}", size, WayOut(environment))
        assert said in told
        assert "DNS" not in told
        assert len(proxy.seen) <= 2

    def test_a_proxy_that_is_not_there(self):
        """Named, without its user."""
        with Proxy(1) as proxy:
            port = proxy.port
        told = fail(f"https://{S3}", SMALL, WayOut({"ALL_PROXY": f"http://bob:Winter%232026@127.0.0.1:{port}"}))
        assert f"through the proxy http://127.0.0.1:{port}, which does not answer (`ALL_PROXY`)" in told
        assert "whose loopback is not the host's" in told
        assert "Winter" not in told


class Hasty(Immediately):
    """A clock whose minute is three tenths of a second at the socket."""

    def real(self, seconds: float) -> float:
        """Less."""
        return seconds / 200


class Drip(Listener):
    """Sends a piece of an answer again and again, until the client is gone."""

    def __init__(self, piece: bytes, *, at_once: bool) -> None:
        super().__init__()
        self._piece, self._at_once = piece, at_once
        self.connections = 0

    def handle(self, connection: socket.socket) -> None:
        """Drip, before or after the head of the request has come."""
        self.connections += 1
        if not self._at_once:
            connection.recv(65536)
        with suppress(OSError):
            while True:
                connection.sendall(self._piece)
                time.sleep(0.05)


@pytest.mark.parametrize("piece", [b"H", b"HTTP/1.1 103 Early Hints\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"])
@pytest.mark.parametrize(
    ("scheme", "at_once", "size"), [("http", True, SMALL), ("http", False, SMALL), ("https", True, SMALL)]
)
def test_an_answer_without_end_is_none(scheme, at_once, piece, size):
    """Though each read of it gets something in time: a try of a request has an end."""
    with Drip(piece, at_once=at_once) as server, pytest.raises(UploadFailed) as failed:
        upload(
            lambda: Archive(size),
            target(),
            renew=target,
            largest=size,
            endpoint_url=f"{scheme}://127.0.0.1:{server.port}",
            clock=Hasty(),
        )
    assert failed.value.problems[0].remedy
    assert 1 <= server.connections <= 15


LIMITED = """
import _thread, threading, sys, json
most, start = int(sys.argv[1]), _thread.start_new_thread
count = 0

def limited(*arguments, **named):
    global count
    if count >= most:
        raise RuntimeError("can't start new thread")
    count += 1
    return start(*arguments, **named)

_thread.start_new_thread = limited
threading._start_new_thread = limited
from archives import Archive, Immediately, target
from baseten_deploy.storage.upload import upload
from baseten_deploy.errors import UploadFailed
try:
    done = upload(lambda: Archive({size}), target(), renew=target, largest={size}, endpoint_url=sys.argv[2],
                  clock=Immediately())
    print(done.sha256)
except UploadFailed as error:
    print(error)
"""


@pytest.fixture
def limited(s3) -> Callable[[int, int], str]:
    """Upload in a process that may start so many threads, and what it says."""

    def run(threads: int, size: int) -> str:
        program = textwrap.dedent(LIMITED).replace("{size}", str(size))
        folders = [SOURCE, Path(__file__).parent, Path(__file__).parents[1]]
        done = subprocess.run(
            [sys.executable, "-c", program, str(threads), s3.url],
            env={"PYTHONPATH": ":".join(map(str, folders)), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert "" == done.stderr
        return done.stdout.strip()

    return run


@pytest.mark.parametrize("size", [SMALL, LARGE])
@pytest.mark.parametrize("threads", [3, 4, 8])
def test_a_host_that_allows_few_threads(limited, s3, threads, size):
    """The limit of a container's processes: fewer threads do it."""
    assert limited(threads, size) == s3.stored()


@pytest.mark.parametrize("threads", [0, 1])
def test_a_host_that_allows_no_thread(limited, threads):
    """What is missing, and how to get it."""
    told = limited(threads, LARGE)
    assert "The upload cannot start a thread: can't start new thread" in told
    assert "--pids-limit" in told


@pytest.mark.parametrize(
    "raised", [AttributeError("x"), RecursionError("x"), KeyError("x"), MemoryError(), TypeError("x")]
)
def test_whatever_the_client_raises_is_told(raised, s3):
    """An exception that comes out of botocore is no bug of this action's, and no traceback for its user."""

    def act(_act: object) -> tuple[int, bytes, dict[str, str]]:
        return 200, b"", {"ETag": '"x"'}

    s3.fail("PutObject", range(1, 100), act)
    from botocore import parsers  # noqa: PLC0415

    class Broken(parsers.RestXMLParser):
        def parse(self, *_: object) -> None:
            raise raised

    before = parsers.PROTOCOL_PARSERS["rest-xml"]
    parsers.PROTOCOL_PARSERS["rest-xml"] = Broken
    try:
        told = fail(s3.url, SMALL)
    finally:
        parsers.PROTOCOL_PARSERS["rest-xml"] = before
    assert "uploads" in told or "127.0.0.1" in told or "memory" in told
