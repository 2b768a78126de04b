"""An S3 client that takes nothing from the job's environment and that can be stopped at any moment.

Two things here are not botocore's own:

- **Isolation.** The job's whole environment reaches the action, so no `AWS_*` or `BOTO*`
  variable and no file under `~/.aws` may have a say. Instead of scrubbing `os.environ`, which other threads read, the
  `session` is built without botocore's environment and file lookups. What is read all the same, see `connections`.
- **Stopping.** botocore sleeps between tries and blocks in sockets for up to a minute. Here the pause between tries
  ends when the client is stopped, and connections that carry parts of the archive are cut.

Whether to try again is `retry`'s decision. What is uploaded, and what an error means, is `upload`'s. Importing this
module costs half a second, importing `upload` does not.
"""

import threading
from collections.abc import Mapping
from concurrent.futures import CancelledError
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from botocore.awsrequest import (
    AWSPreparedRequest,
    AWSResponse,
)
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from baseten_deploy import __version__
from baseten_deploy.clock import Clock
from baseten_deploy.network.way_out import WayOut
from baseten_deploy.records import dataclass
from baseten_deploy.service.answers import UploadTarget
from baseten_deploy.service.retry import Tries

from .connections import CONNECT_SECONDS, READ_SECONDS, Connections
from .foreign_answer import ForeignAnswerError, recognise_foreign
from .session import IsolatedSession
from .trouble import failure_of

LONGEST_PAUSE_SECONDS = 60.0  # a server that asks for more is down for this run
_BODIES = frozenset({"PutObject", "UploadPart"})
_CLEANUP = frozenset({"AbortMultipartUpload", "ListParts", "ListMultipartUploads"})
_PROOF = {  # what a success carries when it is S3's, and not a captive portal's
    "PutObject": "ETag",
    "UploadPart": "ETag",
    "CreateMultipartUpload": "UploadId",
    "CompleteMultipartUpload": "ETag",
}
_NO_ANSWER = (BotoCoreError, ResponseParserError, ForeignAnswerError)  # or none that can be read


class ConfigurationError(Exception):
    """An endpoint, a region or a CA file with which no request can be made."""


class NotS3Error(Exception):
    """An answer of success without what S3 puts into it."""


@dataclass(frozen=True)
class Multipart:
    """A multipart upload that is not complete: its parts cost storage until someone aborts it."""

    bucket: str
    key: str
    upload_id: str


_session: IsolatedSession | None = None
_session_lock = threading.Lock()  # botocore's sessions are not thread-safe


def _make_botocore_client(region: str, endpoint_url: str, keys: Mapping[str, Any]) -> Any:
    """Make a client; the first one of a process costs 15 ms, the next ones 2 ms."""
    global _session  # noqa: PLW0603 - a cache of what is slow to load, the same for every client
    config = Config(
        # Checksums over the body cost half of the throughput; https has its own.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        s3={"payload_signing_enabled": False, "addressing_style": "path" if endpoint_url else "virtual"},
        signature_version="s3v4",
        retries={"mode": "standard", "total_max_attempts": 1},  # `Client._retry` decides
        proxies={},  # `Client._send` sends
        ignore_configured_endpoint_urls=True,  # type: ignore[call-arg] # newer than the stubs
        user_agent=f"baseten-deploy/{__version__}",  # botocore's own quotes AWS_EXECUTION_ENV
    )
    with _session_lock:
        if _session is None:
            _session = IsolatedSession()
        try:
            return _session.create_client(
                "s3",
                region_name=region or "us-east-1",  # where S3 names the bucket's own, and botocore goes there
                endpoint_url=endpoint_url or None,
                verify=True,
                config=config,
                **keys,
            )
        except (BotoCoreError, ValueError):  # their texts are about botocore's ways to configure
            place = f"at {endpoint_url!r}" if endpoint_url else f"in the region {region!r}"
            raise ConfigurationError(f"There cannot be an S3 {place}") from None


@cache
def preload() -> None:
    """Load what the first client of a process needs, once."""
    _make_botocore_client("us-east-1", "", {"aws_access_key_id": "none", "aws_secret_access_key": "none"})


class Client:
    """S3 for one target: `api` is botocore's client, and every request of it goes through here.

    No redirect is followed; when S3 names another region for the bucket, botocore signs the request for that one, and
    sends it to AWS's own host there, or to the endpoint that was given.

    `api` raises `ClientError` for an answer of S3 that is an error, `BotoCoreError` when there was no answer,
    `NotS3Error` and `ForeignAnswerError` for one that is not S3's, and `CancelledError` after `stop`. Any thread may
    call any method.
    """

    def __init__(self, target: UploadTarget, *, endpoint_url: str, way: WayOut, clock: Clock) -> None:
        self._target = target
        self._clock = clock
        keys = target.credentials
        self.api: Any = _make_botocore_client(
            target.region,
            endpoint_url,
            {
                "aws_access_key_id": keys.access_key_id,
                "aws_secret_access_key": keys.secret_access_key,
                "aws_session_token": keys.session_token,
            },
        )
        endpoint = urlsplit(self.api.meta.endpoint_url)
        self.host = endpoint.netloc if endpoint_url else f"{target.bucket}.{endpoint.netloc}"
        self.proxy = way.proxy_for(f"{endpoint.scheme}://{self.host}")
        self._way = way
        self._begun: set[Multipart] = set()
        self._begun_unseen = False  # S3 may have begun one whose answer was lost
        self._stopped = threading.Event()
        self._deadline = float("inf")
        patience = {"connect": clock.real(CONNECT_SECONDS), "read": clock.real(READ_SECONDS)}
        self._bodies = Connections(way, **patience)
        self._control = Connections(way, **patience)
        self._cleanup = self._control
        events = self.api.meta.events
        events.register("before-send.s3", self._send)
        events.register("needs-retry.s3", self._retry)
        events.register("after-call.s3", self._answered)
        events.register("after-call-error.s3.CreateMultipartUpload", self._begin_unanswered)

    def stop(self, *, seconds: float, patience: float) -> None:
        """Cut the connections that carry the archive, and end all pauses between tries.

        Small requests that S3 may be acting on go on, until `cut`. From now on only what cleans up is sent; it waits
        `patience` seconds for an answer, and tries again for no longer than `seconds`. A second call can only hurry.
        """
        deadline = self._clock.now() + seconds
        if deadline < self._deadline:
            self._deadline = deadline
            self._cleanup = Connections(self._way, connect=patience, read=patience)
        self._stopped.set()
        self._bodies.cut()

    def cut(self) -> None:
        """Also cut the connections of the small requests."""
        self._control.cut()

    def close(self) -> None:
        """Close all connections."""
        for connections in (self._bodies, self._control, self._cleanup):
            connections.close()
        self.api.close()

    def tidy(self, others: frozenset[Multipart] = frozenset()) -> frozenset[Multipart]:
        """Abort the multipart uploads that were begun and not completed, and `others`; return those that are left.

        s3transfer aborts as well, but swallows what went wrong with it. As S3 documents, a part that was on its way may
        arrive after the abort, so look, and abort again. What these credentials may not see is left.
        """
        if self._begun_unseen:
            others |= self._unseen()
        return frozenset(multipart for multipart in others | self._begun if not self._abort(multipart))

    def _abort(self, multipart: Multipart) -> bool:
        where = {"Bucket": multipart.bucket, "Key": multipart.key, "UploadId": multipart.upload_id}
        for _ in range(3):
            try:
                self.api.abort_multipart_upload(**where)
            except ClientError as error:
                return bool(error.response.get("Error", {}).get("Code") == "NoSuchUpload")
            except _NO_ANSWER:
                return False
            try:
                if not self.api.list_parts(**where, MaxParts=1).get("Parts"):
                    return True
            except (ClientError, *_NO_ANSWER):  # it is gone, or we may not look
                return True
        return False

    def _unseen(self) -> frozenset[Multipart]:
        """List the uploads for our key: it is issued to this run alone, so all of them are ours."""
        bucket, key = self._target.bucket, self._target.key
        try:
            uploads = self.api.list_multipart_uploads(Bucket=bucket, Prefix=key).get("Uploads", [])
        except (ClientError, *_NO_ANSWER):  # the issued credentials rarely allow it
            return frozenset()
        return frozenset(Multipart(bucket, key, found["UploadId"]) for found in uploads if found["Key"] == key)

    def _send(self, request: AWSPreparedRequest, event_name: str, **_: Any) -> AWSResponse:
        operation = event_name.rpartition(".")[2]
        if operation in _CLEANUP:
            connections = self._cleanup
        elif self._stopped.is_set():
            raise CancelledError
        else:
            connections = self._bodies if operation in _BODIES else self._control
        response = connections.send(request)
        status, method, url = response.status_code, str(request.method), str(request.url)
        foreign = recognise_foreign(status, response.headers, response.content, url, method)
        if foreign is not None:
            raise ForeignAnswerError(operation, status, foreign)
        return response

    def _retry(
        self,
        response: tuple[Any, dict[str, Any]] | None,
        attempts: int,
        caught_exception: Exception | None,
        operation: Any,
        **_: Any,
    ) -> float | None:
        """Wait, and return 0 to send again, signed anew; None lets the error out.

        Every request of an upload may be sent twice: an object or part replaces itself, and for a multipart upload
        that is begun twice there is `tidy`.
        """
        failure = failure_of(response, caught_exception, self._clock.epoch_millis() / 1000)
        if failure is None:
            return None
        tidying = operation.name in _CLEANUP
        deadline = min(self._clock.now() + LONGEST_PAUSE_SECONDS, self._deadline)
        sleep = self._clock.sleep if tidying else self._stopped.wait
        if not Tries(self._clock, deadline, number=attempts, sleep=sleep).again(failure):
            return None
        if operation.name == "CreateMultipartUpload" and failure.ambiguous:
            self._begun_unseen = True
        return None if self._stopped.is_set() and not tidying else 0.0

    def _answered(self, http_response: AWSResponse, parsed: dict[str, Any], model: Any, **_: Any) -> None:
        if http_response.status_code >= 300:
            return
        proof = _PROOF.get(model.name)
        if proof and parsed.get(proof) is None:
            raise NotS3Error(f"{model.name} was answered with {http_response.status_code} and without its {proof}")
        target = self._target
        if model.name == "CreateMultipartUpload":
            self._begun.add(Multipart(target.bucket, target.key, parsed["UploadId"]))
        elif model.name == "CompleteMultipartUpload":
            self._begun.clear()

    def _begin_unanswered(self, **_: Any) -> None:
        self._begun_unseen = True
