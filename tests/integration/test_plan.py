"""`mode: plan`, `skip-unchanged`, the offline half and the pull-request comment, driven from outside.

The sandbox records every request: planning may send GETs and one dry run, and nothing else.
"""

import json
from dataclasses import replace
from html import unescape

import pytest
from github_api import github_api

from baseten_sandbox.control import faults
from baseten_sandbox.control.faults import Fault, Kind
from workflow_events import pull_request, push

TOKEN = "ghs_0123456789abcdef"


@pytest.fixture
def github():
    """GitHub's API with an empty conversation."""
    with github_api() as running:
        yield running


@pytest.fixture
def on_pull_request(job, github):
    """The job on a pull request, told where that GitHub is."""

    def on(event=None):
        return job.on(event or pull_request(), github=github.url)

    return on


def plan(job, **inputs):
    """Plan, and check that nothing but reading and one dry run was sent."""
    job.sandbox.clear_requests()
    result = job.run(mode="plan", **inputs)
    sent = [request for request in job.sandbox.requests if request.method != "GET"]
    assert [("POST", "/v1/prepare_model_upload")] == [(request.method, request.path) for request in sent], (
        result.log.text
    )
    assert sent[0].json["dry_run"] is True
    return result


def planned(job, **inputs):
    """As `plan`, for a plan that succeeds; gives its Markdown."""
    result = plan(job, **inputs)
    assert (0, "planned") == (result.exit_code, result.outputs["status"]), result.log.text
    assert result.outputs["plan"].rstrip() in result.summary
    return result.outputs["plan"]


def deployed(job, **inputs):
    """Deploy, and give the outputs."""
    result = job.run(**inputs)
    assert "success" == result.outputs["status"], result.log.text
    return result.outputs


def change(job):
    """Edit the model and its config, add a file."""
    config = job.truss / "config.yaml"
    config.write_text(config.read_text() + "\nenvironment_variables:\n  GREETING: hi\n")
    (job.truss / "data.bin").write_bytes(bytes(2000))
    (job.truss / "model" / "__init__.py").unlink()


class TestPlan:
    """What it says, and that it changes nothing."""

    def test_a_new_model(self, job):
        """There is nothing to compare with; nothing is made."""
        text = planned(job)
        assert "## 📝 Plan: new model `hello-truss`" in text
        assert "| `config.yaml` |" in text
        assert [] == job.sandbox.state.models()
        assert "| Team | `Default`, the default team |" in text
        assert [
            "GET /v1/instance_type_prices",
            "GET /v1/models",
            "GET /v1/teams",
            "POST /v1/prepare_model_upload",
        ] == sorted(job.sent())

    def test_against_production(self, job):
        """Config and files differ from what the model serves in production."""
        live = deployed(job, environment="production")
        change(job)
        text = planned(job)
        assert "## 📝 Plan: new deployment of `hello-truss`" in text
        assert f"| Model | `hello-truss` `{live['model-id']}` |" in text
        assert live["deployment-id"] in text
        assert "+environment_variables:\n+  GREETING: hi\n" in text
        assert "1 added, 1 removed, 1 changed" in text
        assert "| added | `data.bin` | 2.0 kB |" in text
        assert "| removed | `model/__init__.py` | 0 bytes |" in text
        assert "| changed | `config.yaml` |" in text
        assert 1 == len(job.sandbox.state.deployments(live["model-id"]))

    def test_against_an_environment(self, job):
        """It is what the environment serves that counts, not production."""
        deployed(job, environment="production")
        change(job)
        staging = deployed(job, environment="staging", create_environment="true")
        text = planned(job, environment="staging", skip_unchanged="true")
        assert "## 📝 Plan: `hello-truss` is unchanged" in text
        assert f"(`{staging['deployment-id']}`, `ACTIVE`)" in text
        assert "skips: this content is live already" in text
        assert [] == job.sent("s3")  # the same digest needs no download

    def test_a_new_environment(self, job):
        """It would be created, with its settings; the comparison is with production."""
        live = deployed(job, environment="production")
        change(job)
        text = planned(
            job,
            environment="staging",
            create_environment="true",
            environment_settings="autoscaling_settings: {max_replica: 3}",
        )
        assert "| Environment | `staging`, created |" in text
        assert "| `autoscaling_settings`: `max_replica` |  | `3` |" in text
        assert f"| Compared with | production: `{live['deployment-name']}`" in text
        assert ["production"] == [e.environment.name for e in job.sandbox.state.environments(live["model-id"])]

    def test_against_the_development_slot(self, job):
        """A development push replaces what is there."""
        slot = deployed(job, development="true", preserve_env_instance_type="true")
        change(job)
        text = planned(job, development="true", model_id=slot["model-id"], model_name="hello-truss")
        assert "| Deployment | overwrites the development deployment |" in text
        assert f"the development slot: `development` (`{slot['deployment-id']}`" in text

    def test_a_missing_environment(self, job):
        """Is as invalid as it is for a deploy run."""
        deployed(job, environment="production")
        result = job.run(mode="plan", environment="stagin")
        assert ("invalid", 1) == (result.outputs["status"], result.exit_code)

    def test_what_truss_push_left_out(self, job):
        """Dropped files and warnings are part of the plan."""
        (job.truss / "lib").mkdir()
        (job.truss / "lib" / "vendored.py").write_text("")
        text = planned(job)
        assert "Left out by the ignore rules: 1</summary>\n\n`lib/`" in text
        assert "> [!WARNING]\n" in text

    def test_a_refusal(self, job):
        """Of the dry run: the run is red, and the plan shown with the service's words."""
        result = plan(job, deployment_settings="{instance_type_id: T5}")
        assert ("rejected", 1) == (result.outputs["status"], result.exit_code)
        assert "| Dry run | ❌" in result.outputs["plan"]
        assert "T5" in result.outputs["plan"]
        assert result.outputs["plan"].rstrip() in result.summary

    @pytest.mark.parametrize(
        ("fault", "reason"),
        [
            (faults.status(400, path="/download"), "the service does not hand out its archive (400: scripted)"),
            (faults.status(403, service="s3"), "its archive could not be read: its download was answered with 403"),
            (Fault(Kind.TRUNCATE, service="s3"), "its archive could not be read: it is damaged"),
        ],
    )
    def test_without_the_live_archive(self, job, fault, reason):
        """The plan says why files are not compared, and the rest is there."""
        deployed(job, environment="production")
        change(job)
        job.sandbox.faults.add(replace(fault, method="GET", times=None))
        text = planned(job)
        assert f"Not compared with what is live: {reason}" in unescape(text)
        assert "GREETING" in text

    def test_a_locked_archive(self, job):
        """A model whose archives must not be downloaded."""
        deployed(job, disable_archive_download="true", environment="production")
        change(job)
        assert "Not compared with what is live: the service does not hand out its archive" in planned(job)

    def test_without_the_live_config(self, job):
        """As well."""
        deployed(job, environment="production")
        job.sandbox.faults.add(faults.status(404, method="GET", path="/config", times=None))
        text = planned(job)
        assert "Config not compared: the service does not answer with its config" in text
        assert "is unchanged" not in text

    def test_a_library_listing(self, job):
        """Has no dry run: only GETs are sent. A name that is taken would be refused."""
        result = job.run(mode="plan", library_listing="lab/model", model_name="fresh")
        assert ("planned", ["GET /v1/models", "GET /v1/teams"]) == (result.outputs["status"], job.sent())
        assert "the library listing `lab/model`" in result.outputs["plan"]
        deployed(job)
        result = job.run(mode="plan", library_listing="lab/model", model_name="hello-truss")
        assert "rejected" == result.outputs["status"]

    def test_no_secrets(self, job):
        """Neither the key nor the presigned URL is in anything that is shown."""
        deployed(job, environment="production")
        config = job.truss / "config.yaml"
        config.write_text(config.read_text() + f"\nenvironment_variables: {{KEY: {job.sandbox.api_key}}}\n")
        result = plan(job)
        shown = result.summary + json.dumps(dict(result.outputs)) + result.log.text.replace("::add-mask::", "")
        assert "KEY: ***" in result.outputs["plan"]
        assert "Signature" not in shown
        assert job.sandbox.api_key not in result.outputs["plan"] + result.summary


class TestSkipUnchanged:
    """Nothing is deployed when it is live already."""

    def test_skips(self, job):
        """The outputs name what is live, and nothing but GETs is sent."""
        live = deployed(job, environment="production")
        job.sandbox.clear_requests()
        result = job.run(environment="production", skip_unchanged="true")
        assert (0, "skipped") == (result.exit_code, result.outputs["status"]), result.log.text
        for name in ("model-id", "deployment-id", "deployment-name", "predict-url", "content-digest"):
            assert live[name] == result.outputs[name]
        assert ("false", "ACTIVE") == (result.outputs["model-created"], result.outputs["deployment-status"])
        assert {"GET"} == {request.method for request in job.sandbox.requests}
        assert "live already" in result.summary

    def test_without_an_environment_production_counts(self, job):
        """The same content in production is enough."""
        deployed(job, environment="production")
        assert "skipped" == job.run(skip_unchanged="true").outputs["status"]

    def test_deploys_what_is_not_live(self, job):
        """A changed file, another environment, or a first deployment."""
        first = job.run(environment="production", skip_unchanged="true")
        assert "success" == first.outputs["status"]
        other = job.run(environment="staging", create_environment="true", skip_unchanged="true")
        assert "success" == other.outputs["status"]
        change(job)
        assert "success" == job.run(environment="production", skip_unchanged="true").outputs["status"]

    def test_settings_that_are_not_applied(self, job):
        """`skip-unchanged` does nothing, and says so when there was something to do."""
        deployed(job, environment="production")
        result = job.run(
            environment="production",
            skip_unchanged="true",
            environment_settings="autoscaling_settings: {max_replica: 5}",
        )
        assert "skipped" == result.outputs["status"]
        assert "`environment-settings` differ and are not applied" in result.log.text


class TestOffline:
    """Runs that GitHub gives no secrets."""

    @pytest.mark.parametrize("mode", ["deploy", "plan"])
    @pytest.mark.parametrize("event", [pull_request(fork=True), pull_request(actor="dependabot[bot]")])
    def test_the_half_that_needs_no_key(self, job, mode, event):
        """The Truss is read and checked, and nothing is sent."""
        result = job.on(event).run(mode=mode, baseten_api_key="")
        assert (0, "skipped") == (result.exit_code, result.outputs["status"]), result.log.text
        assert "## ⏭️ Offline plan for `hello-truss`" in result.outputs["plan"]
        assert "hello-truss" == result.outputs["model-name"]
        assert 64 == len(result.outputs["content-digest"])
        assert ["notice"] == [line.tag for line in result.log.lines if line.tag in ("notice", "error", "warning")]
        assert () == job.sandbox.requests

    def test_a_broken_truss_is_still_broken(self, job):
        """The checks are the point of it."""
        (job.truss / "config.yaml").write_text("model_name: [")
        result = job.on(pull_request(fork=True)).run(baseten_api_key="")
        assert (1, "invalid") == (result.exit_code, result.outputs["status"])

    def test_a_library_listing(self, job):
        """Has nothing to check."""
        result = job.on(pull_request(fork=True)).run(baseten_api_key="", library_listing="lab/model")
        assert "skipped" == result.outputs["status"], result.log.text

    @pytest.mark.parametrize(
        ("event", "inputs"),
        [
            (pull_request(fork=True), {"fail_without_credentials": "true"}),
            (pull_request(), {}),
            (push(), {"mode": "plan"}),
            (push(), {"mode": "cleanup", "model_name": "m", "cleanup_labels": "{a: b}"}),
        ],
    )
    def test_a_missing_key_is_invalid(self, job, event, inputs):
        """When the run should have one, or must not go on without."""
        result = job.on(event).run(baseten_api_key="", **inputs)
        assert (1, "invalid") == (result.exit_code, result.outputs["status"])
        assert "baseten-api-key" in result.log.text
        assert () == job.sandbox.requests

    @pytest.mark.parametrize("event", [pull_request(fork=True), pull_request(actor="dependabot[bot]")])
    def test_a_clean_up(self, job, event):
        """Has nothing to retire: such a run has deployed nothing either."""
        inputs = {"mode": "cleanup", "model_name": "m", "cleanup_labels": "{a: b}"}
        result = job.on(event).run(baseten_api_key="", **inputs)
        assert (0, "skipped") == (result.exit_code, result.outputs["status"]), result.log.text
        assert "there is no API key" in result.summary.split("\n\n")[1]
        assert () == job.sandbox.requests

    def test_a_fork_with_a_key(self, job):
        """Some organizations give theirs secrets: then it is a run like any other."""
        assert "success" == job.on(pull_request(fork=True)).run().outputs["status"]


class TestComment:
    """One comment per model and target on the pull request."""

    def test_is_edited_in_place(self, on_pull_request, github):
        """Two runs, one comment with what the last one said; others are left alone."""
        job = on_pull_request()
        github.say(7, "Nice!")
        planned(job, github_token=TOKEN)
        change(job)
        text = planned(job, github_token=TOKEN)
        assert 2 == len(github.comments)
        assert "Nice!" == github.bodies()[0]
        marker, heading, *_ = github.bodies()[1].splitlines()
        assert "<!-- baseten-deploy: directory=hello-truss model=hello-truss target= run=1000000001.1 -->" == marker
        assert heading.startswith("## 📝 Plan: new model `hello-truss`")
        assert text.rstrip() in github.bodies()[1]
        assert {f"Bearer {TOKEN}"} == github.tokens

    def test_of_each_model(self, on_pull_request, github):
        """Has its own."""
        job = on_pull_request()
        for name in ("one", "two", "one"):
            planned(job, github_token=TOKEN, model_name=name)
        assert 2 == len(github.comments)

    def test_of_a_deploy_run(self, on_pull_request, github):
        """Says what a summary says: what was made, or what went wrong."""
        job = on_pull_request()
        outputs = job.run(github_token=TOKEN).outputs
        assert outputs["deployment-id"] in github.bodies()[0]
        job.run(github_token=TOKEN, deployment_settings="{instance_type_id: T5}")
        assert 1 == len(github.comments)
        assert "## ❌ Refused before the upload" in github.bodies()[0]

    def test_of_a_truss_that_became_wrong(self, on_pull_request, github):
        """Says so; the praise for the commit before is gone."""
        job = on_pull_request()
        planned(job, github_token=TOKEN)
        config = job.truss / "config.yaml"
        config.write_text(config.read_text() + "\nrequirements_file: nope.txt\n")
        assert "invalid" == job.run(mode="plan", github_token=TOKEN).outputs["status"]
        assert 1 == len(github.comments)
        assert "## ❌ Invalid input" in github.bodies()[0]

    def test_shows_no_secret(self, on_pull_request, github):
        """GitHub does not mask comments."""
        job = on_pull_request()
        config = job.truss / "config.yaml"
        config.write_text(config.read_text() + f"\ndescription: {job.sandbox.api_key} {TOKEN}\n")
        deployed(job, environment="production")
        config.write_text(config.read_text() + f"\nenvironment_variables: {{A: {job.sandbox.api_key}, B: {TOKEN}}}\n")
        plan(job, github_token=TOKEN)
        assert "+  A: ***\n" in github.bodies()[0] or "A: ***" in github.bodies()[0]
        assert job.sandbox.api_key not in github.bodies()[0]
        assert TOKEN not in github.bodies()[0]

    def test_warns_of_credentials_and_shows_none(self, on_pull_request, github):
        """In log, plan and comment: where they are, and never what they are, also those of the live config."""
        job = on_pull_request()
        before, after, key = "hf_" + "bEf0rE" * 6, "hf_" + "aFt3R0" * 6, "-----BEGIN RSA PRIVATE KEY-----"
        config = job.truss / "config.yaml"
        plain = config.read_text()
        config.write_text(f"{plain}\nbuild_commands: ['login {before}']\n")
        deployed(job, environment="production")
        config.write_text(f"{plain}\nbuild_commands: ['login {after}']\nenvironment_variables: {{NAME: {after}}}\n")
        (job.truss / ".env.production").write_text(f"TOKEN={before}\n")
        (job.truss / "server.key").write_text(f"{key}\n{before}\n")
        result = plan(job, github_token=TOKEN)
        shown = {
            "log": result.log.text,
            "plan": unescape(result.outputs["plan"]),
            "comment": unescape(github.bodies()[0]),
        }
        for where, escaped in shown.items():
            text = escaped.replace("\\", "")
            assert "environment_variables.NAME" in text, where
            assert "holds a Hugging Face token, in clear" in text, where
            assert ".env.production" in text, where
            assert "server.key" in text, where
            assert [] == [secret for secret in (before, after, key) if secret in text], where

    def test_a_failure_is_a_warning(self, on_pull_request, github):
        """The run ends as it would without."""
        github.read_only = True
        result = plan(on_pull_request(), github_token=TOKEN)
        assert (0, "planned") == (result.exit_code, result.outputs["status"])
        assert ["warning"] == [line.tag for line in result.log.lines if line.tag in ("error", "warning")]

    def test_a_fork(self, on_pull_request, github):
        """Its token only reads: no comment, and no warning for it."""
        github.read_only = True
        result = on_pull_request(pull_request(fork=True)).run(baseten_api_key="", github_token=TOKEN)
        assert (0, "skipped") == (result.exit_code, result.outputs["status"])
        assert [] == [line.tag for line in result.log.lines if line.tag in ("error", "warning")]

    def test_none_on_a_push(self, on_pull_request, github):
        """There is nothing to comment on."""
        plan(on_pull_request(push()), github_token=TOKEN)
        assert [] == github.requests
