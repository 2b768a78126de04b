"""The sandbox's prepare and commits: strict about bodies and order, readable by the official SDK."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from baseten.client import managementapi as sdk
from sandbox_driver import Driver, archive, payload, s3_client

from baseten_sandbox import Sandbox


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A sandbox of this test's own."""
    with Sandbox(speed=50, teams=("Default", "Research")) as started:
        yield started


def refused(answer: httpx.Response, status: int, text: str) -> None:
    """The answer is a refusal that says why, as the service words it."""
    assert status == answer.status_code, answer.text
    assert {"code", "message"} == set(answer.json())
    assert text in answer.json()["message"]


def test_sdk_pushes_a_new_model(sandbox: Sandbox, driver: Driver) -> None:
    """The official client prepares, commits and reads what it made."""
    deployment = sdk.DeploymentArchivePayload(config={"model_name": "hello"}, create_environment_if_missing=False)
    request = sdk.PrepareModelUploadRequest(name="hello", deployment=deployment)
    prepared = driver.api.post_prepare_model_upload(request=request)
    driver.upload(prepared.model_dump(), archive())
    source = sdk.ModelArchiveSource(kind="model_archive", name="hello", s3_key=prepared.s3_key, deployment=deployment)
    created = driver.api.post_models(request=sdk.CreateModelRequest(source=source))
    assert ["hello"] == [model.name for model in driver.api.get_models().models]
    assert 1 == driver.api.get_models_model_id(model_id=created.model.id).deployments_count
    assert None is created.model.production_deployment_id
    assert "deployment-1" == created.deployment.name
    assert archive() == sandbox.object(sandbox.bucket, prepared.s3_key or "")


def test_dry_run_answers_nulls(driver: Driver) -> None:
    """A dry run issues nothing, and nothing exists afterwards."""
    answer = driver.post("/v1/prepare_model_upload", {"name": "hello", "deployment": payload(), "dry_run": True})
    assert {"creds": None, "s3_bucket": None, "s3_key": None, "s3_region": None} == answer.json()
    assert [] == driver.api.get_models().models


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Api-Key {key}"}])
def test_only_bearer_with_the_key_is_let_in(sandbox: Sandbox, headers: dict[str, str]) -> None:
    """The management API wants `Bearer` and the key, nothing else."""
    sent = {name: value.format(key=sandbox.api_key) for name, value in headers.items()}
    refused(httpx.get(f"{sandbox.api_url}/v1/models", headers=sent), 401, "API key")


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"name": "x", "deployment": payload(), "dryrun": True}, "dryrun"),
        ({"name": "x", "deployment": payload(enviroment_name="x")}, "deployment.enviroment_name"),
        ({"name": "x", "deployment": payload(autoscaling_settings={"min": 1})}, "autoscaling_settings.min"),
        (
            {"name": "x", "deployment": payload(promotion_settings_override={"rolling_deploy_config": {"x": 1}})},
            "rolling_deploy_config.x",
        ),
        ({"name": "x", "deployment": payload(config=[])}, "deployment.config"),
        ({"name": "x", "deployment": {"labels": {}}}, "deployment.config"),
        ({"name": "x", "deployment": payload(deploy_timeout_minutes="45")}, "deploy_timeout_minutes"),
        (
            {
                "name": "x",
                "deployment": payload(
                    environment_name="production",
                    autoscaling_schedule_settings={"timezone": "UTC", "schedules": [{"cadence": "DAILY", "nme": 1}]},
                ),
            },
            "schedules.0",
        ),
    ],
)
def test_what_the_sdk_does_not_know_is_refused(driver: Driver, body: dict[str, Any], place: str) -> None:
    """Unknown fields and wrong types are refused at every level, and the SDK's `dict` fallback hides none."""
    refused(driver.post("/v1/prepare_model_upload", body), 422, place)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"deployment_name": "no spaces"}, "deployment_name"),
        ({"deploy_timeout_minutes": 9}, "between 10 and 1440"),
        ({"is_development": True, "deployment_name": "x"}, "is_development"),
        ({"is_development": True, "environment_name": "production"}, "is_development"),
        ({"is_development": True, "preserve_env_instance_type": False}, "is_development"),
        ({"environment_name": "staging"}, "does not exist"),
        ({"environment_name": "Staging"}, "environment name"),
        ({"instance_type_id": "1x2"}, "preserve_env_instance_type"),
        ({"instance_type_id": "9x9", "preserve_env_instance_type": False}, "unknown"),
        ({"region": "mars"}, "region"),
        ({"promotion_settings_override": {}}, "requires environment_name"),
        ({"autoscaling_settings": {"min_replica": 3, "max_replica": 2}}, "min_replica"),
        ({"config": {"environment_variables": {"SANDBOX_PREDICT_STATUS": "five"}}}, "SANDBOX_PREDICT_STATUS"),
        ({"config": {"environment_variables": {"SANDBOX_END": "FAILED"}}}, "SANDBOX_END_STATUS"),
        ({"user_env": {"git": {}}}, "user_env.git"),
        ({"user_env": {"git_info": {"latest_commit_sha": "x"}}}, "user_env.git_info.latest_tag"),
    ],
)
def test_rules_of_the_payload(driver: Driver, changes: dict[str, Any], text: str) -> None:
    """What the API's descriptions forbid is refused in the dry run already."""
    body = {"name": "x", "deployment": payload(**changes), "dry_run": True}
    refused(driver.post("/v1/prepare_model_upload", body), 400, text)


def test_free_form_fields_stay_free(driver: Driver) -> None:
    """`config` and `labels` may hold anything, `user_env` what Truss's model allows."""
    git = {"latest_commit_sha": "a", "latest_tag": None, "commits_since_tag": None, "has_uncommitted_changes": False}
    deployment = payload(config={"any": {"thing": 1}}, labels={"a": [1]}, user_env={"git_info": git})
    assert driver.prepare(deployment, name="x")["s3_key"]


@pytest.mark.parametrize(
    ("target", "status", "text"),
    [
        ({}, 400, "exactly one"),
        ({"name": "x", "model_id": "y"}, 400, "exactly one"),
        ({"model_id": "nothere"}, 404, "nothere"),
        ({"name": "x", "team_id": "nothere"}, 404, "Team"),
        ({"name": " "}, 400, "empty"),
    ],
)
def test_prepare_names_one_target(driver: Driver, target: dict[str, str], status: int, text: str) -> None:
    """Exactly one of `name` and `model_id`, and it must make sense."""
    refused(driver.post("/v1/prepare_model_upload", {"deployment": payload(), **target}), status, text)


def test_team_id_only_with_name(driver: Driver) -> None:
    """An existing model has a team already."""
    model_id = driver.push().model.id
    team_id = driver.api.get_teams().teams[0].id
    body = {"deployment": payload(), "model_id": model_id, "team_id": team_id}
    refused(driver.post("/v1/prepare_model_upload", body), 400, "team_id")


def test_name_that_exists_is_refused(driver: Driver) -> None:
    """A name is free or not, per team; two that race for it cannot both win."""
    deployment = payload()
    late = driver.prepare(deployment, name="hello")
    driver.upload(late)
    driver.push()
    refused(driver.post("/v1/prepare_model_upload", {"name": "hello", "deployment": deployment}), 400, "already exists")
    source = {"kind": "model_archive", "name": "hello", "s3_key": late["s3_key"], "deployment": deployment}
    refused(driver.post("/v1/models", {"source": source}), 400, "already exists")
    research = driver.api.get_teams().teams[1].id
    theirs = driver.prepare(deployment, name="hello", team_id=research)
    driver.upload(theirs)
    answer = driver.post(f"/v1/teams/{research}/models", {"source": source | {"s3_key": theirs["s3_key"]}})
    assert "Research" == answer.json()["model"]["team_name"]
    assert 2 == len(driver.api.get_models(params=sdk.GetModelsParams(name="hello")).models)
    assert 1 == len(driver.api.get_teams_models(team_id=research).models)


def test_commit_repeats_the_prepared_payload(driver: Driver) -> None:
    """The commit is refused when the payload is not that of its prepare, and says where it differs."""
    prepared = driver.prepare(payload(), name="hello")
    driver.upload(prepared)
    source = {"kind": "model_archive", "name": "hello", "s3_key": prepared["s3_key"]}
    refused(driver.post("/v1/models", {"source": source | {"deployment": payload(labels={"a": "b"})}}), 400, "labels")
    refused(driver.post("/v1/models", {"source": source | {"deployment": payload(), "name": "other"}}), 400, "another")


def test_commit_needs_the_uploaded_archive(driver: Driver) -> None:
    """A key that was not issued, or to which nothing was uploaded, is refused."""
    prepared = driver.prepare(payload(), name="hello")
    source = {"kind": "model_archive", "name": "hello", "deployment": payload()}
    refused(driver.post("/v1/models", {"source": source | {"s3_key": prepared["s3_key"]}}), 400, "not uploaded")
    refused(driver.post("/v1/models", {"source": source | {"s3_key": "models/x"}}), 400, "not issued")
    refused(driver.post("/v1/models", {"source": source}), 400, "not issued")


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ({"name": "x", "deployment": payload()}, "source.kind"),
        ({"kind": "tarball", "name": "x"}, "kind"),
        ({"kind": "model_archive", "name": "x", "deployment": payload(), "team_id": "y"}, "team_id"),
        ({"kind": "model_archive", "deployment": payload()}, "name"),
        ({"kind": "library_listing", "lab_display_name": "a"}, "user_defined_listing_id"),
    ],
)
def test_source_is_read_by_its_kind(driver: Driver, source: dict[str, Any], text: str) -> None:
    """The SDK's union with `dict` lets no wrong source through."""
    refused(driver.post("/v1/models", {"source": source}), 422, text)


def test_library_listing_makes_a_model(driver: Driver) -> None:
    """A listing needs no archive; its model has the wanted name."""
    listing = sdk.LibraryListingSource(
        kind="library_listing", lab_display_name="lab", user_defined_listing_id="listing", deployed_model_name="mine"
    )
    created = driver.api.post_models(request=sdk.CreateModelRequest(source=listing))
    assert "mine" == created.model.name


def test_format_without_an_archive(driver: Driver) -> None:
    """BIS-LLM: a real prepare issues nothing, and the commit has no key."""
    deployment = payload(config={"bis_llm": {"config": {}}})
    assert None is driver.prepare(deployment, name="llm")["s3_key"]
    source = {"kind": "model_archive", "name": "llm", "deployment": deployment}
    refused(driver.post("/v1/models", {"source": source | {"s3_key": "x"}}), 400, "no archive")
    assert 200 == driver.post("/v1/models", {"source": source}).status_code


def test_same_commit_twice_makes_two_deployments(driver: Driver) -> None:
    """The service does not recognize a commit that is sent again; whoever sends it blindly has two deployments."""
    model_id = driver.push().model.id
    prepared = driver.prepare(payload(), model_id=model_id)
    driver.upload(prepared)
    body = {"source": {"kind": "model_archive", "s3_key": prepared["s3_key"], "deployment": payload()}}
    made = {driver.post(f"/v1/models/{model_id}/deployments", body).json()["deployment"]["id"] for _ in range(2)}
    assert 2 == len(made)


def test_development_slot_is_overwritten_in_place(driver: Driver) -> None:
    """The development deployment keeps its id."""
    first = driver.push(is_development=True)
    second = driver.push(model_id=first.model.id, is_development=True, labels={"n": 2})
    assert (first.deployment.id, "development", {"n": 2}) == (
        second.deployment.id,
        second.deployment.name,
        second.deployment.labels,
    )
    assert second.model.development_deployment_id == first.deployment.id
    found = driver.api.get_models_deployments_development(model_id=first.model.id)
    assert found.is_development


def test_download_without_credentials(driver: Driver) -> None:
    """The presigned URL gives the archive to whoever has it, for as long as it is good."""
    created = driver.push()
    where = {"model_id": created.model.id, "deployment_id": created.deployment.id}
    url = driver.api.get_models_deployments_download(**where).download_url
    assert archive() == httpx.get(url).content
    assert 403 == httpx.get(url.replace("X-Amz-Expires=600", "X-Amz-Expires=900")).status_code
    assert 403 == httpx.put(url, content=b"x").status_code


def test_disabled_download_stays_disabled(driver: Driver) -> None:
    """What is locked when the model is made holds for its later deployments."""
    prepared = driver.prepare(payload(), name="secret")
    driver.upload(prepared)
    source = {"kind": "model_archive", "name": "secret", "s3_key": prepared["s3_key"], "deployment": payload()}
    made = driver.post("/v1/models", {"source": source | {"disable_archive_download": True}}).json()
    later = driver.push(model_id=made["model"]["id"])
    path = f"/v1/models/{later.model.id}/deployments/{later.deployment.id}/download"
    refused(driver.http.get(path), 400, "disabled")


def test_config_comes_back(driver: Driver) -> None:
    """What a deployment was built from, parsed and as text."""
    created = driver.push(raw_config="model_name: hello # really\n")
    where = {"model_id": created.model.id, "deployment_id": created.deployment.id}
    both = driver.api.get_models_deployments_config(
        **where, params=sdk.GetModelsDeploymentsConfigParams(output_format="both")
    )
    assert {"model_name": "hello"} == both.config
    assert "model_name: hello # really\n" == both.raw_config


def test_credentials_are_used_for_the_upload_only(sandbox: Sandbox, driver: Driver) -> None:
    """Every S3 request of a push is recorded with the key that was issued for it."""
    prepared = driver.prepare(payload(), name="hello")
    client = s3_client(sandbox, prepared)
    client.put_object(Bucket=prepared["s3_bucket"], Key=prepared["s3_key"], Body=b"x")
    client.close()
    last = sandbox.requests[-1]
    assert ("s3", "PUT", 200) == (last.service, last.method, last.status)
    assert prepared["creds"]["aws_access_key_id"] in last.headers["authorization"]


@pytest.mark.parametrize("path", ["/v1/models?nam=x", "/v1/teams/nothere/models", "/v1/nothing", "/v1/models/x"])
def test_unknown_paths_and_parameters(driver: Driver, path: str) -> None:
    """What is not there is a JSON error, never a page."""
    answer = driver.http.get(path)
    assert answer.status_code in {404, 422}
    assert {"code", "message"} == set(answer.json())


def test_older_service_ignores_the_name_filter() -> None:
    """With `filters_by_name` off, `?name=` changes nothing, so a client must filter as well."""
    with Sandbox(filters_by_name=False) as sandbox:
        driver = Driver(sandbox)
        driver.push("one")
        driver.push("two")
        assert 2 == len(driver.api.get_models(params=sdk.GetModelsParams(name="one")).models)
        driver.close()
