"""The calls about Chains: what each sends, and what becomes of its answer; the SDK's models are the source of both."""

import json

import httpx
import pytest
from baseten.client import managementapi as sdk
from transport import Script, make_api

from baseten_deploy.service.answers import Chainlet, Deployment, Model, Promoted
from baseten_deploy.service.chain_answers import together
from baseten_deploy.service.chain_api import ChainApi
from baseten_deploy.service.http import HttpError
from baseten_deploy.service.retry import Fault

CHAINLET = {
    "id": "l1",
    "name": "Hello",
    "autoscaling_settings": None,
    "instance_type_name": "1x2",
    "active_replica_count": 2,
    "status": "ACTIVE",
}
DEPLOYMENT = {
    "id": "d1",
    "created_at": "2026-01-01T00:00:00Z",
    "chain_id": "c1",
    "environment": None,
    "chainlets": [CHAINLET, {**CHAINLET, "id": "l2", "name": "Rand", "status": "DEPLOYING"}],
    "status": "ACTIVE",
}
ENVIRONMENT = {
    "name": "staging",
    "created_at": "2026-01-01T00:00:00Z",
    "chain_id": "c1",
    "promotion_settings": {"redeploy_on_promotion": False},
    "chainlet_settings": [
        {
            "chainlet_name": "Hello",
            "autoscaling_settings": None,
            "instance_type": {
                "id": "1x2",
                "name": "1x2",
                "memory_limit_mib": 2048,
                "millicpu_limit": 1000,
                "gpu_count": 0,
                "gpu_type": None,
                "gpu_memory_limit_mib": None,
            },
        }
    ],
    "current_deployment": DEPLOYMENT,
    "candidate_deployment": None,
    "in_progress_promotion": None,
}
CHAIN = {"id": "c1", "created_at": "2026-01-01T00:00:00Z", "name": "Hello", "deployments_count": 1, "team_name": "Core"}
PROMOTED = {
    "event_type": "CHAIN_DEPLOYMENT_PROMOTED",
    "chain_id": "c1",
    "chain_name": "Hello",
    "chain_deployment_id": "d1",
    "chain_deployment_name": None,
    "environment_name": "staging",
    "environment_id": None,
}


def api_of(*answers):
    """A `ChainApi` and what it sends."""
    script = Script(
        *(answer if isinstance(answer, httpx.Response) else httpx.Response(200, json=answer) for answer in answers)
    )
    return ChainApi(make_api(script, deadline=1e9).http), script


def sent(script):
    """Method, target and body of each request."""
    return [
        (request.method, request.url.raw_path.decode(), json.loads(request.content) if request.content else None)
        for request in script.requests
    ]


def test_the_rows_here_are_the_sdks():
    """What stands above is what the official SDK reads."""
    sdk.ChainDeployment.model_validate(DEPLOYMENT)
    sdk.ChainEnvironment.model_validate(ENVIRONMENT)
    sdk.Chain.model_validate(CHAIN)
    sdk.AuditLogEventChainDeploymentPromoted.model_validate(PROMOTED)


def test_a_deployment_is_live_when_each_chainlet_is():
    """Its status is that of what is not live yet."""
    api, script = api_of(DEPLOYMENT)
    found = api.deployment("c1", "d1")
    assert ("DEPLOYING", ["ACTIVE", "DEPLOYING"]) == (found.status, [each.status for each in found.chainlets])
    assert Chainlet("l1", "Hello", "ACTIVE", 2, "1x2") == found.chainlets[0]
    assert [("GET", "/v1/chains/c1/deployments/d1", None)] == sent(script)
    assert found.chainlets == api.seen("d1")


@pytest.mark.parametrize(
    ("own", "others", "expected"),
    [
        ("ACTIVE", ["ACTIVE", "SCALED_TO_ZERO"], "ACTIVE"),
        ("ACTIVE", ["ACTIVE", "LOADING_MODEL"], "LOADING_MODEL"),
        ("BUILDING", ["ACTIVE"], "BUILDING"),
        ("DEPLOYING", ["ACTIVE", "BUILD_FAILED"], "BUILD_FAILED"),
        ("FAILED", ["ACTIVE"], "FAILED"),
        ("ACTIVE", ["UNHEALTHY", "DEPLOYING"], "UNHEALTHY"),
        ("UNHEALTHY", ["DEPLOY_FAILED"], "DEPLOY_FAILED"),
        ("ACTIVE", ["SOMETHING_NEW"], "SOMETHING_NEW"),
        ("ACTIVE", [], "ACTIVE"),
    ],
)
def test_together(own, others, expected):
    """A failure first, then what is unhealthy, then what is on its way."""
    assert expected == together(own, tuple(Chainlet(f"l{n}", "x", status) for n, status in enumerate(others)))


@pytest.mark.parametrize(
    "wrong",
    [
        {"chainlets": None},
        {"chainlets": {}},
        {"chainlets": [{}]},
        {"chainlets": [{**CHAINLET, "id": "../x"}]},
        {"chainlets": [{**CHAINLET, "status": 7}]},
        {"id": "d2"},
        {"chain_id": "c2"},
        {"status": None},
        {"environment": "Not A Name"},
    ],
)
def test_an_answer_that_is_none(wrong):
    """It is a bad answer, whatever it holds."""
    api, _ = api_of({**DEPLOYMENT, **wrong})
    with pytest.raises(HttpError) as caught:
        api.deployment("c1", "d1")
    assert Fault.BAD_ANSWER is caught.value.failure.fault


def test_chains_of_a_name():
    """The service filters by nothing: it is done here, a team's by the team's name."""
    other = {**CHAIN, "id": "c2", "team_name": "Ops"}
    api, script = api_of({"chains": [CHAIN, other, {**CHAIN, "id": "c3", "name": "Other"}]})
    assert [Model("c1", "Hello", "Core"), Model("c2", "Hello", "Ops")] == api.models_named("Hello")
    assert [("GET", "/v1/chains", None)] == sent(script)
    api, _ = api_of({"chains": [CHAIN, other]}, {"teams": [{"id": "t1", "name": "Ops"}, {"id": "t2", "name": "Core"}]})
    assert [Model("c2", "Hello", "Ops")] == api.models_named("Hello", "t1")


def test_environments():
    """What serves, and the settings in the words of the input."""
    api, script = api_of({"environments": [ENVIRONMENT, {"name": "production", "current_deployment": None}]})
    staging, production = api.environments("c1")
    assert ("d1", None) == (staging.current.id if staging.current else "", production.current)
    assert [{"chainlet_name": "Hello", "autoscaling_settings": None, "instance_type_id": "1x2"}] == staging.settings[
        "chainlet_settings"
    ]
    assert [("GET", "/v1/chains/c1/environments", None)] == sent(script)


def test_a_promotion_says_what_the_service_takes():
    """And no more: the settings of a model's promotion are no field of a Chain's."""
    api, script = api_of({**DEPLOYMENT, "id": "d2"})
    body = {"deployment_id": "d1", "scale_down_previous_deployment": False, "preserve_env_instance_type": True}
    assert "d2" == api.promote("c1", "staging", body).id
    wanted = {"deployment_id": "d1", "scale_down_previous_deployment": False}
    assert [("POST", "/v1/chains/c1/environments/staging/promote", wanted)] == sent(script)
    sdk.PromoteToChainEnvironmentRequest.model_validate(wanted, extra="forbid")


def test_each_group_of_settings_has_its_call():
    """In the shapes of the SDK."""
    api, script = api_of({"ok": True})
    settings = {
        "promotion_settings": {"redeploy_on_promotion": True},
        "chainlet_settings": [
            {"chainlet_name": "Hello", "autoscaling_settings": {"max_replica": 3}},
            {"chainlet_name": "Rand", "instance_type_id": "1x4"},
        ],
    }
    api.update_environment("c1", "staging", settings)
    path = "/v1/chains/c1/environments/staging"
    bodies = {f"{method} {target}": body for method, target, body in sent(script)}
    assert [
        f"PATCH {path}",
        f"PATCH {path}/chainlet_settings/autoscaling_settings",
        f"POST {path}/chainlet_settings/instance_types/update",
    ] == list(bodies)
    first, second, third = bodies.values()
    sdk.UpdateChainEnvironmentRequest.model_validate(first, extra="forbid")
    sdk.UpdateChainletEnvironmentAutoscalingSettingsRequest.model_validate(second, extra="forbid")
    sdk.UpdateChainletEnvironmentInstanceTypeRequest.model_validate(third, extra="forbid")
    assert {"updates": [{"chainlet_name": "Hello", "autoscaling_settings": {"max_replica": 3}}]} == second


def test_promotions():
    """Entries of other kinds are left out."""
    other = {**PROMOTED, "event_type": "CHAIN_DEPLOYED"}
    api, script = api_of(
        {"items": [{"event_data": other}, {"event_data": PROMOTED}], "pagination": {"has_more": False}}
    )
    assert ([Promoted("d1", "staging")], "") == api.promotions("c1", "staging")
    assert sent(script)[0][1].startswith(
        "/v1/chains/c1/audit_logs?event_type_groups=PROMOTED&environment_names=staging"
    )


def log(*rows):
    """A page of a log."""
    return {"logs": [{"timestamp": str(time), "message": text, "replica": None, "level": None} for time, text in rows]}


def test_the_log_is_that_of_all_chainlets():
    """By time, each line with its chainlet."""
    api, script = api_of(DEPLOYMENT, log((1, "a"), (4, "d")), log((2, "b"), (3, "c")))
    lines = api.logs("c1", "d1", 0, 1000)
    assert ["Hello: a", "Rand: b", "Rand: c", "Hello: d"] == [line.message for line in lines]
    assert ["/v1/chains/c1/deployments/d1/chainlets/l1/logs", "/v1/chains/c1/deployments/d1/chainlets/l2/logs"] == [
        target.partition("?")[0] for _, target, _ in sent(script)[1:]
    ]


def test_a_full_page_holds_the_others_back():
    """What comes after its last line is not all there yet; and the answer looks full, so that reading goes on."""
    api, _ = api_of(DEPLOYMENT, log((1, "a"), (3, "c")), log((2, "b"), (9, "later")))
    page = api.logs("c1", "d1", 0, 2)
    assert ["Hello: a", "Rand: b", "Hello: c"] == [line.message for line in page]


@pytest.mark.parametrize(
    "call",
    [
        lambda api: api.activate("c1", "d1"),
        lambda api: api.cancel_promotion("c1", "staging"),
        lambda api: api.update_autoscaling("c1", "d1", {}),
    ],
)
def test_what_there_is_no_call_for(call):
    """It is refused without a request, once and for all."""
    api, script = api_of({})
    with pytest.raises(HttpError) as caught:
        call(api)
    assert (Fault.BARRED, False) == (caught.value.failure.fault, caught.value.failure.transient)
    assert [] == script.requests


def test_retiring():
    """The answers say what was done, as a model's do."""
    api, script = api_of({"success": True}, {"id": "d1", "deleted": True, "chain_id": "c1"})
    assert api.deactivate("c1", "d1")
    assert api.delete_deployment("c1", "d1")
    assert [
        ("POST", "/v1/chains/c1/deployments/d1/deactivate", None),
        ("DELETE", "/v1/chains/c1/deployments/d1", None),
    ] == sent(script)


def test_a_promotion_without_chainlets():
    """Within other answers they may be left out."""
    row = {name: value for name, value in DEPLOYMENT.items() if name != "chainlets"}
    api, _ = api_of(row)
    assert Deployment("d1", "", "ACTIVE", created_at="2026-01-01T00:00:00Z") == api.promote("c1", "staging", {})
