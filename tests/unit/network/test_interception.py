"""What answers instead of the service, recognised by what it is."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baseten_deploy.network.interception import Kind, recognise, where

ASKED = "https://api.baseten.co/v1/models"
HTML = {"Content-Type": "text/html; charset=utf-8"}
SIGN_IN = (
    "<!DOCTYPE html><html><head><title>Corp &amp; Co\n Sign-In</title></head><body><form>"
    '<input type="password"></form></body></html>'
)
SAML = '<html><head><title>Working...</title></head><body><input name="SAMLRequest" value="x"></body></html>'
BLOCKED = "<html><head><title>Web Page Blocked</title></head><body>FortiGuard: policy</body></html>"
CLOUDFLARE = "<!doctype html><title>Attention Required! | Cloudflare</title><h1>Sorry</h1>"
ZSCALER = "<html><head><title>Internet Security by Zscaler</title></head><body>Not allowed to browse</body></html>"
MAINTENANCE = "<html><title>Scheduled maintenance</title><body>We will be right back</body></html>"
NGINX = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
NGINX_503 = "<html><head><title>503 Service Temporarily Unavailable</title></head><body></body></html>"
NGINX_413 = "<html><head><title>413 Request Entity Too Large</title></head><body></body></html>"
APP = "<!DOCTYPE html><html><head><title>Console</title></head><body><div id=root></div></body></html>"


@pytest.mark.parametrize(
    ("status", "headers", "text", "kind", "said"),
    [
        (200, HTML, SIGN_IN, Kind.SIGN_IN, "a sign-in page answered, titled 'Corp & Co Sign-In'"),
        (200, {}, SIGN_IN, Kind.SIGN_IN, "a sign-in page answered"),
        (401, HTML, SIGN_IN, Kind.SIGN_IN, "a sign-in page answered"),
        (403, HTML, SIGN_IN, Kind.SIGN_IN, "a sign-in page answered"),
        (200, HTML, SAML, Kind.SIGN_IN, "a sign-in page answered, titled 'Working...'"),
        (511, HTML, SIGN_IN, Kind.SIGN_IN, "the network wants a sign-in first"),
        (
            200,
            HTML,
            BLOCKED,
            Kind.BLOCKED,
            "a firewall or proxy answered with a page of its own, titled 'Web Page Blocked'",
        ),
        (403, HTML, BLOCKED, Kind.BLOCKED, "titled 'Web Page Blocked'"),
        (503, HTML, BLOCKED, Kind.BLOCKED, "titled 'Web Page Blocked'"),
        (403, HTML, CLOUDFLARE, Kind.BLOCKED, "titled 'Attention Required! | Cloudflare'"),
        (200, HTML, ZSCALER, Kind.BLOCKED, "titled 'Internet Security by Zscaler'"),
        (413, HTML, NGINX_413, Kind.BLOCKED, "titled '413 Request Entity Too Large'"),
        (403, HTML, APP, Kind.BLOCKED, "titled 'Console'"),
        (503, HTML, MAINTENANCE, Kind.MAINTENANCE, "a maintenance page answered, titled 'Scheduled maintenance'"),
        (200, HTML, MAINTENANCE, Kind.MAINTENANCE, "a maintenance page answered"),
        (200, HTML, APP, Kind.PAGE, "a web page answered, not the service, titled 'Console'"),
        (200, HTML, "<html></html>", Kind.PAGE, "a web page answered, not the service"),
        (407, {}, "", Kind.PROXY_CREDENTIALS, "a proxy in between wants a user name and a password"),
    ],
)
def test_what_it_is(status, headers, text, kind, said):
    """By status, title and words; each with what to do."""
    found = recognise(status, headers, text, ASKED)
    assert found is not None
    assert kind is found.kind
    assert said in found.said
    assert found.remedy


@pytest.mark.parametrize(
    ("status", "headers", "text"),
    [
        (200, {"Content-Type": "application/json"}, "{}"),
        (403, {"Content-Type": "application/json"}, '{"error": "<html>sign in</html>"}'),
        (403, {}, "no"),
        (404, HTML, SIGN_IN),
        (502, HTML, NGINX),
        (503, HTML, NGINX_503),
        (500, {}, ""),
        (403, {}, '<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>'),
    ],
)
def test_what_is_the_services_own(status, headers, text):
    """JSON, XML, and a gateway's own words about a service that has trouble."""
    assert recognise(status, headers, text, ASKED) is None


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    ("location", "said", "remedy"),
    [
        (
            "https://login.corp.example/sso?RelayState=secret",
            "redirected to https://login.corp.example/sso;",
            "Another host",
        ),
        ("https://u:secret@login.corp.example/", "redirected to https://login.corp.example/;", "Another host"),
        ("//login.corp.example/#secret", "redirected to //login.corp.example/;", "Another host"),
        ("https://api.baseten.co/v2", "redirected to https://api.baseten.co/v2;", "Check the URL"),
        ("/login?next=secret", "redirected to /login;", "Check the URL"),
        ("http://xn--", "redirected to http://xn--;", "Another host"),
        ("http://[", "redirected to http://[;", "Check the URL"),
        ("", "redirected to nowhere;", "Check the URL"),
    ],
)
def test_redirects(status, location, said, remedy):
    """Where to, without what may be a credential."""
    found = recognise(status, {"location": location}, "", ASKED)
    assert found is not None
    assert Kind.REDIRECT is found.kind
    assert said in found.said
    assert remedy in found.remedy
    assert "secret" not in found.said
    assert found == recognise(status, {}, "", ASKED, location)


@settings(deadline=None)
@given(st.integers(100, 599), st.text(max_size=200), st.text(max_size=40), st.text(max_size=40))
def test_any_answer_is_taken(status, text, content_type, location):
    """Something or nothing, and no exception."""
    found = recognise(status, {"Content-Type": content_type, "Location": location}, "<html" + text, ASKED)
    assert found is None or found.said
    assert "?" not in where("https://a/b?" + text)


@pytest.mark.parametrize(
    "page",
    [
        "<html>" + "<title" * 20_000,
        "<html>" + "<title " * 20_000,
        "<html>" + "type =" * 20_000,
        "<html>" + " be" * 40_000,
    ],
)
def test_no_page_takes_long(page):
    """One that is made to keep a regular expression busy."""
    start = time.process_time()
    recognise(200, HTML, page, ASKED)
    assert time.process_time() - start < 1
