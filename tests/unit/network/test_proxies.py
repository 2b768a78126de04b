"""A proxy's URL: what is taken, what is refused and how, and that no part of a refused one is ever repeated."""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baseten_deploy.network.proxies import Proxy, Unusable, read_proxy

NAME = "HTTPS_PROXY"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("http://proxy:3128", Proxy("http", "proxy", 3128)),
        ("HTTP://Proxy.corp.example.:3128/", Proxy("http", "Proxy.corp.example.", 3128)),
        ("proxy:3128", Proxy("http", "proxy", 3128)),
        ("proxy", Proxy("http", "proxy", 80)),
        ("https://proxy", Proxy("https", "proxy", 443)),
        (" http://proxy:3128\n", Proxy("http", "proxy", 3128)),
        ("http://10.1.2.3:8080", Proxy("http", "10.1.2.3", 8080)),
        ("http://[fd00::1]:8080", Proxy("http", "fd00::1", 8080)),
        ("http://[fd00::1]", Proxy("http", "fd00::1", 80)),
        ("http://user:pass@proxy:3128", Proxy("http", "proxy", 3128, "user", "pass")),
        ("http://user@proxy:3128", Proxy("http", "proxy", 3128, "user")),
        ("http://:pass@proxy:3128", Proxy("http", "proxy", 3128, "", "pass")),
        ("user:pass@proxy:3128", Proxy("http", "proxy", 3128, "user", "pass")),
        ("http://CORP%5Cuser:Winter%232026@proxy:3128", Proxy("http", "proxy", 3128, "CORP\\user", "Winter#2026")),
        ("http://user:p%40ss:w@proxy:3128", Proxy("http", "proxy", 3128, "user", "p@ss:w")),
        ("http://user:p@ss@proxy:3128", Proxy("http", "proxy", 3128, "user", "p@ss")),
        ("http://user:100%@proxy:3128", Proxy("http", "proxy", 3128, "user", "100%")),
        ("http://proxy:3128/some/path", Proxy("http", "proxy", 3128)),
    ],
)
def test_what_a_proxy_is(value, expected):
    """As curl, Go and Python take it."""
    assert expected == read_proxy(value, NAME)


REFUSED = [
    ("http://user:Winter#2026@proxy:3128", "Percent-encode it there: write `#` as `%23`"),
    ("http://user:Win/ter@proxy:3128", "`/` as `%2F`"),
    ("http://user:Win?ter@proxy:3128", "`?` as `%3F`"),
    ("http://us#er:Winter@proxy:3128", "`#` as `%23`"),
    ("http://CORP\\bob:Winter@proxy:3128", "Percent-encode"),
    ('"http://bob:Winter@127.0.0.1:9"', "quotes are part of the value"),
    ("'http://bob:Winter@127.0.0.1:9'", "quotes are part of the value"),
    ('"http://bob:Winter@127.0.0.1:9', "quotes are part of the value"),
    ("http://bob:Win ter@proxy:3128", "a space as `%20`"),
    ("http://bob:Win\tter@proxy:3128", "http://host:port"),
    ("http://bob:Winter@proxy:port", "`%3A`"),
    ("http://bob:Winter@proxy:0", "http://host:port"),
    ("http://bob:Winter@proxy:65536", "http://host:port"),
    ("http://bob:Winter@proxy:-1", "http://host:port"),
    ("http://bob:Winter@proxy:٣", "http://host:port"),
    ("http://bob:Winter@proxy:99999999999999999999", "http://host:port"),
    ("http://bob:Winter@", "http://host:port"),
    ("http://", "http://host:port"),
    ("http://Winter:3128#x", "http://host:port"),
    ("http://a..b:3128", "http://host:port"),
    ("http://pröxy:3128", "http://host:port"),
    ("http://" + "a" * 64 + ":3128", "http://host:port"),
    ("http://fd00::1:3128", "`%3A`"),
    ("http://[Winter]:3128", "[::1]"),
    ("http://[::1]x:3128", "http://host:port"),
    ("http://bob:%ff@proxy:3128", "UTF-8"),
    ("ftp://bob:Winter@proxy:3128", "http://host:port"),
    ("http:/bob:Winter@proxy:3128", "Percent-encode"),
    ("socks5h://127.0.0.1:1080", "`HTTPS_PROXY` to an HTTP proxy"),
    ("socks5://bob:Winter@127.0.0.1:1080", "`HTTPS_PROXY` to an HTTP proxy"),
    ("SOCKS4://127.0.0.1:1080", "`HTTPS_PROXY` to an HTTP proxy"),
]


@pytest.mark.parametrize(("value", "remedy"), REFUSED)
def test_what_is_refused(value, remedy):
    """With what to write instead, and without any part of the value."""
    with pytest.raises(Unusable) as refused:
        read_proxy(value, NAME)
    said = f"{refused.value.reason} {refused.value.remedy}"
    assert remedy in said
    shown = [part for part in ("Winter", "Win", "bob", "CORP", "127.0.0.1", "1080", "65536", "port@") if part in said]
    assert [] == [part for part in shown if part in value]


@settings(deadline=None)
@given(user=st.text(max_size=12), password=st.text(max_size=12))
def test_user_and_password_come_back(user, password):
    """Whatever they are made of: written percent-encoded, read as they are."""
    if not (user or password) or any("\ud800" <= character <= "\udfff" for character in user + password):
        return
    proxy = Proxy("http", "proxy.test", 3128, user, password, NAME)
    assert proxy == read_proxy(proxy.url, NAME)
    assert password not in proxy.shown or password in "http://proxy.test:3128"


@settings(deadline=None)
@given(st.text(max_size=40))
def test_any_text_is_a_proxy_or_unusable(value):
    """Nothing else."""
    if not value.strip():
        return
    with suppress(Unusable):
        assert 0 < read_proxy(value, NAME).port < 2**16


def test_secrets_and_what_is_shown():
    """The password in every form that is sent or told; a short user alone is no secret."""
    proxy = read_proxy("http://bob:Winter%232026@proxy:3128", NAME)
    assert ("Winter#2026", "Winter%232026", "bob:Winter#2026", "Ym9iOldpbnRlciMyMDI2") == proxy.secrets
    assert "http://proxy:3128" == proxy.shown
    assert "Winter" not in repr(proxy)
    assert () == read_proxy("http://bob@proxy:3128", NAME).secrets
    assert "ghp_0123456789" == read_proxy("http://ghp_0123456789@proxy:3128", NAME).secrets[0]
    assert "http://[fd00::1]:3128" == read_proxy("http://bob:x@[fd00::1]:3128", NAME).shown
