"""What a shell script with a little Python would do: `tar | gzip`, and boto3's `upload_fileobj` of it.

In our environment: `push_tar.py API S3 CERTIFICATE TRUSS`. The API calls are the three that are needed.
"""

import json
import subprocess
import sys
import urllib.request
from typing import Any

import boto3

DEPLOYMENT = {"config": {"model_name": "bench"}}


def post(url: str, body: dict[str, Any]) -> Any:
    """Send JSON, get JSON."""
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request) as answer:  # noqa: S310 - loopback
        return json.load(answer)


def main(api: str, s3: str, certificate: str, truss: str) -> None:
    """Prepare, pack and upload, commit."""
    target = post(f"{api}/v1/prepare_model_upload", {"deployment": DEPLOYMENT, "name": "bench", "dry_run": False})
    keys = target["creds"]
    client = boto3.client("s3", region_name=target["s3_region"], endpoint_url=s3, verify=certificate, **keys)
    packing = ["/bin/sh", "-c", 'tar -C "$0" -c . | gzip', truss]
    with subprocess.Popen(packing, stdout=subprocess.PIPE) as tar:  # noqa: S603 - fixed, and no text of anyone else's
        assert tar.stdout
        client.upload_fileobj(tar.stdout, target["s3_bucket"], target["s3_key"])
    source = {"kind": "model_archive", "name": "bench", "s3_key": target["s3_key"], "deployment": DEPLOYMENT}
    post(f"{api}/v1/models", {"source": source})


if __name__ == "__main__":
    main(*sys.argv[1:])
