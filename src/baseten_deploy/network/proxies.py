"""A proxy as its variable names it: the URL taken apart, strictly, and what is wrong with one that is none. Pure.

No text from here repeats any part of a value that cannot be used: where a password begins in it is not known.
"""

import base64
import re
from dataclasses import field
from urllib.parse import quote, unquote

from baseten_deploy.expressions import expression
from baseten_deploy.records import dataclass

from .no_proxy import PORTS, as_address

_SCHEME = expression(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_HOST = expression(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?")
_LONGEST_NAME, _LONGEST_LABEL = 253, 63
# A user name without a password may be a token. A short one is a name, and to take it out would shred every message.
_TOKEN = 8
_ESCAPES = "`#` as `%23`, `/` as `%2F`, `?` as `%3F`, `@` as `%40`, `:` as `%3A`, `%` as `%25`, a space as `%20`"
_FORM = "Write it as `http://host:port`, or `http://user:password@host:port`"


class Unusable(Exception):
    """Why the value of a variable cannot be used, as the end of a sentence, and what to do."""

    def __init__(self, reason: str, remedy: str) -> None:
        self.reason = reason
        self.remedy = remedy
        super().__init__(reason)


@dataclass(frozen=True)
class Proxy:
    """A proxy and the variable that names it. User and password are as they are, not percent-encoded."""

    scheme: str
    host: str
    port: int
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    variable: str = "HTTPS_PROXY"

    @property
    def shown(self) -> str:
        """Its URL for people, without user and password."""
        return f"{self.scheme}://{self._place}"

    @property
    def url(self) -> str:
        """Its URL for a client, all of it: a secret."""
        if not (self.user or self.password):
            return self.shown
        return f"{self.scheme}://{quote(self.user, safe='')}:{quote(self.password, safe='')}@{self._place}"

    @property
    def _place(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def secrets(self) -> tuple[str, ...]:
        """What nobody may see: the password, `user:password` and what a request to the proxy carries of them."""
        if not self.password:
            return (self.user, self._basic) if len(self.user) >= _TOKEN else ()
        return (self.password, quote(self.password, safe=""), f"{self.user}:{self.password}", self._basic)

    @property
    def authorization(self) -> str:
        """What `Proxy-Authorization` says, `""` for nothing."""
        return f"Basic {self._basic}" if self.user or self.password else ""

    @property
    def _basic(self) -> str:
        return base64.b64encode(f"{self.user}:{self.password}".encode()).decode()


def read_proxy(value: str, variable: str) -> Proxy:
    """The proxy that `value` (not empty) means. Without a scheme it is http, as for curl, Go and Python.

    Raises `Unusable`.
    """
    value = value.strip()
    if value[:1] in "\"'`" or value[-1:] in "\"'`":
        raise Unusable(
            "begins or ends with a quote",
            "The quotes are part of the value: write it without them, or with one pair where the file's format wants "
            "one.",
        )
    if not value.isprintable() or " " in value:
        raise Unusable("has a space or a control character in it", f"{_FORM}; in user and password {_ESCAPES}.")
    found = _SCHEME.match(value)
    scheme = found[1].lower() if found else "http"
    rest = value[found.end() :] if found else value
    if scheme.startswith("socks"):
        raise Unusable(
            "names a SOCKS proxy, which this step does not speak",
            "Set `HTTPS_PROXY` to an HTTP proxy, which goes before `ALL_PROXY`; most SOCKS proxies offer one too, at "
            "another port. Or put the hosts into `NO_PROXY`, if they are reached without.",
        )
    if scheme not in PORTS:
        raise Unusable("has a scheme that is neither `http` nor `https`", f"{_FORM}.")
    authority = re.split(r"[/?#\\]", rest, maxsplit=1)[0]
    if "@" in rest[len(authority) :]:
        raise Unusable(
            "has a character in its user name or password that ends a URL's host",
            f"Percent-encode it there: write {_ESCAPES}.",
        )
    if re.search(r"[?#\\]", rest):
        raise Unusable("is no URL of a proxy", f"{_FORM}; in user and password {_ESCAPES}.")
    credentials, _, place = authority.rpartition("@")
    user, _, password = credentials.partition(":")
    host, port = _host_and_port(place, scheme)
    return Proxy(scheme, host, port, _decoded(user), _decoded(password), variable)


def _decoded(text: str) -> str:
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise Unusable(
            "has bytes in its user name or password that are no UTF-8", "Percent-encode them as UTF-8, `ä` as `%C3%A4`."
        ) from None


def _host_and_port(place: str, scheme: str) -> tuple[str, int]:
    host, bracket, rest = place.rpartition("]")
    if bracket:
        address = as_address(host[1:])
        if host[:1] != "[" or address is None or ":" not in host:
            raise Unusable("has brackets around something that is no IPv6 address", "Write it as `http://[::1]:3128`.")
        name, rest = host[1:], rest.removeprefix(":") if rest.startswith(":") else rest and "x"
    else:
        name, _, rest = place.partition(":")
        labels = name.removesuffix(".").split(".")
        if (
            not _HOST.fullmatch(name)
            or len(name) > _LONGEST_NAME
            or any(not 0 < len(x) <= _LONGEST_LABEL for x in labels)
        ):
            raise Unusable("has no host, or one that is none", f"{_FORM}.")
    if rest and not (rest.isascii() and rest.isdigit() and 0 < int(rest[:9]) < 2**16):
        raise Unusable(
            "has a port that is no number from 1 to 65535",
            f"{_FORM}. A `:` or `@` of the password is percent-encoded, as `%3A` and `%40`.",
        )
    return name, int(rest) if rest else PORTS[scheme]
