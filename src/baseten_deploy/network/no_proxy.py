"""Which hosts go without a proxy: `NO_PROXY` in all forms that users of curl, Go and Python write. Pure.

What those tools agree on is taken as they take it; where they differ, the reading that spares a host the proxy wins,
because whoever lists a host there wants that. A part that is in none of the forms is passed over, as they do.

==========================  =================================================================
`*`                         every host
`example.com`               this name and all below it
`.example.com`              the same (curl, Python; Go: only those below)
`*.example.com`             the same (Go)
`10.1.2.3`, `::1`, `[::1]`  this address, however it is written
`10.0.0.0/8`, `fd00::/8`    every address of the network; names are not looked up
`host:8080`, `[::1]:8080`   only this port (Go, Python); of a name, an address or a network
`https://host`              only with this scheme (httpx)
==========================  =================================================================
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from baseten_deploy.expressions import expression
from baseten_deploy.records import dataclass

_Address = IPv4Address | IPv6Address
_SEPARATORS = expression(r"[\s,]+")
_LONGEST = 64 * 1024  # Linux takes 128 KiB; nobody writes that many hosts
PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Rule:
    """One part: a name (with all below it) or a network, and the port and the scheme that it is limited to, if any."""

    name: str = ""
    network: IPv4Network | IPv6Network | None = None
    port: int = 0
    scheme: str = ""

    def covers(self, scheme: str, name: str, address: _Address | None, port: int) -> bool:
        """Whether a request there goes without a proxy. `name` is in lower case and without a dot at its end."""
        if (self.port and self.port != port) or (self.scheme and self.scheme != scheme):
            return False
        if self.name == "*":
            return True
        if self.network is not None:
            return address is not None and address.version == self.network.version and address in self.network
        return name == self.name or (address is None and name.endswith("." + self.name))


class NoProxy:
    """The hosts of one `NO_PROXY`."""

    def __init__(self, text: str) -> None:
        self.rules = tuple(_rules(text[:_LONGEST]))

    def covers(self, scheme: str, host: str, port: int | None = None) -> bool:
        """Whether a request to `host` (IPv6 with or without brackets) goes without a proxy; no port is the scheme's."""
        name, address = _name(host), as_address(host)
        port = port or PORTS.get(scheme, 0)
        return any(rule.covers(scheme, name, address, port) for rule in self.rules)

    @property
    def everything(self) -> bool:
        """Whether no host is reached through a proxy."""
        return Rule("*") in self.rules


def as_address(host: str) -> _Address | None:
    """The address that a URL's host is, `None` for a name. An IPv4 address that is written as IPv6 is IPv4."""
    with suppress(ValueError):
        address = ip_address(host.removeprefix("[").removesuffix("]"))
        return getattr(address, "ipv4_mapped", None) or address
    return None


def is_loopback(host: str) -> bool:
    """Whether a host is this machine. A proxy's own loopback is another machine's, so it is never asked for one."""
    address = as_address(host)
    if address is not None:
        return address.is_loopback
    name = _name(host)
    return name == "localhost" or name.endswith(".localhost")


def _name(host: str) -> str:
    return host.lower().removesuffix(".")


def _rules(text: str) -> Iterator[Rule]:
    for written in _SEPARATORS.split(text.strip()):
        scheme, separator, part = written.rpartition("://")
        if separator:
            part = part.rstrip("/")
        scheme = scheme.lower()
        for candidate, port in _with_port(part):
            if (rule := _rule(candidate, port, scheme)) is not None:
                yield rule
                break


def _with_port(part: str) -> Iterator[tuple[str, int]]:
    """The part as it stands, then without what may be a port: `::1` is an address, `[::1]:80` has a port."""
    yield part, 0
    host, colon, port = part.rpartition(":")
    if colon and port.isascii() and port.isdigit() and 0 < int(port[:9]) < 2**16:
        yield host, int(port[:9])


def _rule(part: str, port: int, scheme: str) -> Rule | None:
    if part == "*":
        return Rule("*", port=port, scheme=scheme)
    address, slash, length = part.partition("/")
    address = address.removeprefix("[").removesuffix("]")
    length = length.removesuffix("]")  # `[fd00::/8]`
    with suppress(ValueError):
        found = as_address(address)
        if found is not None and found.version == 4 and ":" in address:  # written as IPv6
            length = str(max(0, int(length) - 96)) if slash else "32"
        elif found is not None and not slash:
            length = str(found.max_prefixlen)
        return Rule(network=ip_network(f"{found or address}/{length}", strict=False), port=port, scheme=scheme)
    name = _name(part.removeprefix("*").lstrip("."))
    if not name or re.search(r"[/:\[\]*]", name):
        return None
    return Rule(name, port=port, scheme=scheme)
