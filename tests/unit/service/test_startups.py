"""Starts of replicas off their answers, and what a summary of many says."""

import httpx
import pytest
from baseten.client import managementapi as sdk
from transport import Script, make_api

from baseten_deploy.service.http import HttpError
from baseten_deploy.service.startups import Medians, StartPhase, Startup

ATTEMPT = {
    "model_id": "model1",
    "deployment_id": "dep1",
    "deployment_name": "d",
    "environment_name": None,
    "replica_id": "r1",
    "started_at_epoch_millis": 1_000_000,
    "ready_at_epoch_millis": 1_042_500,
    "duration_ms": 42_500,
    "outcome": "SUCCESS",
    "phase_summary": [
        {"phase": "SCHEDULING", "status": "COMPLETED", "offset_ms": 0, "duration_ms": 2500},
        {"phase": "IMAGE_PULL", "status": "COMPLETED", "offset_ms": 2500, "duration_ms": 40_000},
    ],
}
STALLED = ATTEMPT | {
    "outcome": "STALLED",
    "ready_at_epoch_millis": None,
    "phase_summary": [{"phase": "WEIGHT_DOWNLOAD", "status": "FAILED", "offset_ms": 10, "duration_ms": None}],
}
PERCENTILES = {
    "sample_count": 3,
    **dict.fromkeys(("mean_ms", "p50_ms", "p90_ms", "p95_ms", "p99_ms"), 12_000),
}
NONE = {"sample_count": 0, **dict.fromkeys(("mean_ms", "p50_ms", "p90_ms", "p95_ms", "p99_ms"))}


def page(*items):
    """A page of attempts, which the SDK reads."""
    answer = {"items": list(items), "pagination": {"has_more": False, "cursor": None}, "total_count": len(items)}
    sdk.StartupAttempts.model_validate(answer, extra="forbid")
    return answer


def api(answer):
    """The API that answers so, and what it was asked."""
    script = Script(httpx.Response(200, json=answer))
    return make_api(script), script


def test_attempts():
    """Outcome, duration and phases, in seconds; a phase that did not finish has no duration."""
    client, script = api(page(ATTEMPT, STALLED))
    assert [
        Startup(
            "SUCCESS",
            42.5,
            1_000_000,
            1_042_500,
            (StartPhase("SCHEDULING", 0.0, 2.5), StartPhase("IMAGE_PULL", 2.5, 40.0)),
        ),
        Startup("STALLED", 42.5, 1_000_000, None, (StartPhase("WEIGHT_DOWNLOAD", 0.01, None, failed=True),)),
    ] == client.startups("model1", "dep1", 1, 2)
    query = dict(script.requests[0].url.params)
    sdk.GetModelsDeploymentsStartupsParams.model_validate(query, extra="forbid")
    assert "/v1/models/model1/deployments/dep1/startups" == script.requests[0].url.path


def test_medians():
    """Of the whole and of each phase; of what never happened there is none."""
    answer = {
        "start_epoch_millis": 1,
        "end_epoch_millis": 2,
        "total_duration_ms": PERCENTILES,
        "phase_duration_ms": [
            {"phase": "IMAGE_PULL", "duration_ms": PERCENTILES | {"p50_ms": 9000}},
            {"phase": "READINESS", "duration_ms": NONE},
        ],
    }
    sdk.StartupSummary.model_validate(answer, extra="forbid")
    client, script = api(answer)
    assert Medians(12.0, {"IMAGE_PULL": 9.0}) == client.startup_medians("model1", "dep1", 1, 2)
    query = dict(script.requests[0].url.params)
    sdk.GetModelsDeploymentsStartupsSummaryParams.model_validate(query, extra="forbid")


@pytest.mark.parametrize(
    "change",
    [
        {"outcome": None},
        {"outcome": "x" * 200},
        {"duration_ms": -1},
        {"duration_ms": "12"},
        {"duration_ms": True},
        {"phase_summary": None},
        {"phase_summary": [{"phase": "\x1b[31m", "duration_ms": 1}]},
        {"phase_summary": [{"phase": "READINESS", "offset_ms": float("1e30"), "duration_ms": 1}]},
    ],
    ids=str,
)
def test_odd_answers(change):
    """End in the error of the call."""
    client, _ = api({"items": [ATTEMPT | change]})
    with pytest.raises(HttpError):
        client.startups("model1", "dep1", 1, 2)
