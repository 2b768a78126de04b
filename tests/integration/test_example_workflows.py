"""The workflow files that users copy are run, with the inputs that stand in them, against the sandbox."""

import shutil

import pytest
import yaml
from github_api import github_api
from workflow_file import OURS, Interpreter

from runner import ROOT
from workflow_events import pull_request, push

EXAMPLES = ROOT / "examples" / "workflows"


@pytest.fixture
def checkout(job):
    """A repository with the two Trusses that the examples name."""
    for name in ("my-model", "my-other-model"):
        truss = job.runner.workspace / name
        shutil.copytree(job.truss, truss)
        config = truss / "config.yaml"
        config.write_text(config.read_text().replace("hello-truss", name))
    return job


# A watch takes as long as it is told to; what else stands in an example is not touched.
SHORTER = {"watch-minutes": "0.01"}


def interpret(job, name, event=None):
    """Run an example and return the interpreter with what it did."""
    event = event or push()
    return run_here(job.on(event), name, event)


def run_here(at, name, event):
    """As `interpret`, by the runner of a job."""

    def run(inputs):
        shorter = {name: SHORTER.get(name, value) for name, value in inputs.items()}
        return at.run(**{"truss_directory": "-"} | {name.replace("-", "_"): value for name, value in shorter.items()})

    github = {
        "event": event.payload,
        "event_name": event.name,
        "repository": "octo-org/models",
        "token": "ghs_0123456789abcdef",
    }
    interpreter = Interpreter(
        run=run,
        github=github,
        secrets={"BASETEN_API_KEY": at.sandbox.api_key},
    )
    interpreter.workflow(EXAMPLES / name)
    return interpreter


def statuses(interpreter):
    """How the steps ended."""
    return [result.outputs["status"] for result in interpreter.results]


def serving(job, model_id, environment):
    """The id of the deployment that an environment serves."""
    return job.sandbox.state.environment(model_id, environment).current.id


def test_pr_check(checkout):
    """The pull request's deployment is checked and taken down again."""
    done = interpret(checkout, "pr-check.yml", pull_request(12))
    assert ["success"] == statuses(done)
    outputs = done.results[0].outputs
    assert checkout.sent()[-1].endswith(f"/deployments/{outputs['deployment-id']}/deactivate")


def test_merge_to_staging(checkout):
    """A merge makes staging serve it, on the first run and on the next."""
    first = interpret(checkout, "merge-to-staging.yml").results[0]
    (checkout.runner.workspace / "my-model" / "new.py").write_text("NEW = 1\n")
    second = interpret(checkout, "merge-to-staging.yml").results[0]
    assert ("success", "success") == (first.outputs["status"], second.outputs["status"])
    assert second.outputs["deployment-id"] == serving(checkout, second.outputs["model-id"], "staging")


def test_approve_to_production(checkout):
    """Job 1 hands the id to job 2, which promotes it."""
    done = interpret(checkout, "approve-to-production.yml")
    assert ["success", "success"] == statuses(done)
    deployed, promoted = (result.outputs for result in done.results)
    assert deployed["deployment-id"] == done.inputs[1]["deployment-id"] == promoted["promoted-deployment-id"]
    assert deployed["deployment-id"] == serving(checkout, deployed["model-id"], "production")


def test_roll_back(checkout):
    """After two merges and their approvals, production serves the first version again."""
    interpret(checkout, "approve-to-production.yml")
    (checkout.runner.workspace / "my-model" / "new.py").write_text("NEW = 1\n")
    interpret(checkout, "approve-to-production.yml")
    done = interpret(checkout, "roll-back.yml")
    assert ["success"] == statuses(done)
    outputs = done.results[0].outputs
    first, second = checkout.sandbox.state.deployments(outputs["model-id"])
    assert (first.id, second.id) == (outputs["promoted-deployment-id"], outputs["previous-deployment-id"])
    assert first.id == serving(checkout, outputs["model-id"], "production")


def test_watched_production(checkout):
    """The first version stays; the second, whose errors grow under traffic, is taken back, and staging keeps it."""
    first = interpret(checkout, "watched-production.yml")
    assert ["success", "success"] == statuses(first)
    (checkout.runner.workspace / "my-model" / "new.py").write_text("NEW = 1\n")
    checkout.sandbox.state.plans.add_traffic("leak")
    second = interpret(checkout, "watched-production.yml")
    assert ["success", "rolled_back"] == statuses(second)
    staged, promoted = (result.outputs for result in second.results)
    model = staged["model-id"]
    assert "15" == second.inputs[1]["watch-minutes"]
    assert first.results[1].outputs["promoted-deployment-id"] == serving(checkout, model, "production")
    assert staged["promoted-deployment-id"] == serving(checkout, model, "staging")
    assert "" == promoted["promoted-deployment-id"]
    assert "✅" in first.results[1].summary


def test_nothing_is_promoted_when_the_deployment_failed(checkout):
    """A failed first job leaves the second one out."""
    checkout.sandbox.state.plan_next_deployment(["BUILDING", "BUILD_FAILED"])
    assert ["deploy_failed"] == statuses(interpret(checkout, "approve-to-production.yml"))


def test_many_trusses(checkout):
    """Every Truss that changed becomes a model that production serves; the next push deploys what changed since."""
    done = interpret(checkout, "many-trusses.yml")
    assert ["success"] * 4 == statuses(done)
    names = [result.outputs["model-name"] for result in done.results[1:]]
    assert ["hello-truss", "my-model", "my-other-model"] == names
    (checkout.runner.workspace / "my-model" / "new.py").write_text("NEW = 1\n")
    again = interpret(checkout, "many-trusses.yml")
    assert ["my-model"] == [result.outputs["model-name"] for result in again.results[1:]]
    assert 1 == len(interpret(checkout, "many-trusses.yml").results)


def test_many_trusses_on_a_pull_request(checkout):
    """Nothing is deployed."""
    done = interpret(checkout, "many-trusses.yml", pull_request(12))
    assert ["success"] == statuses(done)
    assert [] == checkout.sandbox.state.models()


def test_drift(checkout):
    """Content and settings count; nothing is changed."""
    made = checkout.run(
        truss_directory="my-model",
        environment="production",
        environment_settings="autoscaling_settings: {min_replica: 1, max_replica: 4}",
    )
    assert "success" == made.outputs["status"], made.log.text
    assert "false" == interpret(checkout, "drift.yml").results[0].outputs["changes"]
    checkout.run(
        truss_directory="my-model",
        environment="production",
        environment_settings="autoscaling_settings: {min_replica: 0}",
    )
    assert "true" == interpret(checkout, "drift.yml").results[0].outputs["changes"]


def test_retire_closed_pr(checkout):
    """Closing a pull request deletes its deployments and no other."""
    event = pull_request(12)
    other = checkout.on(push()).run(truss_directory="my-model").outputs
    pr = checkout.on(event).run(truss_directory="my-model").outputs
    done = interpret(checkout, "retire-closed-pr.yml", event)
    assert ["success"] == statuses(done)
    left = [row.id for row in checkout.sandbox.state.deployments(pr["model-id"])]
    assert [other["deployment-id"]] == left


@pytest.mark.parametrize("event", [pull_request(12, fork=True), pull_request(12, actor="dependabot[bot]")])
def test_without_secrets_nothing_is_retired(checkout, event):
    """The condition leaves out a pull request that deployed nothing, and whose runs get no secret."""
    assert [] == statuses(interpret(checkout, "retire-closed-pr.yml", event))


def test_nothing_to_retire(checkout):
    """A pull request that deployed nothing is closed in green."""
    checkout.on(push()).run(truss_directory="my-model")
    assert ["success"] == statuses(interpret(checkout, "retire-closed-pr.yml", pull_request(12)))


def test_plan_on_pr(checkout):
    """The plan stands in one comment, and nothing was sent but reads and a dry run."""
    with github_api() as github:
        done = run_here(checkout.on(pull_request(12), github=github.url), "plan-on-pr.yml", pull_request(12))
        [comment] = github.bodies()
    assert ["planned"] == statuses(done)
    assert "my-model" in comment
    assert ["POST /v1/prepare_model_upload"] == [sent for sent in checkout.sent() if not sent.startswith("GET ")]


def test_who_waits_for_a_person_holds_no_group():
    """A job of an environment with reviewers is in no `concurrency` group, of the workflow or its own."""
    workflow = yaml.safe_load((EXAMPLES / "approve-to-production.yml").read_text())
    assert "concurrency" not in workflow
    waiting = [job for job in workflow["jobs"].values() if job["environment"] == "production"]
    assert [None] == [job.get("concurrency") for job in waiting]
    assert "production" == workflow["jobs"]["promote"]["concurrency"]["group"]


def test_every_example_is_tested():
    """No example stands there untested, and each uses the action."""
    assert {path.name for path in EXAMPLES.glob("*.yml") if any(ours in path.read_text() for ours in OURS)} == {
        path.name for path in EXAMPLES.iterdir()
    }
    source = (ROOT / "tests" / "integration" / "test_example_workflows.py").read_text()
    # Needs the real NeMo Platform service: test_nemo_real.py; needs the real truss: test_chains.py.
    elsewhere = {"register-in-nemo.yml", "chain.yml"}
    assert set() == {path.name for path in EXAMPLES.iterdir() if f'"{path.name}"' not in source} - elsewhere
