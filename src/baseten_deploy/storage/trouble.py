"""What an exception of the S3 client says about the way there, each kind once: for trying again and for people. Pure.

What follows from a kind is `failure_of` here and `remedies`. What S3 itself answered is no trouble of the way.
"""

import re
from enum import Enum, auto
from typing import Any

from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ProxyConnectionError,
    ReadTimeoutError,
    SSLError,
)

from baseten_deploy.expressions import expression
from baseten_deploy.network.failures import certificate_error
from baseten_deploy.service.retry import Failure, Fault, parse_hint

from .foreign_answer import ForeignAnswerError

# As http.client words a proxy's answer to CONNECT.
_TUNNEL = expression(r"Tunnel connection failed: (\d{3})\b")


class Trouble(Enum):
    """Where the way to S3 ended."""

    UNTRUSTED = auto()
    PROXY_REFUSED = auto()
    PROXY = auto()
    NO_CONNECTION_IN_TIME = auto()
    NO_CONNECTION = auto()
    NO_ANSWER_IN_TIME = auto()
    BROKE = auto()
    OTHER = auto()


# What `retry` calls them; another try changes nothing about the rest.
_FAULTS = {
    Trouble.PROXY: Fault.NOT_SENT,
    Trouble.NO_CONNECTION_IN_TIME: Fault.NOT_SENT,
    Trouble.NO_CONNECTION: Fault.NOT_SENT,
    Trouble.NO_ANSWER_IN_TIME: Fault.NO_ANSWER,
    Trouble.BROKE: Fault.NO_ANSWER,
}
_KINDS: tuple[tuple[type[Exception], Trouble], ...] = (
    (ProxyConnectionError, Trouble.PROXY),  # before what it is a kind of
    (ConnectTimeoutError, Trouble.NO_CONNECTION_IN_TIME),
    (ReadTimeoutError, Trouble.NO_ANSWER_IN_TIME),
    (EndpointConnectionError, Trouble.NO_CONNECTION),
    (ConnectionClosedError, Trouble.BROKE),
    (SSLError, Trouble.BROKE),
)


def trouble(error: Exception | None) -> Trouble:
    """Tell the kind of an exception."""
    if error is None:
        return Trouble.OTHER
    if is_untrusted(error):
        return Trouble.UNTRUSTED
    found = next((kind for classes, kind in _KINDS if isinstance(error, classes)), Trouble.OTHER)
    if found is Trouble.PROXY and 400 <= tunnel_status(error) < 500:
        return Trouble.PROXY_REFUSED
    return found


def failure_of(
    response: tuple[Any, dict[str, Any]] | None, exception: Exception | None, now_epoch: float
) -> Failure | None:
    """What a try came to, in the terms of `retry`; None is a success, or nothing that another try could change."""
    if response is not None:
        http, parsed = response
        if http.status_code < 300:
            return None
        if http.status_code == 501:  # what is not there is not there a second later
            return None
        if parsed.get("Error", {}).get("Code") == "RequestTimeout":  # a 400: S3 waited for the body
            return Failure(Fault.NO_ANSWER)
        return Failure(Fault.STATUS, http.status_code, parse_hint(http.headers, None, now_epoch))
    if isinstance(exception, ForeignAnswerError):
        return Failure(Fault.STATUS, exception.status) if exception.passing else None
    fault = _FAULTS.get(trouble(exception))
    return Failure(fault) if fault else None


def is_untrusted(error: Exception) -> bool:
    """Tell a server that cannot prove who it is from a TLS connection that broke."""
    if certificate_error(error) is not None:
        return True
    return bool(re.search("certificate.verify.failed|doesn't match", str(error), re.IGNORECASE))


def tunnel_status(error: Exception) -> int:
    """What a proxy answered to CONNECT, 0 when it did not."""
    found = _TUNNEL.search(str(getattr(error, "kwargs", {}).get("error", "")))
    return int(found[1]) if found else 0
