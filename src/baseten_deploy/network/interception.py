"""What answers instead of the service that was asked: a sign-in page, a redirect, a firewall's page, maintenance. Pure.

A service of ours answers JSON (S3: XML) and never redirects, so an answer is recognised by what it is, and what a page
is about by its title and its words. What is shown of it is foreign text: whoever shows it redacts it before it is cut.
"""

import html
import re
from collections.abc import Mapping
from enum import Enum, auto
from urllib.parse import urlsplit

from baseten_deploy.expressions import expression
from baseten_deploy.records import dataclass

_PAGE_CHARACTERS = 64 * 1024
_TITLE = expression(r"<title\b[^<>]{0,500}>([^<]{0,2000})", re.IGNORECASE)
_HEADING = expression(r"<h1\b[^<>]{0,500}>([^<]{0,2000})", re.IGNORECASE)
_SIGN_IN = expression(
    r"""type\s{0,9}=\s{0,9}["']?password|SAMLRequest|captive.?portal|\b(sign|log)[ -]?(in|on)\b|single sign-on"""
    r"|\bauthenticat(e|ion) (is )?required|accept the terms",
    re.IGNORECASE,
)
_BLOCKED = expression(
    r"\bblock(ed|s)?\b|access (is |was |has been )?(denied|restricted|prohibited|forbidden)|request rejected"
    r"|not allowed|firewall|web.?filter|security policy|company policy|acceptable use|zscaler|forti(guard|gate|net)"
    r"|netskope|palo ?alto|umbrella|websense|forcepoint|sophos|check ?point|blue ?coat|squid|incapsula|imperva"
    r"|attention required|too large",
    re.IGNORECASE,
)
_MAINTENANCE = expression(r"maintenance|be (right |back )+|temporarily (down|closed|offline)", re.IGNORECASE)
_LET_THROUGH = (
    "This runner's way out is not open: have the network let it reach {host}, or set the proxy that leads there "
    "(`HTTPS_PROXY`, `NO_PROXY` for what goes without)."
)


class Kind(Enum):
    """What it is that answered."""

    PROXY_CREDENTIALS = auto()
    SIGN_IN = auto()
    REDIRECT = auto()
    BLOCKED = auto()
    MAINTENANCE = auto()
    PAGE = auto()


@dataclass(frozen=True)
class Interception:
    """`said` begins in lower case and is the end of a sentence; `remedy` is what to do about it."""

    kind: Kind
    said: str
    remedy: str


def recognise(
    status: int, headers: Mapping[str, str], text: str, asked: str, location: str = ""
) -> Interception | None:
    """What an answer to a request for the URL `asked` is, when it is not the service's; `None`: nothing is known.

    `text` is the beginning of its body, `location` its `Location` if the headers lack it.
    """
    lower = {name.lower(): value for name, value in headers.items()}
    host = _host(asked)
    let_through = _LET_THROUGH.format(host=host)
    if status == 407:
        return Interception(
            Kind.PROXY_CREDENTIALS,
            "a proxy in between wants a user name and a password",
            "Give them in the variable of the proxy (`HTTPS_PROXY`), `http://user:password@host:port`, with special "
            "characters percent-encoded (`#` as `%23`); keep the value in a secret.",
        )
    page = text[:_PAGE_CHARACTERS] if is_page(lower.get("content-type", ""), text) else ""
    if 300 <= status < 400:
        return _redirect(asked, location or lower.get("location", ""), let_through)
    if status == 511:
        return Interception(Kind.SIGN_IN, f"the network wants a sign-in first{_titled(page)}", let_through)
    if not page:
        return None
    titled = _titled(page)
    heading = " ".join((_title(page), _first(_HEADING, page)))
    if status == 503 and _MAINTENANCE.search(page):
        return Interception(Kind.MAINTENANCE, f"a maintenance page answered{titled}", f"Run again when {host} is back.")
    if _BLOCKED.search(heading) or (status in (403, 406, 413, 451) and not _SIGN_IN.search(heading)):
        return Interception(Kind.BLOCKED, f"a firewall or proxy answered with a page of its own{titled}", let_through)
    if _SIGN_IN.search(page) and (status < 400 or status in (401, 403)):
        return Interception(Kind.SIGN_IN, f"a sign-in page answered{titled}", let_through)
    if status < 400 or status == 401:
        if _MAINTENANCE.search(heading):
            remedy = f"Run again when {host} is back."
            return Interception(Kind.MAINTENANCE, f"a maintenance page answered{titled}", remedy)
        kind = Kind.BLOCKED if _BLOCKED.search(page) else Kind.PAGE
        return Interception(kind, f"a web page answered, not the service{titled}", f"Check the URL. {let_through}")
    return None  # a gateway's own words about a service that has trouble, or has no such path


def is_page(content_type: str, text: str) -> bool:
    """Whether an answer is HTML, by what it says or by how it begins."""
    start = text[:512].lstrip("\ufeff \t\r\n").lower()
    if start.startswith(("{", "[")):
        return False
    if start.startswith("<?xml"):
        return "<html" in start
    return start.startswith(("<!doctype html", "<html", "<head", "<body")) or (
        "html" in content_type.lower() and "<" in text[:4096]
    )


def where(url: str) -> str:
    """A URL for people: without user, query and fragment, which may hold credentials."""
    plain = re.split(r"[?#]", " ".join(url.split()), maxsplit=1)[0]
    scheme, separator, rest = plain.partition("//")
    authority, slash, path = rest.partition("/")
    return f"{scheme}{separator}{authority.rpartition('@')[2]}{slash}{path}" if separator else plain


def _redirect(asked: str, location: str, let_through: str) -> Interception:
    shown = where(location) or "nowhere"
    target = _host(location)
    said = f"redirected to {shown}; redirects are not followed"
    if target and target != _host(asked):
        return Interception(
            Kind.REDIRECT,
            said,
            f"Another host is not the service: a sign-in page of the network, or a URL that is not its own. Check the "
            f"URL. {let_through}",
        )
    return Interception(
        Kind.REDIRECT, said, f"Check the URL (`https`, no path too much): the service does not redirect. {let_through}"
    )


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _titled(page: str) -> str:
    title = _title(page) or _first(_HEADING, page)
    return f", titled {title!r}" if title else ""


def _title(page: str) -> str:
    return _first(_TITLE, page)


def _first(pattern: re.Pattern[str], page: str) -> str:
    found = pattern.search(page)
    return " ".join(html.unescape(found[1]).split()) if found else ""
