"""The excerpt of botocore's description of S3 says the same as the whole, of all that an upload asks."""

import json
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from botocore.endpoint_provider import EndpointProvider
from botocore.exceptions import EndpointProviderError
from botocore.loaders import Loader
from botocore.model import ServiceModel, Shape

import s3_excerpt
from baseten_deploy.storage import session
from baseten_deploy.storage.session import IsolatedSession

EXCERPT: dict[str, Any] = json.loads(Path(session.__file__).with_name("s3.json").read_bytes())
WHOLE = Loader()
PARTITIONS = WHOLE.load_data("partitions")
BUCKETS = (
    *("bucket", "a.bucket.with.dots", "UPPER_case", "x", "bucket--use1-az4--x-s3", "bucket--op-s3"),
    "arn:aws:s3:us-west-2:123456789012:accesspoint/mine",
    "arn:aws:s3::123456789012:accesspoint/mine.mrap",
    "arn:aws:s3-object-lambda:us-west-2:123456789012:accesspoint/mine",
    "arn:aws:s3-outposts:us-west-2:123456789012:outpost/op-1/accesspoint/mine",
)
REGIONS = (
    "us-east-1",
    "us-west-2",
    "eu-central-1",
    "cn-north-1",
    "us-gov-west-1",
    "aws-global",
    "eu-new-7",
    "no region",
)
FLAGS = ("ForcePathStyle", "UseGlobalEndpoint", "UseArnRegion", "DisableS3ExpressSessionAuth")


def test_a_client_has_these_operations_and_no_more() -> None:
    """As small as that, it is read in no time."""
    client = IsolatedSession().create_client("s3", "us-west-2", aws_access_key_id="-", aws_secret_access_key="-")
    assert sorted(s3_excerpt.OPERATIONS) == sorted(client.meta.service_model.operation_names)
    assert len(json.dumps(EXCERPT)) < 120_000


def told(shape: Shape | None, seen: tuple[str, ...] = ()) -> Any:
    """A shape with all that is in it, but for what is said about it."""
    if shape is None or shape.name in seen:
        return shape and shape.name
    seen = (*seen, shape.name)
    inner = {name: told(member, seen) for name, member in getattr(shape, "members", {}).items()}
    inner |= {part: told(getattr(shape, part), seen) for part in ("member", "key", "value") if hasattr(shape, part)}
    metadata = {key: value for key, value in shape.metadata.items() if key != "deprecatedMessage"}
    return shape.name, shape.type_name, shape.serialization, metadata, inner


@pytest.mark.parametrize("name", s3_excerpt.OPERATIONS)
def test_an_operation_is_that_of_the_whole(name: str) -> None:
    """What is sent, what comes back, which errors there are."""
    ours, whole = (
        ServiceModel(described, "s3").operation_model(name)
        for described in (EXCERPT["service-2"], WHOLE.load_service_model("s3", "service-2"))
    )
    for part in ("http", "auth_type", "http_checksum", "static_context_parameters", "context_parameters"):
        assert getattr(whole, part) == getattr(ours, part)
    assert told(whole.input_shape) == told(ours.input_shape)
    assert told(whole.output_shape) == told(ours.output_shape)
    assert [told(error) for error in whole.error_shapes] == [told(error) for error in ours.error_shapes]


@pytest.mark.parametrize("endpoint", [None, "http://127.0.0.1:9000", "https://s3.example.com/below"])
@pytest.mark.parametrize("region", REGIONS)
def test_a_bucket_is_found_where_the_whole_finds_it(region: str, endpoint: str | None) -> None:
    """Every kind of bucket, with each combination of what a client may ask for; or the same refusal."""
    ours = EndpointProvider(EXCERPT["endpoint-rule-set-1"], PARTITIONS)
    whole = EndpointProvider(WHOLE.load_service_model("s3", "endpoint-rule-set-1"), PARTITIONS)

    def found(provider: EndpointProvider, asked: dict[str, Any]) -> object:
        try:
            answer = provider.resolve_endpoint(**asked)
        except EndpointProviderError as error:
            return str(error)
        return answer.url, answer.properties, answer.headers

    never = dict.fromkeys(s3_excerpt.NEVER, False)
    for bucket, *flags in product((*BUCKETS, None), *[(False, True)] * len(FLAGS)):
        asked = {"Region": region, **never, **dict(zip(FLAGS, flags, strict=True))}
        asked |= {"Bucket": bucket} if bucket else {}
        asked |= {"Endpoint": endpoint} if endpoint else {}
        assert found(whole, asked) == found(ours, asked), asked
