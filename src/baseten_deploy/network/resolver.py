"""The addresses of a name, in bounded time and so that a signal gets through.

The system's resolver has an end of its own or none, and while the main thread is inside of it no signal is handled. So
it is asked in a daemon thread, and whoever asks waits no longer than may be. An address that is written in digits is
no name: it costs neither a thread nor a question.
"""

import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from contextlib import suppress
from typing import Any

from baseten_deploy.background import in_background

# However much time a call has: the resolvers of glibc and musl give up a name server after 5 s and ask each twice.
LONGEST_SECONDS = 30.0
_LOOK_SECONDS = 0.25  # how soon a look-up is left whose caller is stopped
# One that hangs is not asked for a second time meanwhile; after so long it may have been lost.
_SHARED_SECONDS = 60.0

_lock = threading.Lock()
_under_way: dict[tuple[str, int], tuple[float, "Future[tuple[str, ...]]"]] = {}


class Unresolved(OSError):
    """The system's resolver did not answer in time."""

    def __init__(self, host: str, seconds: float) -> None:
        super().__init__(f"the name {host} was not resolved within {seconds:.3g} s: the runner's DNS does not answer")


def addresses(host: str, port: int, seconds: float, *, stopped: Callable[[], bool] | None = None) -> tuple[str, ...]:
    """The addresses of a host, in the resolver's order; one that is written in digits is its own.

    Takes at most `seconds`, and ends early when `stopped` says so. Raises `Unresolved`, `OSError` (`socket.gaierror`)
    as the resolver does, and `UnicodeError` for what cannot be the name of a host.
    """
    if is_numeric(host):
        return (host,)
    seconds = max(0.0, min(seconds, LONGEST_SECONDS))
    end = time.monotonic() + seconds
    asked = _ask(host, port)
    while True:
        left = end - time.monotonic()
        try:
            return asked.result(timeout=max(0.0, left if stopped is None else min(left, _LOOK_SECONDS)))
        except NotYet:
            if left <= 0 or (stopped is not None and stopped()):
                raise Unresolved(host, seconds) from None


def is_numeric(host: str) -> bool:
    """Whether a host is an address, in any of the ways in which the system reads one (`127.1` is one too)."""
    plain = host.partition("%")[0]  # of the interface of a link-local one
    with suppress(OSError, ValueError):
        return bool(socket.inet_aton(plain))
    with suppress(OSError, ValueError):
        return bool(socket.inet_pton(socket.AF_INET6, plain))
    return False


def _ask(host: str, port: int) -> "Future[tuple[str, ...]]":
    """The look-up of a name, shared by all who ask meanwhile."""
    key, now = (host, port), time.monotonic()
    with _lock:
        began, asked = _under_way.get(key, (0.0, None))
        if asked is not None and now - began < _SHARED_SECONDS:
            return asked
        asked = Future()
        _under_way[key] = (now, asked)

    def look_up() -> None:
        try:
            found = _resolved(host, port)
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits
            _settle(key, asked)
            asked.set_exception(error)
        else:
            _settle(key, asked)
            asked.set_result(found)

    in_background(look_up)
    return asked


def _settle(key: tuple[str, int], asked: "Future[tuple[str, ...]]") -> None:
    """What was found out is not kept: the next one asks anew."""
    with _lock:
        if _under_way.get(key, (0.0, None))[1] is asked:
            del _under_way[key]


def _resolved(host: str, port: int) -> tuple[str, ...]:
    rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(_written(row[4]) for row in rows))


def _written(address: tuple[Any, ...]) -> str:
    """An address as text, with the interface of a link-local one."""
    scope = address[3] if len(address) == 4 else 0
    return f"{address[0]}%{scope}" if scope and "%" not in address[0] else str(address[0])
