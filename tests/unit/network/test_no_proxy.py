"""`NO_PROXY`: each form that people write, and the same answers as Python's own reading where both know a form."""

from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from baseten_deploy.network.no_proxy import NoProxy, is_loopback

COVERED = [
    ("*", "api.baseten.co"),
    ("x.org,*", "api.baseten.co"),
    ("baseten.co", "baseten.co"),
    ("baseten.co", "api.baseten.co"),
    (".baseten.co", "api.baseten.co"),
    (".baseten.co", "baseten.co"),
    ("*.baseten.co", "api.baseten.co"),
    ("*baseten.co", "api.baseten.co"),
    ("BASETEN.co", "api.Baseten.CO"),
    ("baseten.co.", "api.baseten.co"),
    ("baseten.co", "api.baseten.co."),
    (" x.org , baseten.co ", "api.baseten.co"),
    ("x.org baseten.co", "api.baseten.co"),
    ("x.org\n,,baseten.co", "api.baseten.co"),
    ("minio", "minio"),
    ("10.1.2.3", "10.1.2.3"),
    ("10.0.0.0/8", "10.200.3.4"),
    ("10.1.2.3/8", "10.200.3.4"),
    ("10.1.2.3/32", "10.1.2.3"),
    ("0.0.0.0/0", "192.0.2.7"),
    ("::ffff:10.1.2.3", "10.1.2.3"),
    ("10.1.2.3", "[::ffff:10.1.2.3]"),
    ("::ffff:10.0.0.0/104", "10.9.9.9"),
    ("fd00::1", "[fd00::1]"),
    ("fd00::1", "fd00:0:0::1"),
    ("[fd00::1]", "fd00::1"),
    ("FD00::1", "fd00::1"),
    ("fd00::/8", "[fd12:3456::1]"),
    ("[fd00::]/8", "fd12:3456::1"),
    ("[fd00::/8]", "fd12:3456::1"),
    ("localhost,::1/128,fd00::/8,[::1]", "fd00::7"),
    ("[::1", "::1"),
    ("baseten.co:443", "api.baseten.co"),
    ("10.1.2.3:443", "10.1.2.3"),
    ("[fd00::1]:443", "fd00::1"),
    ("https://baseten.co", "api.baseten.co"),
    ("https://baseten.co/", "api.baseten.co"),
    ("all://x.org https://api.baseten.co:443", "api.baseten.co"),
]
NOT_COVERED = [
    ("", "api.baseten.co"),
    (",", "api.baseten.co"),
    ("aseten.co", "baseten.co"),
    ("api.baseten.co", "baseten.co"),
    ("baseten.com", "baseten.co"),
    ("baseten.co:8443", "api.baseten.co"),
    ("[fd00::1]:8443", "fd00::1"),
    ("http://baseten.co", "api.baseten.co"),
    ("10.0.0.0/8", "11.0.0.1"),
    ("10.0.0.0/33", "10.0.0.1"),
    ("10.0.0.0/x", "10.0.0.1"),
    ("10.1.2", "10.1.2.3"),
    ("1.2.3", "10.1.2.3"),
    ("2.3", "10.1.2.3"),
    ("::1", "10.1.2.3"),
    ("fd00::/8", "10.1.2.3"),
    ("0.0.0.0/0", "fd00::1"),
    ("10.0.0.0/8", "ten.example"),
    ("][", "x"),
    (":", "x"),
    ("/", "x"),
    (".", "x"),
    ("*.", "x.org"),
    ("a:b:c", "a"),
    ("x.org:99999999999999999999", "x.org"),
    ("x.org:0", "x.org"),
    ("(*)", "x.org"),
]


@pytest.mark.parametrize(("text", "host"), COVERED)
def test_goes_without_a_proxy(text, host):
    """In the forms of curl, Go and Python."""
    assert NoProxy(text).covers("https", host)


@pytest.mark.parametrize(("text", "host"), NOT_COVERED)
def test_goes_through_the_proxy(text, host):
    """Another host, port or scheme; what is in no form names nobody."""
    assert not NoProxy(text).covers("https", host)


@pytest.mark.parametrize(
    ("text", "scheme", "port", "covered"),
    [
        ("x.org:8080", "https", 8080, True),
        ("x.org:8080", "http", None, False),
        ("x.org:80", "http", None, True),
        ("x.org:443", "http", None, False),
        ("x.org", "http", 1234, True),
        ("*:8080", "https", 8080, True),
        ("*:8080", "https", 443, False),
        ("http://x.org", "http", 99, True),
    ],
)
def test_a_port_and_a_scheme_limit_it(text, scheme, port, covered):
    """No port in a URL is the scheme's own."""
    assert covered == NoProxy(text).covers(scheme, "x.org", port)


def test_everything():
    """`*` alone; with a port or a scheme it is not everything."""
    assert [True, True, False, False, False] == [
        NoProxy(text).everything for text in ("*", "a,*", "a", "*:80", "http://*")
    ]


_LABEL = st.text("ab1", min_size=1, max_size=3)
_NAME = st.lists(_LABEL, min_size=1, max_size=4).map(".".join).filter(lambda name: not name.replace(".", "").isdigit())
_PART = st.one_of(
    _NAME,
    _NAME.map(lambda name: "." + name),
    st.tuples(_NAME, st.sampled_from([443, 8443])).map(lambda pair: f"{pair[0]}:{pair[1]}"),
)


@settings(deadline=None)
@given(host=_NAME, parts=st.lists(_PART, max_size=4), port=st.sampled_from([443, 8443]))
@example(host="a.b", parts=["b"], port=443)
@example(host="a.b", parts=[".b:8443"], port=8443)
def test_names_are_taken_as_pythons_own_reading_takes_them(host, parts, port):
    """`urllib` is what requests, pip and botocore ask."""
    text = ",".join(parts)
    theirs = bool(proxy_bypass_environment(f"{host}:{port}", {"no": text}))
    assert theirs == NoProxy(text).covers("https", host, port)


@settings(deadline=None)
@given(st.text(max_size=60), st.text("abc.:[]/*1", max_size=20))
def test_any_text_is_taken(text, host):
    """Whatever it holds: an answer, and no exception."""
    assert NoProxy(text).covers("https", host, 443) in (True, False)


@settings(deadline=None)
@given(st.ip_addresses(), st.integers(0, 32))
def test_an_address_is_in_its_own_networks(address, length):
    """However it is written."""
    for text in (f"{address}", f"[{address}]", f"{address}/{length}", f"[{address}]:443", address.exploded):
        if address.version == 6 or "[" not in text:
            assert NoProxy(text).covers("https", str(address), 443), text


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("localhost", True),
        ("s3.localhost", True),
        ("LOCALHOST.", True),
        ("127.8.9.1", True),
        ("[::1]", True),
        ("::ffff:127.0.0.1", True),
        ("127.example", False),
        ("localhost.example", False),
        ("10.0.0.1", False),
        ("", False),
    ],
)
def test_what_is_this_machine(host, local):
    """Never asked for from a proxy."""
    assert local == is_loopback(host)
