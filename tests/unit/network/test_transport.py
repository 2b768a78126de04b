"""The way out on real sockets: a proxy that demands a password, TLS by a private authority, and what is said of both.

No name here is anybody's: it only ever stands in a CONNECT, and the proxy leads it to this machine.
"""

import base64
import datetime as dt
import gzip
import ssl

import httpx
import pytest
from transport import FakeClock
from way_servers import Answering, Authority, Proxy, TlsFront, answer, make_authority

from baseten_deploy.ci.redaction import Redactor
from baseten_deploy.network.way_out import WayOut
from baseten_deploy.service.http import Http, HttpError, make_client
from baseten_deploy.service.retry import Fault

HOST = "api.baseten.test"
URL = f"https://{HOST}"
OK = answer("200 OK", '{"ok": true}', Content_Type="application/json", Connection="keep-alive")
USER, PASSWORD = "bob", "Winter#2026"
BASIC = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """A private authority."""
    return make_authority(tmp_path_factory.mktemp("authority"))


def get(way: WayOut, url: str = URL, clock=None):
    """One call with retries, as all calls of a run are made."""
    redactor = Redactor()
    for secret in way.secrets:
        redactor.add(secret)
    with make_client(way) as client:
        http = Http(url, {}, client=client, clock=clock or FakeClock(), redact=redactor.redact_foreign)
        return http.request("GET", "/v1/x", retry=True)


def failure(way: WayOut, url: str = URL, clock=None) -> HttpError:
    """The error of such a call."""
    with pytest.raises(HttpError) as caught:
        get(way, url, clock)
    return caught.value


def way_by(proxy: Proxy, authority: Authority, credentials: str = "", **more: str) -> WayOut:
    """The way by this proxy, trusting the authority."""
    return WayOut(
        {"HTTPS_PROXY": f"http://{credentials}127.0.0.1:{proxy.port}", "SSL_CERT_FILE": str(authority.file), **more}
    )


class TestProxy:
    """A way out that demands a password."""

    @pytest.mark.parametrize("credentials", [f"{USER}:Winter%232026@", "bob:Winter%23202%36@"])
    def test_leads_there(self, authority, credentials):
        """CONNECT with the credentials, TLS inside."""
        with TlsFront(authority.certificate(HOST), answer=OK) as server, Proxy(server.port, USER, PASSWORD) as proxy:
            assert {"ok": True} == get(way_by(proxy, authority, credentials))
        assert [(f"{HOST}:443", f"Basic {BASIC}")] == [(seen.target, seen.authorization) for seen in proxy.seen]

    @pytest.mark.parametrize(
        ("credentials", "said"),
        [
            ("", "which wants a user name and a password (`HTTPS_PROXY`): 407 Proxy Authentication Required"),
            ("bob:wrongword@", "which does not accept this user name and password (`HTTPS_PROXY`): 407"),
        ],
    )
    def test_407_is_one_try(self, authority, credentials, said):
        """With what to write; nothing is sent to the service."""
        with TlsFront(authority.certificate(HOST), answer=OK) as server, Proxy(server.port, USER, PASSWORD) as proxy:
            error = failure(way_by(proxy, authority, credentials))
        assert f"no connection to {HOST} through the proxy http://127.0.0.1:{proxy.port}, {said}" in error.message
        assert "http://user:password@host:port" in error.remedy
        assert (Fault.BARRED, 1, 0) == (error.failure.fault, len(proxy.seen), server.connections)
        assert error.failure.refused_unseen
        assert not error.failure.transient
        assert "wrongword" not in f"{error}{error.remedy}"

    @pytest.mark.parametrize(
        "refusal",
        [
            "HTTP/1.1 407 Denied for {authorization}\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 403 {authorization} bob:Winter#2026\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 407 No\r\nContent-Type: text/html\r\n\r\n<html>Proxy-Authorization: {authorization}</html>",
        ],
    )
    def test_what_repeats_the_credentials_is_redacted(self, authority, refusal):
        """In the reason or in the body; as they are or in base64."""
        with Proxy(1, refusal=refusal) as proxy:
            error = failure(way_by(proxy, authority, "bob:Winter%232026@"))
        assert [f"Basic {BASIC}"] == [seen.authorization for seen in proxy.seen]
        for secret in (PASSWORD, "Winter", BASIC, BASIC[:8]):
            assert secret not in f"{error} {error!r} {error.remedy}"

    def test_a_plain_407_repeats_nothing_either(self):
        """Of a request without TLS, which the proxy answers itself, body and all."""
        page = "<html><title>Denied</title>Proxy-Authorization: {authorization}</html>"
        refusal = f"HTTP/1.1 407 Denied\r\nContent-Type: text/html\r\nContent-Length: 200\r\n\r\n{page:<200}"
        with Proxy(1, refusal=refusal) as proxy:
            way = WayOut({"HTTP_PROXY": f"http://bob:Winter%232026@127.0.0.1:{proxy.port}"})
            error = failure(way, "http://minio.test:9000")
        assert "407: a proxy in between wants a user name and a password" == error.message
        assert BASIC[:8] not in f"{error}{error.remedy}{error.body}"
        assert 1 == len(proxy.seen)

    @pytest.mark.parametrize(
        ("status", "tries"), [("403 Forbidden", 1), ("502 Bad Gateway", 5), ("503 Busy", 5), ("429 Slow", 5)]
    )
    def test_a_proxy_that_does_not_connect(self, authority, status, tries):
        """What it forbids is forbidden; trouble of its own passes."""
        with Proxy(1, refusal=f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n") as proxy:
            error = failure(way_by(proxy, authority))
        assert tries == len(proxy.seen)
        assert f"(`HTTPS_PROXY`): {status}" in error.message
        assert error.failure.refused_unseen
        assert error.remedy

    def test_nobody_listens_where_the_proxy_should_be(self):
        """Which proxy, without its user, and what loopback means in a container."""
        with Proxy(1) as proxy:
            port = proxy.port
        error = failure(WayOut({"https_proxy": f"http://bob:Winter%232026@127.0.0.1:{port}"}))
        assert (
            f"no connection to {HOST} through the proxy http://127.0.0.1:{port}, which does not answer" in error.message
        )
        assert "`https_proxy`" in error.message
        assert "whose loopback is not the host's" in error.remedy
        assert Fault.NOT_SENT is error.failure.fault
        assert "Winter" not in f"{error}{error.remedy}"

    def test_no_proxy_is_obeyed(self):
        """A host that is listed is asked directly; by an address, because no name is looked up here."""
        with Answering(OK) as server, Proxy(server.port) as proxy:
            environment = {"HTTP_PROXY": f"http://127.0.0.1:{proxy.port}"}
            assert {"ok": True} == get(WayOut(environment), "http://service.test")
            assert 1 == len(proxy.seen)
            # Loopback is direct anyway, so another address of this machine's network stands for the rest.
            way = WayOut({**environment, "NO_PROXY": "192.0.2.0/24"})
            assert way.proxy_for("http://192.0.2.7/") is None
            assert way.proxy_for("http://192.0.3.7/") is not None

    def test_a_proxy_over_tls(self, authority):
        """`https://` in the variable: its certificate is checked with the same authorities."""
        with (
            TlsFront(authority.certificate(HOST), answer=OK) as server,
            Proxy(server.port, USER, PASSWORD) as proxy,
            TlsFront(authority.certificate("localhost", "127.0.0.1"), to=proxy.port) as front,
        ):
            environment = {"HTTPS_PROXY": f"https://bob:Winter%232026@127.0.0.1:{front.port}"}
            assert {"ok": True} == get(WayOut({**environment, "SSL_CERT_FILE": str(authority.file)}))
            error = failure(WayOut(environment))
            assert "certificate" in error.message
            assert 1 == len(proxy.seen)


class TestCertificate:
    """A server that cannot prove who it is."""

    @pytest.mark.parametrize("proxied", [False, True])
    @pytest.mark.parametrize(
        ("names", "options", "trusted", "said", "remedy"),
        [
            (("127.0.0.1", HOST), {}, False, "is not trusted by the public CAs: ", "set `SSL_CERT_FILE`"),
            (("127.0.0.1", HOST), {"expired": True}, True, "is not valid: ", "has expired"),
            (("other.test",), {}, True, "is for another name: ", "not the one that the certificate is for"),
            (("127.0.0.1", HOST), {"begins": "tomorrow"}, True, "is not valid: ", "clock"),
        ],
        ids=["private authority", "expired", "wrong name", "not yet valid"],
    )
    def test_is_one_try_with_its_own_remedy(self, authority, proxied, names, options, trusted, said, remedy):
        """Not DNS, proxy, firewall: each kind has a remedy that fits it."""
        if options.get("begins"):
            options = {"begins": dt.datetime.now(dt.UTC) + dt.timedelta(days=1)}
        environment = {"SSL_CERT_FILE": str(authority.file)} if trusted else {}
        with TlsFront(authority.certificate(*names, **options), answer=OK) as server, Proxy(server.port) as proxy:
            if proxied:
                environment["HTTPS_PROXY"] = f"http://127.0.0.1:{proxy.port}"
            error = failure(WayOut(environment), URL if proxied else f"https://127.0.0.1:{server.port}")
        assert said in error.message
        assert "CERTIFICATE_VERIFY_FAILED" in error.message
        assert ("through the proxy" in error.message) == proxied
        assert remedy in error.remedy
        assert "firewall" not in error.remedy
        assert (Fault.BARRED, 1, 0) == (error.failure.fault, server.connections, server.handshakes)

    @pytest.mark.usefixtures("public_authorities")
    @pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"])
    def test_a_private_authority_is_trusted_beside_the_public_ones(self, authority, variable):
        """By each variable that users know."""
        value = str(authority.file.parent if variable.endswith("DIR") else authority.file)
        with TlsFront(authority.certificate("127.0.0.1"), answer=OK) as server:
            way = WayOut({variable: value})
            assert {"ok": True} == get(way, f"https://127.0.0.1:{server.port}")
        assert [] == way.certificate_problems
        assert len(way.trust.get_ca_certs()) > 50

    def test_the_variables_add_up(self, authority, tmp_path):
        """Each names another authority, and one variable is wrong: the rest is trusted."""
        other = make_authority(tmp_path)
        way = WayOut(
            {"SSL_CERT_FILE": str(authority.file), "REQUESTS_CA_BUNDLE": str(other.file), "SSL_CERT_DIR": "/no"}
        )
        assert ["`SSL_CERT_DIR`"] == [problem.message.split(":")[0] for problem in way.certificate_problems]
        for each in (authority, other):
            with TlsFront(each.certificate("127.0.0.1"), answer=OK) as server:
                assert {"ok": True} == get(way, f"https://127.0.0.1:{server.port}")

    def test_a_server_that_is_not_tls_is_tried_again(self):
        """It may be in trouble: that is no certificate that is not trusted."""
        with Answering(OK) as server:
            error = failure(WayOut(), f"https://127.0.0.1:{server.port}")
        assert Fault.NOT_SENT is error.failure.fault


HOSTILE = {
    "an undecodable Location": answer("302 Found", Location="http://xn--"),
    "a Location with a bad port": answer("302 Found", Location="http://a:99999999/"),
    "a Location of brackets": answer("302 Found", Location="http://[["),
    "a Location of bytes": b"HTTP/1.1 302 Found\r\nLocation: http://\xff\xfe\r\nContent-Length: 0\r\n\r\n",
    "no Location": answer("302 Found"),
    "gzip twice": answer("200 OK", b"\x1f\x8b", Content_Encoding="gzip, gzip"),
    "gzip": answer("200 OK", b"\x1f\x8b", Content_Encoding="gzip"),
    "an unknown encoding": answer("200 OK", "{}", Content_Encoding="x-none"),
    "an error in gzip": answer("500 Oops", b"\x1f\x8b", Content_Encoding="gzip"),
    "a deep array": answer("400 No", '{"error": ' + "[" * 900 + "]" * 900 + "}"),
    "a deep place": answer("422 No", '{"detail": [{"loc": ' + "[" * 980 + "]" * 980 + ', "msg": "x"}]}'),
    "deeper than JSON": answer("200 OK", "[" * 200_000),
    "a cookie of nonsense": answer("400 No", "{}", Set_Cookie="\x01=;=;;expires=nonsense; domain=.."),
    "half a head": b"HTTP/1.1 200",
    "no HTTP": b"SSH-2.0-OpenSSH_9.6\r\n",
    "a bad length": b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "bad chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n",
    "status 999": answer("999 What"),
    "status 099": answer("099 What"),
    "another encoding of the text": answer("400 No", b"\xff\xfe{", Content_Type="application/json; charset=utf-\xff16"),
    "nothing": b"",
}


class TestHostile:
    """Whatever an answer holds, a call ends in a value or in its own error."""

    @pytest.mark.parametrize("name", HOSTILE)
    def test_ends_in_its_own_error(self, name):
        """No exception of a library, and nothing is followed."""
        with Answering(HOSTILE[name]) as server:
            error = failure(WayOut(), f"http://127.0.0.1:{server.port}")
        assert error.message
        assert set(server.requests) == {"GET /v1/x HTTP/1.1"}

    @pytest.mark.parametrize("layers", [1, 2])
    def test_a_bomb_is_not_inflated(self, layers, memory_of):
        """13 KB that become gigabytes: it is refused as it comes, and nothing of it is decoded."""
        bomb = gzip.compress(bytes(64 * 1024 * 1024))
        if layers == 2:
            bomb = gzip.compress(bomb)
        encoding = ", ".join(["gzip"] * layers)
        with Answering(answer("200 OK", bomb, Content_Encoding=encoding)) as server, memory_of() as peak:
            error = failure(WayOut(), f"http://127.0.0.1:{server.port}")
        assert "the answer is compressed, which was not asked for" == error.message
        assert peak() < 16 * 1024 * 1024

    def test_no_cookie_is_kept(self):
        """One server's cookies are nobody else's business, and not even its own."""
        with Answering(answer("200 OK", "{}", Set_Cookie="a=b")) as server, make_client(WayOut()) as client:
            for _ in range(2):
                client.get(f"http://127.0.0.1:{server.port}/")
            assert 0 == len(client.cookies)

    def test_a_location_is_handed_on_unread(self):
        """For the message; httpx itself would make a request of it."""
        with Answering(HOSTILE["an undecodable Location"]) as server, make_client(WayOut()) as client:
            response = client.get(f"http://127.0.0.1:{server.port}/")
        assert ("http://xn--", None) == (response.extensions["location"], response.next_request)


def test_the_environment_of_the_process_has_no_say(monkeypatch):
    """Only what the run was given counts: httpx reads nothing by itself."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "::1/128")
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere")
    with Answering(OK) as server, Proxy(server.port) as proxy:
        way = WayOut({"HTTP_PROXY": f"http://127.0.0.1:{proxy.port}"})
        assert {"ok": True} == get(way, "http://service.test")
    assert isinstance(way.trust, ssl.SSLContext)
    assert isinstance(make_client(way), httpx.Client)
