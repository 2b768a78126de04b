"""The sandbox's audit log, retries, autoscaling and collections of settings, read by the official SDK's client."""

from collections.abc import Iterator

import pytest
from baseten.client import managementapi as sdk
from sandbox_driver import Clock, Driver

from baseten_sandbox import Sandbox

SCHEDULE = {
    "name": "peak",
    "enabled": True,
    "cadence": "DAILY",
    "weekdays": ["MONDAY"],
    "start_hour": 8,
    "start_minute": 0,
    "end_hour": 18,
    "end_minute": 0,
    "autoscaling_settings": {
        "min_replica": 2,
        "max_replica": 8,
        **dict.fromkeys(
            (
                "autoscaling_window",
                "scale_down_delay",
                "concurrency_target",
                "target_utilization_percentage",
                "target_in_flight_tokens",
                "max_scale_down_rate",
            )
        ),
    },
}
RULE = {
    "type": "SHADOW",
    "targets": [{"environment": "production"}],
    "percent_traffic": 10,
    "expires_at": "2026-12-01T08:00:00Z",
    "sampling_mode": "RANDOM",
    "propagate_client_cancellation": True,
}


@pytest.fixture
def sandbox(clock: Clock) -> Iterator[Sandbox]:
    """A sandbox of this test's own."""
    with Sandbox(clock=clock) as started:
        yield started


def live(driver: Driver, clock: Clock, **changes: object):
    """Push a deployment and let it come up."""
    model_id = changes.pop("model_id", None)
    made = driver.push(model_id=model_id, **changes).deployment
    clock.advance(5)
    return made


def promote(driver: Driver, clock: Clock, deployment, name="production", **fields):
    """Promote it to the end."""
    path = f"/v1/models/{deployment.model_id}/environments/{name}/promote"
    answer = driver.post(path, {"deployment_id": deployment.id, **fields})
    assert 200 == answer.status_code, answer.text
    clock.advance(5)


def promoted(driver: Driver, model_id: str, **query):
    """The deployments in the audit log of production's promotions, and how it goes on."""
    params = sdk.GetModelsAuditLogsParams(event_type_groups=["PROMOTED"], environment_names=["production"], **query)
    page = driver.api.get_models_audit_logs(params=params, model_id=model_id)
    return [item.event_data.deployment_id for item in page.items], page.pagination


def test_the_audit_log_is_newest_first(driver: Driver, clock: Clock) -> None:
    """Page by page, of one environment."""
    first = live(driver, clock)
    promote(driver, clock, first)
    second = live(driver, clock, model_id=first.model_id)
    live(driver, clock, model_id=first.model_id, environment_name="staging", create_environment_if_missing=True)
    promote(driver, clock, second)
    ids, page = promoted(driver, first.model_id)
    assert ([second.id, first.id], False) == (ids, page.has_more)
    ids, page = promoted(driver, first.model_id, limit=1)
    assert ([second.id], True) == (ids, page.has_more)
    ids, page = promoted(driver, first.model_id, limit=1, cursor=page.cursor)
    assert ([first.id], False) == (ids, page.has_more)


def test_a_cancelled_promotion_is_in_the_log(driver: Driver, clock: Clock) -> None:
    """As an event of its own."""
    driver.sandbox.state.plan_next_promotion(paused=True)
    made = live(driver, clock)
    path = f"/v1/models/{made.model_id}/environments/production"
    assert 200 == driver.post(f"{path}/promote", {"deployment_id": made.id}).status_code
    assert 200 == driver.post(f"{path}/cancel_promotion").status_code
    params = sdk.GetModelsAuditLogsParams(event_type_groups=["PROMOTED"])
    page = driver.api.get_models_audit_logs(params=params, model_id=made.model_id)
    assert ["MODEL_PROMOTION_CONTROL_ACTION", "MODEL_DEPLOYMENT_PROMOTED"] == [item.event_type for item in page.items]


def test_retry(driver: Driver, clock: Clock) -> None:
    """The same deployment comes up, and the environment that it was pushed into serves it."""
    driver.sandbox.state.plan_next_deployment(["BUILDING", "DEPLOYING", "DEPLOY_FAILED"])
    made = live(driver, clock, environment_name="production")
    assert "DEPLOY_FAILED" == driver.status(made)
    answer = driver.api.post_models_deployments_retry(model_id=made.model_id, deployment_id=made.id)
    assert (True, None, made.id, "DEPLOYING") == (
        answer.retried,
        answer.reason,
        answer.deployment.id,
        answer.deployment.status,
    )
    clock.advance(5)
    assert made.id == driver.environment(made.model_id, "production").current_deployment.id
    answer = driver.api.post_models_deployments_retry(model_id=made.model_id, deployment_id=made.id)
    assert not answer.retried
    assert "is ACTIVE" in answer.reason


@pytest.mark.parametrize(("call", "limit"), [("retry", 10), ("activate", 20), ("deactivate", 20)])
def test_rates(driver: Driver, clock: Clock, call: str, limit: int) -> None:
    """So many a minute, then a 429 with how long to wait."""
    made = live(driver, clock)
    path = f"/v1/models/{made.model_id}/deployments/{made.id}/{call}"
    answers = [driver.post(path).status_code for _ in range(limit + 1)]
    assert [200] * limit + [429] == answers


def test_scaled_to_zero_by_hand(driver: Driver, clock: Clock) -> None:
    """What nothing serves sleeps without a smallest number of replicas; what is served goes on."""
    first = live(driver, clock)
    promote(driver, clock, first, promotion_settings_override={"promotion_cleanup_strategy": "KEEP"})
    second = live(driver, clock, model_id=first.model_id)
    for made, status in ((first, "ACTIVE"), (second, "SCALED_TO_ZERO")):
        path = f"/v1/models/{made.model_id}/deployments/{made.id}/autoscaling_settings"
        assert 200 == driver.http.patch(path, json={"min_replica": 0}).status_code
        assert status == driver.status(made)
    assert 422 == driver.http.patch(path, json={"min_replicas": 0}).status_code


def test_settings_ride_with_a_promotion(driver: Driver, clock: Clock) -> None:
    """Kept when it completes, schedules too, and not before."""
    made = live(driver, clock)
    update = {
        "autoscaling_settings": {"max_replica": 4},
        "autoscaling_schedule_settings": {"timezone": "Europe/Berlin", "schedules": [SCHEDULE]},
    }
    driver.sandbox.state.plan_next_promotion("FAILED")
    promote(driver, clock, made, environment_settings_update=update)
    found = driver.environment(made.model_id, "production")
    assert (1, []) == (found.autoscaling_settings.max_replica, found.autoscaling_schedules.schedules)
    promote(driver, clock, made, environment_settings_update=update)
    found = driver.environment(made.model_id, "production")
    assert (4, ["peak"]) == (
        found.autoscaling_settings.max_replica,
        [row.name for row in found.autoscaling_schedules.schedules],
    )


def test_collections_are_changed_by_element(driver: Driver, clock: Clock) -> None:
    """With an id one is replaced, without it is new; a name is there once; deleting needs an id that exists."""
    model_id = live(driver, clock).model_id
    path = f"/v1/models/{model_id}/environments/production"

    def change(**fields: object) -> int:
        status = driver.http.patch(path, json=fields).status_code
        clock.advance(5)
        return status

    schedules = {"schedules": [SCHEDULE]}
    assert 400 == change(autoscaling_schedule_settings=schedules)  # no time zone
    assert 200 == change(autoscaling_schedule_settings={**schedules, "timezone": "UTC"})
    assert 400 == change(autoscaling_schedule_settings=schedules)
    (kept,) = driver.environment(model_id, "production").autoscaling_schedules.schedules
    again = {"schedules": [{**SCHEDULE, "id": kept.id, "enabled": False}]}
    assert 200 == change(autoscaling_schedule_settings=again)
    assert [False] == [
        row.enabled for row in driver.environment(model_id, "production").autoscaling_schedules.schedules
    ]
    assert 400 == change(autoscaling_schedule_settings={"delete_schedules": ["nope"]})
    assert 200 == change(autoscaling_schedule_settings={"delete_schedules": [kept.id]})
    assert [] == driver.environment(model_id, "production").autoscaling_schedules.schedules
    assert 200 == change(traffic_routing_settings={"rules": [RULE]})
    (rule,) = driver.environment(model_id, "production").traffic_routing.rules
    assert (10, model_id) == (rule.percent_traffic, rule.targets[0].model_id)
    assert 200 == change(traffic_routing_settings={"delete_rules": [rule.id]})
