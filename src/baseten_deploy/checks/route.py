"""Where a check goes: the URL below what the smoke test asks, and the way there, with the run's proxies.

Spec: Baseten's "Calling your model": `.../predict`, `.../sync/...` and `.../websocket` of one deployment, of the
development slot and of an environment.
"""

from urllib.parse import urlsplit

from baseten_deploy.network.way_out import WayOut
from baseten_deploy.records import dataclass

from .check import Check, Kind

RUN_REMOTE = "/run_remote"  # what a Chain has in the place of predict


@dataclass(frozen=True)
class Endpoint:
    """A host and what is asked there. `target` is path and query, ASCII."""

    secure: bool
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """What the `Host` header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.secure else 80) else f"{host}:{self.port}"


@dataclass(frozen=True)
class Proxy:
    """An HTTP proxy; `authorization` is its header's value, `""` for none, and a secret."""

    host: str
    port: int
    authorization: str = ""


def url_of(check: Check, asked: str) -> str:
    """The URL of a check, from what the smoke test asks in the same place: predict, or what stands for it there."""
    base = base_of(asked)
    if check.kind is Kind.WEBSOCKET:
        return f"ws{base.removeprefix('http')}/websocket"
    if check.path:
        return f"{base}/sync{check.path}"
    return asked if "/sync/" in asked or asked.endswith(RUN_REMOTE) else f"{base}/predict"


def base_of(url: str) -> str:
    """What stands before `/predict`, `/run_remote`, `/sync/...` or `/websocket`."""
    for ending in ("/predict", RUN_REMOTE, "/websocket"):
        if url.endswith(ending):
            return url.removesuffix(ending)
    return url.partition("/sync/")[0].rstrip("/")


def endpoint_of(url: str) -> Endpoint:
    """Take a URL apart. Raises `ValueError` for one that is none."""
    parts = urlsplit(url)
    secure = parts.scheme in ("https", "wss")
    if parts.scheme not in ("http", "https", "ws", "wss") or not parts.hostname:
        raise ValueError(f"{url!r} is no URL to ask")
    host = parts.hostname.encode("idna").decode("ascii") if not parts.hostname.isascii() else parts.hostname
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Endpoint(secure, host, parts.port or (443 if secure else 80), target)


def proxy_of(endpoint: Endpoint, way: WayOut) -> Proxy | None:
    """The proxy that leads to a host, `None` for none. Raises `ValueError` for one that checks cannot go through."""
    found = way.proxy_for(f"{'https' if endpoint.secure else 'http'}://{endpoint.authority}/")
    if found is None:
        return None
    if found.scheme != "http":
        raise ValueError(f"checks go through an HTTP proxy only; `{found.variable}` names one of another kind")
    return Proxy(found.host, found.port, found.authorization)
