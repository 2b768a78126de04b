"""The sandbox's metrics and start-ups, by scripted traffic, read and validated by the official SDK's client."""

from collections.abc import Iterator

import httpx
import pytest
from baseten.client import managementapi as sdk
from sandbox_driver import Clock, Driver

from baseten_sandbox import Sandbox
from baseten_sandbox.state.traffic import SCRIPTS


@pytest.fixture
def sandbox(clock: Clock) -> Iterator[Sandbox]:
    """A sandbox of this test's own."""
    with Sandbox(clock=clock) as started:
        yield started


def serve(driver: Driver, clock: Clock, script: str = "steady", **changes: object) -> sdk.Deployment:
    """Push a deployment that gets such traffic into production, and let it serve for a minute."""
    driver.sandbox.state.plans.add_traffic(script)
    made = driver.push(environment_name="production", **changes).deployment
    clock.advance(62)
    return made


def measured(
    driver: Driver, clock: Clock, model_id: str, seconds: float = 60, **of: str
) -> sdk.GetModelMetricsResponse:
    """A summary of the last so many seconds, by the SDK; `of` is `env_name` or `deployment_id`."""
    end = int(clock.now * 1000)
    query = {"mode": "SUMMARY", "start_epoch_millis": end - int(seconds * 1000), "end_epoch_millis": end}
    if "env_name" in of:
        params = sdk.GetModelsEnvironmentsMetricsParams(**query)
        return driver.api.get_models_environments_metrics(params=params, model_id=model_id, **of)
    return driver.api.get_models_deployments_metrics(
        params=sdk.GetModelsDeploymentsMetricsParams(**query), model_id=model_id, **of
    )


def series(answer: sdk.GetModelMetricsResponse) -> dict[str, float | None]:
    """The values of the first set, by the label that tells them apart."""
    found = {}
    for descriptor, values in zip(answer.metric_descriptors, answer.metric_values[0].values, strict=True):
        for labels, value in zip(descriptor.label_sets, values, strict=True):
            found[next(iter(labels.values()), descriptor.name)] = value
    return found


def test_steady(driver: Driver, clock: Clock) -> None:
    """Rates a second and quantiles, the same for the environment and for the deployment that it serves."""
    made = serve(driver, clock)
    answer = measured(driver, clock, made.model_id, env_name="production")
    found = series(answer)
    assert pytest.approx(20, rel=0.05) == found["2xx"] + found["4xx"] + found["5xx"]
    assert pytest.approx(0.002 * 20, rel=0.05) == found["5xx"]
    assert (0.15, 0.3, 0.45) == tuple(pytest.approx(found[each]) for each in ("0.5", "0.95", "0.99"))
    assert found == series(measured(driver, clock, made.model_id, deployment_id=made.id))
    assert {"PER_SECOND", "SECONDS", "COUNT"} == {each.unit_hint for each in answer.metric_descriptors}


@pytest.mark.parametrize(
    ("script", "share"),
    [("leak", (0.5, 0.61)), ("spike", (0.005, 0.05)), ("slow", (0.0, 0.003)), ("steady", (0.0, 0.003))],
)
def test_scripts_of_errors(driver: Driver, clock: Clock, script: str, share: tuple[float, float]) -> None:
    """A leak grows, a spike passes."""
    made = serve(driver, clock, script)
    found = series(
        measured(driver, clock, made.model_id, seconds=20 if script == "leak" else 61, env_name="production")
    )
    least, most = share
    assert least <= found["5xx"] / (found["2xx"] + found["4xx"] + found["5xx"]) <= most
    assert (found["0.95"] > 1) is (script == "slow")


def test_silence_is_null(driver: Driver, clock: Clock) -> None:
    """Series without data; the descriptors are there."""
    made = serve(driver, clock, "silence")
    found = series(measured(driver, clock, made.model_id, env_name="production"))
    assert {None} == {value for name, value in found.items() if name != "baseten_replicas_active"}


def test_unreadable(driver: Driver, clock: Clock) -> None:
    """As long as it is served."""
    made = serve(driver, clock, "unreadable")
    path = f"/v1/models/{made.model_id}/environments/production/metrics"
    assert 503 == driver.http.get(path, params={"mode": "SUMMARY"}).status_code


def test_the_hour_before_is_of_what_served_then(driver: Driver, clock: Clock) -> None:
    """An environment's window counts what each deployment answered while it was served."""
    first = serve(driver, clock)
    driver.sandbox.state.plans.add_traffic("leak")
    driver.push(model_id=first.model_id, environment_name="production")
    clock.advance(22)
    now = series(measured(driver, clock, first.model_id, seconds=15, env_name="production"))
    both = series(measured(driver, clock, first.model_id, seconds=80, env_name="production"))
    assert now["5xx"] > 4 > both["5xx"] > 0.1


def test_a_candidate_has_its_share(driver: Driver, clock: Clock) -> None:
    """During a rolling promotion, by its own metrics."""
    first = serve(driver, clock)
    second = driver.push(model_id=first.model_id).deployment
    clock.advance(5)
    driver.sandbox.state.plan_next_promotion(paused=True)
    path = f"/v1/models/{first.model_id}/environments/production/promote"
    body = {"deployment_id": second.id, "promotion_settings_override": {"rolling_deploy": True}}
    assert 200 == driver.post(path, body).status_code
    clock.advance(30)
    found = series(measured(driver, clock, first.model_id, seconds=20, deployment_id=second.id))
    assert pytest.approx(2, rel=0.1) == found["2xx"] + found["4xx"] + found["5xx"]


def test_a_deployment_that_is_in_no_environment(driver: Driver, clock: Clock) -> None:
    """Is asked directly."""
    made = driver.push().deployment
    clock.advance(60)
    assert series(measured(driver, clock, made.model_id, seconds=30, deployment_id=made.id))["2xx"] > 10


def test_series_and_now(driver: Driver, clock: Clock) -> None:
    """The other two modes."""
    made = serve(driver, clock)
    of = {"model_id": made.model_id, "env_name": "production"}
    params = sdk.GetModelsEnvironmentsMetricsParams(mode="SERIES")
    steps = driver.api.get_models_environments_metrics(params=params, **of)
    assert (60, 60) == (steps.step_seconds, len(steps.metric_values))
    current = driver.api.get_models_environments_metrics(params=sdk.GetModelsEnvironmentsMetricsParams(), **of)
    assert (None, 1) == (current.step_seconds, len(current.metric_values))


@pytest.mark.parametrize(
    "query",
    [
        {"mode": "CURRENT", "start_epoch_millis": 1},
        {"mode": "TOTAL"},
        {"mode": "SUMMARY", "metrics": "baseten_nothing"},
        {"mode": "SUMMARY", "start_epoch_millis": 2, "end_epoch_millis": 1},
        {"mode": "SUMMARY", "start_epoch_millis": 1, "end_epoch_millis": 10**12},
        {"mode": "SUMMARY", "window": "1h"},
    ],
    ids=str,
)
def test_refused(driver: Driver, clock: Clock, query: dict[str, object]) -> None:
    """What the service does not take."""
    made = serve(driver, clock)
    answer = driver.http.get(f"/v1/models/{made.model_id}/environments/production/metrics", params=query)
    assert answer.status_code in {400, 422}


def startups(driver: Driver, clock: Clock, made: sdk.Deployment) -> list[sdk.StartupAttempt]:
    """All attempts so far, by the SDK."""
    params = sdk.GetModelsDeploymentsStartupsParams(start_epoch_millis=1, end_epoch_millis=int(clock.now * 1000))
    return driver.api.get_models_deployments_startups(
        params=params, model_id=made.model_id, deployment_id=made.id
    ).items


def test_a_start(driver: Driver, clock: Clock) -> None:
    """Every phase, one after the other, until it is ready; percentiles of many."""
    made = serve(driver, clock)
    (attempt,) = startups(driver, clock, made)
    assert ("SUCCESS", 1200) == (attempt.outcome, attempt.duration_ms)
    assert ["SCHEDULING", "IMAGE_PULL", "WEIGHT_DOWNLOAD", "CONTAINER_CREATE", "CONTAINER_START", "READINESS"] == [
        phase.phase for phase in attempt.phase_summary
    ]
    assert 1200 == sum(phase.duration_ms for phase in attempt.phase_summary)
    params = sdk.GetModelsEnvironmentsStartupsSummaryParams(
        start_epoch_millis=1, end_epoch_millis=int(clock.now * 1000)
    )
    summary = driver.api.get_models_environments_startups_summary(
        params=params, model_id=made.model_id, env_name="production"
    )
    assert (1, 1200) == (summary.total_duration_ms.sample_count, summary.total_duration_ms.p50_ms)


@pytest.mark.parametrize(
    ("end", "outcome", "phase"),
    [
        ("DEPLOY_FAILED", "FAILED", "CONTAINER_START"),
        ("FAILED", "FAILED", "READINESS"),
        ("DEPLOYING", "STALLED", "IMAGE_PULL"),
        ("LOADING_MODEL", "STALLED", "READINESS"),
    ],
)
def test_a_start_that_fails_or_hangs(driver: Driver, clock: Clock, end: str, outcome: str, phase: str) -> None:
    """Its last phase did not finish."""
    config = {"model_name": "hello", "environment_variables": {"SANDBOX_END_STATUS": end}}
    made = driver.push(config=config).deployment
    clock.advance(30)
    (attempt,) = startups(driver, clock, made)
    last = attempt.phase_summary[-1]
    assert (outcome, phase, None) == (attempt.outcome, last.phase, last.duration_ms)


def test_a_build_that_failed_has_no_start(driver: Driver, clock: Clock) -> None:
    """No replica was made."""
    driver.sandbox.state.plan_next_deployment(["BUILDING", "BUILD_FAILED"])
    made = driver.push().deployment
    clock.advance(5)
    assert [] == startups(driver, clock, made)


def test_the_control_page_scripts_traffic(driver: Driver) -> None:
    """As the other plans; an unknown script is refused with those that there are."""
    control = httpx.Client(
        base_url=driver.sandbox.api_url, headers={"Authorization": f"Api-Key {driver.sandbox.api_key}"}
    )
    with control:
        assert {200} == {
            control.post("/_sandbox/plans/traffic", json={"traffic": each}).status_code for each in SCRIPTS
        }
        refused = control.post("/_sandbox/plans/traffic", json={"traffic": "flood"})
    assert (400, True) == (refused.status_code, "steady" in refused.text)
