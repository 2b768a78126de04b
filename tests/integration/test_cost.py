"""What a run costs, what it lacks and whether it changes anything: the same in plan and deploy, driven from outside."""

import time

import pytest

from baseten_sandbox.control import faults
from workflow_events import pull_request

GPU = "\nsecrets:\n  hf_access_tokn: null\nresources:\n  accelerator: {}\n"


@pytest.fixture
def live(job):
    """The job, with its Truss live in production on a small machine, 0 to 1 replicas."""
    result = job.run(environment="production")
    assert "success" == result.outputs["status"], result.log.text
    job.sandbox.clear_requests()
    return job


def asks_for(job, accelerator):
    """The config asks for another machine, and for a secret."""
    config = job.truss / "config.yaml"
    text = config.read_text()
    config.write_text(text[: text.index("resources:")] + GPU.format(accelerator))


def uploads(job):
    """What was sent that makes something."""
    return [call for call in job.sent() if not call.startswith("GET") and "prepare" not in call]


class TestCost:
    """Output, page and limit."""

    @pytest.mark.parametrize("mode", ["plan", "deploy"])
    def test_of_an_environment(self, live, mode):
        """Machine and replicas as the run leaves them."""
        asks_for(live, "H100")
        result = live.run(
            mode=mode,
            environment="production",
            preserve_env_instance_type="false",
            environment_settings="autoscaling_settings: {max_replica: 2}",
        )
        assert (0, "12.9996") == (result.exit_code, result.outputs["hourly-cost"]), result.log.text
        assert "$13.00 an hour" in result.summary
        assert "$12.96 more" in result.summary.replace("**", "")
        assert "| Per hour | $0.00 to $0.0348 |" in result.summary
        assert "estimate" in result.summary

    @pytest.mark.parametrize("mode", ["plan", "deploy"])
    def test_a_machine_that_is_kept(self, live, mode):
        """Costs what it does now; that `resources` have no effect is a warning at their line."""
        asks_for(live, "H100")
        result = live.run(mode=mode, environment="production")
        assert "0.0348" == result.outputs["hourly-cost"]
        (warning,) = [each for each in result.log.annotations if "`resources` have no effect" in each.message]
        assert ("hello-truss/config.yaml", "8") == (warning.properties["file"], warning.properties["line"])
        assert "preserve-env-instance-type: false" in warning.message

    @pytest.mark.parametrize("mode", ["plan", "deploy"])
    @pytest.mark.parametrize(("accelerator", "known"), [("H100", True), ("B300", False)])
    def test_beyond_the_limit(self, live, mode, accelerator, known):
        """Rejected before anything is uploaded or made; also when nobody knows what it costs."""
        asks_for(live, accelerator)
        result = live.run(
            mode=mode, environment="production", preserve_env_instance_type="false", max_hourly_cost="6.49"
        )
        assert (1, "rejected") == (result.exit_code, result.outputs["status"]), result.log.text
        assert [] == uploads(live)
        assert {"GET"} >= {call.split()[0] for call in live.sent("s3")}  # a plan reads what is live
        said = "can cost $6.50 an hour, more than $6.49" if known else "no instance type with a price has what"
        assert said in result.log.text
        assert ("6.4998" if known else None) == result.outputs.get("hourly-cost")

    def test_within_the_limit(self, live):
        """It is deployed."""
        result = live.run(environment="production", max_hourly_cost="0.04")
        assert ("success", "0.0348") == (result.outputs["status"], result.outputs["hourly-cost"])

    def test_a_library_listing(self, job):
        """Nobody knows what it will run on."""
        result = job.run(truss_directory="-", library_listing="lab/listing", max_hourly_cost="100")
        assert (1, "rejected") == (result.exit_code, result.outputs["status"])
        assert [] == job.sent()[1:]

    @pytest.mark.parametrize("mode", ["plan", "deploy"])
    def test_a_service_without_prices_or_secrets(self, live, mode):
        """Changes nothing but that the cost is not known."""
        live.sandbox.faults.add(faults.status(404, path="/v1/instance_type_prices", times=None))
        live.sandbox.faults.add(faults.status(403, path="/v1/secrets", times=None))
        asks_for(live, "T4")
        result = live.run(mode=mode, environment="production")
        assert 0 == result.exit_code, result.log.text
        assert None is result.outputs.get("hourly-cost")
        assert "hf_access_tokn" not in "".join(each.message for each in result.log.annotations)
        assert "not known" in (result.summary if mode == "plan" else result.log.text)


def test_a_service_that_hangs_there(live):
    """Holds no deploy up: what is not known in a second is not said."""
    for path in ("/v1/instance_type_prices", "/v1/secrets"):
        live.sandbox.faults.add(faults.Fault(faults.Kind.HANG, method="GET", path=path, seconds=600, times=None))
    asks_for(live, "T4")
    started = time.monotonic()
    result = live.run(environment="production")
    assert ("success", None) == (result.outputs["status"], result.outputs.get("hourly-cost")), result.log.text
    assert time.monotonic() - started < 60
    assert "the service did not answer with its prices in time" in result.log.text


@pytest.mark.parametrize("mode", ["plan", "deploy"])
def test_a_missing_secret(live, mode):
    """Is a warning at its line, with the one that is meant; the run goes on."""
    live.sandbox.state.secrets.add("hf_access_token")
    asks_for(live, "T4")
    result = live.run(mode=mode, environment="production")
    assert 0 == result.exit_code, result.log.text
    (warning,) = [each for each in result.log.annotations if "hf_access_tokn" in each.message]
    assert ("hello-truss/config.yaml", "7") == (warning.properties["file"], warning.properties["line"])
    assert "Did you mean `hf_access_token`?" in warning.message
    assert 1 == live.sent().count("GET /v1/secrets")
    assert "hf_access_tokn" in result.summary


class TestChanges:
    """For `if: steps.plan.outputs.changes == 'true'`."""

    def test_content_settings_and_trigger(self, live):
        """Each of them counts; nothing changed is `false`, in both modes."""

        def changes(mode="plan", **inputs):
            return live.run(mode=mode, environment="production", **inputs).outputs["changes"]

        drift = {"environment_settings": "autoscaling_settings: {max_replica: 5}"}
        assert ["false", "true", "true"] == [changes(), changes(**drift), changes(redeploy_trigger="one")]
        assert "false" == changes("deploy", skip_unchanged="true")
        assert "true" == changes("deploy", skip_unchanged="true", redeploy_trigger="one")
        assert "false" == changes("deploy", skip_unchanged="true", redeploy_trigger="one")
        assert ["false", "true"] == [changes(redeploy_trigger="one"), changes(redeploy_trigger="two")]
        assert "false" == changes("deploy", redeploy_trigger="one")
        (live.truss / "new.py").write_text("NEW = 1\n")
        assert ["true", "true"] == [changes(), changes("deploy")]

    def test_a_new_model(self, job):
        """Everything is new; the trigger's text is in no request."""
        result = job.run(mode="plan", redeploy_trigger="2026-11-28 rotated")
        assert "true" == result.outputs["changes"]
        (sent,) = [request.json for request in job.sandbox.requests if request.method == "POST"]
        assert "af00c9ab434a" == sent["deployment"]["labels"]["redeploy-trigger"]
        assert "rotated" not in str(sent)

    def test_offline(self, job):
        """Nobody was asked."""
        result = job.on(pull_request(fork=True)).run(mode="plan", baseten_api_key="-")
        assert ("skipped", None) == (result.outputs["status"], result.outputs.get("changes"))
