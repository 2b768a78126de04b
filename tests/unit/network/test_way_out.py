"""Which proxy leads where, from the variables of the job; which of them are wrong, and what is never shown of them."""

import ssl
import sys
from types import ModuleType

import certifi
import pytest

from baseten_deploy.errors import InvalidInput
from baseten_deploy.network import certificates
from baseten_deploy.network.way_out import WayOut

API = "https://api.baseten.co/v1/models"
PROXY = "http://p:1"


def leads(url, **environment):
    """The proxy to a URL, as it is shown."""
    found = WayOut(environment).proxy_for(url)
    return found.shown if found else ""


@pytest.mark.parametrize("name", ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"])
def test_variables_for_https(name):
    """Each by itself; an empty one is none."""
    assert PROXY == leads(API, **{name: PROXY})
    assert "" == leads(API, **{name: "  "})


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
def test_variables_for_http(name):
    """An S3 of one's own may have no TLS."""
    assert PROXY == leads("http://minio.corp:9000/b/k", **{name: PROXY})
    assert "" == leads(API, **{name: PROXY}) or "all" in name.lower()


def test_which_goes_first():
    """The scheme's own before the one for all, lower case before upper case, as curl."""
    names = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]
    for at in range(4):
        values = {name: f"http://{name.lower().replace('_', '-')}-{name[0]}:1" for name in names[at:]}
        assert values[names[at]] == leads(API, **values)
        assert values[names[at]] == leads(API, **values, **dict.fromkeys(names[:at], ""))
    assert "" == leads(API, no_proxy="x.org,baseten.co", NO_PROXY="x.org", HTTPS_PROXY=PROXY)
    assert PROXY == leads(API, no_proxy="x.org", NO_PROXY="baseten.co", HTTPS_PROXY=PROXY)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "https://localhost", "https://[::1]:9", "http://s3.localhost:1"])
def test_loopback_is_never_proxied(url):
    """A proxy's own loopback is another machine's."""
    assert "" == leads(url, HTTPS_PROXY=PROXY, HTTP_PROXY=PROXY, ALL_PROXY=PROXY)


def test_the_port_of_a_url_counts():
    """`NO_PROXY` may name one."""
    assert ["", PROXY] == [
        leads(f"https://x.org:{port}/", NO_PROXY="x.org:8443", HTTPS_PROXY=PROXY) for port in (8443, 443)
    ]


SECRET = "http://user:Winter#2026@proxy:3128"


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"HTTPS_PROXY": SECRET}, ["HTTPS_PROXY"]),
        ({"https_proxy": SECRET, "HTTPS_PROXY": PROXY}, ["https_proxy"]),
        ({"HTTP_PROXY": SECRET}, ["HTTP_PROXY"]),
        ({"http_proxy": SECRET, "HTTPS_PROXY": SECRET}, ["HTTPS_PROXY", "http_proxy"]),
        ({"ALL_PROXY": "socks5h://127.0.0.1:1080"}, ["ALL_PROXY"]),
        # What curl would not need is not judged.
        ({"ALL_PROXY": "socks5://127.0.0.1:7890", "HTTPS_PROXY": PROXY, "HTTP_PROXY": PROXY}, []),
        ({"ALL_PROXY": "socks5://127.0.0.1:7890", "HTTPS_PROXY": PROXY}, []),
        ({"HTTPS_PROXY": PROXY, "https_proxy": ""}, []),
        ({"HTTPS_PROXY": SECRET, "NO_PROXY": "*"}, []),
        ({"NO_PROXY": "localhost,::1/128,fd00::/8,[::1]"}, []),
        ({"FTP_PROXY": SECRET}, []),
        ({}, []),
    ],
)
def test_what_cannot_be_used_is_named(environment, named):
    """And no part of its value is in the problem, in a `repr` or in an error."""
    way = WayOut(environment)
    assert [f"`{name}`" for name in named] == [problem.message.split(" ")[0] for problem in way.proxy_problems]
    for text in (*map(str, way.proxy_problems), repr(way)):
        assert "Winter" not in text
        assert "2026" not in text
    assert all(problem.remedy for problem in way.proxy_problems)
    assert (SECRET in environment.values()) == (SECRET in way.unshown) or not named


def test_one_that_only_http_needs_is_judged_when_it_is_needed():
    """The whole run may need none."""
    way = WayOut({"ALL_PROXY": "socks5://127.0.0.1:7890", "HTTPS_PROXY": PROXY})
    with pytest.raises(InvalidInput, match="`ALL_PROXY`"):
        way.proxy_for("http://minio.corp:9000/")


def test_secrets_are_those_of_every_proxy():
    """Each once."""
    one, two = "http://bob:Winter%232026@p:1", "http://eve:Summer%232026@p:1"
    secrets = WayOut({"HTTPS_PROXY": one, "HTTP_PROXY": two}).secrets
    assert {"Winter#2026", "Summer#2026", "bob:Winter#2026", "eve:Summer#2026"} <= set(secrets)
    assert len(secrets) == len(set(secrets))
    assert () == WayOut({"HTTPS_PROXY": SECRET}).secrets


@pytest.mark.usefixtures("public_authorities")
def test_the_public_authorities_are_those_of_certifi():
    """Found without what certifi loads to find them."""
    assert certifi.where() == certificates.public()


@pytest.mark.usefixtures("public_authorities")
def test_a_certifi_that_points_elsewhere_is_asked(tmp_path, monkeypatch):
    """As distributions have it, which leave out the file."""
    package = tmp_path / "certifi"
    package.mkdir()
    (package / "__init__.py").write_text("def where(): return '/etc/ssl/certs/ca-certificates.crt'\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "certifi", ModuleType("certifi"))  # as `launch` leaves it
    assert "/etc/ssl/certs/ca-certificates.crt" == certificates.public()


@pytest.mark.usefixtures("public_authorities")
class TestCertificates:
    """The public ones, and those that the environment names."""

    def test_are_loaded_once(self):
        """By whoever asks first."""
        way = WayOut()
        assert isinstance(way.trust, ssl.SSLContext)
        assert way.trust is way.trust
        assert (ssl.CERT_REQUIRED, True) == (way.trust.verify_mode, way.trust.check_hostname)
        assert len(way.trust.get_ca_certs()) > 50

    def test_write_no_keys_anywhere(self, monkeypatch, tmp_path):
        """A variable of the job's would make any program that asks for it write the keys of its connections."""
        monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
        assert WayOut().trust.keylog_filename is None

    @pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"])
    @pytest.mark.parametrize(
        "content", [None, "", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
    )
    def test_what_cannot_be_read_is_named(self, variable, content, tmp_path):
        """Not there, or none in it; the path is not shown. The others are trusted all the same."""
        file = tmp_path / "corp-ca.pem"
        if content is not None:
            file.write_text(content)
        way = WayOut({variable: str(file)})
        (problem,) = way.certificate_problems
        assert problem.message.startswith(f"`{variable}`: the certificates cannot be read")
        assert problem.remedy
        assert "corp-ca" not in str(problem)
        assert len(way.trust.get_ca_certs()) > 50

    @pytest.mark.parametrize("value", ["/dev/zero", "a\0b", "/proc/self/mem"])
    def test_nothing_is_read_that_is_no_file(self, value):
        """A device has no end."""
        (problem,) = WayOut({"SSL_CERT_FILE": value}).certificate_problems
        assert "cannot be read" in problem.message

    def test_say_which(self):
        """For a message about one that is not trusted."""
        assert "the public CAs" == WayOut({"SSL_CERT_DIR": ""}).trusted
        assert "the public CAs and SSL_CERT_FILE and REQUESTS_CA_BUNDLE" == (
            WayOut({"REQUESTS_CA_BUNDLE": "/a", "SSL_CERT_FILE": "/b"}).trusted
        )
