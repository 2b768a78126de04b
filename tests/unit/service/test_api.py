"""The management API's calls: what each sends, what it takes for an answer, and what it does not."""

import json

import httpx
import pytest
from transport import TRANSIENT, Script, make_api

from baseten_deploy.service.answers import (
    Credentials,
    Deployment,
    Environment,
    LogLine,
    Model,
    Promoted,
    Promotion,
    Retry,
    Secret,
    StoredConfig,
    Team,
    UploadTarget,
)
from baseten_deploy.service.http import HttpError
from baseten_deploy.service.instance_types import InstanceType, PricedInstanceType
from baseten_deploy.service.retry import Fault

MODEL = {"id": "m1", "name": "bert", "team_name": "Core", "production_deployment_id": "d0", "new_field": [1]}
DEPLOYMENT = {
    "id": "d1",
    "name": "pr-7",
    "status": "BUILDING",
    "environment": None,
    "labels": {"deploy-key": "k"},
    "is_development": False,
    "created_at": "2026-01-01T00:00:00Z",
    "autoscaling_settings": None,
}
ENVIRONMENT = {
    "name": "staging",
    "current_deployment": DEPLOYMENT,
    "candidate_deployment": {**DEPLOYMENT, "id": "d2"},
    "in_progress_promotion": {"status": "RAMPING_UP", "percent_traffic_to_new_version": 40, "error_message": None},
    "autoscaling_settings": {"min_replica": 1},
    "promotion_settings": None,
}
CREDENTIALS = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "aws_session_token": "c"}
TARGET = {"creds": CREDENTIALS, "s3_bucket": "bucket", "s3_key": "key", "s3_region": "us-west-2"}
DEPLOYED = Deployment("d1", "pr-7", "BUILDING", "", {"deploy-key": "k"}, created_at="2026-01-01T00:00:00Z")

# Each call, what it sends, a good answer, and what it makes of it.
SETTINGS = {
    f"{name}_settings": {}
    for name in ("autoscaling", "promotion", "request_backpressure", "autoscaling_schedule", "traffic_routing")
}
PROMOTED = {"event_type": "MODEL_DEPLOYMENT_PROMOTED", "deployment_id": "d1", "environment_name": "prod"}
CANCELLED = {**PROMOTED, "event_type": "MODEL_PROMOTION_CONTROL_ACTION", "action": "FORCE_CANCEL"}
PAUSED = {**CANCELLED, "action": "PAUSE"}
AUDIT = {
    "items": [{"event_data": event} for event in (PAUSED, CANCELLED, PROMOTED)],
    "pagination": {"has_more": True, "cursor": "next"},
}
MACHINE = {"id": "A10Gx4x16", "name": "A10G:4x16", "memory_limit_mib": 16384, "millicpu_limit": 4000}
GPU = {"gpu_count": 1, "gpu_type": "A10G", "gpu_memory_limit_mib": 24576}
NO_GPU = {"gpu_count": 0, "gpu_type": None, "gpu_memory_limit_mib": None}
CALLS = [
    (
        lambda api: api.instance_type_prices(),
        "GET /v1/instance_type_prices",
        {
            "instance_types": [
                {"instance_type": MACHINE | GPU, "price": 0.02},
                {"instance_type": MACHINE | NO_GPU, "price": 1},
            ]
        },
        [
            PricedInstanceType(InstanceType("A10Gx4x16", "A10G:4x16", 16384, 4000, "A10G", 1), 0.02),
            PricedInstanceType(InstanceType("A10Gx4x16", "A10G:4x16", 16384, 4000), 1.0),
        ],
    ),
    (
        lambda api: api.secrets(),
        "GET /v1/secrets",
        {"secrets": [{"id": "s", "created_at": "t", "name": "hf", "team_name": "Core"}, {"name": "x"}]},
        [Secret("hf", "Core"), Secret("x")],
    ),
    (lambda api: api.secrets("t/1"), "GET /v1/teams/t%2F1/secrets", {"secrets": []}, []),
    (lambda api: api.models(), "GET /v1/models", {"models": [MODEL]}, [Model("m1", "bert", "Core", "d0")]),
    (lambda api: api.models("t1"), "GET /v1/teams/t1/models", {"models": []}, []),
    (
        lambda api: api.teams(),
        "GET /v1/teams",
        {"teams": [{"id": "t", "name": "Core"}, {"id": "u", "name": "Ops", "default": True}]},
        [Team("t", "Core"), Team("u", "Ops", default=True)],
    ),
    (
        lambda api: api.models_named("bert"),
        "GET /v1/models?name=bert",
        {"models": [MODEL, {**MODEL, "name": "bert2"}]},
        [Model("m1", "bert", "Core", "d0")],
    ),
    (
        lambda api: api.models_named("b&t", "t/1"),
        "GET /v1/teams/t%2F1/models?name=b%26t",
        {"models": []},
        [],
    ),
    (lambda api: api.model("m1"), "GET /v1/models/m1", MODEL, Model("m1", "bert", "Core", "d0")),
    (
        lambda api: api.prepare({"name": "bert"}),
        "POST /v1/prepare_model_upload",
        TARGET,
        UploadTarget("bucket", "key", "us-west-2", Credentials("a", "b", "c")),
    ),
    (
        lambda api: api.prepare({"name": "bert"}),
        "POST /v1/prepare_model_upload",
        {"creds": None, "s3_bucket": None, "s3_key": None, "s3_region": None},
        None,
    ),
    (
        lambda api: api.create_model({"kind": "model_archive"}),
        "POST /v1/models",
        {"model": MODEL, "deployment": DEPLOYMENT},
        (Model("m1", "bert", "Core", "d0"), DEPLOYED),
    ),
    (
        lambda api: api.create_model({"kind": "model_archive"}, "t1"),
        "POST /v1/teams/t1/models",
        {"model": MODEL, "deployment": DEPLOYMENT},
        (Model("m1", "bert", "Core", "d0"), DEPLOYED),
    ),
    (
        lambda api: api.create_deployment("m1", {"kind": "model_archive"}),
        "POST /v1/models/m1/deployments",
        {"model": MODEL, "deployment": DEPLOYMENT},
        (Model("m1", "bert", "Core", "d0"), DEPLOYED),
    ),
    (lambda api: api.deployment("m1", "d1"), "GET /v1/models/m1/deployments/d1", DEPLOYMENT, DEPLOYED),
    (
        lambda api: api.deployments("m1"),
        "GET /v1/models/m1/deployments",
        {"deployments": [DEPLOYMENT]},
        [DEPLOYED],
    ),
    (
        lambda api: api.stored_config("m1", "d1"),
        "GET /v1/models/m1/deployments/d1/config?output_format=both",
        {"config": {"a": 1}, "raw_config": "a: 1"},
        StoredConfig({"a": 1}, "a: 1"),
    ),
    (
        lambda api: api.environments("m1"),
        "GET /v1/models/m1/environments",
        {"environments": [{"name": "production", "current_deployment": None}]},
        [Environment("production", settings=SETTINGS)],
    ),
    (
        lambda api: api.environment("m1", "staging"),
        "GET /v1/models/m1/environments/staging",
        ENVIRONMENT,
        Environment(
            "staging",
            DEPLOYED,
            Deployment("d2", "pr-7", "BUILDING", "", {"deploy-key": "k"}, created_at="2026-01-01T00:00:00Z"),
            Promotion("RAMPING_UP", 40),
            {**SETTINGS, "autoscaling_settings": {"min_replica": 1}},
        ),
    ),
    (
        lambda api: api.promote("m1", "staging", {"deployment_id": "d1"}),
        "POST /v1/models/m1/environments/staging/promote",
        {**DEPLOYMENT, "id": "copy"},
        Deployment("copy", "pr-7", "BUILDING", "", {"deploy-key": "k"}, created_at="2026-01-01T00:00:00Z"),
    ),
    (
        lambda api: api.logs("m1", "d1", 123, 1000),
        "GET /v1/models/m1/deployments/d1/logs?start_epoch_millis=123&direction=asc&limit=1000",
        {"logs": [{"timestamp": "1700000000123456789", "message": "hi", "replica": None, "level": None}]},
        [LogLine(1700000000123456789, "hi")],
    ),
    (
        lambda api: api.create_environment("m1", "staging", {}),
        "POST /v1/models/m1/environments",
        ENVIRONMENT,
        None,
    ),
    (
        lambda api: api.update_environment("m1", "a b", {}),
        "PATCH /v1/models/m1/environments/a%20b",
        {},
        None,
    ),
    (
        lambda api: api.cancel_promotion("m1", "a b"),
        "POST /v1/models/m1/environments/a%20b/cancel_promotion",
        {},
        None,
    ),
    (
        lambda api: api.promotions("m1", "prod"),
        "GET /v1/models/m1/audit_logs?event_type_groups=PROMOTED&environment_names=prod&limit=100",
        AUDIT,
        ([Promoted("d1", "prod", cancelled=True), Promoted("d1", "prod")], "next"),
    ),
    (
        lambda api: api.promotions("m1", "prod", "c1"),
        "GET /v1/models/m1/audit_logs?event_type_groups=PROMOTED&environment_names=prod&limit=100&cursor=c1",
        {"items": [], "pagination": {"has_more": False, "cursor": "c2"}},
        ([], ""),
    ),
    (
        lambda api: api.retry_deployment("m1", "d1"),
        "POST /v1/models/m1/deployments/d1/retry",
        {"retried": False, "reason": "no capacity", "deployment": DEPLOYMENT},
        Retry(False, "no capacity", DEPLOYED),
    ),
    (lambda api: api.activate("m1", "d1"), "POST /v1/models/m1/deployments/d1/activate", {}, None),
    (
        lambda api: api.update_autoscaling("m1", "d1", {"min_replica": 0}),
        "PATCH /v1/models/m1/deployments/d1/autoscaling_settings",
        {},
        None,
    ),
    (lambda api: api.deactivate("m1", "d1"), "POST /v1/models/m1/deployments/d1/deactivate", {}, False),
    (lambda api: api.delete_deployment("m1", "d1"), "DELETE /v1/models/m1/deployments/d1", {}, False),
]
NAMED = pytest.mark.parametrize(("call", "sent", "answer", "result"), CALLS, ids=[case[1] for case in CALLS])
# What must never be sent twice without a look in between.
ONCE = {
    "POST /v1/models",
    "POST /v1/teams/t1/models",
    "POST /v1/models/m1/deployments",
    "POST /v1/models/m1/environments",
    "POST /v1/models/m1/environments/staging/promote",
    "POST /v1/models/m1/environments/a%20b/cancel_promotion",
    "POST /v1/models/m1/deployments/d1/retry",
    "PATCH /v1/models/m1/environments/a%20b",
}
# Asked again by who asks for them, in time.
POLLED = {"GET /v1/models/m1/deployments/d1/logs?start_epoch_millis=123&direction=asc&limit=1000"}
# Their answers say nothing that anybody needs.
UNREAD = {"POST /v1/models/m1/environments", "PATCH /v1/models/m1/environments/a%20b"} | {
    sent for _, sent, answer, _ in CALLS if answer == {}
}


def raw(request):
    """The request line."""
    return f"{request.method} {request.url.raw_path.decode()}"


class TestCalls:
    """All of them, by one table."""

    @NAMED
    def test_sends_and_reads(self, call, sent, answer, result):
        """The documented path, and the answer's fields; what is new in it is left alone."""
        script = Script(httpx.Response(200, json=answer))
        assert result == call(make_api(script))
        assert [sent] == [raw(request) for request in script.requests]

    @NAMED
    @pytest.mark.parametrize("fault", [fault for fault in TRANSIENT if not fault.acts], ids=str)
    def test_only_what_may_be_sent_twice_is(self, call, sent, answer, result, fault):
        """After any transient failure, what is harmless twice is tried again, the rest is not."""
        readable = {"wrong shape", "empty answer"}
        if fault.name in readable:
            return  # a JSON object: whether it is the expected one is known when nothing more is sent
        broken = lambda request: fault.fail(request, httpx.Response(200, json=answer))  # noqa: E731
        script = Script(broken, httpx.Response(200, json=answer))
        api = make_api(script)
        if sent in ONCE | POLLED:
            with pytest.raises(HttpError):
                call(api)
            assert 1 == len(script.requests)
        else:
            assert result == call(api)
            assert 2 == len(script.requests)

    @pytest.mark.parametrize(("call", "sent"), [case[:2] for case in CALLS], ids=[case[1] for case in CALLS])
    @pytest.mark.parametrize(
        "wrong",
        [
            {"unexpected": True},
            {"model": None, "deployment": None, "deployments": None, "models": None, "teams": None, "logs": None},
            {"models": {}, "teams": 7, "deployments": "x", "environments": True, "logs": 3, "s3_key": "k", "config": 7},
            {"models": [1], "teams": [None], "deployments": [[]], "environments": ["a"], "logs": [{}], "s3_key": "k"},
            {"id": 7, "name": 7, "status": 7, "s3_key": "k", "creds": {}, "model": {"id": ""}, "config": [1]},
            {"id": "", "name": "", "status": "", "s3_key": "k", "creds": CREDENTIALS, "s3_bucket": 7},
        ],
        ids=range(6),
    )
    def test_a_wrong_shape_is_a_bad_answer(self, call, sent, wrong):
        """JSON that is not what the call answers never becomes a traceback, and never a wrong fact."""
        api = make_api(Script(httpx.Response(200, json=wrong)))
        if sent in UNREAD:
            assert not call(api)  # nothing was said, or nothing that this means
            return
        with pytest.raises(HttpError) as caught:
            call(api)
        assert Fault.BAD_ANSWER is caught.value.failure.fault

    @pytest.mark.parametrize("answer", [TARGET, {"s3_key": None}, {}])
    def test_a_dry_run_gives_no_target(self, answer):
        """Whatever it answers, nothing is uploaded after it."""
        assert make_api(Script(httpx.Response(200, json=answer))).prepare({"dry_run": True}) is None

    @pytest.mark.parametrize("text", ["", "{}", '{"creds": null}', '{"s3_key": ""}'])
    def test_only_a_null_means_that_no_archive_is_needed(self, text):
        """An answer that was lost on its way must not become a deployment without code."""
        with pytest.raises(HttpError):
            make_api(Script(httpx.Response(200, text=text))).prepare({"dry_run": False})

    def test_a_commit_is_what_was_given(self):
        """The body is the source, and nothing else."""
        script = Script(httpx.Response(200, json={"model": MODEL, "deployment": DEPLOYMENT}))
        make_api(script).create_deployment("m1", {"kind": "model_archive", "s3_key": "k"})
        assert {"source": {"kind": "model_archive", "s3_key": "k"}} == json.loads(script.requests[0].content)

    def test_an_environment_is_created_with_its_settings(self):
        """Name and settings side by side."""
        script = Script(httpx.Response(200, json={}))
        make_api(script).create_environment("m1", "staging", {"autoscaling_settings": {"min_replica": 1}})
        body = {"name": "staging", "autoscaling_settings": {"min_replica": 1}}
        assert body == json.loads(script.requests[0].content)

    def test_deleting_what_is_gone_is_fine(self):
        """An earlier try may have done it."""
        assert make_api(Script(httpx.Response(404, json={"error": "gone"}))).delete_deployment("m1", "d1")

    @pytest.mark.parametrize("status", [400, 403, 409])
    def test_deleting_may_be_refused(self, status):
        """Other refusals are errors."""
        with pytest.raises(HttpError):
            make_api(Script(httpx.Response(status))).delete_deployment("m1", "d1")

    def test_credentials_are_in_no_repr(self):
        """They travel through tracebacks otherwise."""
        target = make_api(Script(httpx.Response(200, json=TARGET))).prepare({})
        assert "Credentials()" in repr(target)


class TestOptionalFields:
    """What the run can do without does not stop it."""

    @pytest.mark.parametrize("value", [None, "", 7, [], {}])
    @pytest.mark.parametrize("name", ["name", "environment", "created_at"])
    def test_of_a_deployment(self, name, value):
        """Missing, null or of another type: unknown."""
        row = {**DEPLOYMENT, name: value}
        deployment = make_api(Script(httpx.Response(200, json=row))).deployment("m1", "d1")
        assert "" == getattr(deployment, name)

    def test_of_a_team(self):
        """One without a name can still be given by its id."""
        teams = make_api(Script(httpx.Response(200, json={"teams": [{"id": "t", "name": None}]}))).teams()
        assert [Team("t", "")] == teams

    @pytest.mark.parametrize("labels", [None, {}, False])
    def test_no_labels(self, labels):
        """The API has null for none."""
        row = {**DEPLOYMENT, "labels": labels}
        assert {} == make_api(Script(httpx.Response(200, json=row))).deployment("m1", "d1").labels

    @pytest.mark.parametrize("labels", ["text", [1], 7])
    def test_labels_that_are_none(self, labels):
        """Something else than an object is no answer, not a crash when the deploy key is looked for."""
        row = {**DEPLOYMENT, "labels": labels}
        with pytest.raises(HttpError):
            make_api(Script(httpx.Response(200, json=row))).deployment("m1", "d1")

    def test_a_status_that_nobody_knows_yet(self):
        """The API grows."""
        row = {**DEPLOYMENT, "status": "HATCHING"}
        assert "HATCHING" == make_api(Script(httpx.Response(200, json=row))).deployment("m1", "d1").status

    @pytest.mark.parametrize("percent", ["NaN", "1e999", '"half"', "[]"])
    def test_a_percentage_that_is_none(self, percent):
        """JSON as Python reads it has numbers that are none."""
        text = json.dumps({**ENVIRONMENT, "in_progress_promotion": {"status": "X"}})
        text = text.replace('"X"', f'"X", "percent_traffic_to_new_version": {percent}')
        if percent == "[]":
            assert make_api(Script(httpx.Response(200, text=text))).environment("m1", "staging").promotion.percent == 0
            return
        with pytest.raises(HttpError):
            make_api(Script(httpx.Response(200, text=text))).environment("m1", "staging")

    @pytest.mark.parametrize(
        ("row", "line"),
        [
            ({"timestamp": "5", "message": None}, LogLine(5, "")),
            ({"timestamp": 5, "message": 7}, LogLine(5, "7")),
            ({"timestamp": "5", "message": "a", "replica": {}, "level": ["x"]}, LogLine(5, "a")),
            ({"timestamp": "5", "message": "a", "replica": "r", "level": "ERROR"}, LogLine(5, "a", "r", "ERROR")),
        ],
    )
    def test_of_a_log_line(self, row, line):
        """A log is shown as far as it can be."""
        logs = make_api(Script(httpx.Response(200, json={"logs": [row]}))).logs("m1", "d1", 0, 10)
        assert [line] == logs
        assert 1 == len(set(logs))

    @pytest.mark.parametrize("timestamp", ["1e999", "null", '"yesterday"', "{}"])
    def test_a_log_line_without_a_time(self, timestamp):
        """It has no place in the order."""
        text = f'{{"logs": [{{"timestamp": {timestamp}, "message": "x"}}]}}'
        with pytest.raises(HttpError):
            make_api(Script(httpx.Response(200, text=text))).logs("m1", "d1", 0, 10)
