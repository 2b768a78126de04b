"""What an error of the S3 client means: whether to upload again, and what to tell the user. Pure decisions.

Exceptions of botocore, urllib3 and http.client quote URLs with signatures and, at worst, header values: their texts
are never passed on as they are.
"""

import errno
import re
import socket
import ssl
from collections.abc import Callable
from enum import Enum, auto

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from baseten_deploy.ci.redaction import Redactor
from baseten_deploy.errors import Problem
from baseten_deploy.network.failures import (
    Obstacle,
    certificate_error,
    proxy_refused,
    proxy_unreached,
    through,
    untrusted,
)
from baseten_deploy.network.proxies import Proxy
from baseten_deploy.records import dataclass
from baseten_deploy.service.answers import UploadTarget

from .client import NotS3Error
from .connections import CONNECT_SECONDS, READ_SECONDS
from .foreign_answer import ForeignAnswerError
from .managed_transfer import ThreadsError
from .trouble import Trouble, trouble, tunnel_status

_TEXT_CHARACTERS = 300
_OVER = frozenset(
    {"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "InvalidToken", "InvalidAccessKeyId"}
)
_DENIED = "AccessDenied"  # how a revoked session is told, and at some servers an expired one
_STATUS_PAGE = "See https://health.aws.amazon.com and run the job again."
ENDPOINT = "Check `s3-endpoint-url` and the runner's proxy variables (HTTPS_PROXY, NO_PROXY)."
_LIMITS = (
    "Give the container more of it (docker run: `--pids-limit`, `--ulimit nofile=...`, `--memory`), or run less beside "
    "this step."
)
_HOST_LIMITS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN})
_LIBRARIES = frozenset({"botocore", "boto3", "s3transfer", "urllib3", "http", "xml", "email", "jmespath"})
_REMEDIES = {
    _DENIED: "The credentials that Baseten issued do not allow this, and new ones do not either. If the runner reaches "
    "S3 through a VPC endpoint or a proxy, its policy must allow PutObject to this bucket; else run the job again and, "
    "if it stays, give the request id to Baseten's support.",
    "RequestTimeTooSkewed": "The runner's clock is wrong: synchronize it (NTP) and run the job again.",
    "SignatureDoesNotMatch": "Something changes requests on their way, or the runner's clock is wrong. " + ENDPOINT,
    "NoSuchBucket": "The bucket is not at this endpoint. " + ENDPOINT,
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
    if isinstance(error, ForeignAnswerError):  # a success of something else may be S3's the next time
        return Again.LOST if error.status < 300 else None
    return Again.LOST if isinstance(error, NotS3Error | ResponseParserError) else None


@dataclass(frozen=True)
class Circumstances:
    """Where the upload went, and how: for the message. `redact` knows the run's secrets."""

    target: UploadTarget
    host: str
    proxy: Proxy | None = None
    trusted: str = "the public CAs"
    redact: Callable[[str], str] = str

    def plain(self, text: str) -> str:
        """Foreign text for a message: without secrets, then in one line and cut."""
        redactor = Redactor()
        keys = self.target.credentials
        for secret in (keys.secret_access_key, keys.session_token, keys.access_key_id):
            redactor.add(secret)
        for secret in self.proxy.secrets if self.proxy else ():
            redactor.add(secret)
        return _plain(self.redact(redactor.redact(text)))


def explain(error: Exception, where: Circumstances) -> Problem | None:
    """Say what happened and what to do; None for an error that is not S3's or the network's, but a bug."""
    if isinstance(error, ClientError):
        return _refused(error, where)
    if isinstance(error, ForeignAnswerError):
        return _foreign(error, where)
    if isinstance(error, NotS3Error | ResponseParserError):
        text = str(error) if isinstance(error, NotS3Error) else "the answer is not XML"
        return Problem(f"{where.host} does not answer like S3: {where.plain(text)}", ENDPOINT)
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno in _HOST_LIMITS):
        return _host_limit(error)
    if isinstance(error, ThreadsError):
        return Problem(f"The upload cannot start a thread: {error}", _LIMITS)
    if isinstance(error, BotoCoreError | OSError | ValueError):
        return _unreached(error, where)
    if _is_of_library(error):
        return Problem(
            f"{where.host} answered something that the S3 client cannot read ({type(error).__name__})", ENDPOINT
        )
    return None


def _is_of_library(error: Exception) -> bool:
    """Whether it was raised within the S3 client or what that calls, not by this action's own code."""
    own = type(error).__module__.partition(".")[0]
    if own in _LIBRARIES:
        return True
    raised = ""
    trace = error.__traceback__
    while trace is not None:
        name = str(trace.tb_frame.f_globals.get("__name__", "")).partition(".")[0]
        raised = name if name in _LIBRARIES or name == "baseten_deploy" else raised
        trace = trace.tb_next
    return raised in _LIBRARIES


def _host_limit(error: Exception) -> Problem:
    what = "is out of memory" if isinstance(error, MemoryError) else f"has no more of something: {_plain(str(error))}"
    return Problem(f"The upload failed because this machine {what}", _LIMITS)


def _foreign(error: ForeignAnswerError, where: Circumstances) -> Problem:
    said = where.plain(error.interception.said)
    return Problem(
        f"{where.host}{through(where.proxy)} does not answer like S3: the answer {error.status} to {error.operation} "
        f"of s3://{where.target.bucket}/{where.target.key} is not S3's: {said}",
        " ".join(filter(None, (error.interception.remedy, ENDPOINT))),
    )


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _refused(error: ClientError, where: Circumstances) -> Problem:
    answer = error.response.get("ResponseMetadata", {})
    status = answer.get("HTTPStatusCode", 0)
    request_id = answer.get("RequestId") or answer.get("HTTPHeaders", {}).get("x-amz-request-id") or "unknown"
    code = _code(error)
    text = str(error.response.get("Error", {}).get("Message") or "no message")
    plain = where.plain
    message = (
        f"S3 answered {status} {plain(code)} to {error.operation_name} of "
        f"s3://{where.target.bucket}/{where.target.key} at {where.host} (request id {plain(str(request_id))}): "
        f"{plain(text)}"
    )
    if code in _OVER:
        remedy = (
            "The credentials ended before the upload did, also after new ones were issued. Keep large files out of the "
            "Truss with `.truss_ignore`, or use a runner with a faster uplink."
        )
    elif 300 <= status < 400:
        remedy = f"The bucket is not in the region that the API says, {where.target.region}. {ENDPOINT}"
    elif status >= 500 or status == 429:
        remedy = f"S3 did not recover in several tries. {_STATUS_PAGE}"
    else:
        remedy = _REMEDIES.get(code, "Run the job again; if it stays, give the request id to Baseten's support.")
    return Problem(message, remedy)


def _unreached(error: Exception, where: Circumstances) -> Problem:
    host, proxy = where.host, where.proxy
    inner = error.kwargs.get("error", "") if isinstance(error, BotoCoreError) else error
    text = where.plain(str(inner))
    via = through(proxy)
    allow = (
        f"The runner must be able to reach {host}: check DNS, firewall, `s3-endpoint-url`, HTTPS_PROXY and NO_PROXY."
    )
    kind = trouble(error)
    if kind is Trouble.UNTRUSTED:
        refusal = certificate_error(error) or ssl.SSLCertVerificationError(1, text)
        return _obstacle(untrusted(refusal, host, where.trusted, proxy))
    if kind in (Trouble.PROXY, Trouble.PROXY_REFUSED) and proxy:
        status = tunnel_status(error)
        text = text.rpartition("Tunnel connection failed: ")[2] if status else text
        refused = proxy_refused(proxy, host, status, text) if status else proxy_unreached(proxy, host, text)
        return _obstacle(refused)
    if kind is Trouble.NO_CONNECTION_IN_TIME:
        return Problem(f"{host} did not take a connection{via} within {CONNECT_SECONDS:g} s", allow)
    if kind is Trouble.NO_ANSWER_IN_TIME:
        return Problem(f"{host} did not answer{via} within {READ_SECONDS:g} s", _STATUS_PAGE)
    if kind is Trouble.NO_CONNECTION:
        unknown = isinstance(inner, socket.gaierror) or "resol" in text.lower()
        return Problem(f"{'Unknown host' if unknown else 'No connection to'} {host}{via}: {text}", allow)
    if kind is Trouble.BROKE:
        return Problem(f"The connection to {host}{via} broke again and again: {text}", allow)
    return Problem(f"The upload to {host}{via} failed: {type(error).__name__}: {text}", allow)


def _obstacle(obstacle: Obstacle) -> Problem:
    return Problem(obstacle.message[:1].upper() + obstacle.message[1:], obstacle.remedy)


def _plain(text: str) -> str:
    """One line, without the query strings in which signatures stand and without urllib3's own names, cut."""
    text = re.sub(r"\?\S+", "?...", re.sub(r"^\w+\(host=[^)]*\): ", "", text))
    text = " ".join(text.split())
    text = "".join(character if character.isprintable() else "?" for character in text)
    return text if len(text) <= _TEXT_CHARACTERS else text[:_TEXT_CHARACTERS] + "..."
