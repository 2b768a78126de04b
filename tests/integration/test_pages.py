"""What people read after a run: the cases of the plan's page, the summary, the comment, the annotation and the log."""

import re

import pytest
from github_api import github_api

from baseten_sandbox import Answer, Fault, Kind
from workflow_events import pull_request

WRONG = '{"greeting": "no such answer"}'
TOKEN = "ghs_0123456789abcdef"


def opening(result):
    """The heading and the lines of the verdict."""
    head, verdict, *_ = result.summary.split("\n\n")
    return [head, *(line.rstrip() for line in verdict.splitlines())]


def edit(job, text="changed"):
    """Change the content."""
    (job.truss / "model" / "version.py").write_text(f"VERSION = {text!r}\n")


@pytest.fixture
def served(job):
    """The id of what production serves; the Truss was changed since."""
    result = job.run(environment="production")
    assert "success" == result.outputs["status"], result.log.text
    edit(job)
    return result.outputs["deployment-id"]


def test_rolled_back(job, served):
    """The environment serves what it served; the answer that is shown is the bad one, and nothing is promoted."""
    job.sandbox.answers.add(Answer(500, {"error": "CUDA out of memory"}), path="/environments/production/")
    result = job.run(promote_to="production", rollback_on_failure="true")
    assert "rolled_back" == result.outputs["status"], result.log.text
    head, serves, error, _ = opening(result)
    assert "## ❌ Rolled back: `hello-truss` → `production`" == head
    assert serves.startswith(f"`production` serves `{served}` again, as before this run.")
    assert "CUDA out of memory" in error
    assert "" == result.outputs["promoted-deployment-id"]
    assert '{"error": "CUDA out of memory"}' == result.outputs["predict-response"]
    assert '"echo"' not in result.summary
    assert f"| `production` serves | `{served}` |" in result.summary


def test_a_build_that_failed(job, served):
    """No endpoint; the build's first error and the address of its log in verdict and annotation."""
    job.sandbox.state.plan_next_deployment(["BUILDING", "BUILD_FAILED"])
    result = job.run(environment="production")
    head, serves, error, todo = opening(result)
    assert "## ❌ The build failed: `hello-truss` → `production`" == head
    assert serves.startswith(f"`production` is untouched, still serves `{served}`.")
    assert "**Error:** `Build failed`" == error
    assert f"[Logs]({result.outputs['logs-url']})" in todo
    assert "/predict" not in result.summary
    (annotation,) = [each for each in result.log.annotations if each.kind == "error"]
    lines = annotation.message.splitlines()
    assert "Build failed" == lines[1]
    assert f"Logs: {result.outputs['logs-url']}" == lines[-1]


def test_after_a_push_into_production(job, served):
    """The way back, with all that it takes; it works."""
    result = job.run(environment="production", predict_expect=WRONG)
    assert "predict_failed" == result.outputs["status"]
    head, serves, *_ = opening(result)
    assert "## ❌ Served, but the smoke test failed: `hello-truss` → `production`" == head
    assert f"`production` serves `{result.outputs['deployment-id']}` now instead of `{served}`." == serves
    step = re.search("```yaml\n(mode: rollback\n.*?)```", result.summary, re.DOTALL)[1]
    inputs = dict(line.split(": ") for line in step.strip().splitlines())
    back = job.run(**{name.replace("-", "_"): value for name, value in inputs.items()}, truss_directory=".")
    assert (f"`production` serves `{served}` now instead of `{result.outputs['deployment-id']}`.") == opening(back)[1]


def test_before_a_promotion(job, served):
    """Production is untouched, and that is the first thing said."""
    result = job.run(promote_to="production", predict_expect=WRONG)
    assert opening(result)[1].startswith(f"`production` is untouched, still serves `{served}`.")
    assert "mode: rollback" not in result.summary


def test_not_waited_for(job, served):
    """Not "deployed", and no endpoint."""
    result = job.run(environment="production", wait="false")
    head, serves, why, last = opening(result)
    assert "## ⏳ Pushed, not waited for: `hello-truss` → `production`" == head
    assert serves.startswith(f"`production` still serves `{served}`, as last seen.")
    assert "`wait: false`" in why
    assert "/predict" not in last
    assert "Endpoint" not in result.log.text


def test_a_commit_whose_answer_was_lost(job, served):
    """One truth: it is not known."""
    job.sandbox.faults.add(Fault(Kind.RESET, "POST", "/v1/models/[^/]+/deployments$", acts=True))
    job.sandbox.faults.add(Fault(Kind.STATUS, "GET", "/deployments$", times=None, status=503))
    result = job.run(environment="production")
    assert "commit_failed" == result.outputs["status"], result.log.text
    head, serves, *_ = opening(result)
    assert "## ❌ It is not known whether a deployment was made: `hello-truss` → `production`" == head
    assert f"It served `{served}` when this run began." in serves
    assert "no deployment was made" not in result.summary


def test_an_environment_that_was_created(job, served):
    """It is named where the run ended before anything else was made."""
    refusal = Fault(Kind.STATUS, "POST", "prepare_model_upload", nth=2, status=400, body='{"error": "quota"}')
    job.sandbox.faults.add(refusal)
    result = job.run(environment="canary", create_environment="true")
    assert "rejected" == result.outputs["status"], result.log.text
    head, serves, *_ = opening(result)
    assert "but the environment `canary` was created" in head
    assert "`canary` was created and serves nothing yet." == serves
    assert "nothing was changed" not in result.summary
    assert served


def test_another_machine_that_is_not_taken(job):
    """The environment keeps its own: said in plan and deploy, with the input that changes it."""
    job.run(environment="production")
    config = job.truss / "config.yaml"
    config.write_text(config.read_text().replace("cpu:", "accelerator: H100\n  cpu:", 1))
    for mode in ("plan", "deploy"):
        result = job.run(mode=mode, environment="production")
        assert 0 == result.exit_code, result.log.text
        assert "`preserve-env-instance-type: false`" in result.summary


def test_a_plan_without_a_change(job):
    """A heading and a line; all else is folded."""
    live = job.run(environment="production").outputs["deployment-id"]
    result = job.run(mode="plan", environment="production")
    head, line, *rest = [each for each in result.summary.split("\n\n") if each.strip()]
    assert "## 📝 Plan: `hello-truss` is unchanged in `production`" == head
    assert line.startswith(f"`production` serves `{live}`.")
    assert "\n" not in line
    assert rest[0].startswith("<details><summary>")
    assert rest[-1].strip().endswith("</details>")


def test_a_plan_says_what_is_replaced(job, served):
    """With counts, and a diff of the small texts."""
    result = job.run(mode="plan", environment="production")
    head, replaced, *_ = opening(result)
    assert "## 📝 Plan: new deployment of `hello-truss` → `production`" == head
    assert f"`production`: `{served}` will be replaced: 1 file added." == replaced
    shown = "\n".join(line.text for line in result.log.lines)
    assert f"production: {served} will be replaced: 1 file added." in shown
    assert not re.search(r"</?(details|summary|sub|br|code)>|^#+ |\| ---|\*\*\w", shown, re.MULTILINE)


def test_a_plan_says_that_nothing_is_asked(job):
    """A smoke test that will be left out is no surprise afterwards."""
    assert "**No smoke test will run:** `predict: false`." in job.run(mode="plan", predict="false").summary


def test_a_green_log_ends_with_endpoint_and_logs(job):
    """They are what somebody scrolls down for."""
    result = job.run(environment="production")
    *_, endpoint, logs, status = [line.text for line in result.log.lines if line.text]
    assert f"Endpoint: {result.outputs['predict-url']}" == endpoint
    assert (f"Logs: {result.outputs['logs-url']}", "Status: success") == (logs, status)
    assert "curl -X POST" in result.summary
    assert "Authorization: Api-Key $BASETEN_API_KEY" in result.summary


def test_nothing_to_clean_up(job):
    """A model that was never deployed has nothing to retire."""
    for model in ({"model_name": "never-deployed"}, {"model_id": "abcdefgh"}):
        result = job.run(mode="cleanup", cleanup_labels="{pr: 1}", truss_directory=".", **model)
        assert (0, "success") == (result.exit_code, result.outputs["status"]), result.log.text
        assert "there is no model" in result.summary


def test_a_comment_follows_its_truss(job):
    """A Truss that cannot be read any more takes its comment along, with the line, a caret and what is wrong there."""
    with github_api() as github:
        job = job.on(pull_request(), github=github.url)
        job.run(mode="plan", environment="production", github_token=TOKEN)
        config = job.truss / "config.yaml"
        config.write_text("model_name: hello-truss\n description: indented\n")
        result = job.run(mode="plan", environment="production", github_token=TOKEN)
        (body,) = github.bodies()
    assert "invalid" == result.outputs["status"]
    assert "## ❌ Invalid input, nothing was changed: `hello-truss` → `production`" in body
    assert "📝" not in body
    assert "> ```\n>  description: indented\n>             ^\n> ```" in body
    assert "indentation" in body
