"""Modes that need no `truss`, on Chains: whole runs against the sandbox, by the code that does them for models."""

import json
import time

import pytest

from baseten_sandbox import Answer
from baseten_sandbox.state.chains import config_of
from baseten_sandbox.state.entities import Settings
from runner import ROOT

PAYLOAD = '{"max_value": 6}'


class Chains:
    """A Chain with deployments, made as a push makes them, and runs about it."""

    def __init__(self, job):
        self.job, self.state = job, job.sandbox.chains
        self.id = self.state.create_model("Hello Chain", job.sandbox.state.teams()[0].id).id

    def push(self, statuses=("ACTIVE",), **variables):
        """A deployment; `variables` are those of its second chainlet."""
        self.state.plan_next_deployment(statuses)
        parts = [
            {"id": "hello001", "name": "Hello", "config": {}},
            {"id": "rand0001", "name": "Rand", "config": {"environment_variables": variables}},
        ]
        return self.state.add_deployment(self.id, config=config_of(parts), settings=Settings()).id

    def run(self, **given):
        """A run about the Chain."""
        inputs = {name.replace("-", "_"): value for name, value in self.job.sandbox.chain_inputs.items()}
        return self.job.run(
            **{**inputs, "truss_directory": ".", "chain_id": self.id, "predict_payload": PAYLOAD, **given}
        )

    def serves(self, name):
        """What an environment serves."""
        current = self.state.environment(self.id, name).current
        return current.id if current else ""

    def status(self, deployment_id):
        """The status of a deployment."""
        return self.state.deployment(self.id, deployment_id).timeline[-1].status


@pytest.fixture
def chains(job):
    """A Chain without a deployment."""
    return Chains(job)


def messages(result):
    """The errors that GitHub shows."""
    return [each.message for each in result.log.annotations if each.kind == "error"]


def test_promote_into_a_new_environment(chains):
    """It is made with its settings, promoted into, verified and asked."""
    deployment = chains.push()
    result = chains.run(
        mode="promote",
        deployment_id=deployment,
        environment="staging",
        create_environment="true",
        environment_settings="chainlet_settings: [{chainlet_name: Rand, autoscaling_settings: {max_replica: 4}}]",
    )
    assert "success" == result.outputs["status"], result.log.text
    assert deployment == chains.serves("staging") == result.outputs["promoted-deployment-id"]
    assert (chains.id, "Hello Chain") == (result.outputs["chain-id"], result.outputs["model-name"])
    assert "model-id" not in result.outputs
    asked = [each.path for each in chains.job.sandbox.requests if each.service == "inference"]
    assert [f"/inference/chain-{chains.id}/deployment/{deployment}/run_remote"] == asked
    assert "| `Rand` | `ACTIVE` |" in result.summary


def test_by_name_with_the_file(chains):
    """`truss-directory` says that it is a Chain; nothing is imported and nothing is needed for it."""
    deployment = chains.push()
    result = chains.run(
        chain_id="",
        truss_directory="anywhere/chain.py",
        model_name="Hello Chain",
        mode="promote",
        deployment_id=deployment,
        environment="production",
    )
    assert "success" == result.outputs["status"], result.log.text
    assert deployment == chains.serves("production")


def test_rollback(chains):
    """To what the audit log says was served before; twice is where it began."""
    first, second = chains.push(), chains.push()
    for deployment in (first, second):
        chains.run(mode="promote", deployment_id=deployment, environment="production")
    result = chains.run(mode="rollback", environment="production")
    assert ("success", second) == (result.outputs["status"], result.outputs["previous-deployment-id"]), result.log.text
    assert first == chains.serves("production")


def test_what_fails_in_the_environment_is_rolled_back(chains):
    """Although the environment deactivates what it replaces: that waits until the checks have passed."""
    good, bad = chains.push(), chains.push(SANDBOX_PREDICT_STATUS="200")
    settings = "promotion_settings: {promotion_cleanup_strategy: DEACTIVATE}"
    first = chains.run(mode="promote", deployment_id=good, environment="production", environment_settings=settings)
    assert "success" == first.outputs["status"], first.log.text
    chains.job.sandbox.answers.add(Answer(status=500), path="/environments/production/run_remote", times=None)
    result = chains.run(mode="promote", deployment_id=bad, environment="production", rollback_on_failure="true")
    assert "rolled_back" == result.outputs["status"], result.log.text
    assert good == chains.serves("production")
    assert "ACTIVE" == chains.status(good)


def test_what_was_replaced_is_deactivated_in_the_end(chains):
    """Where the environment says so, after its checks."""
    old, new = chains.push(), chains.push()
    settings = "promotion_settings: {promotion_cleanup_strategy: DEACTIVATE}"
    chains.run(mode="promote", deployment_id=old, environment="production", environment_settings=settings)
    result = chains.run(mode="promote", deployment_id=new, environment="production", rollback_on_failure="true")
    assert "success" == result.outputs["status"], result.log.text
    assert ("INACTIVE", "ACTIVE") == (chains.status(old), chains.status(new))


def test_one_that_rests_cannot_be_activated(chains):
    """There is no call for it: what to do is said, and nothing is promoted."""
    deployment = chains.push(["INACTIVE"])
    result = chains.run(mode="promote", deployment_id=deployment, environment="production")
    assert "deploy_failed" == result.outputs["status"], result.log.text
    assert any("no call that brings a Chain's deployment back" in each for each in messages(result)), messages(result)
    assert not any(line.endswith("/promote") for line in chains.job.sent())


def test_a_chainlet_that_lags(chains):
    """The Chain says that it is active; the run waits for its chainlet."""
    deployment = chains.push(["BUILDING", "ACTIVE"], SANDBOX_LAG="60")
    live_at = time.time() + 3  # at twenty times the speed
    result = chains.run(mode="promote", deployment_id=deployment, environment="production")
    assert "success" == result.outputs["status"], result.log.text
    assert live_at <= time.time()


def test_a_chainlet_that_fails(chains):
    """It is named, and its log unfolded; those of the others are not."""
    deployment = chains.push(["BUILDING", "BUILD_FAILED"], SANDBOX_END_STATUS="BUILD_FAILED")
    chains.job.sandbox.logs.add("rand0001", "no matching distribution found", level="ERROR")
    result = chains.run(mode="promote", deployment_id=deployment, environment="production")
    assert "deploy_failed" == result.outputs["status"]
    assert any("the chainlet Rand is BUILD_FAILED" in each for each in messages(result)), messages(result)
    assert "Log of Rand" in result.summary
    assert "no matching distribution found" in result.summary
    assert "Log of Hello" not in result.summary


@pytest.mark.parametrize("how", ["deactivate", "delete"])
def test_cleanup_by_number(chains, how):
    """The newest stay, and what an environment serves."""
    served, *others = [chains.push() for _ in range(4)]
    chains.run(mode="promote", deployment_id=served, environment="production")
    result = chains.run(mode="cleanup", keep_latest="1", retire=how, predict_payload="")
    assert "success" == result.outputs["status"], result.log.text
    assert chains.id == result.outputs["chain-id"]
    left = {each.id: each.timeline[-1].status for each in chains.state.deployments(chains.id)}
    gone = others[:2]
    assert {served, others[2]} == set(left) - set(gone)
    assert all(left.get(each, "INACTIVE") == "INACTIVE" for each in gone)
    assert ("ACTIVE", "ACTIVE") == (left[served], left[others[2]])


@pytest.mark.parametrize(("asks", "said"), [("path: /v1/chat", "/v1/chat"), ("kind: websocket", "a websocket")])
def test_a_check_of_what_a_chain_has_not(chains, asks, said):
    """Is refused at its line, before anything is switched."""
    text = f"checks:\n  - name: talks\n    {asks}\n    payload: {PAYLOAD}\n"
    (chains.job.runner.workspace / "checks.yaml").write_text(text)
    result = chains.run(
        mode="promote", deployment_id="dep1", environment="production", checks="checks.yaml", predict_payload=""
    )
    assert "invalid" == result.outputs["status"], result.log.text
    (error,) = [each for each in result.log.annotations if each.kind == "error"]
    assert f"The check 'talks' asks for {said}, and a Chain has one way in" in error.message
    assert "checks.yaml" in error.properties["file"]


def test_checks_ask_run_remote(chains):
    """A check without a path goes where the smoke test goes."""
    (chains.job.runner.workspace / "checks.yaml").write_text(
        f"checks:\n  - name: echoes\n    payload: {PAYLOAD}\n    expect: {{json: {{echo: {PAYLOAD}}}}}\n"
    )
    deployment = chains.push()
    result = chains.run(
        mode="promote", deployment_id=deployment, environment="production", checks="checks.yaml", predict_payload=""
    )
    assert ("success", "1") == (result.outputs["status"], result.outputs.get("checks-passed")), result.log.text


def test_deploying_needs_truss(chains):
    """Without it the sub-action is named, and nothing is sent."""
    (chains.job.runner.workspace / "chain.py").write_text("")
    result = chains.run(chain_id="", truss_directory="chain.py")
    assert "invalid" == result.outputs["status"]
    assert any("baseten-deploy/chain@v1" in each for each in messages(result))
    assert [] == chains.job.sent()


def test_the_sub_action_has_these_inputs():
    """The runner knows all that these tests give."""
    assert "chain-entrypoint" in (ROOT / "chain" / "action.yml").read_text()


@pytest.mark.parametrize(("mode", "how"), [("promote", "delete"), ("promote", "deactivate")])
def test_a_cancelled_promotion_of_somebody_elses_goes_on(chains, mode, how):
    """There is no call that cancels it, and what it promotes is not this run's to retire."""
    deployment = chains.push()
    chains.state.plan_next_promotion(paused=True)
    inputs = {**chains.job.sandbox.chain_inputs, "predict": "false"}
    given = {name.replace("-", "_"): value for name, value in inputs.items()} | {"truss_directory": "."}
    step = chains.job.start(
        **given, chain_id=chains.id, mode=mode, deployment_id=deployment, environment="production", on_cancel=how
    )
    until(step, lambda: chains.state.environment(chains.id, "production").candidate is not None)
    step.cancel()
    result = step.wait(20)
    assert (130, "cancelled") == (result.exit_code, result.outputs["status"])
    assert "ACTIVE" == chains.status(deployment)
    assert "goes on" in result.log.text


def post(chains, known, how="delete", **saved):
    """Run the post step of a run that was killed while its push was on its way; what it printed."""
    facts = {"model_id": chains.id, "model_name": "Hello Chain", "team_id": "", "deploy_key": "", "deployment_ids": []}
    state = {"deployment": json.dumps({**facts, "known": known, **saved}), "status": "cancelled"}
    done = chains.job.post(
        state, **chains.job.sandbox.chain_inputs, truss_directory="hello-chain/hello.py", on_cancel=how
    )
    assert (0, "") == (done.returncode, done.stderr)
    return done.stdout


@pytest.mark.parametrize("new", [False, True])
@pytest.mark.parametrize("how", ["deactivate", "delete"])
def test_the_post_step_finds_a_push_without_an_answer(chains, how, new):
    """The one that was not there before is done away with, of a Chain that was there and of a new one."""
    before = [] if new else [chains.push()]
    made = chains.push(["BUILDING"])
    post(chains, before, how, **({"model_id": ""} if new else {}))
    left = {each.id: each.timeline[-1].status for each in chains.state.deployments(chains.id)}
    assert {"deactivate": "INACTIVE", "delete": None}[how] == left.pop(made, None)
    assert dict.fromkeys(before, "ACTIVE") == left


def test_the_post_step_touches_none_of_several(chains):
    """Which one is the run's own cannot be told: it says which there are."""
    both = [chains.push(["BUILDING"]), chains.push(["BUILDING"])]
    printed = post(chains, [])
    assert f"({', '.join(both)})" in printed
    assert both == [each.id for each in chains.state.deployments(chains.id)]


def test_the_post_step_keeps_what_an_environment_serves(chains):
    """Somebody has promoted it meanwhile."""
    made = chains.push()
    chains.run(mode="promote", deployment_id=made, environment="production", predict="false")
    assert f"{made} could not be cleared away" in post(chains, [])
    assert "ACTIVE" == chains.status(made)


def until(step, condition, seconds=30):
    """Wait until `condition()` holds while the step runs."""
    end = time.monotonic() + seconds
    while not condition():
        assert step.running, step.log.text
        assert time.monotonic() < end, step.log.text
        time.sleep(0.02)
