"""The sandbox's environments: creation, asynchronous changes, promotions that take time, change ids, fail, pause."""

from collections.abc import Iterator
from typing import Any

import pytest
from baseten.client import managementapi as sdk
from sandbox_driver import Clock, Driver

from baseten_sandbox import Sandbox


@pytest.fixture
def sandbox(clock: Clock) -> Iterator[Sandbox]:
    """A sandbox of this test's own."""
    with Sandbox(clock=clock) as started:
        yield started


def create(driver: Driver, model_id: str, name: str, **promotion: Any) -> sdk.Environment:
    """Create an environment with these promotion settings."""
    settings = sdk.UpdateModelPromotionSettings.model_validate(promotion) if promotion else None
    request = sdk.CreateEnvironmentRequest(name=name, promotion_settings=settings)
    return driver.api.post_models_environments(model_id=model_id, request=request)


def promote(driver: Driver, deployment: sdk.Deployment, name: str, **rest: Any) -> sdk.Deployment:
    """Promote a deployment."""
    request = sdk.PromoteToEnvironmentRequest(deployment_id=deployment.id, **rest)
    return driver.api.post_models_environments_promote(model_id=deployment.model_id, env_name=name, request=request)


def watch(driver: Driver, clock: Clock, model_id: str, name: str, seconds: float = 5.0) -> list[tuple[str, int]]:
    """The states of a promotion that a client sees who looks every tenth of a second."""
    states: list[tuple[str, int]] = []
    for _ in range(round(seconds * 10)):
        promotion = driver.environment(model_id, name).in_progress_promotion
        state = (promotion.status, promotion.percent_traffic_to_new_version) if promotion else ("-", 0)
        if state not in states[-1:]:
            states.append(state)
        clock.advance(0.1)
    return states


def test_production_always_exists(driver: Driver) -> None:
    """Every model has it, empty at first; nobody can create it."""
    model_id = driver.push().model.id
    environments = driver.api.get_models_environments(model_id=model_id).environments
    assert [("production", None)] == [(item.name, item.current_deployment) for item in environments]
    answer = driver.post(f"/v1/models/{model_id}/environments", {"name": "production"})
    assert 400 == answer.status_code
    assert 404 == driver.http.get(f"/v1/models/{model_id}/environments/staging").status_code


def test_first_deployment_is_not_promoted_by_itself(driver: Driver, clock: Clock) -> None:
    """A push without an environment is a plain deployment."""
    created = driver.push()
    clock.advance(5)
    assert None is driver.environment(created.model.id, "production").current_deployment
    assert None is driver.get(created.deployment).environment


def test_create_with_settings(driver: Driver) -> None:
    """A new environment rolls by default and has what was sent; twice is refused, and so are unknown settings."""
    model_id = driver.push().model.id
    request = sdk.CreateEnvironmentRequest(
        name="staging", autoscaling_settings=sdk.UpdateAutoscalingSettings(min_replica=1, max_replica=3)
    )
    made = driver.api.post_models_environments(model_id=model_id, request=request)
    assert (1, 3, True) == (
        made.autoscaling_settings.min_replica,
        made.autoscaling_settings.max_replica,
        made.promotion_settings.rolling_deploy,
    )
    path = f"/v1/models/{model_id}/environments"
    assert 400 == driver.post(path, {"name": "staging"}).status_code
    assert 422 == driver.post(path, {"name": "b", "autoscaling_settings": {"min_replicas": 1}}).status_code
    assert 422 == driver.post(path, {"name": "b", "promotion_settings": {"rolling": True}}).status_code
    both = {"rolling_deploy_config": {"max_surge_percent": 10, "max_unavailable_percent": 10}}
    assert 400 == driver.post(path, {"name": "b", "promotion_settings": both}).status_code


def test_patch_is_seen_later(driver: Driver, clock: Clock) -> None:
    """PATCH answers with the new settings at once, but GET shows them only after a while."""
    model_id = driver.push().model.id
    path = f"/v1/models/{model_id}/environments/production"
    body = {"autoscaling_settings": {"max_replica": 5}}
    answer = driver.http.patch(path, json=body).json()
    assert "ACCEPTED" == answer["status"]
    assert 5 == sdk.UpdateEnvironmentResponse.model_validate(answer).environment.autoscaling_settings.max_replica
    assert 1 == driver.environment(model_id, "production").autoscaling_settings.max_replica
    clock.advance(1)
    assert 5 == driver.environment(model_id, "production").autoscaling_settings.max_replica
    assert "UNCHANGED" == driver.http.patch(path, json=body).json()["status"]


def test_push_into_production(driver: Driver, clock: Clock) -> None:
    """The pushed deployment is the candidate until it is live, then the environment serves it."""
    created = driver.push(environment_name="production")
    before = driver.environment(created.model.id, "production")
    assert None is before.current_deployment
    assert before.candidate_deployment
    assert created.deployment.id == before.candidate_deployment.id
    assert [("RELEASING", 0), ("SUCCEEDED", 100), ("-", 0)] == watch(driver, clock, created.model.id, "production")
    after = driver.environment(created.model.id, "production")
    assert after.current_deployment
    assert created.deployment.id == after.current_deployment.id
    assert None is after.candidate_deployment
    assert "production" == driver.get(created.deployment).environment
    assert created.deployment.id == driver.api.get_models().models[0].production_deployment_id
    assert driver.api.get_models_deployments_production(model_id=created.model.id).is_production


def test_push_creates_a_missing_environment(driver: Driver, clock: Clock) -> None:
    """With `create_environment_if_missing` a brand-new model is pushed into an environment in one go."""
    created = driver.push(environment_name="staging", create_environment_if_missing=True)
    states = watch(driver, clock, created.model.id, "staging")
    assert [
        ("RELEASING", 0),
        ("RAMPING_UP", 10),
        ("RAMPING_UP", 50),
        ("RAMPING_UP", 90),
        ("SUCCEEDED", 100),
        ("-", 0),
    ] == states


def test_previous_deployment_is_scaled_to_zero(driver: Driver, clock: Clock) -> None:
    """After a promotion the previous deployment leaves the environment and scales to zero; a request wakes it."""
    first = driver.push(environment_name="production")
    clock.advance(5)
    second = driver.push(model_id=first.model.id)
    clock.advance(5)
    assert "ACTIVE" == driver.status(first.deployment)
    assert second.deployment.id == promote(driver, second.deployment, "production").id
    clock.advance(1)
    assert ("SCALED_TO_ZERO", None) == (driver.status(first.deployment), driver.get(first.deployment).environment)
    assert second.deployment.id == promote(driver, second.deployment, "production").id  # nothing to do
    back = promote(driver, first.deployment, "production", scale_down_previous_deployment=False)
    clock.advance(1)
    assert first.deployment.id == back.id
    assert "ACTIVE" == driver.status(second.deployment)


@pytest.mark.parametrize(("strategy", "status"), [("KEEP", "ACTIVE"), ("DEACTIVATE", "INACTIVE")])
def test_cleanup_strategy(driver: Driver, clock: Clock, strategy: str, status: str) -> None:
    """`promotion_cleanup_strategy` decides what becomes of the previous deployment."""
    model_id = driver.push().model.id
    create(driver, model_id, "staging", promotion_cleanup_strategy=strategy, rolling_deploy=False)
    first = driver.push(model_id=model_id, environment_name="staging")
    clock.advance(5)
    driver.push(model_id=model_id, environment_name="staging")
    clock.advance(5)
    assert status == driver.status(first.deployment)


def test_redeploy_changes_the_id(driver: Driver, clock: Clock) -> None:
    """With `redeploy_on_promotion` the environment gets a copy: at once when asked to promote, later on a push."""
    pushed = driver.push(labels={"a": "b"})
    model_id = pushed.model.id
    create(driver, model_id, "staging", redeploy_on_promotion=True, rolling_deploy=False)
    clock.advance(5)
    copy = promote(driver, pushed.deployment, "staging")
    assert copy.id != pushed.deployment.id
    assert {"a": "b"} == copy.labels
    clock.advance(5)
    current = driver.environment(model_id, "staging").current_deployment
    assert current
    assert copy.id == current.id

    second = driver.push(model_id=model_id, environment_name="staging")
    candidate = driver.environment(model_id, "staging").candidate_deployment
    assert candidate
    assert second.deployment.id == candidate.id
    clock.advance(2.1)
    candidate = driver.environment(model_id, "staging").candidate_deployment
    assert candidate
    assert second.deployment.id != candidate.id
    clock.advance(5)
    current = driver.environment(model_id, "staging").current_deployment
    assert current
    assert candidate.id == current.id
    assert "ACTIVE" == driver.status(second.deployment)


def test_development_is_promoted_as_a_copy(driver: Driver, clock: Clock) -> None:
    """The development slot stays what it is."""
    created = driver.push(is_development=True)
    clock.advance(5)
    copy = promote(driver, created.deployment, "production")
    assert (False, True) == (copy.is_development, copy.id != created.deployment.id)


@pytest.mark.parametrize("end", ["FAILED", "CANCELED"])
def test_promotion_that_does_not_succeed(sandbox: Sandbox, driver: Driver, clock: Clock, end: str) -> None:
    """Its message stays to be read, and the environment serves what it served."""
    first = driver.push(environment_name="production")
    clock.advance(5)
    sandbox.state.plan_next_promotion(end, error_message="readiness probe")
    driver.push(model_id=first.model.id, environment_name="production")
    assert (end, 0) == watch(driver, clock, first.model.id, "production")[-1]
    environment = driver.environment(first.model.id, "production")
    assert environment.in_progress_promotion
    assert "readiness probe" == environment.in_progress_promotion.error_message
    assert environment.current_deployment
    assert first.deployment.id == environment.current_deployment.id


def test_failed_deployment_fails_its_promotion(driver: Driver, clock: Clock) -> None:
    """A candidate that does not become live fails the promotion."""
    created = driver.push(
        config={"environment_variables": {"SANDBOX_END_STATUS": "DEPLOY_FAILED"}}, environment_name="production"
    )
    assert [("RELEASING", 0), ("FAILED", 0)] == watch(driver, clock, created.model.id, "production")
    promotion = driver.environment(created.model.id, "production").in_progress_promotion
    assert promotion
    assert created.deployment.id in (promotion.error_message or "")


@pytest.mark.parametrize(("pause", "end"), [(None, "PAUSED"), (2.0, "SUCCEEDED")])
def test_paused_promotion(sandbox: Sandbox, driver: Driver, clock: Clock, pause: float | None, end: str) -> None:
    """A promotion can be paused on its way, for a while or for good."""
    sandbox.state.plan_next_promotion(paused=True, pause=pause)
    created = driver.push(environment_name="staging", create_environment_if_missing=True)
    states = watch(driver, clock, created.model.id, "staging", 10)
    assert ("PAUSED", 10) in states
    assert end in [status for status, _ in states][-2:]


def test_truss_scripts_its_promotion(driver: Driver, clock: Clock) -> None:
    """`SANDBOX_PROMOTION` in the config decides how the promotion ends."""
    config = {"environment_variables": {"SANDBOX_PROMOTION": "FAILED"}}
    created = driver.push(config=config, environment_name="production")
    assert ("FAILED", 0) == watch(driver, clock, created.model.id, "production")[-1]


def test_cancel(driver: Driver, clock: Clock) -> None:
    """A promotion that moved traffic ramps down before it is canceled; one that did not is canceled at once."""
    created = driver.push(environment_name="staging", create_environment_if_missing=True)
    where = {"model_id": created.model.id, "env_name": "staging"}
    assert "CANCELED" == driver.api.post_models_environments_cancel_promotion(**where).status
    clock.advance(5)
    promote(driver, created.deployment, "staging")
    clock.advance(0.5)
    assert "RAMPING_DOWN" == driver.api.post_models_environments_cancel_promotion(**where).status
    assert [("RAMPING_DOWN", 50), ("CANCELED", 0)] == watch(driver, clock, created.model.id, "staging")
    path = f"/v1/models/{created.model.id}/environments/staging/cancel_promotion"
    assert 400 == driver.post(path).status_code
    assert None is driver.environment(created.model.id, "staging").current_deployment


def test_one_promotion_at_a_time(driver: Driver, clock: Clock) -> None:
    """A second push into the environment is refused while one is under way, and leaves nothing behind."""
    first = driver.push(environment_name="production")
    with pytest.raises(AssertionError, match="in progress"):
        driver.push(model_id=first.model.id, environment_name="production")
    assert 1 == len(driver.api.get_models_deployments(model_id=first.model.id).deployments)
    clock.advance(5)
    driver.push(model_id=first.model.id, environment_name="production")


@pytest.mark.parametrize("status", ["INACTIVE", "BUILD_FAILED", "FAILED"])
def test_what_cannot_be_promoted(driver: Driver, clock: Clock, status: str) -> None:
    """An inactive deployment is activated first; a failed one is never promoted."""
    created = driver.push(config={"environment_variables": {"SANDBOX_END_STATUS": status}})
    clock.advance(5)
    answer = driver.post(
        f"/v1/models/{created.model.id}/environments/production/promote", {"deployment_id": created.deployment.id}
    )
    assert 400 == answer.status_code
    assert status in answer.json()["message"]


def test_what_serves_cannot_be_deleted(driver: Driver, clock: Clock) -> None:
    """Neither the deployment that an environment serves nor its candidate can be deleted."""
    created = driver.push(environment_name="production")
    path = f"/v1/models/{created.model.id}/deployments/{created.deployment.id}"
    assert 400 == driver.http.delete(path).status_code
    clock.advance(5)
    assert 400 == driver.http.delete(path).status_code


def test_deactivated_candidate_fails_the_promotion(driver: Driver, clock: Clock) -> None:
    """Somebody who deactivates the candidate ends the promotion."""
    created = driver.push(environment_name="production")
    driver.api.post_models_deployments_deactivate(model_id=created.model.id, deployment_id=created.deployment.id)
    clock.advance(5)
    promotion = driver.environment(created.model.id, "production").in_progress_promotion
    assert promotion
    assert ("FAILED", True) == (promotion.status, "deactivated" in (promotion.error_message or ""))


def test_instance_type_is_preserved_or_taken(driver: Driver, clock: Clock) -> None:
    """A deployment takes the environment's instance type, or brings its own when told so."""
    first = driver.push(environment_name="production")
    clock.advance(5)
    config = {"resources": {"accelerator": "L4"}}
    kept = driver.push(model_id=first.model.id, environment_name="production", config=config)
    assert "1x2" == kept.deployment.instance_type_name
    clock.advance(5)
    brought = driver.push(
        model_id=first.model.id, environment_name="production", config=config, preserve_env_instance_type=False
    )
    assert "L4:4x16" == brought.deployment.instance_type_name
    clock.advance(5)
    assert "L4:4x16" == driver.environment(first.model.id, "production").instance_type.name
