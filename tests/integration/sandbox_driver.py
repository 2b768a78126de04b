"""Drives the sandbox as its clients do: the official SDK's client, boto3 and httpx. Shared by test_sandbox_*.py."""

import gzip
import io
import tarfile
import time
from typing import Any

import boto3
import httpx
from baseten.client import ManagementClient
from baseten.client import managementapi as sdk
from botocore.client import BaseClient
from botocore.config import Config

from baseten_sandbox import Sandbox


class Clock:
    """Time that a test moves by hand."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        """The moment, in seconds since the epoch."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


def archive(**files: str) -> bytes:
    """A gzipped tar of these files, by default with a config.yaml."""
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as packed, tarfile.open(fileobj=packed, mode="w") as tar:
        for name, text in ({"config_yaml": ""} | files).items():
            data = text.encode()
            member = tarfile.TarInfo(name.replace("_yaml", ".yaml"))
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def payload(**changes: Any) -> dict[str, Any]:
    """A deployment payload."""
    return {"config": {"model_name": "hello"}, "create_environment_if_missing": False, **changes}


def s3_client(sandbox: Sandbox, prepared: dict[str, Any], **changes: Any) -> BaseClient:
    """boto3's client with the credentials that a prepare issued, set up as the deploy step does."""
    settings = {"retries": {"total_max_attempts": 1}, "request_checksum_calculation": "when_required"}
    settings["s3"] = {"payload_signing_enabled": False}
    return boto3.client(
        "s3",
        endpoint_url=sandbox.s3_endpoint_url,
        region_name=prepared["s3_region"],
        config=Config(**settings | changes.pop("config", {})),
        **prepared["creds"] | changes,
    )


class Driver:
    """A client of one sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.http = httpx.Client(
            base_url=sandbox.api_url, headers={"Authorization": f"Bearer {sandbox.api_key}"}, timeout=10
        )
        self._management = ManagementClient(api_key=sandbox.api_key, base_url_override=sandbox.api_url)
        self.api = self._management.api

    def close(self) -> None:
        """Close the connections."""
        self.http.close()
        self._management.close()

    def post(self, path: str, body: Any = None) -> httpx.Response:
        """POST JSON, unchecked by the SDK."""
        return self.http.post(path, json=body)

    def prepare(self, deployment: dict[str, Any], **target: Any) -> dict[str, Any]:
        """Prepare for real and answer what was issued."""
        answer = self.post("/v1/prepare_model_upload", {"deployment": deployment, "dry_run": False, **target})
        answer.raise_for_status()
        return answer.json()

    def upload(self, prepared: dict[str, Any], data: bytes | None = None) -> None:
        """Put an archive where the prepare said."""
        client = s3_client(self.sandbox, prepared)
        client.put_object(Bucket=prepared["s3_bucket"], Key=prepared["s3_key"], Body=data or archive())
        client.close()

    def push(
        self, name: str | None = "hello", model_id: str | None = None, **changes: Any
    ) -> sdk.CreatedModelDeployment:
        """Push a new model, or a deployment of `model_id`, as far as the commit."""
        deployment = payload(**changes)
        target = {"model_id": model_id} if model_id else {"name": name}
        prepared = self.prepare(deployment, **target)
        self.upload(prepared)
        source = {"kind": "model_archive", "s3_key": prepared["s3_key"], "deployment": deployment}
        if model_id:
            answer = self.post(f"/v1/models/{model_id}/deployments", {"source": source})
        else:
            answer = self.post("/v1/models", {"source": source | {"name": name}})
        assert answer.status_code == 200, answer.text
        return sdk.CreatedModelDeployment.model_validate(answer.json())

    def status(self, deployment: sdk.Deployment) -> str:
        """The deployment's status."""
        return self.get(deployment).status

    def get(self, deployment: sdk.Deployment) -> sdk.Deployment:
        """The deployment as it is now."""
        return self.api.get_models_deployments_deployment_id(model_id=deployment.model_id, deployment_id=deployment.id)

    def environment(self, model_id: str, name: str) -> sdk.Environment:
        """The environment as it is now."""
        return self.api.get_models_environments_env_name(model_id=model_id, env_name=name)

    def predict(self, model_id: str, path: str, body: Any, **rest: Any) -> httpx.Response:
        """Call the inference endpoint; `path` begins after the model's base."""
        base = self.sandbox.inference_url.format(model_id=model_id)
        return httpx.post(
            f"{base}{path}", json=body, headers={"Authorization": f"Api-Key {self.sandbox.api_key}"}, timeout=10, **rest
        )
