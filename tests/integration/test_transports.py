"""Trusses without a predict route against the sandbox, which has none for them either."""

import pytest

from baseten_sandbox import Answer

WEBSOCKET = "runtime: {transport: {kind: websocket}}\n"
GRPC = "runtime: {transport: {kind: grpc}}\n"
SERVER = (
    "base_image: {image: python:3.11}\n"
    "docker_server: {no_build: true, server_port: 8000, predict_endpoint: /v1/generate, readiness_endpoint: /health, "
    "liveness_endpoint: /health}\n"
)


def configure(job, text):
    """Add to the config of the Truss."""
    path = job.truss / "config.yaml"
    path.write_text(path.read_text() + text)


def asked(job):
    """Where the model was asked, in order."""
    return [r.path for r in job.sandbox.requests if "/predict" in r.path or "/sync/" in r.path]


@pytest.mark.parametrize(("text", "over"), [(WEBSOCKET, "a websocket"), (GRPC, "grpc")])
def test_what_cannot_be_asked_is_left_out(job, text, over):
    """Green, with a notice in log and summary; also with a payload, and in the environment it is promoted into."""
    configure(job, text)
    payload = '{"name": "x"}'
    result = job.run(promote_to="production", rollback_on_failure="true", predict_payload=payload)
    assert "success" == result.outputs["status"], result.log
    assert [] == asked(job)
    for page in (str(result.log), result.summary):
        assert f"No smoke test: the model is spoken to over {over} and has no predict route" in page


def test_an_own_server_is_asked_at_its_route(job):
    """Of the deployment first, of the environment after the promotion."""
    configure(job, SERVER)
    result = job.run(promote_to="production", rollback_on_failure="true", predict_payload='{"name": "x"}')
    assert "success" == result.outputs["status"], result.log
    deployment = result.outputs["deployment-id"]
    routes = [f"/deployment/{deployment}/sync/v1/generate", "/environments/production/sync/v1/generate"]
    assert routes == [path.removeprefix(f"/inference/model-{result.outputs['model-id']}") for path in asked(job)]


def test_its_failure_is_one(job):
    """The answer of its own route counts."""
    configure(job, SERVER)
    job.sandbox.answers.add(Answer(status=500, text="no"), path="/sync/v1/generate")
    assert "predict_failed" == job.run(predict_payload='{"name": "x"}').outputs["status"]


@pytest.mark.parametrize("payload", ["", '{"name": "x"}'])
def test_a_promotion_goes_by_the_config_that_was_deployed(job, payload):
    """`mode: promote` has no Truss."""
    configure(job, WEBSOCKET)
    deployed = job.run()
    result = job.run(
        mode="promote",
        model_id=deployed.outputs["model-id"],
        deployment_id=deployed.outputs["deployment-id"],
        environment="production",
        truss_directory="-",
        predict_payload=payload,
    )
    assert "success" == result.outputs["status"], result.log
    assert [] == asked(job)


def test_settings_of_the_deployment_count(job):
    """`deployment-settings` may change the config that is sent."""
    result = job.run(deployment_settings="config: {runtime: {transport: {kind: grpc}}}", predict_payload="{}")
    assert ("success", []) == (result.outputs["status"], asked(job)), result.log
