"""URLs that calls go below: which of them a run may send its keys to. Pure."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from baseten_deploy.expressions import expression

_FOREIGN = expression(r"[\s\\\x00-\x20\x7f]")


def url_problem(url: str) -> str:
    """Why a base URL is refused, or `""`. Keys travel to it, so it is https unless the host is loopback.

    What may hold a password or a token (a user, a query) is not repeated.
    """
    if "@" in url:
        return "must not carry a user name or password"
    if "?" in url or "#" in url:
        return "is a base URL and must not have a query or a fragment"
    try:
        parts = urlsplit(url.replace("{model_id}", "model").replace("{chain_id}", "chain"))
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return f"{url!r} is not a URL"
    # urlsplit drops line breaks, and clients disagree about what a backslash means.
    if parts.scheme not in ("http", "https") or not host or _FOREIGN.search(url):
        return f"{url!r} is not an http(s) URL"
    if not _is_name(host):
        return f"{url!r} names a host that cannot be looked up"
    if parts.scheme == "http" and not is_loopback(host):
        return f"{url!r} is not https: credentials would travel in clear"
    return ""


def _is_name(host: str) -> bool:
    """Whether a host in other scripts, or written as `xn--...`, is a name that the domain name system can have."""
    if host.isascii() and "xn--" not in host:
        return True
    import idna  # noqa: PLC0415 - httpx loads it anyway, and hardly any host needs it

    try:
        idna.decode(idna.encode(host))
    except idna.IDNAError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether a URL's host is this machine: `localhost`, 127.0.0.0/8 or `::1`. A name such as `127.example` is not."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
