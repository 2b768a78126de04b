"""`deploy-retries`: what is tried again, how often, and how it ends."""

import httpx
import pytest
from outages import KINDS
from transport import AMBIGUOUS, UNSEEN, Fault, Service, make_run, printed, refusal

from baseten_deploy.deployment.wait import wait
from baseten_deploy.environment.ours import Ours
from baseten_deploy.errors import AuthFailed, DeployFailed, DeployTimeout
from baseten_deploy.service.answers import Model

RETRY = "POST .*/retry"


@pytest.fixture
def waited(make_settings):
    """Wait for `dep1`, which is `status`, as a run with `deploy-retries` does; return the run."""

    def go(service, status, retries, **inputs):
        service.add_model()
        service.add_deployment(status=status)
        settings = make_settings(deploy_retries=str(retries), stream_logs="false", **inputs)
        run = make_run(settings, service, service.clock)
        wait(run, Model("model1", "m"), Ours(run.api.deployment("model1", "dep1")))
        return run

    return go


class TestRetries:
    """The same deployment again."""

    @pytest.mark.parametrize("status", ["DEPLOY_FAILED", "FAILED"])
    def test_until_it_is_live(self, waited, status):
        """The second attempt of the service works; it is said."""
        service = Service(retry_answers=[status, "ACTIVE"])
        run = waited(service, status, 3)
        assert 2 == len(service.calls(RETRY))
        assert f"{status}; having the service try again (2 of 3)" in printed(run)
        assert "ACTIVE" == run.outputs.get("deployment-status")

    @pytest.mark.parametrize("retries", [0, 1, 2])
    def test_so_often_at_most(self, waited, retries):
        """Then it is what it is."""
        service = Service(retry_answers=["DEPLOY_FAILED"] * 9)
        with pytest.raises(DeployFailed, match="ended as DEPLOY_FAILED"):
            waited(service, "DEPLOY_FAILED", retries)
        assert retries == len(service.calls(RETRY))

    @pytest.mark.parametrize("status", ["BUILD_FAILED", "BUILD_STOPPED", "INACTIVE"])
    def test_not_what_would_fail_the_same_way(self, waited, status):
        """A build, or what somebody deactivated."""
        service = Service(retry_answers=["ACTIVE"])
        with pytest.raises(DeployFailed, match=f"ended as {status}"):
            waited(service, status, 3)
        assert [] == service.calls(RETRY)

    def test_the_service_does_not(self, waited):
        """Its reason ends it."""
        service = Service(retry_answers=["the image is gone"])
        with pytest.raises(
            DeployFailed, match=r"ended as FAILED\. The service does not try it again: the image is gone"
        ):
            waited(service, "FAILED", 3)
        assert 1 == len(service.calls(RETRY))

    def test_in_the_time_that_is_left(self, waited):
        """No attempt gets time of its own."""
        service = Service(retry_answers=["DEPLOYING"])
        with pytest.raises(DeployTimeout):
            waited(service, "DEPLOY_FAILED", 1, wait_timeout_minutes="2")
        assert service.clock.now() - 1000 <= 125

    @pytest.mark.parametrize("fault", [*UNSEEN, *AMBIGUOUS], ids=str)
    def test_exactly_once_under_every_failure(self, waited, fault):
        """What is lost on the way is looked at before it is asked for again."""
        service = Service(retry_answers=["ACTIVE"])
        service.fail(RETRY, fault)
        waited(service, "DEPLOY_FAILED", 1)
        assert (1 if fault.acts else 2) == len(service.calls(RETRY))

    @pytest.mark.parametrize("seconds", [15, 120])
    @pytest.mark.parametrize("kind", KINDS)
    def test_an_outage_right_after_it(self, waited, kind, seconds):
        """The old failure still shows when the service is back: the time in which nothing was seen is not counted."""
        service = Service()

        def tries_again(_model, _deployment):
            began = service.clock.now()
            row, fails = service.deployments[0], KINDS[kind]

            def answer(_request, _answer):
                passed = service.clock.now() - began
                row["status"] = "ACTIVE" if passed > seconds + 20 else "DEPLOY_FAILED"
                return fails() if passed < seconds else httpx.Response(200, json=row)

            service.fail("GET .*/deployments/dep1", Fault(kind, answer), times=10**6)
            return {"retried": True, "deployment": row}

        service._retry = tries_again
        run = waited(service, "DEPLOY_FAILED", 1)
        assert ("ACTIVE", 1) == (run.outputs.get("deployment-status"), len(service.calls(RETRY)))
        assert 1 == len([warning for warning in run.warnings if "could not be asked" in warning.message])

    @pytest.mark.parametrize(("status", "kind"), [(400, DeployFailed), (404, DeployFailed), (403, AuthFailed)])
    def test_a_refusal(self, waited, status, kind):
        """The failure that it was about is said too."""
        service = Service()
        service.fail(RETRY, refusal(status, "no such call"))
        with pytest.raises(kind, match=r"ended as FAILED\. Having the service try it again failed.*no such call"):
            waited(service, "FAILED", 1)


class TestPromotionOfAPush:
    """A push into an environment whose deployment came up at the second attempt."""

    def test_is_asked_for_again(self, make_settings):
        """When it failed with the deployment and the service leaves it so; the settings ride with it."""
        service = Service(retry_answers=["ACTIVE"])
        service.add_model()
        row = service.add_deployment(status="DEPLOY_FAILED")
        failed = {"status": "FAILED", "percent_traffic_to_new_version": 0, "error_message": "it did not come up"}
        service.add_environment("prod", candidate_deployment=row, in_progress_promotion=failed)
        settings = make_settings(
            environment="prod",
            deploy_retries="1",
            stream_logs="false",
            environment_settings="{autoscaling_settings: {min_replica: 1}}",
        )
        run = make_run(settings, service, service.clock)
        wait(run, Model("model1", "m"), Ours(run.api.deployment("model1", "dep1")), "prod")
        assert ["dep1"] == [body["deployment_id"] for body in service.bodies("/promote")]
        assert ("dep1", {"min_replica": 1}) == (
            run.outputs.get("promoted-deployment-id"),
            service._look("prod")["autoscaling_settings"],
        )

    def test_goes_on_by_itself(self, make_settings):
        """Then nothing is asked for."""
        service = Service(retry_answers=["ACTIVE"])
        service.add_model()
        row = service.add_deployment(status="DEPLOY_FAILED")
        service.add_environment("prod", row)
        settings = make_settings(environment="prod", deploy_retries="1", stream_logs="false")
        run = make_run(settings, service, service.clock)
        wait(run, Model("model1", "m"), Ours(run.api.deployment("model1", "dep1")), "prod")
        assert [] == service.calls("/promote")
