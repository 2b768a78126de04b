"""Whole runs that are watched, against the sandbox's scripted traffic.

The watches are short; how a long one goes is judged in virtual time (`tests/unit/watch`).
"""

import time

import pytest
from test_cancel import SECONDS, until

from baseten_sandbox import Fault, Kind

WATCH = {"watch_minutes": "0.01"}  # half a second; what is in doubt then is looked at again two seconds later


@pytest.fixture
def pace():
    """That of the sandbox's traffic."""
    return 1.0


def serves(job, model, name="production"):
    """The id of the deployment that an environment serves."""
    return job.sandbox.state.environment(model, name).current.id


def told(result, kind):
    """The messages of its annotations of a kind."""
    return [each.message for each in result.log.annotations if each.kind == kind]


def first_version(job):
    """The model with a deployment that production serves and that gets steady traffic; its outputs."""
    result = job.run(promote_to="production")
    assert "success" == result.outputs["status"], result.log
    (job.truss / "model" / "version.py").write_text("VERSION = 2\n")
    return result.outputs


def script(job, traffic):
    """What the next deployment's metrics tell of."""
    job.sandbox.state.plans.add_traffic(traffic)


class TestAPromotion:
    """Into production, which serves a version that works."""

    def test_what_leaks_errors_is_taken_back(self, job):
        """`rolled_back`, verified; in the summary the verdict above table and charts, with what was before."""
        first = first_version(job)
        script(job, "leak")
        result = job.run(**WATCH, promote_to="production", rollback_on_failure="true", watch_limits="p95-ratio: 2")
        assert ("rolled_back", 1) == (result.outputs["status"], result.exit_code), result.log
        assert first["deployment-id"] == serves(job, first["model-id"])
        assert ("", first["deployment-id"]) == (
            result.outputs["promoted-deployment-id"],
            result.outputs["previous-deployment-id"],
        )
        summary = result.summary
        places = [
            summary.index(part)
            for part in ("### Watch of production", "❌ production: the error rate is", "| Requests |", "xychart-beta")
        ]
        assert sorted(places) == places
        assert "at most 0.60 s (2 times before)" in summary

    def test_without_rollback_it_stays_and_the_way_back_is_named(self, job):
        """The inputs of the run that would roll back, in the annotation."""
        first = first_version(job)
        script(job, "leak")
        result = job.run(**WATCH, promote_to="production")
        second = result.outputs["deployment-id"]
        assert ("watch_failed", second) == (result.outputs["status"], serves(job, first["model-id"])), result.log
        assert second == result.outputs["promoted-deployment-id"]
        (error,) = told(result, "error")
        assert f"`mode: rollback`, `model-id: {first['model-id']}`, `environment: production`" in error
        back = job.run(mode="rollback", model_id=first["model-id"], environment="production", truss_directory="-")
        assert "success" == back.outputs["status"], back.log
        assert first["deployment-id"] == serves(job, first["model-id"])

    @pytest.mark.parametrize("on_failure", ["deactivate", "delete"])
    def test_what_production_serves_is_not_retired(self, job, on_failure):
        """A watch that failed leaves the release where it is; `on-failure` says why it does nothing."""
        first = first_version(job)
        script(job, "leak")
        result = job.run(**WATCH, promote_to="production", on_failure=on_failure)
        second = result.outputs["deployment-id"]
        assert ("watch_failed", second) == (result.outputs["status"], serves(job, first["model-id"])), result.log
        assert any(f"The deployment {second} stays: production serves it" in each for each in told(result, "warning"))

    def test_metrics_that_are_refused(self, job):
        """Red, never green, and nothing is undone."""
        first = first_version(job)
        job.sandbox.faults.add(Fault(Kind.STATUS, "GET", "/metrics[?]", status=403, times=None))
        result = job.run(**WATCH, promote_to="production", rollback_on_failure="true")
        assert "watch_failed" == result.outputs["status"], result.log
        assert result.outputs["deployment-id"] == serves(job, first["model-id"])

    def test_silence(self, job):
        """Green, with a notice."""
        first_version(job)
        script(job, "silence")
        result = job.run(**WATCH, promote_to="production", rollback_on_failure="true")
        assert "success" == result.outputs["status"], result.log
        assert any("No traffic: production got no request" in each for each in told(result, "notice"))


class TestElsewhere:
    """What a deploy without a promotion watches."""

    def test_a_push_into_an_environment(self, job):
        """That environment."""
        script(job, "leak")
        result = job.run(**WATCH, environment="production")
        assert "watch_failed" == result.outputs["status"], result.log
        assert result.outputs["deployment-id"] == serves(job, result.outputs["model-id"])

    def test_the_deployment(self, job):
        """And the start-up, in output, log and summary."""
        result = job.run(**WATCH)
        assert "success" == result.outputs["status"], result.log
        assert "✅ the deployment" in result.summary
        assert 0 < float(result.outputs["startup-seconds"]) < 1
        assert "<summary>Start-up" in result.summary
        assert "| image pull |" in result.summary
        assert any(line.text.startswith("Start-up ") for line in result.log.lines)

    @pytest.mark.parametrize("on_cancel", ["keep", "delete"])
    def test_everything_is_known_before_the_watch(self, job, on_cancel):
        """A later step needs nothing that comes after it; a cancel ends it at once and leaves what is live."""
        step = job.start(promote_to="production", watch_minutes="10", rollback_on_failure="true", on_cancel=on_cancel)
        until(step, lambda: any(r.path.endswith("/metrics") for r in job.sandbox.requests) or watching(step))
        outputs = step.outputs()
        assert {
            *("model-id", "deployment-id", "deployment-status", "environment", "promoted-deployment-id", "predict-url"),
            *("logs-url", "archive-sha256", "content-digest", "deploy-time-seconds", "startup-seconds"),
            *("predict-seconds", "predict-response"),
        } <= outputs.keys()
        started = time.monotonic()
        step.cancel()
        result = step.wait(10)
        assert time.monotonic() - started < SECONDS
        assert (130, "cancelled") == (result.exit_code, result.outputs["status"])
        said = [line.text for line in result.log.lines]
        assert any(f"production goes on serving {outputs['deployment-id']}" in text for text in said)
        assert outputs["deployment-id"] == serves(job, outputs["model-id"])

    def test_a_start_that_hangs(self, job):
        """The message of the time-out names the phase."""
        job.sandbox.state.plan_next_deployment(["BUILDING", ("DEPLOYING", 600.0)])
        result = job.run(wait_timeout_minutes="0.05")
        assert "deploy_timeout" == result.outputs["status"], result.log
        assert any("Its start-up hung in IMAGE_PULL, for " in each for each in told(result, "error"))


def watching(step):
    """Whether the watch has begun."""
    return any(line.text.startswith("Watching ") for line in step.log.lines)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"watch_limits": "error-rate: 0.1"}, "`watch-limits` needs a watch"),
        ({"watch_minutes": "5", "watch_limits": "error-rat: 0.1"}, "there is no limit `error-rat`"),
        ({"watch_minutes": "5", "wait": "false"}, "`watch-minutes` and `wait: false` cannot go together"),
    ],
)
def test_bad_input(job, inputs, message):
    """Is `invalid` before anything is asked."""
    result = job.run(**inputs)
    assert "invalid" == result.outputs["status"]
    assert any(message in each for each in told(result, "error"))
    assert [] == job.sent()


@pytest.mark.soak
@pytest.mark.parametrize("rollback", ["true", "false"])
def test_a_rolling_promotion(job, rollback):
    """The candidate is watched from its first share on: half a minute of real time until two looks have crossed."""
    first = first_version(job)
    script(job, "leak")
    job.sandbox.state.plan_next_promotion(paused=True)
    result = job.run(
        watch_minutes="5",
        promote_to="production",
        rollback_on_failure=rollback,
        promotion_settings="{rolling_deploy: true}",
    )
    status = "rolled_back" if rollback == "true" else "watch_failed"
    assert status == result.outputs["status"], result.log
    assert first["deployment-id"] == serves(job, first["model-id"])
    cancelled = [r for r in job.sandbox.requests if r.path.endswith("/cancel_promotion")]
    assert len(cancelled) == (rollback == "true")
    (error,) = told(result, "error")
    assert f"the candidate {result.outputs['deployment-id']} of production: the error rate is" in error
    assert ("the promotion goes on" in error) is (rollback == "false")
