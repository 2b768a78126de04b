"""Environments and gated promotion against the sandbox, whose promotions take time, change ids, fail and pause."""

import json

import pytest

from baseten_sandbox import Answer

EXPECT = '{"echo": {"name": "world"}}'


def paths(job, *methods):
    """The changing requests to the management and inference API in order, as `METHOD path`, without prepares."""
    return [
        f"{r.method} {r.path}"
        for r in job.sandbox.requests
        if r.service != "s3" and r.method in (methods or ("POST", "PATCH", "DELETE")) and "prepare" not in r.path
    ]


def bodies(job, method, ending):
    """The bodies of the requests to paths that end so."""
    return [r.json for r in job.sandbox.requests if r.method == method and r.path.endswith(ending)]


def environment(job, model, name):
    """An environment as the service has it."""
    return job.sandbox.state.environment(model, name)


def serves(job, model, name):
    """The id of the deployment that an environment serves."""
    current = environment(job, model, name).current
    return current.id if current else None


def change(job, text="changed"):
    """Change the Truss."""
    (job.truss / "model" / "version.py").write_text(f"VERSION = {text!r}\n")


class TestPushIntoAnEnvironment:
    """`environment`: green only when the environment serves this deployment."""

    def test_a_new_model_into_production(self, job):
        """`production` always exists, also on a model that this run creates."""
        result = job.run(environment="production")
        assert "success" == result.outputs["status"], result.log
        model, deployment = result.outputs["model-id"], result.outputs["deployment-id"]
        assert deployment == serves(job, model, "production") == result.outputs["promoted-deployment-id"]
        assert result.outputs["predict-url"].endswith("/environments/production/predict")

    def test_a_new_model_into_a_new_environment(self, job):
        """With `create-environment` a brand-new model goes into a new environment in one run, with its settings."""
        settings = "{autoscaling_settings: {max_replica: 4}, promotion_settings: {rolling_deploy: false}}"
        result = job.run(environment="staging", create_environment="true", environment_settings=settings)
        assert "success" == result.outputs["status"], result.log
        assert result.outputs["deployment-id"] == serves(job, result.outputs["model-id"], "staging")
        payload = bodies(job, "POST", "/v1/models")[0]["source"]["deployment"]
        assert {"max_replica": 4} == payload["autoscaling_settings"]
        assert {"rolling_deploy": False} == payload["promotion_settings_override"]
        kept = environment(job, result.outputs["model-id"], "staging").environment.settings
        assert (4, False) == (kept.autoscaling.max_replica, kept.promotion.rolling_deploy)

    def test_a_missing_environment(self, job):
        """An environment that is not there is an error that lists those that are; nothing is uploaded."""
        job.run(environment="staging", create_environment="true")
        uploads = len(job.sandbox.objects())
        result = job.run(environment="stagin")
        assert "invalid" == result.outputs["status"]
        assert "production, staging" in result.summary
        assert "Did you mean `staging`" in result.summary
        assert uploads == len(job.sandbox.objects())

    def test_settings_ride_with_the_push(self, job):
        """What a push carries needs no other request; the rest is patched once the environment serves this one."""
        job.run(environment="staging", create_environment="true")
        job.sandbox.clear_requests()
        change(job)
        settings = "{autoscaling_settings: {min_replica: 1}, promotion_settings: {redeploy_on_promotion: false, "
        settings += "promotion_cleanup_strategy: KEEP}, autoscaling_schedule_settings: {timezone: Europe/Berlin}}"
        result = job.run(environment="staging", environment_settings=settings)
        assert "success" == result.outputs["status"], result.log
        order = paths(job, "POST", "PATCH", "PUT")
        model = result.outputs["model-id"]
        patch = order.index(f"PATCH /v1/models/{model}/environments/staging")
        assert patch > max(
            number for number, path in enumerate(order) if path.endswith("/environments/staging/predict")
        )
        kept = environment(job, model, "staging").environment.settings
        assert (1, "KEEP") == (kept.autoscaling.min_replica, kept.promotion.promotion_cleanup_strategy)

    def test_a_build_that_fails_leaves_the_settings(self, job):
        """Whatever was asked for, the environment is as it was, and so is what it serves."""
        first = job.run(environment="staging", create_environment="true").outputs
        before = environment(job, first["model-id"], "staging").environment.settings
        change(job)
        job.sandbox.state.plan_next_deployment(["BUILDING", "BUILD_FAILED"])
        settings = "{autoscaling_settings: {min_replica: 1}, promotion_settings: {rolling_deploy: false}, "
        settings += "request_backpressure_settings: {policy: REJECT_ON_FULL}}"
        result = job.run(environment="staging", environment_settings=settings)
        assert "deploy_failed" == result.outputs["status"], result.log
        assert before == environment(job, first["model-id"], "staging").environment.settings
        assert first["deployment-id"] == serves(job, first["model-id"], "staging")

    @pytest.mark.parametrize(
        ("settings", "said"),
        [
            ("{autoscaling: {}}", "autoscaling_settings"),
            ("{autoscaling_settings: {max_replicas: 1}}", "max_replica"),
            ("{autoscaling_settings: {max_replica: two}}", "a whole number"),
            ("{promotion_settings: {rolling_deploy: 1}}", "true or false"),
        ],
    )
    def test_wrong_settings(self, job, settings, said):
        """Unknown keys and wrong types are refused before anything is sent, with the nearest name."""
        result = job.run(environment="production", environment_settings=settings)
        assert "invalid" == result.outputs["status"]
        assert said in result.summary
        assert () == job.sandbox.requests

    def test_the_environment_and_not_only_the_deployment(self, job):
        """Active is not enough: the run goes on until the promotion is through, and shows its traffic."""
        rolling = "{promotion_settings: {rolling_deploy: true}}"
        first = job.run(environment="staging", create_environment="true", environment_settings=rolling)
        change(job)
        job.sandbox.state.plan_next_promotion(paused=True, pause=4.0)
        second = job.run(environment="staging", environment_settings=rolling)
        model = second.outputs["model-id"]
        assert second.outputs["deployment-id"] == serves(job, model, "staging")
        assert first.outputs["deployment-id"] == second.outputs["previous-deployment-id"]
        assert any("PAUSED" in line.text and "% of the traffic" in line.text for line in second.log.lines)

    def test_redeploy_on_promotion(self, job):
        """A promotion that makes a copy with a new id is followed to its end; the new id is an output."""
        settings = "{promotion_settings: {redeploy_on_promotion: true}}"
        job.run(environment="staging", create_environment="true", environment_settings=settings)
        change(job)
        result = job.run(environment="staging", environment_settings=settings)
        assert "success" == result.outputs["status"], result.log
        served = serves(job, result.outputs["model-id"], "staging")
        assert served == result.outputs["promoted-deployment-id"] != result.outputs["deployment-id"]

    @pytest.mark.parametrize("end", ["FAILED", "CANCELED"])
    def test_a_failed_promotion(self, job, end):
        """A promotion that failed or was cancelled elsewhere is red, with its message."""
        job.run(environment="production")
        change(job)
        job.sandbox.state.plan_next_promotion(end, error_message="not enough capacity")
        result = job.run(environment="production")
        assert "promotion_failed" == result.outputs["status"], result.log
        assert end in result.summary

    def test_a_paused_promotion_times_out(self, job):
        """A promotion that stays paused is a timeout, and nothing is taken down."""
        job.run(environment="production")
        change(job)
        job.sandbox.state.plan_next_promotion(paused=True)
        result = job.run(environment="production", wait_timeout_minutes="0.08", on_failure="delete")
        assert "deploy_timeout" == result.outputs["status"]
        assert not [path for path in paths(job) if path.startswith("DELETE")]

    def test_the_regional_host(self, job):
        """`regional-environment` asks the environment's own host."""
        result = job.run(environment="production", regional_environment="true")
        assert "success" == result.outputs["status"], result.log
        model = result.outputs["model-id"]
        assert result.outputs["predict-url"].endswith(f"/model-{model}-production/predict")


class TestPromoteTo:
    """`promote-to`: live, checked, and only then promoted."""

    def test_the_order(self, job):
        """The smoke test comes before the promotion, and the environment serves it in the end."""
        first = job.run(promote_to="production")
        change(job)
        job.sandbox.clear_requests()
        second = job.run(promote_to="production")
        assert "success" == second.outputs["status"], second.log
        order = paths(job)
        predict = next(i for i, path in enumerate(order) if path.endswith("/predict"))
        promote = next(i for i, path in enumerate(order) if path.endswith("/promote"))
        assert predict < promote
        model = second.outputs["model-id"]
        assert second.outputs["promoted-deployment-id"] == serves(job, model, "production")
        assert first.outputs["promoted-deployment-id"] == second.outputs["previous-deployment-id"]

    def test_a_failed_smoke_test_promotes_nothing(self, job):
        """What fails its check is not promoted."""
        job.run(promote_to="production")
        change(job)
        job.sandbox.clear_requests()
        result = job.run(promote_to="production", predict_expect='"something else"')
        assert "predict_failed" == result.outputs["status"]
        assert not [path for path in paths(job) if path.endswith("/promote")]

    def test_into_a_new_environment(self, job):
        """A missing environment is created when that is allowed, and refused before the push when it is not."""
        refused = job.run(promote_to="canary")
        assert ("invalid", []) == (refused.outputs["status"], job.sandbox.objects())
        result = job.run(promote_to="canary", create_environment="true")
        assert "success" == result.outputs["status"], result.log
        assert result.outputs["deployment-id"] == serves(job, result.outputs["model-id"], "canary")

    def test_rollback(self, job):
        """When the environment itself fails the smoke test, it serves the previous deployment again."""
        first = job.run(promote_to="production")
        change(job)
        model = first.outputs["model-id"]
        job.sandbox.answers.add(Answer(body='{"wrong": true}'), path="/environments/production/predict", times=1)
        result = job.run(promote_to="production", rollback_on_failure="true", predict_expect=EXPECT)
        assert "rolled_back" == result.outputs["status"], result.log
        assert first.outputs["deployment-id"] == serves(job, model, "production")
        assert first.outputs["deployment-id"] == result.outputs["previous-deployment-id"]
        assert "" == result.outputs["promoted-deployment-id"]

    def test_rollback_from_deactivate(self, job):
        """An environment that deactivates what it served keeps it until the check has passed."""
        first = job.run(promote_to="production").outputs
        model = first["model-id"]
        settings = (
            "{promotion_settings: {promotion_cleanup_strategy: DEACTIVATE}, autoscaling_settings: {max_replica: 3}}"
        )
        before = environment(job, model, "production").environment.settings
        change(job)
        job.sandbox.answers.add(Answer(body='{"wrong": true}'), path="/environments/production/predict", times=1)
        inputs = {"rollback_on_failure": "true", "predict_expect": EXPECT, "environment_settings": settings}
        result = job.run(promote_to="production", **inputs)
        assert "rolled_back" == result.outputs["status"], result.log
        assert first["deployment-id"] == serves(job, model, "production")
        assert before == environment(job, model, "production").environment.settings
        again = job.run(promote_to="production", **inputs)
        assert "success" == again.outputs["status"], again.log
        assert again.outputs["deployment-id"] == serves(job, model, "production")
        old = job.sandbox.state.deployment(model, first["deployment-id"])
        assert old.timeline[-1].status == "INACTIVE"

    def test_a_rollback_without_a_previous_deployment(self, job):
        """With nothing to go back to it says so."""
        job.sandbox.answers.add(Answer(body="{}"), path="/environments/canary/predict", times=1)
        result = job.run(
            promote_to="canary", create_environment="true", rollback_on_failure="true", predict_expect=EXPECT
        )
        assert "promotion_failed" == result.outputs["status"]
        assert "no earlier deployment" in result.summary

    def test_a_promotion_that_fails(self, job):
        """The environment still serves what it served, and the message of the service is shown."""
        first = job.run(promote_to="production")
        change(job)
        job.sandbox.state.plan_next_promotion("FAILED", error_message="no capacity in us-east")
        result = job.run(promote_to="production", on_failure="deactivate")
        assert "promotion_failed" == result.outputs["status"]
        assert "no capacity in us-east" in result.summary
        assert first.outputs["deployment-id"] == serves(job, result.outputs["model-id"], "production")


class TestModePromote:
    """`mode: promote`: an existing deployment, behind an approval."""

    def test_what_another_job_deployed(self, job):
        """Job 1 deploys and outputs the id, job 2 promotes it after the same smoke test."""
        first = job.run(promote_to="production")
        change(job)
        deployed = job.run()
        job.sandbox.clear_requests()
        model, deployment = deployed.outputs["model-id"], deployed.outputs["deployment-id"]
        result = job.run(
            mode="promote", model_id=model, deployment_id=deployment, environment="production", truss_directory="-"
        )
        assert "success" == result.outputs["status"], result.log
        assert (deployment, "production") == (serves(job, model, "production"), result.outputs["environment"])
        assert first.outputs["deployment-id"] == result.outputs["previous-deployment-id"]
        order = paths(job)
        assert order[0].endswith(f"/deployment/{deployment}/predict")
        assert order[1].endswith("/environments/production/promote")

    def test_by_name_and_for_this_promotion_only(self, job):
        """The one deployment of a name; the environment's own promotion settings stay as they are."""
        model = job.run(promote_to="production").outputs["model-id"]
        before = environment(job, model, "production").environment.settings
        change(job)
        wanted = job.run(deployment_name="v2").outputs["deployment-id"]
        result = job.run(
            mode="promote",
            model_id=model,
            deployment_name="v2",
            environment="production",
            promotion_settings="{redeploy_on_promotion: true, rolling_deploy: true}",
            scale_down_previous="false",
        )
        assert "success" == result.outputs["status"], result.log
        assert wanted == result.outputs["deployment-id"] != serves(job, model, "production")
        assert result.outputs["promoted-deployment-id"] == serves(job, model, "production")
        assert before == environment(job, model, "production").environment.settings
        sent = bodies(job, "POST", "/environments/production/promote")[-1]
        assert {"redeploy_on_promotion": True, "rolling_deploy": True} == sent["promotion_settings_override"]
        assert sent["scale_down_previous_deployment"] is False

    def test_a_failed_check_promotes_nothing(self, job):
        """Nothing is promoted before its checks passed."""
        deployed = job.run()
        result = job.run(
            mode="promote",
            model_name="hello-truss",
            deployment_id=deployed.outputs["deployment-id"],
            environment="production",
            predict_expect='"no"',
        )
        assert "predict_failed" == result.outputs["status"]
        assert not [path for path in paths(job) if path.endswith("/promote")]

    def test_an_unknown_deployment(self, job):
        """A deployment that the model does not have is invalid."""
        model = job.run().outputs["model-id"]
        result = job.run(mode="promote", model_id=model, deployment_id="nope", environment="production")
        assert "invalid" == result.outputs["status"]
        assert "nope" in result.summary

    @pytest.mark.parametrize("missing", ["deployment_id", "model_id", "environment"])
    def test_what_it_needs(self, job, missing):
        """Without deployment, model or environment it is refused at once."""
        given = {"deployment_id": "d", "model_id": "m", "environment": "production"} | {missing: "-"}
        result = job.run(mode="promote", **given)
        assert "invalid" == result.outputs["status"]
        assert () == job.sandbox.requests


class TestModeRollback:
    """`mode: rollback`: an environment back to what it served before."""

    def test_what_was_deactivated_meanwhile(self, job):
        """Found in the audit log, activated, checked, promoted; and what it replaces is what `previous` says."""
        settings = "{promotion_settings: {promotion_cleanup_strategy: DEACTIVATE}}"
        first = job.run(promote_to="production", environment_settings=settings).outputs
        change(job)
        second = job.run(promote_to="production").outputs
        model = first["model-id"]
        job.sandbox.clear_requests()
        result = job.run(mode="rollback", model_id=model, environment="production", truss_directory="-")
        assert "success" == result.outputs["status"], result.log
        assert first["deployment-id"] == serves(job, model, "production") == result.outputs["promoted-deployment-id"]
        assert (first["deployment-id"], second["deployment-id"]) == (
            result.outputs["deployment-id"],
            result.outputs["previous-deployment-id"],
        )
        order = [path.rsplit("/", 1)[-1] for path in paths(job)]
        assert ["activate", "predict", "promote"] == order[:3]
        assert 0 < float(result.outputs["startup-seconds"]), "of the replica that the activation started"
        assert "<summary>Start-up " in result.summary

    def test_nothing_before(self, job):
        """The first deployment has nothing to go back to."""
        model = job.run(promote_to="production").outputs["model-id"]
        result = job.run(mode="rollback", model_id=model, environment="production")
        assert "invalid" == result.outputs["status"], result.log
        assert "knows of nothing" in result.summary


def test_deploy_retries(job):
    """The service tries again what did not come up, and the promotion that it is for goes on."""
    job.sandbox.state.plan_next_deployment(["BUILDING", "DEPLOYING", "DEPLOY_FAILED"])
    result = job.run(environment="production", deploy_retries="1")
    assert "success" == result.outputs["status"], result.log
    assert 1 == len([path for path in paths(job) if path.endswith("/retry")])
    assert result.outputs["deployment-id"] == serves(job, result.outputs["model-id"], "production")


class TestModeCleanup:
    """`mode: cleanup`: retire by labels."""

    @pytest.fixture
    def deployed(self, job):
        """Five deployments of a pull request, the first of which production serves."""
        results = [job.run(promote_to="production", labels="{github-pr: '12'}", predict="false")]
        for number in range(4):
            change(job, str(number))
            results.append(job.run(labels="{github-pr: '12'}", wait="false"))
        return [result.outputs for result in results]

    def test_what_stays_and_what_goes(self, job, deployed):
        """All with the label go, but what production serves and the newest; the summary says why."""
        model = deployed[0]["model-id"]
        job.sandbox.clear_requests()
        result = job.run(
            mode="cleanup", model_id=model, cleanup_labels="github-pr: 12", keep_latest="1", retire="delete"
        )
        assert "success" == result.outputs["status"], result.log
        left = {row.id for row in job.sandbox.state.deployments(model)}
        assert {deployed[0]["deployment-id"], deployed[4]["deployment-id"]} == left
        assert "production serves it" in result.summary
        assert "among the newest 1" in result.summary

    def test_other_labels_are_left_alone(self, job, deployed):
        """A deployment without the label is not touched."""
        model = deployed[0]["model-id"]
        job.sandbox.clear_requests()
        result = job.run(mode="cleanup", model_id=model, cleanup_labels="github-pr: 13")
        assert "success" == result.outputs["status"]
        assert [] == paths(job)

    def test_it_goes_on_after_a_failure(self, job, deployed):
        """One that cannot be retired does not keep the others, and is named."""
        model, failing = deployed[0]["model-id"], deployed[2]["deployment-id"]
        from baseten_sandbox.control.faults import status  # noqa: PLC0415

        job.sandbox.faults.add(status(409, '{"error": "busy"}', times=None).on("DELETE", failing))
        result = job.run(mode="cleanup", model_id=model, cleanup_labels="github-pr: 12", retire="delete")
        assert "cleanup_failed" == result.outputs["status"]
        assert failing in result.summary
        assert 2 == len(job.sandbox.state.deployments(model))


def test_on_failure_never_takes_down_what_an_environment_serves(job):
    """A smoke test that fails in the environment leaves its deployment alone, whatever `on-failure` says."""
    result = job.run(environment="production", predict_expect='"no"', on_failure="delete")
    assert "predict_failed" == result.outputs["status"]
    assert result.outputs["deployment-id"] == serves(job, result.outputs["model-id"], "production")
    assert json.loads(result.outputs["result"])["status"] == "predict_failed"
