"""The session that knows S3 alone: it finds the hosts that botocore's own finds."""

import botocore.session
import pytest
from botocore.config import Config

from baseten_deploy.storage.session import IsolatedSession

KEYS = {"aws_access_key_id": "none", "aws_secret_access_key": "none"}
CONFIG = Config(signature_version="s3v4", s3={"addressing_style": "virtual"})
STOCK = botocore.session.Session()
REGIONS = [
    region
    for partition in STOCK.get_available_partitions()
    for region in STOCK.get_available_regions("s3", partition, allow_non_regional=False)
]


@pytest.fixture(scope="module")
def ours() -> IsolatedSession:
    """One for all regions, as a run has."""
    return IsolatedSession()


def test_there_are_regions_of_every_partition() -> None:
    """Those of China and of governments too."""
    assert {"us-east-1", "eu-central-1", "cn-north-1", "us-gov-west-1", "eusc-de-east-1"} <= set(REGIONS)


@pytest.mark.parametrize("region", [*REGIONS, "eu-new-7"])
def test_hosts_are_those_of_botocore(ours: IsolatedSession, region: str) -> None:
    """In each region that botocore names and in one that it does not know yet: host, signing region, a bucket's URL."""
    made, stock = (
        session.create_client("s3", region_name=region, config=CONFIG, **KEYS)  # type: ignore[call-overload]
        for session in (ours, STOCK)
    )
    assert stock.meta.endpoint_url == made.meta.endpoint_url
    assert stock.meta.partition == made.meta.partition
    for client in (stock, made):
        assert region == client.meta.region_name
    signed = [
        client.generate_presigned_url("put_object", {"Bucket": "bucket", "Key": "key"}).split("&X-Amz-Date")[0]
        for client in (stock, made)
    ]
    assert signed[0] == signed[1]
