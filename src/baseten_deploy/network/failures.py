"""Why there is no connection, in words: certificates that are not trusted, proxies that refuse. Pure.

The exceptions of the TLS and HTTP libraries say what happened and not what to do, and what a proxy answers may repeat
the credentials that it was sent: whoever shows a message redacts it first.
"""

import ssl
from collections.abc import Iterator

from baseten_deploy.records import dataclass

from .no_proxy import is_loopback
from .proxies import Proxy

_EXPIRED, _NOT_YET, _SELF_SIGNED = 10, 9, 18
_OTHER_NAME = frozenset({62, 64})  # host name, address. Spec: OpenSSL's X509_V_ERR_*
_NO_PROXY = "put the host into `NO_PROXY` if it is reached without"
# A proxy's own trouble, or that of its way on: a later try may succeed.
_PASSING = frozenset({408, 429})


@dataclass(frozen=True)
class Obstacle:
    """What is in the way, and what to do; `final`: another try changes nothing. `remedy` may be left to who asks."""

    message: str
    remedy: str = ""
    final: bool = False


def certificate_error(error: BaseException) -> ssl.SSLCertVerificationError | None:
    """The refusal of a certificate that an exception of a library was made of."""
    return next((each for each in _chain(error) if isinstance(each, ssl.SSLCertVerificationError)), None)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An exception and what it was made of, in whatever way libraries say that."""
    seen: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        each = waiting.pop(0)
        if not isinstance(each, BaseException) or any(each is one for one in seen):
            continue
        seen.append(each)
        yield each
        kwargs = getattr(each, "kwargs", None)  # botocore's
        inner = kwargs.get("error") if isinstance(kwargs, dict) else None
        waiting += [each.__cause__, each.__context__, inner, getattr(each, "reason", None), *each.args]


def untrusted(error: ssl.SSLCertVerificationError, host: str, trusted: str, via: Proxy | None) -> Obstacle:
    """A server that cannot prove who it is, each reason with its own remedy."""
    said = " ".join(str(getattr(error, "verify_message", "") or error.strerror or "it was not verified").split())
    said = said.removeprefix("[SSL: CERTIFICATE_VERIFY_FAILED] ")
    where = f"the certificate of {host}{through(via)}"
    code = getattr(error, "verify_code", 0)
    if code == _EXPIRED:
        return Obstacle(
            f"{where} is not valid: [SSL: CERTIFICATE_VERIFY_FAILED] {said}",
            "The server's certificate has expired, and must be renewed there; or this runner's clock is wrong: "
            "synchronize it (NTP). `SSL_CERT_FILE` does not help here.",
            final=True,
        )
    if code == _NOT_YET:
        return Obstacle(
            f"{where} is not valid: [SSL: CERTIFICATE_VERIFY_FAILED] {said}",
            "The runner's clock is most likely wrong: synchronize it (NTP).",
            final=True,
        )
    if code in _OTHER_NAME:
        return Obstacle(
            f"{where} is for another name: [SSL: CERTIFICATE_VERIFY_FAILED] {said}",
            "Something else answers at this address, or the URL is not the one that the certificate is for: correct "
            "the URL, or have the server's certificate made for this name. `SSL_CERT_FILE` does not help here.",
            final=True,
        )
    own = " The server signed it itself: name that very certificate." if code == _SELF_SIGNED else ""
    return Obstacle(
        f"{where} is not trusted by {trusted}: [SSL: CERTIFICATE_VERIFY_FAILED] {said}",
        "If a private CA signed it, that of your organization or of a proxy that inspects TLS, set `SSL_CERT_FILE` (an "
        f"environment variable of the job) to a PEM file with the CA's certificate, inside of the workspace.{own}",
        final=True,
    )


def proxy_unreached(proxy: Proxy, host: str, said: str) -> Obstacle:
    """Nobody answers where the variable says that the proxy is."""
    remedy = f"Check `{proxy.variable}`, and that the proxy runs; {_NO_PROXY}."
    if is_loopback(proxy.host):
        remedy = (
            "This step runs in a container, whose loopback is not the host's: give the address at which the host is "
            f"seen from a container (often 172.17.0.1 or `host.docker.internal`) in `{proxy.variable}`, and have the "
            f"proxy listen there; or {_NO_PROXY}."
        )
    return Obstacle(
        f"no connection to {host}{through(proxy)}, which does not answer (`{proxy.variable}`): {said}", remedy
    )


def proxy_refused(proxy: Proxy, host: str, status: int, said: str) -> Obstacle:
    """The proxy answered, and did not connect: `status` and what it said, 0 and what went wrong when it is no answer.

    Spec: RFC 9110, CONNECT; 407 in section 15.5.8.
    """
    at = f"no connection to {host}{through(proxy)}, which"
    said = f"(`{proxy.variable}`): {said}"
    if status == 407:
        given = bool(proxy.user or proxy.password)
        what = "does not accept this user name and password" if given else "wants a user name and a password"
        return Obstacle(
            f"{at} {what} {said}",
            f"Correct the user name and the password in `{proxy.variable}`, `http://user:password@host:port`, with "
            "special characters percent-encoded (`#` as `%23`); keep the value in a secret. A proxy that wants NTLM or "
            "Kerberos needs one in between that speaks it, such as cntlm or px.",
            final=True,
        )
    if 400 <= status < 500 and status not in _PASSING:
        return Obstacle(
            f"{at} does not let it through {said}",
            f"Have the proxy allow CONNECT to {host} on port 443, or {_NO_PROXY}.",
            final=True,
        )
    return Obstacle(
        f"{at} cannot go on {said}",
        f"The proxy cannot reach {host} itself, or has trouble: check it, or {_NO_PROXY}.",
    )


def through(via: Proxy | None) -> str:
    """The way there, for a message."""
    return f" through the proxy {via.shown}" if via else ""
