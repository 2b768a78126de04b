"""The straight path, from inputs to outputs, driven from outside against the strict sandbox.

The sandbox validates every request with the official SDK's models, unknown fields forbidden, and accepts a commit only
with exactly the payload that was prepared and an object that was uploaded with the issued credentials.
"""

import gzip
import io
import json
import tarfile

import pytest
from trees import write_tree

from baseten_sandbox import Answer
from workflow_events import HEAD_SHA, pull_request

HOSTILE_AWS = {
    "AWS_ACCESS_KEY_ID": "AKIAHOSTILE",
    "AWS_SECRET_ACCESS_KEY": "hostile-secret",
    "AWS_SESSION_TOKEN": "hostile-token",
    "AWS_PROFILE": "missing",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9",
    "AWS_CA_BUNDLE": "/nonexistent",
    "AWS_REGION": "mars-1",
    "AWS_DEFAULT_REGION": "mars-1",
    "AWS_USE_FIPS_ENDPOINT": "true",
    "AWS_CONFIG_FILE": "/nonexistent",
}


def prepared(job):
    """The bodies of all prepares."""
    return [r.json for r in job.sandbox.requests if r.path == "/v1/prepare_model_upload"]


def archived(job, index=-1):
    """The files of an uploaded archive by name."""
    data = job.sandbox.object(job.sandbox.bucket, job.sandbox.objects()[index])
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}


def configure(job, **changes):
    """Add top-level keys to the Truss's config.yaml, as JSON, which is YAML."""
    path = job.truss / "config.yaml"
    lines = [f"{name}: {json.dumps(value)}" for name, value in changes.items()]
    path.write_text("\n".join([path.read_text().rstrip(), *lines, ""]))


def test_a_new_model(job):
    """A Truss without a model creates it; ids, URLs, archive facts and the answer are outputs."""
    result = job.run(predict_expect="/world/")
    assert "success" == result.outcome, result.log
    outputs = result.outputs
    model, deployment = outputs["model-id"], outputs["deployment-id"]
    assert ("success", "true", "hello-truss") == tuple(outputs[n] for n in ("status", "model-created", "model-name"))
    assert f"https://app.baseten.co/models/{model}/logs/{deployment}" == outputs["logs-url"]
    assert outputs["predict-url"].endswith(f"/model-{model}/deployment/{deployment}/predict")
    assert "ACTIVE" == outputs["deployment-status"]
    assert json.loads(outputs["result"]) == {k: v for k, v in outputs.items() if k != "result"}
    assert {"config.yaml", "model/model.py"} <= set(archived(job))
    assert "✅" in result.summary
    assert deployment in result.summary
    last = [f"Endpoint: {outputs['predict-url']}", f"Logs: {outputs['logs-url']}", "Status: success"]
    assert last == [line.text for line in result.log.lines][-3:]


def test_a_second_deployment_goes_to_the_same_model(job):
    """A name that a model has adds a deployment to it."""
    first = job.run()
    (job.truss / "model" / "extra.py").write_text("X = 1\n")
    second = job.run()
    assert ("success", "false") == (second.outputs["status"], second.outputs["model-created"])
    assert first.outputs["model-id"] == second.outputs["model-id"]
    assert first.outputs["deployment-id"] != second.outputs["deployment-id"]
    assert first.outputs["content-digest"] != second.outputs["content-digest"]


def test_the_payload_is_the_same_three_times(job):
    """Dry run, prepare and commit carry the same deployment payload; only the prices are asked for beside them."""
    job.run(wait="false")
    dry, real = prepared(job)
    commit = next(r.json for r in job.sandbox.requests if r.path == "/v1/models" and r.method == "POST")
    assert dry["deployment"] == real["deployment"] == commit["source"]["deployment"]
    assert (True, False) == (dry["dry_run"], real["dry_run"])
    beside = "GET /v1/instance_type_prices"
    assert ["GET /v1/models", "POST /v1/prepare_model_upload", "POST /v1/prepare_model_upload", "POST /v1/models"] == [
        call for call in job.sent() if call != beside
    ]
    assert 1 == job.sent().count(beside)


def test_git_facts_and_labels(job):
    """Labels say where it came from, `labels` wins over git's, the two of the action win over all."""
    job.run(labels="{git-ref: mine, team: ml, deploy-key: stolen}", wait="false")
    labels = prepared(job)[0]["deployment"]["labels"]
    assert ("mine", "ml", "octo-org/models", "1000000001") == tuple(
        labels[n] for n in ("git-ref", "team", "github-repository", "github-run")
    )
    assert "stolen" != labels["deploy-key"]
    assert 64 == len(labels["content-digest"])


def test_a_pull_request_is_named_by_its_head(job):
    """On a pull request the deployment is named by number and head commit, never by the merge commit."""
    result = job.on(pull_request(12)).run(wait="false")
    payload = prepared(job)[0]["deployment"]
    assert f"PR-12_{HEAD_SHA[:7]}" == payload["deployment_name"] == result.outputs["deployment-name"]
    assert (HEAD_SHA, "12") == (payload["labels"]["git-sha"], payload["labels"]["github-pr"])
    assert HEAD_SHA == payload["user_env"]["git_info"]["latest_commit_sha"]


def test_without_git_info(job):
    """`include-git-info: false` sends neither `user_env` nor git's labels."""
    job.run(include_git_info="false", wait="false")
    payload = prepared(job)[0]["deployment"]
    assert "user_env" not in payload
    assert {"deploy-key", "content-digest"} == set(payload["labels"])


def test_hostile_aws_variables_are_ignored(job):
    """The upload uses the issued credentials and endpoint, whatever the job's environment says."""
    result = job.run(HOSTILE_AWS)
    assert "success" == result.outputs["status"], result.log


def test_outputs_are_there_before_the_wait(job):
    """While the deployment is still being built, ids and URLs are in the outputs file already."""
    job.sandbox.state.plan_next_deployment([("BUILDING", 60.0)])
    step = job.start(wait_timeout_minutes="0.05")
    result = step.wait(60)
    assert ("deploy_timeout", "BUILDING", 1) == (
        result.outputs["status"],
        result.outputs["deployment-status"],
        result.exit_code,
    )
    assert result.outputs["deployment-id"]
    assert not any(r.method == "DELETE" or r.path.endswith("/deactivate") for r in job.sandbox.requests)


def test_the_archive_is_reproducible(job):
    """The same content gives the same bytes and the same digest."""
    first, second = job.run(wait="false"), job.run(wait="false")
    assert first.outputs["archive-sha256"] == second.outputs["archive-sha256"]
    assert first.outputs["content-digest"] == second.outputs["content-digest"]


def test_the_config_input(job):
    """Another config file is used, and packed, as config.yaml."""
    other = (job.truss / "config.yaml").read_text().replace("hello-truss", "hello-other")
    (job.truss / "other.yaml").write_text(other)
    result = job.run(config="other.yaml", wait="false")
    assert "hello-other" == result.outputs["model-name"]
    assert other.encode() == archived(job)["config.yaml"]
    assert other == prepared(job)[0]["deployment"]["raw_config"]


def test_the_name_override_is_only_sent(job):
    """`model-name` is in the sent config and not in the archived one."""
    job.run(model_name="renamed", wait="false")
    assert "renamed" == prepared(job)[0]["deployment"]["config"]["model_name"]
    assert (job.truss / "config.yaml").read_bytes() == archived(job)["config.yaml"]


def test_by_model_id(job):
    """`model-id` adds a deployment to exactly this model."""
    model = job.run(wait="false").outputs["model-id"]
    job.sandbox.clear_requests()
    result = job.run(model_id=model, wait="false")
    assert (model, "false") == (result.outputs["model-id"], result.outputs["model-created"])
    assert model == prepared(job)[0]["model_id"]


def test_development(job):
    """The development slot has neither name nor environment, and its own predict URL."""
    result = job.run(development="true")
    payload = prepared(job)[0]["deployment"]
    assert payload["is_development"]
    assert not {"deployment_name", "environment_name", "preserve_env_instance_type"} & set(payload)
    assert result.outputs["predict-url"].endswith("/development/predict")
    assert "success" == result.outputs["status"], result.log


def test_a_library_listing(job):
    """A listing creates a model without an archive."""
    result = job.run(library_listing="acme/llama", model_name="from-library", truss_directory="-")
    assert "success" == result.outputs["status"], result.log
    source = next(r.json["source"] for r in job.sandbox.requests if r.method == "POST" and r.path == "/v1/models")
    assert {
        "kind": "library_listing",
        "lab_display_name": "acme",
        "user_defined_listing_id": "llama",
        "deployed_model_name": "from-library",
    } == source
    assert [] == job.sandbox.objects()


def test_a_format_without_an_archive(job):
    """Where prepare issues no target, nothing is uploaded and the commit has no key."""
    configure(job, bis_llm={"model": "x"})
    result = job.run(wait="false")
    assert "success" == result.outputs["status"], result.log
    assert [] == job.sandbox.objects()
    source = next(r.json["source"] for r in job.sandbox.requests if r.method == "POST" and r.path == "/v1/models")
    assert "s3_key" not in source


def test_deployment_settings_are_merged(job):
    """Fields newer than the action reach the payload."""
    settings = "{region: us-east, autoscaling_settings: {max_replica: 3}, instance_type_id: L4x4}"
    job.run(deployment_settings=settings, wait="false")
    payload = prepared(job)[0]["deployment"]
    assert ("us-east", {"max_replica": 3}, "L4x4", False) == (
        payload["region"],
        payload["autoscaling_settings"],
        payload["instance_type_id"],
        payload["preserve_env_instance_type"],
    )


def test_disable_archive_download(job):
    """It is settled at the model's creation, and refused for a model that exists."""
    assert "success" == job.run(disable_archive_download="true", wait="false").outputs["status"]
    again = job.run(disable_archive_download="true", wait="false")
    assert ("invalid", 1) == (again.outputs["status"], again.exit_code)


def test_environment_variables_are_texts(job):
    """Numbers and booleans are sent as the texts that `truss push` makes of them."""
    configure(job, environment_variables={"N": 1, "B": True, "F": 0.5, "S": "x"})
    job.run(wait="false")
    sent = prepared(job)[0]["deployment"]["config"]["environment_variables"]
    assert {"N": "1", "B": "true", "F": "0.5", "S": "x"} == sent


def test_cleanup(job):
    """`cleanup` deactivates the deployment after a successful run."""
    result = job.run(cleanup="true")
    assert "success" == result.outputs["status"]
    assert job.sent()[-1].endswith(f"/deployments/{result.outputs['deployment-id']}/deactivate")
    assert f"The deployment `{result.outputs['deployment-id']}` is deactivated again" in result.summary


@pytest.mark.parametrize("how", ["keep", "deactivate", "delete"])
def test_on_failure(job, how):
    """A failed build is red, with the remedy; what becomes of the deployment is what `on-failure` says."""
    job.sandbox.state.plan_next_deployment(["BUILDING", "BUILD_FAILED"])
    result = job.run(on_failure=how)
    assert ("deploy_failed", "BUILD_FAILED") == (result.outputs["status"], result.outputs["deployment-status"])
    last = next(r for r in reversed(job.sandbox.requests) if not r.path.endswith("/logs"))
    expected = {"keep": "GET", "deactivate": "POST", "delete": "DELETE"}[how]
    assert expected == last.method
    assert "BUILD_FAILED" in result.summary
    became = {"keep": "", "deactivate": "is deactivated now", "delete": "is deleted now"}[how]
    assert became in result.summary


def test_a_failing_smoke_test(job):
    """An answer that is not what was expected is red; the answer is an output all the same."""
    result = job.run(predict_expect='{"greeting": "Goodbye"}', predict_payload='{"name": "x"}')
    assert "predict_failed" == result.outputs["status"]
    assert result.outputs["predict-response"]


POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 5000000000\n"


@pytest.mark.parametrize(
    ("files", "message", "remedy"),
    [
        ({"data/weights.safetensors": POINTER}, "1 Git LFS pointer in place of the content", "lfs: true"),
        (
            {".gitmodules": '[submodule "x"]\n\tpath = vendor/x\n', "vendor/x/": ""},
            "1 submodule not fetched",
            "submodules: true",
        ),
        ({"model/model.py": b"\xff\xfec\0l\0"}, "UTF-16, which Python does not read", "cannot import it"),
    ],
)
def test_what_fails_late_is_invalid_before_anything_is_sent(job, files, message, remedy):
    """Files that stand in for others, code that no Python reads: named, with what to do."""
    write_tree(job.truss, files)
    result = job.run()
    assert (1, "invalid") == (result.exit_code, result.outputs["status"])
    assert message in result.log.text
    assert remedy in result.log.text
    assert () == tuple(job.sandbox.requests)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"model/other.py": "def predict(self x):\n    return x\n"}, "model/other.py:1:18: Not valid Python"),
        ({"requirements.txt": "numpy\n".encode("utf-16")}, "`hello-truss/requirements.txt` is UTF-16"),
        ({"id_rsa": "x"}, "looks like credentials: `hello-truss/id_rsa`"),
        ({".truss_ignore": ".git\n.env\n" + "*a" * 13 + "*b\n", "a" * 200: "x"}, "success"),
    ],
)
def test_what_may_fail_late_is_a_warning(job, files, message):
    """The deployment goes on, and the summary says it; a pattern that would take for ever takes no time."""
    write_tree(job.truss, files)
    result = job.run()
    assert "success" == result.outputs["status"], result.log.text
    assert message in result.log.text + result.outputs["status"]


@pytest.mark.parametrize("pace", [1.0])
def test_a_pattern_that_would_take_for_ever(job):
    """`predict-expect: /(a+)+$/` against an answer that makes it explode ends within its time, and says so."""
    result = job.run(predict_expect="/(a|aa)+$/", predict_payload='{"text": "' + "a" * 60 + '!"}', predict_timeout="1")
    assert (1, "predict_failed") == (result.exit_code, result.outputs["status"])
    assert "took longer than 1 s on this text" in result.summary


def test_a_model_that_raises(job):
    """The model's own error is shown and not tried again."""
    job.sandbox.answers.add(Answer(status=500, body='{"error": "CUDA out of memory"}'), times=1)
    result = job.run()
    assert "predict_failed" == result.outputs["status"]
    assert "CUDA out of memory" in result.summary
    asked = [request.path for request in job.sandbox.requests]
    predicted = max(index for index, path in enumerate(asked) if path.endswith("/predict"))
    assert asked[predicted + 1].endswith("/logs"), "its log is read once more, for the traceback"


def test_without_a_payload_there_is_no_smoke_test(job):
    """The run is green, and says what it did not prove."""
    config = job.truss / "config.yaml"
    config.write_text(config.read_text().replace("example_model_input", "other_input"))
    result = job.run()
    assert "success" == result.outputs["status"]
    assert "No smoke test: set `predict-payload`" in result.summary


def test_a_streamed_answer(job):
    """A payload with `stream` is answered in events; their content is the response."""
    payload = '{"stream": true, "messages": [{"role": "user", "content": "hi"}]}'
    result = job.run(predict_payload=payload)
    assert "success" == result.outputs["status"], result.log
    assert "data:" not in result.outputs["predict-response"]


def test_logs_are_streamed_once(job):
    """Every line of the log is printed exactly once."""
    configure(job, environment_variables={"SANDBOX_LOG_LINES": "2500"})
    result = job.run()
    text = "\n".join(line.text for line in result.log.lines)
    deployment, model = result.outputs["deployment-id"], result.outputs["model-id"]
    assert "success" == result.outputs["status"], (model, deployment)
    lines = [line for line in text.splitlines() if "SANDBOX_LOG_LINES" in line or "line 2" in line]
    assert len(lines) == len(set(lines))


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"baseten_api_key": "-"}, "baseten-api-key"),
        ({"truss_directory": "nowhere"}, "nowhere"),
        ({"truss_directory": "../.."}, "outside of the workspace"),
        ({"predict_payload": "{"}, "predict-payload"),
        ({"deploy_timeout_minutes": "5"}, "deploy-timeout-minutes"),
        ({"trus_directory": "x"}, "truss-directory"),
        ({"labels": "[1]"}, "labels"),
    ],
)
def test_invalid_inputs_send_nothing(job, inputs, said):
    """A mistake in the inputs is `invalid`, names the input, and nothing is sent."""
    result = job.run(**inputs)
    assert ("invalid", 1) == (result.outputs["status"], result.exit_code)
    assert said in result.summary.replace("&#95;", "_").replace("&#45;", "-")
    assert () == job.sandbox.requests


def test_all_problems_at_once(job):
    """Inputs and config are checked together; each problem is an annotation, in the file at its line."""
    (job.truss / "config.yaml").write_text("model_name: x\nmodel_name: y\n")
    result = job.run(deploy_timeout_minutes="5", wait="maybe")
    assert 3 == len([line for line in result.log.lines if line.tag == "error"])
    assert "hello-truss/config.yaml:2" in result.summary


def test_a_wrong_key(job):
    """401 is `auth_failed`, with what to do."""
    result = job.run(baseten_api_key="wrong-key-of-somebody")
    assert ("auth_failed", 1) == (result.outputs["status"], result.exit_code)
    assert "wrong-key-of-somebody" not in result.summary


def test_the_dry_run_refuses(job):
    """What the service refuses is shown, and nothing is uploaded."""
    result = job.run(deployment_settings="{deploy_key: 1}", wait="false")
    assert "rejected" == result.outputs["status"]
    assert [] == job.sandbox.objects()


def test_no_secret_is_printed(job):
    """Neither the key nor the issued credentials stand in the log, the summary or the outputs, but in add-mask."""
    result = job.run()
    printed = "\n".join(line.text for line in result.log.lines if line.tag != "add-mask")
    assert job.sandbox.api_key not in printed + result.summary + json.dumps(dict(result.outputs))


def test_gzip(job):
    """The archive is a gzipped tar."""
    job.run(wait="false")
    assert gzip.decompress(job.sandbox.object(job.sandbox.bucket, job.sandbox.objects()[0]))
