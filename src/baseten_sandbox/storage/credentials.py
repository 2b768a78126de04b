"""Temporary S3 credentials that are really checked: signature, session token, scope and expiry.

moto verifies a signature on request but ignores session policies, expiry and presigned URLs, so the check stands in
front of it, made of botocore's own signer: the request is signed again with what was issued, and the two signatures
are compared.
"""

import hmac
import re
import secrets
import string
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from urllib.parse import parse_qsl, unquote, urlsplit

from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

_DATE = "%Y%m%dT%H%M%SZ"
_FIELD = re.compile(r"(\w+)=([^,\s]+)")  # of an `Authorization` header


class Denied(Exception):
    """S3 refuses: an HTTP status and S3's error code and message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


@dataclass(frozen=True)
class Grant:
    """Credentials for one key of one bucket; `s3_key` None reads every key (presigned downloads)."""

    access_key_id: str
    secret_access_key: str
    session_token: str | None
    bucket: str
    s3_key: str | None
    expires_at: float
    revoked: bool = False

    def __repr__(self) -> str:
        return f"Grant({self.access_key_id}, {self.bucket}/{self.s3_key or '*'})"


@dataclass(frozen=True)
class SignedRequest:
    """A request to S3 as it came: `target` is path and query, undecoded; header names are in lower case."""

    method: str
    host: str
    target: str
    headers: Mapping[str, str]

    @property
    def path(self) -> str:
        """The decoded path."""
        return unquote(urlsplit(self.target).path)

    @property
    def query(self) -> dict[str, str]:
        """The decoded query."""
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))


class Keyring:
    """The credentials that were issued, and the check of a request against them."""

    def __init__(self, *, clock: Callable[[], float], region: str) -> None:
        self._clock = clock
        self._region = region
        self._lock = threading.Lock()
        self._grants: dict[str, Grant] = {}

    def issue(self, bucket: str, s3_key: str | None, *, seconds: float) -> Grant:
        """New credentials for one key, good for so many seconds."""
        grant = Grant(
            "ASIA" + "".join(secrets.choice(string.ascii_uppercase + "234567") for _ in range(16)),
            secrets.token_urlsafe(30),
            secrets.token_urlsafe(90) if s3_key is not None else None,
            bucket,
            s3_key,
            self._clock() + seconds,
        )
        with self._lock:
            self._grants[grant.access_key_id] = grant
        return grant

    def revoke(self) -> None:
        """Refuse all credentials issued so far with `AccessDenied`, as after a revoked session."""
        self._change(lambda grant: replace(grant, revoked=True))

    def expire(self) -> None:
        """Let all credentials issued so far expire: `ExpiredToken`."""
        self._change(lambda grant: replace(grant, expires_at=self._clock()))

    def check(self, request: SignedRequest) -> None:
        """Raise `Denied` unless the request is signed with credentials that allow exactly it."""
        if "X-Amz-Signature" in request.query:
            self._check_presigned(request)
        elif request.headers.get("authorization", "").startswith("AWS4-HMAC-SHA256 "):
            self._check_header(request)
        else:
            raise Denied(403, "AccessDenied", "Access Denied: the request is not signed")

    def presign(self, endpoint: str, grant: Grant, s3_key: str, *, seconds: int) -> str:
        """A URL that reads one key without credentials."""
        request = AWSRequest("GET", f"{endpoint}/{grant.bucket}/{s3_key}")
        credentials = Credentials(grant.access_key_id, grant.secret_access_key)
        S3SigV4QueryAuth(credentials, "s3", self._region, expires=seconds).add_auth(request)
        return str(request.url)

    def _change(self, how: Callable[[Grant], Grant]) -> None:
        with self._lock:
            for key, grant in self._grants.items():
                if grant.s3_key is not None:
                    self._grants[key] = how(grant)

    def _check_header(self, request: SignedRequest) -> None:
        fields = dict(_FIELD.findall(request.headers["authorization"]))
        grant = self._grant(fields.get("Credential", ""))
        if grant.session_token != request.headers.get("x-amz-security-token"):
            raise Denied(400, "InvalidToken", "The provided token is malformed or otherwise invalid.")
        signed = set(fields.get("SignedHeaders", "").split(";"))
        if "host" not in signed:
            raise Denied(403, "SignatureDoesNotMatch", "The host header is not signed")
        again = AWSRequest(
            request.method,
            f"http://{request.host}{request.target}",
            {name: value for name, value in request.headers.items() if name in signed},
        )
        again.context["timestamp"] = request.headers.get("x-amz-date", "")
        auth = S3SigV4Auth(self._credentials(grant), "s3", _region_of(fields["Credential"]))
        self._compare(auth, again, fields.get("Signature", ""))
        self._check_scope(grant, request)

    def _check_presigned(self, request: SignedRequest) -> None:
        query = request.query
        grant = self._grant(query.get("X-Amz-Credential", ""))
        kept = "&".join(
            part for part in urlsplit(request.target).query.split("&") if not part.startswith("X-Amz-Signature=")
        )
        again = AWSRequest(
            request.method,
            f"http://{request.host}{urlsplit(request.target).path}?{kept}",
            {"host": request.headers.get("host", "")},
        )
        again.context["timestamp"] = query.get("X-Amz-Date", "")
        auth = S3SigV4QueryAuth(self._credentials(grant), "s3", _region_of(query["X-Amz-Credential"]))
        self._compare(auth, again, query["X-Amz-Signature"])
        signed_at = datetime.strptime(query["X-Amz-Date"], _DATE).replace(tzinfo=UTC).timestamp()
        if self._clock() > signed_at + int(query.get("X-Amz-Expires", "0")) + 1:
            raise Denied(403, "AccessDenied", "Request has expired")
        self._check_scope(grant, request)

    def _grant(self, credential: str) -> Grant:
        with self._lock:
            grant = self._grants.get(credential.partition("/")[0])
        if grant is None:
            raise Denied(403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.")
        return grant

    def _credentials(self, grant: Grant) -> Credentials:
        return Credentials(grant.access_key_id, grant.secret_access_key, grant.session_token)

    def _compare(self, auth: S3SigV4Auth | S3SigV4QueryAuth, request: AWSRequest, signature: str) -> None:
        expected = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
        if not hmac.compare_digest(expected, signature):
            raise Denied(
                403,
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match the signature you provided.",
            )

    def _check_scope(self, grant: Grant, request: SignedRequest) -> None:
        if grant.revoked:
            raise Denied(403, "AccessDenied", "Access Denied: the session was revoked")
        if self._clock() >= grant.expires_at:
            raise Denied(400, "ExpiredToken", "The provided token has expired.")
        if grant.s3_key is None:
            allowed = request.method in {"GET", "HEAD"} and request.path.startswith(f"/{grant.bucket}/")
        else:
            allowed = request.path == f"/{grant.bucket}/{grant.s3_key}" and _uploads(request)
        if not allowed:
            raise Denied(403, "AccessDenied", "Access Denied")


def _region_of(credential: str) -> str:
    """The region of `key/date/region/s3/aws4_request`."""
    parts = credential.split("/")
    return parts[2] if len(parts) == 5 else ""


def _uploads(request: SignedRequest) -> bool:
    """Whether this is part of an upload: PutObject, a multipart upload, its parts, its end or its abortion."""
    names = set(request.query) - {"x-id"}
    if request.method == "PUT":
        return names in (set(), {"partNumber", "uploadId"}) and "x-amz-copy-source" not in request.headers
    if request.method == "POST":
        return names in ({"uploads"}, {"uploadId"})
    if request.method == "DELETE":
        return names == {"uploadId"}
    return request.method == "GET" and "uploadId" in names  # ListParts
