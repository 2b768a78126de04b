"""`upload` against a real S3 server that enforces credentials: scoped to one key, expiring, over http and https."""

import hashlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ceph import Ceph, running

from baseten_deploy.errors import Cancelled, UploadFailed
from baseten_deploy.network.way_out import WayOut
from baseten_deploy.service.answers import UploadTarget
from baseten_deploy.storage.upload import PART_BYTES, Uploaded, upload

pytestmark = pytest.mark.real_s3

SMALL = 100_000
LARGE = 3 * PART_BYTES + 1


class Random:
    """A stream of random bytes, that waits `pause` seconds at `pause_at`."""

    def __init__(self, size: int, *, pause_at: int = -1, pause: float = 0.0) -> None:
        self._size = size
        self._pause_at = pause_at
        self._pause = pause
        self._hash = hashlib.sha256()
        self.bytes_read = 0
        self.closed = False

    def read(self, size: int = -1, /) -> bytes:
        """Up to a megabyte."""
        if 0 <= self._pause_at <= self.bytes_read:
            self._pause_at = -1
            time.sleep(self._pause)
        data = os.urandom(max(0, min(size, 1 << 20, self._size - self.bytes_read)))
        self._hash.update(data)
        self.bytes_read += len(data)
        return data

    def close(self) -> None:
        """Remember."""
        self.closed = True

    @property
    def sha256(self) -> str:
        """Hex digest of what was read."""
        return self._hash.hexdigest()


@pytest.fixture(scope="module")
def server(shared_part: Callable[[str], Path]) -> Iterator[Ceph]:
    """One server for this file."""
    with running(shared_part("s3")) as ceph:
        yield ceph


@pytest.fixture
def ceph(server: Ceph) -> Iterator[Ceph]:
    """The server; no test leaves a multipart upload behind."""
    yield server
    assert [] == server.dangling()


def send(
    ceph: Ceph,
    target: UploadTarget,
    stream: Random,
    *renewed: UploadTarget,
    https: bool = False,
    environ: dict[str, str] | None = None,
) -> Uploaded:
    """Upload `stream`, or after a renewal another one like it."""
    streams = [stream]
    targets = iter(renewed)

    def open_stream() -> Random:
        return streams.pop() if streams else Random(stream._size)

    return upload(
        open_stream,
        target,
        renew=lambda: next(targets),
        largest=stream._size,
        endpoint_url=ceph.tls_url if https else ceph.url,
        way=WayOut(environ),
    )


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["one request", "parts"])
def test_scoped_credentials_are_enough(ceph, size):
    """They allow PutObject, abort and the list of parts of one key, and no more is needed."""
    done = send(ceph, ceph.target("models/one.tgz"), Random(size))
    assert (size, done.sha256) == (done.size, ceph.digest("models/one.tgz"))


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["one request", "parts"])
def test_another_key_is_refused(ceph, size):
    """Also with new credentials for the wrong key; the message names the key and the server's request id."""
    wrong = ceph.target("models/other.tgz", scope="models/one.tgz")
    with pytest.raises(UploadFailed, match=r"403 AccessDenied .*uploads/models/other\.tgz .*request id tx"):
        send(ceph, wrong, Random(size), wrong, wrong)
    assert "models/other.tgz" not in ceph.objects()


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["one request", "parts"])
def test_an_expired_token_is_renewed(ceph, size):
    """The archive is sent again from the start with the new one."""
    fresh = ceph.target("models/expired.tgz")
    done = send(ceph, ceph.target("models/expired.tgz", lives=-1), Random(size), fresh)
    assert (fresh, done.sha256) == (done.target, ceph.digest("models/expired.tgz"))


def test_a_token_that_expires_in_the_middle_is_renewed(ceph):
    """It may not abort what it had begun: the new one does."""
    slow = Random(LARGE, pause_at=2 * PART_BYTES, pause=5)
    fresh = ceph.target("models/middle.tgz")
    done = send(ceph, ceph.target("models/middle.tgz", lives=4), slow, fresh)
    assert (fresh, done.sha256) == (done.target, ceph.digest("models/middle.tgz"))
    assert slow.bytes_read >= 2 * PART_BYTES
    assert slow.closed


def test_https_with_a_private_ca(ceph):
    """The server's certificate is trusted when SSL_CERT_FILE names it, and only then."""
    target = ceph.target("models/tls.tgz")
    done = send(ceph, target, Random(LARGE), https=True, environ={"SSL_CERT_FILE": str(ceph.certificate)})
    assert done.sha256 == ceph.digest("models/tls.tgz")
    with pytest.raises(UploadFailed, match="not trusted by the public CAs"):
        send(ceph, target, Random(SMALL), https=True)


def test_a_signal_leaves_nothing_behind(ceph):
    """Parts that had arrived are gone with the aborted upload, and the key does not exist."""

    def cancel(_number: int, _frame: object) -> None:
        raise Cancelled

    stream = Random(LARGE, pause_at=2 * PART_BYTES, pause=2)
    before = signal.signal(signal.SIGTERM, cancel)
    try:
        threading.Timer(1.5, signal.raise_signal, [signal.SIGTERM]).start()
        with pytest.raises(Cancelled):
            send(ceph, ceph.target("models/cancelled.tgz"), stream)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert stream.closed
    assert "models/cancelled.tgz" not in ceph.objects()
