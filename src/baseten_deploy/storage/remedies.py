"""What an error of the S3 client means: whether to upload again, and what to tell the user. Pure decisions.

Exceptions of botocore, urllib3 and http.client quote URLs with signatures and, at worst, header values: their texts
are never passed on as they are.
"""

import re
import socket
from dataclasses import dataclass
from enum import Enum, auto
from urllib.parse import unquote, urlsplit

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ProxyConnectionError,
    ReadTimeoutError,
    SSLError,
)
from botocore.parsers import ResponseParserError

from baseten_deploy.ci.redaction import Redactor
from baseten_deploy.errors import Problem
from baseten_deploy.service.answers import UploadTarget

from .client import NotS3Error, is_untrusted
from .connections import CONNECT_SECONDS, READ_SECONDS, Network

_TEXT_CHARACTERS = 300
_OVER = frozenset(
    {"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "InvalidToken", "InvalidAccessKeyId"}
)
_DENIED = "AccessDenied"  # how a revoked session is told, and at some servers an expired one
_STATUS_PAGE = "See https://health.aws.amazon.com and run the job again."
_ENDPOINT = "Check `s3-endpoint-url` and the runner's proxy variables (HTTPS_PROXY, NO_PROXY)."
_REMEDIES = {
    _DENIED: "The credentials that Baseten issued do not allow this, and new ones do not either. If the runner reaches "
    "S3 through a VPC endpoint or a proxy, its policy must allow PutObject to this bucket; else run the job again and, "
    "if it stays, give the request id to Baseten's support.",
    "RequestTimeTooSkewed": "The runner's clock is wrong: synchronize it (NTP) and run the job again.",
    "SignatureDoesNotMatch": "Something changes requests on their way, or the runner's clock is wrong. " + _ENDPOINT,
    "NoSuchBucket": "The bucket is not at this endpoint. " + _ENDPOINT,
    "EntityTooLarge": "Keep large files out of the Truss with `.truss_ignore`, or load weights at start-up.",
}


class Again(Enum):
    """Why a failed upload is worth another one from the start."""

    NEW_CREDENTIALS = auto()
    LOST = auto()  # S3 no longer knows the upload, or what it answered was lost


def again(error: Exception) -> Again | None:
    """Decide whether to upload from the start."""
    if isinstance(error, ClientError):
        code = _code(error)
        if code in _OVER or code == _DENIED:
            return Again.NEW_CREDENTIALS
        return Again.LOST if code == "NoSuchUpload" else None
    return Again.LOST if isinstance(error, NotS3Error | ResponseParserError) else None


@dataclass(frozen=True)
class Circumstances:
    """Where the upload went, and how: for the message."""

    target: UploadTarget
    host: str
    network: Network


def explain(error: Exception, where: Circumstances) -> Problem | None:
    """Say what happened and what to do; None for an error that is not S3's or the network's, but a bug."""
    if isinstance(error, ClientError):
        problem = _refused(error, where)
    elif isinstance(error, NotS3Error | ResponseParserError):
        text = str(error) if isinstance(error, NotS3Error) else "the answer is not XML"
        problem = Problem(f"{where.host} does not answer like S3: {text}", _ENDPOINT)
    elif isinstance(error, BotoCoreError | OSError | ValueError):
        problem = _unreached(error, where)
    else:
        return None
    redactor = _redactor(where)
    return Problem(redactor.redact(problem.message), problem.remedy)


def _redactor(where: Circumstances) -> Redactor:
    redactor = Redactor()
    keys = where.target.credentials
    for secret in (keys.secret_access_key, keys.session_token, keys.access_key_id):
        redactor.add(secret)
    redactor.add(unquote(urlsplit(where.network.proxy).password or ""))
    return redactor


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _refused(error: ClientError, where: Circumstances) -> Problem:
    answer = error.response.get("ResponseMetadata", {})
    status = answer.get("HTTPStatusCode", 0)
    request_id = answer.get("RequestId") or answer.get("HTTPHeaders", {}).get("x-amz-request-id") or "unknown"
    code = _code(error)
    text = str(error.response.get("Error", {}).get("Message") or "no message")
    message = (
        f"S3 answered {status} {_plain(code)} to {error.operation_name} of "
        f"s3://{where.target.bucket}/{where.target.key} at {where.host} (request id {_plain(str(request_id))}): "
        f"{_plain(text)}"
    )
    if code in _OVER:
        remedy = (
            "The credentials ended before the upload did, also after new ones were issued. Keep large files out of the "
            "Truss with `.truss_ignore`, or use a runner with a faster uplink."
        )
    elif 300 <= status < 400:
        remedy = f"The bucket is not in the region that the API says, {where.target.region}. {_ENDPOINT}"
    elif status >= 500 or status == 429:
        remedy = f"S3 did not recover in several tries. {_STATUS_PAGE}"
    else:
        remedy = _REMEDIES.get(code, "Run the job again; if it stays, give the request id to Baseten's support.")
    return Problem(message, remedy)


def _unreached(error: Exception, where: Circumstances) -> Problem:
    host, network = where.host, where.network
    inner = error.kwargs.get("error", "") if isinstance(error, BotoCoreError) else error
    text = _plain(str(inner))
    via = f" through the proxy {_without_user(network.proxy)}" if network.proxy else ""
    allow = (
        f"The runner must be able to reach {host}: check DNS, firewall, `s3-endpoint-url`, HTTPS_PROXY and NO_PROXY."
    )
    if isinstance(error, SSLError) and is_untrusted(error):
        used = f"the CA bundle {network.ca_bundle}" if network.ca_bundle else "the public CAs"
        return Problem(
            f"The certificate of {host}{via} is not trusted by {used}: {text}",
            "If a private CA signed it, set SSL_CERT_FILE to a file with its certificate, inside of the workspace.",
        )
    if isinstance(error, ProxyConnectionError):
        return Problem(f"No connection to {host}{via}: {text}", "Check HTTPS_PROXY, and NO_PROXY if it is not needed.")
    if isinstance(error, ConnectTimeoutError):
        return Problem(f"{host} did not take a connection{via} within {CONNECT_SECONDS:g} s", allow)
    if isinstance(error, ReadTimeoutError):
        return Problem(f"{host} did not answer{via} within {READ_SECONDS:g} s", _STATUS_PAGE)
    if isinstance(error, EndpointConnectionError):
        unknown = isinstance(inner, socket.gaierror) or "resol" in text.lower()
        return Problem(f"{'Unknown host' if unknown else 'No connection to'} {host}{via}: {text}", allow)
    if isinstance(error, ConnectionClosedError | SSLError):
        return Problem(f"The connection to {host}{via} broke again and again: {text}", allow)
    return Problem(f"The upload to {host}{via} failed: {type(error).__name__}: {text}", allow)


def _without_user(proxy: str) -> str:
    return re.sub(r"//[^/@]*@", "//", proxy)


def _plain(text: str) -> str:
    """One line, without the query strings in which signatures stand and without urllib3's own names, cut."""
    text = re.sub(r"\?\S+", "?...", re.sub(r"^\w+\(host=[^)]*\): ", "", text))
    text = " ".join(text.split())
    text = "".join(character if character.isprintable() else "?" for character in text)
    return text if len(text) <= _TEXT_CHARACTERS else text[:_TEXT_CHARACTERS] + "..."
