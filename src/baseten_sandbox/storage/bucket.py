"""The archives: a real S3 API (moto's) on a bucket of this stand-in's own, behind `credentials`.

moto keeps its buckets per process, so several stand-ins share them; each has its own bucket and empties it at the end.
"""

import secrets
from collections.abc import Callable, Iterable
from functools import cache
from typing import TYPE_CHECKING, NamedTuple
from xml.sax.saxutils import escape

from flask import Flask
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.moto_server.werkzeug_app import create_backend_app
from moto.s3.models import FakeBucket, FakeKey, S3Backend, s3_backends
from werkzeug.wrappers import Request, Response

from .credentials import Denied, Grant, Keyring, SignedRequest

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

REGION = "us-west-2"
_DOWNLOAD_SECONDS = 600
_FOREVER = float("inf")


class MultipartUpload(NamedTuple):
    """A multipart upload that was neither completed nor aborted."""

    upload_id: str
    s3_key: str
    parts: int


class Storage:
    """One bucket: a WSGI application for clients, and a look inside for the service and for tests."""

    def __init__(self, *, clock: Callable[[], float], endpoint: Callable[[], str], credential_seconds: float) -> None:
        self._endpoint = endpoint
        self.bucket = f"baseten-sandbox-{secrets.token_hex(6)}"
        self.keyring = Keyring(clock=clock, region=REGION)
        self._seconds = credential_seconds
        self._owner = self.keyring.issue(self.bucket, None, seconds=_FOREVER)
        self._app = _moto()
        self._backend.create_bucket(self.bucket, REGION)

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Serve a request to S3 if its credentials allow it."""
        request = Request(environ)
        headers = {name.lower(): value for name, value in request.headers.items()}
        signed = SignedRequest(request.method, headers.get("host", ""), environ["RAW_URI"], headers)
        try:
            self.keyring.check(signed)
        except Denied as denied:
            return error(denied.status, denied.code, str(denied))(environ, start_response)
        return self._app(environ, start_response)

    def issue(self) -> tuple[str, Grant]:
        """A new key, and credentials for it alone."""
        s3_key = f"models/{secrets.token_hex(8)}/model.tgz"
        return s3_key, self.keyring.issue(self.bucket, s3_key, seconds=self._seconds)

    def size(self, s3_key: str) -> int | None:
        """The size of an uploaded object in bytes, or None when there is none."""
        found = self._key(self.bucket, s3_key)
        return None if found is None else int(found.size)

    def object(self, bucket: str, s3_key: str) -> bytes:
        """The bytes of an uploaded object."""
        found = self._key(bucket, s3_key)
        if found is None:
            raise KeyError(f"{bucket}/{s3_key}")
        return bytes(found.value)

    def objects(self) -> list[str]:
        """The keys of all uploaded objects."""
        return sorted(self._bucket.keys)

    def multipart_uploads(self) -> list[MultipartUpload]:
        """The multipart uploads that are dangling."""
        return [
            MultipartUpload(upload_id, item.key_name, len(item.parts))
            for upload_id, item in list(self._bucket.multiparts.items())
        ]

    def download_url(self, s3_key: str) -> str:
        """A URL that reads the object without credentials, for ten minutes."""
        return self.keyring.presign(self._endpoint(), self._owner, s3_key, seconds=_DOWNLOAD_SECONDS)

    def close(self) -> None:
        """Delete the bucket with all that is in it; moto keeps each object in a temporary file."""
        for s3_key in self.objects():
            self._backend.delete_object(self.bucket, s3_key)
        self._backend.delete_bucket(self.bucket)

    @property
    def _backend(self) -> S3Backend:
        backend: S3Backend = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
        return backend

    @property
    def _bucket(self) -> FakeBucket:
        return self._backend.get_bucket(self.bucket)

    def _key(self, bucket: str, s3_key: str) -> FakeKey | None:
        return self._backend.get_object(bucket, s3_key)


@cache
def _moto() -> Flask:
    """Moto's S3, which keeps nothing by itself: one does for all buckets of a process."""
    app: Flask = create_backend_app("s3")
    return app


def error(status: int, code: str, message: str) -> Response:
    """An error as S3 words it."""
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
        f"<RequestId>{secrets.token_hex(8).upper()}</RequestId></Error>"
    )
    return Response(text, status, content_type="application/xml")
