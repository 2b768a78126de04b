"""The one place that reads from the environment how this machine reaches others: which proxy, which certificates.

Read once, when a run begins, from the mapping that it is given; whoever opens a connection gets the `WayOut`.

For https the variables are `https_proxy`, `HTTPS_PROXY`, `all_proxy`, `ALL_PROXY`, for http `http_proxy`, `HTTP_PROXY`
and the latter two: the first that is not empty counts, so lower case goes before upper case, as for curl. (curl does
not take `HTTP_PROXY`, which a web server's client could set; Go and Python do, and here is no web server.)
"""

import ssl
import threading
from collections.abc import Mapping
from urllib.parse import urlsplit

from baseten_deploy.errors import InvalidInput, Problem
from baseten_deploy.records import dataclass

from . import certificates
from .no_proxy import PORTS, NoProxy, is_loopback
from .proxies import Proxy, Unusable, read_proxy


@dataclass(frozen=True)
class _Broken:
    """A variable that names a proxy, and cannot be used."""

    variable: str
    wrong: Unusable

    @property
    def problem(self) -> Problem:
        return Problem(f"`{self.variable}` (environment variable) {self.wrong.reason}", self.wrong.remedy)


class WayOut:
    """How to reach any URL. `secrets` are to be masked, `unshown` is what no text may repeat either."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._environment = dict(environment or {})
        self._no_proxy = NoProxy(self._first("no_proxy", "NO_PROXY")[1])
        self._ways = {scheme: self._read(f"{scheme}_proxy") for scheme in PORTS}
        self._lock = threading.Lock()
        self._trust: tuple[ssl.SSLContext, dict[str, Unusable]] | None = None

    def _first(self, *names: str) -> tuple[str, str]:
        return next(((name, value) for name in names if (value := self._environment.get(name, "").strip())), ("", ""))

    def _read(self, name: str) -> Proxy | _Broken | None:
        variable, value = self._first(name, name.upper(), "all_proxy", "ALL_PROXY")
        if not value:
            return None
        try:
            return read_proxy(value, variable)
        except Unusable as wrong:
            return _Broken(variable, wrong)

    @property
    def secrets(self) -> tuple[str, ...]:
        """Passwords of proxies, in the forms in which they are sent and told."""
        ways = [way for way in self._ways.values() if isinstance(way, Proxy)]
        return tuple(dict.fromkeys(secret for way in ways for secret in way.secrets))

    @property
    def unshown(self) -> tuple[str, ...]:
        """Values of variables that cannot be used: whatever they are, a password may be in them."""
        broken = [way.variable for way in self._ways.values() if isinstance(way, _Broken)]
        return tuple(dict.fromkeys(self._environment[variable] for variable in broken))

    @property
    def proxy_problems(self) -> list[Problem]:
        """What is wrong with variables that are needed. One that only plain http would need is judged when it is."""
        if self._no_proxy.everything:
            return []
        http, https = self._ways["http"], self._ways["https"]
        found = [https]
        if isinstance(http, _Broken) and http.variable.lower() == "http_proxy":
            found.append(http)
        return [way.problem for way in found if isinstance(way, _Broken)]

    @property
    def certificate_problems(self) -> list[Problem]:
        """What is wrong with variables that name certificates. Loads them."""
        _, wrong = self._loaded()
        return [Problem(f"`{variable}`: {each.reason}", each.remedy) for variable, each in wrong.items()]

    @property
    def proxy_variables(self) -> dict[str, str]:
        """The variables that name proxies, as they are set, for a program that reads them by itself."""
        names = (*(f"{scheme}_proxy" for scheme in PORTS), "all_proxy", "no_proxy")
        both = [form for name in names for form in (name, name.upper())]
        return {name: value for name in both if (value := self._environment.get(name, "").strip())}

    @property
    def certificate_files(self) -> list[str]:
        """The files with authorities that the environment names besides the public ones."""
        wrong = self._loaded()[1]
        return certificates.files({name: value for name, value in self._environment.items() if name not in wrong})

    @property
    def trusted(self) -> str:
        """Which certificates are trusted, for a message."""
        return " and ".join(("the public CAs", *certificates.named(self._environment)))

    @property
    def trust(self) -> ssl.SSLContext:
        """The certificates to trust, loaded once, without what cannot be read."""
        return self._loaded()[0]

    def _loaded(self) -> tuple[ssl.SSLContext, dict[str, Unusable]]:
        with self._lock:
            if self._trust is None:
                self._trust = certificates.load(self._environment)
            return self._trust

    def proxy_for(self, url: str) -> Proxy | None:
        """The proxy that leads to `url`, `None` for none. A loopback host is never reached through one.

        Raises `InvalidInput` when the variable that counts cannot be used, `ValueError` for a URL that is none.
        """
        parts = urlsplit(url)
        host = parts.hostname or ""
        way = self._ways.get(parts.scheme)
        if way is None or is_loopback(host) or self._no_proxy.covers(parts.scheme, host, parts.port):
            return None
        if isinstance(way, _Broken):
            raise InvalidInput(way.problem)
        return way

    def __repr__(self) -> str:
        return f"WayOut({self._ways}, {self.trusted})"
