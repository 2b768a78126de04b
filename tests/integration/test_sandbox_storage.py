"""The sandbox's S3: boto3's uploads work, and only with the credentials that were issued, for the key they name."""

import io
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import httpx
import pytest
from boto3.s3.transfer import TransferConfig
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError
from sandbox_driver import Clock, Driver, payload, s3_client

from baseten_sandbox import Sandbox

MIB = 1024 * 1024


@pytest.fixture
def clock() -> Clock:
    """Time that the test moves."""
    return Clock()


@pytest.fixture
def sandbox(clock: Clock) -> Iterator[Sandbox]:
    """A sandbox of this test's own."""
    with Sandbox(clock=clock, credential_seconds=900) as started:
        yield started


@pytest.fixture
def prepared(sandbox: Sandbox) -> dict[str, Any]:
    """What a prepare of it issued."""
    driver = Driver(sandbox)
    answer = driver.prepare(payload(), name="hello")
    driver.close()
    return answer


def code(call: Callable[..., object], **arguments: Any) -> tuple[int, str]:
    """The status and code of the error that a call ends in."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    response = caught.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"request_checksum_calculation": "when_supported"},
        {"s3": {"payload_signing_enabled": True}},
        {"s3": {"addressing_style": "path"}},
    ],
)
@pytest.mark.parametrize("size", [100, 12 * MIB])
def test_managed_transfer(sandbox: Sandbox, prepared: dict[str, Any], config: dict[str, Any], size: int) -> None:
    """boto3's managed transfer works, in one piece and in parts, however it checks and signs the payload."""
    data = secrets.token_bytes(size)
    client = s3_client(sandbox, prepared, config=config)
    transfer = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB, max_concurrency=4)
    client.upload_fileobj(io.BytesIO(data), prepared["s3_bucket"], prepared["s3_key"], Config=transfer)
    client.close()
    assert data == sandbox.object(prepared["s3_bucket"], prepared["s3_key"])
    assert [] == sandbox.multipart_uploads()
    assert [prepared["s3_key"]] == sandbox.objects()


def test_dangling_and_aborted_multipart_uploads(sandbox: Sandbox, prepared: dict[str, Any]) -> None:
    """A multipart upload is seen until it is completed or aborted."""
    client = s3_client(sandbox, prepared)
    target = {"Bucket": prepared["s3_bucket"], "Key": prepared["s3_key"]}
    upload = client.create_multipart_upload(**target)["UploadId"]
    client.upload_part(**target, UploadId=upload, PartNumber=1, Body=b"x" * 10)
    assert [(upload, prepared["s3_key"], 1)] == sandbox.multipart_uploads()
    assert 1 == len(client.list_parts(**target, UploadId=upload)["Parts"])
    client.abort_multipart_upload(**target, UploadId=upload)
    assert [] == sandbox.multipart_uploads()
    client.close()


def test_only_an_upload_to_this_key_is_allowed(sandbox: Sandbox, prepared: dict[str, Any]) -> None:
    """Other keys, other buckets and anything but an upload are refused."""
    client = s3_client(sandbox, prepared)
    bucket, key = prepared["s3_bucket"], prepared["s3_key"]
    client.put_object(Bucket=bucket, Key=key, Body=b"x")
    denied = (403, "AccessDenied")
    assert denied == code(client.put_object, Bucket=bucket, Key="models/other", Body=b"x")
    assert denied == code(client.put_object, Bucket="other", Key=key, Body=b"x")
    assert denied == code(client.get_object, Bucket=bucket, Key=key)
    assert denied == code(client.delete_object, Bucket=bucket, Key=key)
    assert denied == code(client.list_objects_v2, Bucket=bucket)
    assert denied == code(
        client.create_bucket, Bucket="mine", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    source = {"Bucket": bucket, "Key": key}
    assert denied == code(client.copy_object, Bucket=bucket, Key=key, CopySource=source)
    assert denied == code(client.put_object_acl, Bucket=bucket, Key=key, ACL="public-read")
    client.close()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"aws_access_key_id": "AKIAIOSFODNN7EXAMPLE"}, (403, "InvalidAccessKeyId")),
        ({"aws_secret_access_key": "wrong"}, (403, "SignatureDoesNotMatch")),
        ({"aws_session_token": "wrong"}, (400, "InvalidToken")),
    ],
)
def test_other_credentials(
    sandbox: Sandbox, prepared: dict[str, Any], changes: dict[str, str], expected: tuple[int, str]
) -> None:
    """Key, secret and token are all checked."""
    client = s3_client(sandbox, prepared, **changes)
    answer = code(client.put_object, Bucket=prepared["s3_bucket"], Key=prepared["s3_key"], Body=b"x")
    client.close()
    assert expected == answer
    assert [] == sandbox.objects()


def test_missing_token_and_anonymous(sandbox: Sandbox, prepared: dict[str, Any]) -> None:
    """Without the session token, or unsigned, nothing is let through."""
    creds = {name: value for name, value in prepared["creds"].items() if name != "aws_session_token"}
    common = {"endpoint_url": sandbox.s3_endpoint_url, "region_name": prepared["s3_region"]}
    target = {"Bucket": prepared["s3_bucket"], "Key": prepared["s3_key"], "Body": b"x"}
    tokenless = boto3.client("s3", **common, **creds)
    assert (400, "InvalidToken") == code(tokenless.put_object, **target)
    tokenless.close()
    anonymous = boto3.client("s3", **common, config=Config(signature_version=UNSIGNED))
    assert (403, "AccessDenied") == code(anonymous.put_object, **target)
    anonymous.close()
    assert 403 == httpx.get(sandbox.s3_endpoint_url).status_code


def test_changed_request_breaks_the_signature(sandbox: Sandbox, prepared: dict[str, Any]) -> None:
    """A signed request that is sent with another header value is refused."""
    client = s3_client(sandbox, prepared)
    client.put_object(Bucket=prepared["s3_bucket"], Key=prepared["s3_key"], Body=b"x")
    client.close()
    first = sandbox.requests[-1]
    again = {name: value for name, value in first.headers.items() if name not in {"content-length", "expect"}}
    url = f"{sandbox.s3_endpoint_url}{first.path}"
    assert 200 == httpx.put(url, headers=again, content=b"x").status_code
    again["x-amz-content-sha256"] = "0" * 64
    assert 403 == httpx.put(url, headers=again, content=b"x").status_code


def test_expired_and_revoked(sandbox: Sandbox, prepared: dict[str, Any], clock: Clock) -> None:
    """Credentials end by time, by hand and by revocation; newer ones are not affected."""
    driver = Driver(sandbox)
    target = {"Bucket": prepared["s3_bucket"], "Body": b"x"}
    client = s3_client(sandbox, prepared)
    client.put_object(**target, Key=prepared["s3_key"])
    clock.advance(900)
    assert (400, "ExpiredToken") == code(client.put_object, **target, Key=prepared["s3_key"])
    client.close()
    for end, expected in (
        (sandbox.expire_credentials, (400, "ExpiredToken")),
        (sandbox.revoke_credentials, (403, "AccessDenied")),
    ):
        fresh = driver.prepare(payload(), name="hello")
        client = s3_client(sandbox, fresh)
        client.put_object(**target, Key=fresh["s3_key"])
        end()
        assert expected == code(client.put_object, **target, Key=fresh["s3_key"])
        client.close()
    driver.close()


def test_sandboxes_do_not_share_storage() -> None:
    """Two in one process have buckets of their own, and credentials of one do not open the other."""
    with Sandbox() as one, Sandbox() as two:
        driver = Driver(one)
        prepared = driver.prepare(payload(), name="hello")
        driver.upload(prepared)
        driver.close()
        assert 1 == len(one.objects())
        assert [] == two.objects()
        stranger = s3_client(two, prepared)
        answer = code(stranger.put_object, Bucket=prepared["s3_bucket"], Key=prepared["s3_key"], Body=b"x")
        stranger.close()
        assert (403, "InvalidAccessKeyId") == answer
