"""Cancel: the run stops within seconds, names what it made, and clears it away as `on-cancel` says."""

import os
import time

import pytest

from baseten_sandbox import Fault, Kind

SECONDS = 5.0  # of GitHub's 7.5 until SIGTERM


def until(step, condition, seconds=30):
    """Wait until `condition()` holds while the step runs."""
    end = time.monotonic() + seconds
    while not condition():
        assert step.running, step.log.lines
        assert time.monotonic() < end, step.log.lines
        time.sleep(0.02)


def sent(job, method, ending):
    """Whether a request has come."""
    return any(r.method == method and r.path.endswith(ending) for r in job.sandbox.requests)


@pytest.mark.parametrize("how", ["keep", "deactivate", "delete"])
def test_while_waiting(job, how):
    """A cancelled wait ends as `cancelled`, 130, with outputs and summary, and the deployment as `on-cancel` says."""
    job.sandbox.state.plan_next_deployment([("BUILDING", 600.0)])
    step = job.start(on_cancel=how)
    until(step, lambda: "deployment-status" in step.outputs())
    started = time.monotonic()
    step.cancel()
    result = step.wait(10)
    assert time.monotonic() - started < SECONDS
    assert (130, "cancelled") == (result.exit_code, result.outputs["status"])
    assert "Cancelled" in result.summary
    deployment = result.outputs["deployment-id"]
    assert {
        "keep": (False, False),
        "deactivate": (True, False),
        "delete": (False, True),
    }[how] == (sent(job, "POST", f"{deployment}/deactivate"), sent(job, "DELETE", deployment))


def test_before_anything_was_made(job):
    """A run that is cancelled in its dry run made nothing and says so."""
    job.sandbox.faults.add(Fault(Kind.HANG, "POST", "/v1/prepare_model_upload"))
    step = job.start(on_cancel="delete")
    until(step, lambda: sent(job, "POST", "/v1/prepare_model_upload"))
    step.cancel()
    result = step.wait(10)
    assert (130, "cancelled") == (result.exit_code, result.outputs["status"])
    assert "deployment-id" not in result.outputs


def test_while_the_commit_is_on_its_way(job):
    """A commit whose answer is still out may have taken effect: what it made is found by its label, and named."""
    job.sandbox.faults.add(Fault(Kind.HANG, "POST", "/v1/models$", acts=True))
    step = job.start(on_cancel="deactivate")
    until(step, lambda: sent(job, "POST", "/v1/models"))
    time.sleep(0.5)
    started = time.monotonic()
    step.cancel()
    result = step.wait(10)
    assert time.monotonic() - started < SECONDS
    assert "cancelled" == result.outputs["status"]
    assert sent(job, "POST", f"{result.outputs['deployment-id']}/deactivate")


def test_while_uploading(job):
    """A cancelled upload leaves neither a deployment nor parts."""
    (job.truss / "weights.bin").write_bytes(os.urandom(80 * 2**20))
    job.sandbox.faults.add(Fault(Kind.HANG, "PUT", "partNumber=2", service="s3", times=None))
    step = job.start()
    until(step, lambda: any("partNumber" in r.query or r.method == "PUT" for r in job.sandbox.requests))
    time.sleep(1.0)
    step.cancel()
    result = step.wait(10)
    assert "cancelled" == result.outputs["status"], result.log
    assert [] == job.sandbox.multipart_uploads()
    assert not any(r.method == "POST" and r.path == "/v1/models" for r in job.sandbox.requests)


def test_the_post_step_does_what_is_left(job):
    """When the service did not answer in time, the post step deletes the deployment from the saved state."""
    job.sandbox.state.plan_next_deployment([("BUILDING", 600.0)])
    step = job.start(on_cancel="delete")
    until(step, lambda: "deployment-status" in step.outputs())
    job.sandbox.faults.add(Fault(Kind.HANG, "DELETE", seconds=10.0))
    step.cancel()
    result = step.wait(10)
    assert "cancelled" == result.outputs["status"]
    done = job.post(result.state, on_cancel="delete")
    assert (0, "") == (done.returncode, done.stderr)
    assert [] == job.sandbox.state.deployments(result.outputs["model-id"])


def test_the_post_step_after_a_run_that_ended(job):
    """A run that ended by itself leaves the post step nothing to do."""
    result = job.run(on_cancel="delete")
    before = len(job.sandbox.requests)
    assert 0 == job.post(result.state, on_cancel="delete").returncode
    assert before == len(job.sandbox.requests)


def test_the_post_step_finds_a_commit_without_an_answer(job):
    """A run that was killed while its commit was on its way is cleared away by its label."""
    job.sandbox.faults.add(Fault(Kind.HANG, "POST", "/v1/models$", acts=True))
    step = job.start(on_cancel="delete")
    until(step, lambda: sent(job, "POST", "/v1/models"))
    time.sleep(0.5)
    step._process.kill()
    state = step.wait(10).state
    model = job.sandbox.state.models()[0].model.id
    assert 0 == job.post(state, on_cancel="delete").returncode
    assert [] == job.sandbox.state.deployments(model)


def test_while_a_pattern_is_searched(job):
    """A `predict-expect` that would take for ever delays no cancel."""
    payload = '{"text": "' + "a" * 60 + '!"}'
    step = job.start(predict_expect="/(a|aa)+$/", predict_payload=payload)
    until(step, lambda: "Answered in" in step.log.text)
    time.sleep(0.3)
    began = time.monotonic()
    step.cancel()
    result = step.wait(10)
    assert time.monotonic() - began < 5  # the search itself would take ten seconds
    assert (130, "cancelled") == (result.exit_code, result.outputs["status"])


def test_while_promoting(job):
    """The promotion that the run began is cancelled before its deployment is retired; what was served still is."""
    first = job.run(promote_to="production").outputs
    (job.truss / "model" / "version.py").write_text("VERSION = 2\n")
    job.sandbox.state.plan_next_promotion(paused=True)
    step = job.start(promote_to="production", on_cancel="delete")
    until(step, lambda: len([r for r in job.sandbox.requests if r.path.endswith("/production/promote")]) == 2)
    time.sleep(0.5)
    step.cancel()
    result = step.wait(10)
    assert (130, "cancelled") == (result.exit_code, result.outputs["status"]), result.log
    made = result.outputs["deployment-id"]
    order = [f"{r.method} {r.path.rsplit('/', 1)[-1]}" for r in job.sandbox.requests if r.method in {"POST", "DELETE"}]
    assert order.index("POST cancel_promotion") < order.index(f"DELETE {made}")
    model = result.outputs["model-id"]
    assert [first["deployment-id"]] == [row.id for row in job.sandbox.state.deployments(model)]
    assert first["deployment-id"] == job.sandbox.state.environment(model, "production").current.id
