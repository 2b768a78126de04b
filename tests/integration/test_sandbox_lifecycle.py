"""The sandbox's deployments: statuses by the clock, logs, activation, deletion, scripts, rate limits."""

from collections.abc import Iterator

import pytest
from baseten.client import managementapi as sdk
from hypothesis import given
from hypothesis import strategies as st
from sandbox_driver import Clock, Driver

from baseten_sandbox import Sandbox, Timing
from baseten_sandbox.state import lifecycle, promotions
from baseten_sandbox.state.entities import Step


@pytest.fixture
def sandbox(clock: Clock) -> Iterator[Sandbox]:
    """A sandbox of this test's own."""
    with Sandbox(clock=clock) as started:
        yield started


def seen(driver: Driver, clock: Clock, deployment: sdk.Deployment, seconds: float = 5.0) -> list[str]:
    """The statuses that a client sees who looks every tenth of a second."""
    statuses: list[str] = []
    for _ in range(round(seconds * 10)):
        clock.advance(0.1)
        answer = driver.http.get(f"/v1/models/{deployment.model_id}/deployments/{deployment.id}")
        status = str(answer.status_code) if answer.status_code != 200 else answer.json()["status"]
        if status not in statuses[-1:]:
            statuses.append(status)
    return statuses


def test_deployment_walks_to_active(driver: Driver, clock: Clock) -> None:
    """A fresh deployment is first not found, then walks through the states and is live within two seconds."""
    created = driver.push()
    assert "BUILDING" == created.deployment.status
    assert ["404", "BUILDING", "DEPLOYING", "LOADING_MODEL", "ACTIVE"] == seen(driver, clock, created.deployment)
    assert 1 == driver.get(created.deployment).active_replica_count


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        ("BUILD_FAILED", ["BUILDING", "BUILD_FAILED"]),
        ("DEPLOY_FAILED", ["BUILDING", "DEPLOYING", "DEPLOY_FAILED"]),
        ("FAILED", ["BUILDING", "DEPLOYING", "LOADING_MODEL", "FAILED"]),
        ("UNHEALTHY", ["BUILDING", "DEPLOYING", "LOADING_MODEL", "UNHEALTHY"]),
        ("LOADING_MODEL", ["BUILDING", "DEPLOYING", "LOADING_MODEL"]),
        ("SCALED_TO_ZERO", ["BUILDING", "DEPLOYING", "LOADING_MODEL", "ACTIVE", "SCALED_TO_ZERO"]),
        ("INACTIVE", ["BUILDING", "DEPLOYING", "LOADING_MODEL", "ACTIVE", "DEACTIVATING", "INACTIVE"]),
        ("BRAND_NEW", ["BUILDING", "DEPLOYING", "LOADING_MODEL", "BRAND_NEW"]),
    ],
)
def test_truss_scripts_its_end(driver: Driver, clock: Clock, end: str, expected: list[str]) -> None:
    """`SANDBOX_END_STATUS` in the config's environment variables decides how the deployment ends."""
    created = driver.push(config={"environment_variables": {"SANDBOX_END_STATUS": end}})
    assert ["404", *expected] == seen(driver, clock, created.deployment)


def test_plan_from_python(sandbox: Sandbox, driver: Driver, clock: Clock) -> None:
    """A planned walk counts for the next deployment only, with its own durations."""
    sandbox.state.plan_next_deployment(["BUILDING", ("UNHEALTHY", 2.0), "ACTIVE"])
    first = driver.push()
    clock.advance(2.5)
    assert "UNHEALTHY" == driver.status(first.deployment)
    clock.advance(0.5)
    assert "ACTIVE" == driver.status(first.deployment)
    second = driver.push(model_id=first.model.id)
    assert "LOADING_MODEL" in seen(driver, clock, second.deployment)


def test_broken_archive_fails_the_build(driver: Driver, clock: Clock) -> None:
    """An upload that is no archive is accepted, as the service does, and fails the build with the reason in the log."""
    deployment = {"config": {}, "create_environment_if_missing": False}
    prepared = driver.prepare(deployment, name="x")
    driver.upload(prepared, b"no tar")
    source = {"kind": "model_archive", "name": "x", "s3_key": prepared["s3_key"], "deployment": deployment}
    created = sdk.CreatedModelDeployment.model_validate(driver.post("/v1/models", {"source": source}).json())
    assert "BUILD_FAILED" == seen(driver, clock, created.deployment)[-1]
    where = {"model_id": created.model.id, "deployment_id": created.deployment.id}
    messages = [line.message for line in driver.api.get_models_deployments_logs(**where).logs]
    assert any("no gzipped tar" in message for message in messages)


def test_deactivate_and_activate(driver: Driver, clock: Clock) -> None:
    """A deactivated deployment stays and comes back when it is activated."""
    created = driver.push()
    where = {"model_id": created.model.id, "deployment_id": created.deployment.id}
    clock.advance(3)
    assert driver.api.post_models_deployments_activate(**where).no_op
    driver.api.post_models_deployments_deactivate(**where)
    assert "DEACTIVATING" == driver.status(created.deployment)
    clock.advance(1)
    assert "INACTIVE" == driver.status(created.deployment)
    assert not driver.api.post_models_deployments_activate(**where).no_op
    assert ["DEPLOYING", "LOADING_MODEL", "ACTIVE"] == seen(driver, clock, created.deployment)


def test_delete(driver: Driver) -> None:
    """A deleted deployment is gone for good; its model stays."""
    created = driver.push()
    where = {"model_id": created.model.id, "deployment_id": created.deployment.id}
    assert driver.api.delete_models_deployments(**where).deleted
    assert [] == driver.api.get_models_deployments(model_id=created.model.id).deployments
    assert 404 == driver.http.delete(f"/v1/models/{created.model.id}/deployments/{created.deployment.id}").status_code


def test_model_deleted_by_somebody_else(sandbox: Sandbox, driver: Driver) -> None:
    """A test can take a model away, with all that belongs to it; its name is free again."""
    created = driver.push()
    sandbox.state.delete_model(created.model.id)
    path = f"/v1/models/{created.model.id}"
    assert [404, 404] == [
        driver.http.get(it).status_code for it in (path, f"{path}/deployments/{created.deployment.id}")
    ]
    assert created.model.id != driver.push().model.id


def test_deactivations_are_limited(driver: Driver, clock: Clock) -> None:
    """Twenty per minute, then 429 with the hint in header and body; a minute later it goes on."""
    created = driver.push()
    path = f"/v1/models/{created.model.id}/deployments/{created.deployment.id}/deactivate"
    assert [200] * 20 == [driver.post(path).status_code for _ in range(20)]
    answer = driver.post(path)
    assert 429 == answer.status_code
    assert {"error", "retry_after"} == set(answer.json())
    assert 60 == int(answer.headers["Retry-After"])
    clock.advance(60)
    assert 200 == driver.post(path).status_code


def test_unlisted_for_a_while() -> None:
    """A new model and deployment can be missing from lists at first, when the timing says so."""
    clock = Clock()
    with Sandbox(clock=clock, timing=Timing(unlisted=1.0)) as sandbox:
        driver = Driver(sandbox)
        created = driver.push()
        assert [] == driver.api.get_models().models
        assert [] == driver.api.get_models_deployments(model_id=created.model.id).deployments
        clock.advance(1)
        assert 1 == len(driver.api.get_models().models)
        assert 1 == len(driver.api.get_models_deployments(model_id=created.model.id).deployments)
        driver.close()


class TestLogs:
    """Paging by milliseconds through lines that share milliseconds."""

    def read(self, driver: Driver, deployment: sdk.Deployment, **params: object) -> list[sdk.Log]:
        """One page of the log."""
        return driver.api.get_models_deployments_logs(
            model_id=deployment.model_id,
            deployment_id=deployment.id,
            params=sdk.GetModelsDeploymentsLogsParams.model_validate(params),
        ).logs

    def test_lines_come_with_the_states(self, driver: Driver, clock: Clock) -> None:
        """Lines appear when their state is reached, newest first unless asked otherwise."""
        created = driver.push()
        clock.advance(0.5)
        assert not any("load()" in line.message for line in self.read(driver, created.deployment))
        clock.advance(2)
        up = self.read(driver, created.deployment, direction="asc")
        down = self.read(driver, created.deployment)
        assert "Model is ready to serve" in [line.message for line in up]
        assert [line.timestamp for line in up] == sorted(line.timestamp for line in up)
        assert [line.timestamp for line in down] == sorted((line.timestamp for line in down), reverse=True)
        assert None is up[0].replica
        assert up[-1].replica
        assert "INFO" == up[-1].level

    def test_many_lines_share_a_millisecond(self, driver: Driver, clock: Clock) -> None:
        """A page can end within a millisecond, and within a nanosecond."""
        created = driver.push()
        clock.advance(0.5)
        stamps = [line.timestamp for line in self.read(driver, created.deployment)]
        assert len(stamps) > len(set(stamps)) > len({stamp[:-6] for stamp in stamps})

    def test_limit_and_window(self, driver: Driver, clock: Clock) -> None:
        """Pages have at most `limit` lines, of the window that was asked for, whose ends belong to it."""
        created = driver.push(config={"environment_variables": {"SANDBOX_LOG_LINES": 2500}})
        clock.advance(5)
        page = self.read(driver, created.deployment, direction="asc", limit=1000)
        assert 1000 == len(page)
        last = int(page[-1].timestamp) // 1_000_000
        following = self.read(driver, created.deployment, direction="asc", limit=1000, start_epoch_millis=last)
        assert page[-1] in following
        assert int(following[0].timestamp) // 1_000_000 == last
        before = self.read(driver, created.deployment, direction="asc", limit=1000, end_epoch_millis=last)
        assert before[:500] == page[:500]

    @pytest.mark.parametrize(
        ("query", "status"),
        [
            ("limit=1001", 422),
            ("limit=0", 422),
            ("page=2", 422),
            ("direction=up", 400),
            ("min_level=LOUD", 400),
            ("search_pattern=(", 400),
            ("start_epoch_millis=2000&end_epoch_millis=1000", 400),
            ("start_epoch_millis=0&end_epoch_millis=1000000000", 400),
        ],
    )
    def test_query_is_checked(self, driver: Driver, clock: Clock, query: str, status: int) -> None:
        """Wrong limits, windows and parameters are refused."""
        created = driver.push()
        clock.advance(1)
        path = f"/v1/models/{created.model.id}/deployments/{created.deployment.id}/logs"
        assert status == driver.http.get(f"{path}?{query}").status_code

    def test_added_lines_and_filters(self, sandbox: Sandbox, driver: Driver, clock: Clock) -> None:
        """A test can add any text; the filters of the API apply to it. The older POST answers the same."""
        created = driver.push()
        sandbox.logs.add(created.deployment.id, "::error::not a command", level="WARNING", replica="abcde")
        clock.advance(1)
        wanted = {"min_level": "WARNING", "replica": "abcde", "includes": ["command"], "excludes": ["other"]}
        found = self.read(driver, created.deployment, **wanted, search_pattern="^::error")
        assert ["::error::not a command"] == [line.message for line in found]
        request = sdk.GetDeploymentLogsRequest.model_validate(wanted)
        where = {"model_id": created.model.id, "deployment_id": created.deployment.id}
        assert found == driver.api.post_models_deployments_logs(**where, request=request).logs
        assert [] == self.read(driver, created.deployment, request_id="x")


class TestTimelines:
    """The pure part, for any walk."""

    statuses = st.lists(
        st.tuples(st.sampled_from(["BUILDING", "ACTIVE", "UNHEALTHY", "FAILED", "NEW"]), st.floats(0, 10)), min_size=1
    )

    @given(statuses)
    def test_walk_is_in_order_and_keeps_its_last(self, statuses: list[tuple[str, float]]) -> None:
        """Steps never go back in time, and the last status stays."""
        timeline = lifecycle.walk(100.0, statuses, Timing())
        assert [step.at for step in timeline] == sorted(step.at for step in timeline)
        assert lifecycle.status_at(timeline, timeline[-1].at + 1e6) == statuses[-1][0]
        assert lifecycle.status_at(timeline, 0.0) == statuses[0][0]

    @given(statuses, st.floats(0, 100))
    def test_settled_is_live_or_failed(self, statuses: list[tuple[str, float]], after: float) -> None:
        """What `settles` finds is in the future and is an end, or there is none."""
        timeline = lifecycle.walk(100.0, statuses, Timing())
        found = lifecycle.settles(timeline, 100.0 + after)
        if found is not None:
            assert found.at >= 100.0 + after
            assert found.status in lifecycle.LIVE | lifecycle.FAILED

    @given(statuses, st.floats(0, 100))
    def test_deactivation_ends_every_walk(self, statuses: list[tuple[str, float]], after: float) -> None:
        """Whatever was ahead, a deactivated deployment ends INACTIVE."""
        timeline = lifecycle.walk(100.0, statuses, Timing())
        ended = lifecycle.deactivated(timeline, 100.0 + after, Timing())
        assert "INACTIVE" == lifecycle.status_at(ended, 1e9)
        assert all(isinstance(step, Step) for step in ended)

    def test_ended_promotions_are_the_documented_ones(self) -> None:
        """The statuses that end a promotion, as the SDK lists them."""
        assert {"SUCCEEDED", "FAILED", "CANCELED"} == promotions.ENDED
