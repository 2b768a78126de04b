"""`upload` against a real S3 API on loopback, whole and with faults: what arrives, what is left, and what is said."""

import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from archives import BUCKET, KEY, Archive, Immediately, target
from hypothesis import given
from hypothesis import strategies as st
from s3_faults import REQUEST_ID, Fault, FaultyS3, error, hang, page, reset, reset_after

from baseten_deploy.errors import DeployError, InvalidInput, UploadFailed
from baseten_deploy.service.answers import Credentials, UploadTarget
from baseten_deploy.storage.managed_transfer import Stream
from baseten_deploy.storage.upload import PART_BYTES, Uploaded, part_bytes, upload

SMALL = 100_000
LARGE = PART_BYTES + 12_345  # two parts


class Uploads:
    """Uploads to one bucket, and what is to see in it."""

    def __init__(self, s3: FaultyS3) -> None:
        self.s3 = s3
        self.archives: list[Archive] = []
        self.renewed: list[UploadTarget] = []

    def run(self, size: int, **given: Any) -> Uploaded:
        """Upload an archive of `size` bytes."""
        arguments = {
            "renew": self.renew,
            "largest": size,
            "endpoint_url": self.s3.url,
            "clock": Immediately(),
            "target": target(),
            "open_stream": lambda: self.open(Archive(size)),
            **given,
        }
        return upload(arguments.pop("open_stream"), arguments.pop("target"), **arguments)

    def open(self, archive: Archive) -> Archive:
        """Remember the archive that an upload opens."""
        self.archives.append(archive)
        return archive

    def renew(self) -> UploadTarget:
        """Issue the next credentials."""
        self.renewed.append(target(len(self.renewed) + 2))
        return self.renewed[-1]


@pytest.fixture(scope="module")
def server() -> Iterator[FaultyS3]:
    """One server for all tests of this file."""
    with FaultyS3() as s3:
        yield s3


@pytest.fixture
def uploads(server: FaultyS3) -> Iterator[Uploads]:
    """An empty bucket and no faults; at the end no multipart upload may be left, and every stream is closed."""
    server.reset()
    uploads = Uploads(server)
    yield uploads
    server.faults.clear()
    assert [] == uploads.s3.dangling()
    assert [1] * len(uploads.archives) == [archive.closed for archive in uploads.archives]


@pytest.mark.parametrize("size", [0, 1, SMALL, PART_BYTES - 1])
def test_a_small_archive_is_one_request(uploads, size):
    """What fits into a part is put at once."""
    done = uploads.run(size)
    assert (target(), size) == (done.target, done.size)
    assert uploads.s3.stored() == done.sha256
    assert "PutObject" == uploads.s3.operations()[0]


@pytest.mark.parametrize("size", [PART_BYTES, LARGE, 5 * PART_BYTES])
def test_a_large_archive_goes_in_parts(uploads, size):
    """All parts but the last have the same size, and together they are the archive."""
    done = uploads.run(size)
    sizes = {request.part: request.size for request in uploads.s3.requests if request.part}
    assert uploads.s3.stored() == done.sha256
    assert size == done.size == sum(sizes.values())
    assert {PART_BYTES} == {sizes[part] for part in sizes if part < max(sizes)} or len(sizes) == 1
    assert uploads.s3.operations()[0] == "CreateMultipartUpload"


def test_short_reads_make_no_short_parts(uploads):
    """A stream that gives less than asked for is not at its end."""
    uploads.run(LARGE, open_stream=lambda: uploads.open(Archive(LARGE, piece=99_991)))
    assert {PART_BYTES, LARGE % PART_BYTES} == {request.size for request in uploads.s3.requests if request.part}
    assert uploads.s3.stored() == uploads.archives[0].sha256


def test_progress_is_heard_in_the_callers_thread(uploads):
    """The last report is the size, whatever was sent twice."""
    heard: list[tuple[int, int]] = []
    uploads.s3.fail("UploadPart", 2, reset)
    uploads.run(LARGE, progress=lambda sent: heard.append((sent, threading.get_ident())))
    assert LARGE == heard[-1][0]
    assert {threading.get_ident()} == {thread for _, thread in heard}


def test_secrets_stay_out_of_reprs():
    """A target may be logged."""
    assert (
        "UploadTarget(bucket='uploads', key='models/archive.tgz', region='us-west-2', credentials=Credentials())"
        == repr(target())
    )


@given(st.integers(0, 5 * 1024**4))
def test_parts_keep_to_the_limits_of_s3(largest):
    """Up to 10 000 parts of 5 MiB to 5 GiB, and not many bytes too large."""
    size = part_bytes(largest)
    assert -(-largest // size) <= 10_000
    assert PART_BYTES <= size <= 5 * 1024**3
    assert size == PART_BYTES or size * 10_000 < largest + 10_000 * 1024**2


def test_an_archive_beyond_the_limit_of_s3_is_refused_before_anything_is_sent(uploads):
    """Nobody waits for an upload that cannot succeed."""
    with pytest.raises(InvalidInput, match=r"5\.5 TiB; S3 takes up to 5 TiB"):
        uploads.run(SMALL, largest=11 * 1024**4 // 2)
    assert ([], []) == (uploads.s3.requests, uploads.archives)


TRANSIENT = [
    error(500, "InternalError"),
    error(503, "SlowDown"),
    error(400, "RequestTimeout"),
    error(429, "TooManyRequests"),
    page(502),
    reset,
    reset_after,
]
NAMES = ["500", "slow-down", "request-timeout", "429", "502-page", "reset", "reset-after"]


@pytest.mark.parametrize("fault", TRANSIENT, ids=NAMES)
@pytest.mark.parametrize("operation", ["PutObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"])
def test_what_passes_is_tried_again(uploads, operation, fault):
    """One fault at any request costs one more request, or at worst one more upload; the archive arrives."""
    uploads.s3.fail(operation, 1, fault)
    done = uploads.run(SMALL if operation == "PutObject" else LARGE)
    assert uploads.s3.stored() == done.sha256
    assert [] == uploads.renewed


def test_a_request_is_tried_five_times(uploads):
    """Four failures of a part are survived; the parts beside it are sent once."""
    uploads.s3.fail("UploadPart", range(1, 5), error(503, "SlowDown"))
    uploads.run(LARGE)
    assert 6 == uploads.s3.count("UploadPart")


@pytest.mark.parametrize("operation", ["PutObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"])
def test_what_does_not_pass_fails_with_what_s3_said(uploads, operation):
    """Status, code, operation, place and request id are in the message, and a signature is not."""
    uploads.s3.fail(operation, range(1, 100), error(503, "SlowDown"))
    with pytest.raises(UploadFailed) as failed:
        uploads.run(SMALL if operation == "PutObject" else LARGE)
    (problem,) = failed.value.problems
    assert f"S3 answered 503 SlowDown to {operation} of s3://{BUCKET}/{KEY}" in problem.message
    assert f"(request id {REQUEST_ID}): Because of SlowDown?..." in problem.message
    assert "several tries" in problem.remedy
    assert [] == uploads.s3.keys()


def test_connections_that_break_again_and_again_fail(uploads):
    """So does S3 without an answer."""
    uploads.s3.fail("UploadPart", range(1, 100), reset)
    with pytest.raises(UploadFailed, match=r"broke again and again"):
        uploads.run(LARGE)
    assert 5 <= uploads.s3.count("UploadPart") <= 15


@pytest.mark.parametrize(
    ("code", "status", "remedy"),
    [
        ("RequestTimeTooSkewed", 403, "clock"),
        ("SignatureDoesNotMatch", 403, "Something changes requests"),
        ("NoSuchBucket", 404, "s3-endpoint-url"),
        ("EntityTooLarge", 400, ".truss_ignore"),
        ("SomethingNew", 418, "request id"),
    ],
)
def test_a_refusal_is_final_and_carries_its_remedy(uploads, code, status, remedy):
    """What another try does not change is not tried again."""
    uploads.s3.fail("PutObject", range(1, 100), error(status, code))
    with pytest.raises(UploadFailed) as failed:
        uploads.run(SMALL)
    assert remedy in failed.value.problems[0].remedy
    assert 1 == uploads.s3.count("PutObject")


@pytest.mark.parametrize(
    "fault", [error(400, "ExpiredToken"), error(403, "InvalidAccessKeyId"), error(403, "AccessDenied")]
)
@pytest.mark.parametrize(
    ("operation", "nth"),
    [("PutObject", 1), ("CreateMultipartUpload", 1), ("UploadPart", 2), ("CompleteMultipartUpload", 1)],
)
def test_ended_credentials_are_renewed(uploads, fault, operation, nth):
    """Everything is sent again with new ones, and what the old ones had begun is aborted."""
    uploads.s3.fail(operation, nth, fault)
    done = uploads.run(SMALL if operation == "PutObject" else LARGE)
    assert ([target(2)], target(2)) == (uploads.renewed, done.target)
    assert uploads.s3.stored() == done.sha256
    assert "Credential=ASIA2EXAMPLE/" in uploads.s3.requests[-1].headers["authorization"]
    assert 2 == len(uploads.archives)


def test_what_ended_credentials_cannot_abort_the_new_ones_do(uploads):
    """An expired token does not allow the abort either."""
    uploads.s3.fail("UploadPart", 1, error(400, "ExpiredToken"))
    uploads.s3.fail("AbortMultipartUpload", [1, 2], error(400, "ExpiredToken"))
    uploads.run(LARGE)
    aborts = [request for request in uploads.s3.requests if request.operation == "AbortMultipartUpload"]
    assert ["ASIA1", "ASIA1", "ASIA2"] == [request.headers["authorization"][28:33] for request in aborts[:3]]


def test_credentials_are_renewed_twice_at_most(uploads):
    """Then it is said that the upload takes longer than they live."""
    uploads.s3.fail("UploadPart", range(1, 100), error(400, "ExpiredToken"))
    with pytest.raises(UploadFailed, match="ended before the upload did"):
        uploads.run(LARGE)
    assert (2, 3) == (len(uploads.renewed), len(uploads.archives))


def test_what_renew_raises_is_raised(uploads):
    """A prepare that is refused is the prepare's error, not the upload's."""
    refused = DeployError("no more")

    def renew() -> UploadTarget:
        raise refused

    uploads.s3.fail("UploadPart", 1, error(400, "ExpiredToken"))
    with pytest.raises(DeployError) as raised:
        uploads.run(LARGE, renew=renew)
    assert refused is raised.value


@pytest.mark.parametrize("operation", ["UploadPart", "CompleteMultipartUpload"])
def test_an_upload_that_s3_lost_is_made_again(uploads, operation):
    """With the same credentials: they are good."""
    uploads.s3.fail(operation, 1, error(404, "NoSuchUpload"))
    done = uploads.run(LARGE)
    assert ([], 2) == (uploads.renewed, len(uploads.archives))
    assert uploads.s3.stored() == done.sha256


@pytest.mark.parametrize("operation", ["PutObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"])
def test_a_success_that_is_not_s3s_is_none(uploads, operation):
    """A captive portal answers everything with 200."""
    uploads.s3.fail(operation, range(1, 100), page(200))
    with pytest.raises(UploadFailed, match="does not answer like S3"):
        uploads.run(SMALL if operation == "PutObject" else LARGE)
    assert [] == uploads.s3.keys()


@pytest.mark.parametrize(("status", "code"), [(301, "PermanentRedirect"), (307, "TemporaryRedirect")])
def test_a_redirect_is_not_followed(uploads, status, code):
    """Requests carry a session token: they go to the endpoint that was given, and nowhere else."""
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        place = f"127.0.0.1:{elsewhere.getsockname()[1]}"
        body = f"<Error><Code>{code}</Code><Endpoint>{place}</Endpoint></Error>".encode()
        uploads.s3.fail("PutObject", range(1, 100), lambda _act: (status, body, {"Location": f"http://{place}/"}))
        with pytest.raises(UploadFailed, match=f"S3 answered {status} {code}") as failed:
            uploads.run(SMALL)
        elsewhere.setblocking(False)
        with pytest.raises(BlockingIOError):
            elsewhere.accept()
    assert "us-west-2" in failed.value.problems[0].remedy


@pytest.mark.parametrize("at", [0, 1_000, PART_BYTES, LARGE - 1])
@pytest.mark.parametrize("problem", [UploadFailed("a file changed"), OSError(28, "No space left"), ZeroDivisionError()])
def test_what_the_stream_raises_is_raised_as_it_is(uploads, at, problem):
    """A file that changes while it is packed is the packer's error."""
    broken = Archive(LARGE, piece=1000, fail_at=at, problem=problem)
    with pytest.raises(type(problem)) as raised:
        uploads.run(LARGE, open_stream=lambda: uploads.open(broken))
    assert problem is raised.value
    assert [] == uploads.s3.keys()


def test_what_open_stream_raises_is_raised(uploads):
    """Nothing was sent then."""

    def open_stream() -> Stream:
        raise UploadFailed("vanished")

    with pytest.raises(UploadFailed, match="vanished"):
        uploads.run(SMALL, open_stream=open_stream)
    assert [] == uploads.s3.requests


def test_a_failed_part_ends_the_packing_and_what_hangs(uploads):
    """Nobody waits for the rest of ten gigabytes, or a minute for the other parts, to hear of a refusal."""
    uploads.s3.fail("UploadPart", [1, 3], hang)
    uploads.s3.fail("UploadPart", 2, error(403, "SignatureDoesNotMatch"))
    started = time.monotonic()
    with pytest.raises(UploadFailed, match="SignatureDoesNotMatch"):
        uploads.run(10 * 1024**3)
    assert time.monotonic() - started < 5
    assert uploads.archives[0].bytes_read < 200 * 1024**2


def test_an_upload_that_was_begun_unseen_is_aborted(uploads):
    """When only the answer to its begin was lost, S3 is asked what there is."""
    uploads.s3.fail("CreateMultipartUpload", 1, reset_after)
    uploads.run(LARGE)
    assert 2 == uploads.s3.count("CreateMultipartUpload")
    assert 1 == uploads.s3.count("AbortMultipartUpload")


def test_an_abort_is_tried_again(uploads):
    """Parts that stay cost storage until someone finds them."""
    uploads.s3.fail("UploadPart", 1, error(403, "SignatureDoesNotMatch"))
    uploads.s3.fail("AbortMultipartUpload", [1, 2, 3], error(500, "InternalError"))
    with pytest.raises(UploadFailed, match="SignatureDoesNotMatch"):
        uploads.run(LARGE)
    assert 4 <= uploads.s3.count("AbortMultipartUpload")


@pytest.mark.parametrize("status", [200, 204, 400])
def test_a_cleanup_that_nobody_answers_does_not_hide_the_error(uploads, status):
    """What matters is why the upload failed."""
    uploads.s3.fail("UploadPart", 1, error(403, "SignatureDoesNotMatch"))
    for operation in ("AbortMultipartUpload", "ListParts"):
        uploads.s3.fail(operation, range(1, 100), lambda _act: (status, b"not XML <", {}))
    with pytest.raises(UploadFailed, match="SignatureDoesNotMatch"):
        uploads.run(LARGE)
    uploads.s3.reset()


def test_an_unknown_region_is_found(uploads):
    """The API may name none: S3 is asked in its oldest region, and names the right one."""
    uploads.run(SMALL, target=replace(target(), region=""))
    assert "/us-east-1/s3/" in uploads.s3.requests[0].headers["authorization"]


def test_no_secret_is_in_any_error(uploads):
    """Also not when the credentials themselves are what breaks a request."""
    faults: list[Fault] = [error(403, "SignatureDoesNotMatch"), error(400, "ExpiredToken"), page(200), reset]
    keys = replace(target().credentials, session_token="line one secret\nline two secret")
    for fault in faults:
        for given_target in (target(), replace(target(), credentials=keys)):
            uploads.s3.faults.clear()
            uploads.s3.fail("PutObject", range(1, 1000), fault)
            with pytest.raises(UploadFailed) as failed:
                uploads.run(SMALL, target=given_target)
            said = f"{failed.value!r} {failed.value} {failed.value.__cause__!r} {failed.value.__context__!r}"
            for secret in ("secret", "token/", "ASIA", "Signature="):
                assert secret not in said


@pytest.mark.parametrize(
    ("endpoint", "region", "said"),
    [
        ("nonsense", "us-east-1", "There cannot be an S3 at 'nonsense'"),
        ("", "no such region", "There cannot be an S3 in the region 'no such region'"),
        ("http://127.0.0.1:1", "us-east-1", "No connection to 127.0.0.1:1: "),
    ],
)
def test_a_place_that_is_not_there_is_named(endpoint, region, said):
    """Endpoint and region come from outside."""
    place = UploadTarget("bucket", "key", region, Credentials("a", "b", "c"))
    with pytest.raises(UploadFailed) as failed:
        upload(
            lambda: Archive(SMALL),
            place,
            renew=lambda: place,
            largest=SMALL,
            endpoint_url=endpoint,
            clock=Immediately(),
        )
    assert said in str(failed.value)
