"""Every ending of a run that people read a page about, each against a sandbox of its own: for `make screenshots`.

`python scripts/scenes.py NAME...` prints the pages as Markdown.
"""

import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from baseten_sandbox import Answer, Fault, Kind, Sandbox
from runner import ROOT, Result, Runner
from workflow_events import Event, pull_request

WRONG = '{"greeting": "Good evening"}'


class Stage:
    """A checkout of examples/hello-truss on a pull request, and a sandbox to deploy it to."""

    def __init__(self, directory: Path, sandbox: Sandbox, event: Event | None = None) -> None:
        self.directory = directory
        self.sandbox = sandbox
        self.runner = Runner(directory, event=event or pull_request())
        self.truss = self.runner.workspace / "hello-truss"
        if not self.truss.exists():
            shutil.copytree(ROOT / "examples/hello-truss", self.truss, ignore=shutil.ignore_patterns("__pycache__"))

    def run(self, **inputs: str) -> Result:
        """Run the action; inputs are keyword arguments with underscores."""
        given = {name.replace("_", "-"): value for name, value in inputs.items()}
        return self.runner.run({**self.sandbox.inputs, "truss-directory": "hello-truss", **given})

    def on(self, event: Event) -> "Stage":
        """The same checkout and sandbox, started by another event."""
        return Stage(self.directory, self.sandbox, event)

    def edit(self) -> None:
        """Make a change that a reviewer would want to see."""
        config, model = self.truss / "config.yaml", self.truss / "model/model.py"
        config.write_text(config.read_text() + "\nenvironment_variables:\n  GREETING: Good evening\n")
        model.write_text(model.read_text().replace('"Hello"', '"Good evening"'))
        (self.truss / "lib").mkdir()
        (self.truss / "lib/helper.py").write_text("HELP = True\n")

    def asks_for(self, resource: str, below: str = "") -> None:
        """Have the config ask for something among its `resources`; `below` goes to its end."""
        config = self.truss / "config.yaml"
        config.write_text(config.read_text().replace("use_gpu: false", resource) + below)

    def repository(self, *names: str) -> None:
        """Many Trusses below `models`, instead of the one."""
        for name in names:
            directory = self.runner.workspace / "models" / name
            shutil.copytree(self.truss, directory)
            config = directory / "config.yaml"
            config.write_text(config.read_text().replace("hello-truss", name))
        shutil.rmtree(self.truss)

    def served(self) -> Result:
        """Have production serve the Truss as it is, then edit it."""
        done = self.run(environment="production")
        self.edit()
        return done


def success(stage: Stage) -> Result:
    """Promoted into production after its smoke test."""
    stage.served()
    return stage.run(promote_to="production")


def no_environment(stage: Stage) -> Result:
    """A pull request's deployment, in no environment."""
    return stage.run()


def checked_and_gone(stage: Stage) -> Result:
    """A pull request's deployment, deactivated again."""
    return stage.run(cleanup="true")


def not_waited(stage: Stage) -> Result:
    """Pushed into production with `wait: false`."""
    stage.served()
    return stage.run(environment="production", wait="false")


def failed_build(stage: Stage) -> Result:
    """The errors of the build log first."""
    stage.served()
    stage.sandbox.state.plan_next_deployment(["BUILDING", "BUILD_FAILED"])
    return stage.run(environment="production", on_failure="deactivate")


def timed_out(stage: Stage) -> Result:
    """Still loading when the time was up."""
    stage.served()
    stage.sandbox.state.plan_next_deployment(["BUILDING", "DEPLOYING", ("LOADING_MODEL", 600)])
    return stage.run(promote_to="production", wait_timeout_minutes="0.2")


def failed_smoke_test(stage: Stage) -> Result:
    """Before the promotion: production is untouched."""
    stage.served()
    return stage.run(promote_to="production", predict_expect=WRONG)


def failed_in_production(stage: Stage) -> Result:
    """After a push into production: the way back."""
    stage.served()
    return stage.run(environment="production", predict_expect=WRONG)


def rolled_back(stage: Stage) -> Result:
    """Production failed its check and serves again what it served."""
    stage.served()
    stage.sandbox.answers.add(Answer(500, {"error": "CUDA out of memory"}), path="/environments/production/")
    return stage.run(promote_to="production", rollback_on_failure="true")


def failed_promotion(stage: Stage) -> Result:
    """The promotion itself failed."""
    stage.served()
    stage.sandbox.state.plan_next_promotion("FAILED", error_message="no capacity in us-east")
    return stage.run(promote_to="production")


def promote(stage: Stage) -> Result:
    """`mode: promote` of a deployment that another job made."""
    stage.served()
    made = stage.run().outputs
    return stage.run(
        mode="promote", model_name="hello-truss", deployment_id=made["deployment-id"], environment="production"
    )


def rollback(stage: Stage) -> Result:
    """`mode: rollback` to what production served before."""
    stage.served()
    stage.run(promote_to="production")
    return stage.run(mode="rollback", model_name="hello-truss", environment="production")


def cleanup(stage: Stage) -> Result:
    """Old deployments of a pull request."""
    for _ in range(2):
        stage.run(labels="{team: core}", wait="false")
    stage.run(labels="{team: core}", environment="production")
    return stage.run(mode="cleanup", model_name="hello-truss", cleanup_labels="{team: core}", truss_directory=".")


def nothing_to_clean_up(stage: Stage) -> Result:
    """`mode: cleanup` for a model that was never deployed."""
    return stage.run(mode="cleanup", model_name="hello-truss", cleanup_labels="{team: core}", truss_directory=".")


def invalid(stage: Stage) -> Result:
    """All mistakes together, each at its place."""
    config = stage.truss / "config.yaml"
    config.write_text(config.read_text() + "requirments: []\nrequirements_file: missing.txt\n")
    return stage.run(predict_payload="{", wait="yes")


def broken_yaml(stage: Stage) -> Result:
    """A line with a caret."""
    config = stage.truss / "config.yaml"
    config.write_text(config.read_text().replace("resources:", "  resources:", 1))
    return stage.run(mode="plan", environment="production")


def rejected(stage: Stage) -> Result:
    """The dry run was refused, after an environment was looked up."""
    stage.served()
    settings = "{instance_type_id: no-such-machine}"
    return stage.run(environment="production", preserve_env_instance_type="false", deployment_settings=settings)


def refused_after_creating(stage: Stage) -> Result:
    """The prepare was refused, and an environment was created before."""
    stage.served()
    stage.sandbox.faults.add(
        Fault(
            Kind.STATUS,
            "POST",
            "prepare_model_upload",
            nth=2,
            status=400,
            body='{"error": "quota of uploads exceeded"}',
        )
    )
    return stage.run(environment="canary", create_environment="true")


def wrong_key(stage: Stage) -> Result:
    """The API key was refused."""
    return stage.run(environment="production", baseten_api_key="not-the-key")


def commit_unknown(stage: Stage) -> Result:
    """The commit's answer was lost, and the look-up failed."""
    stage.served()
    stage.sandbox.faults.add(Fault(Kind.RESET, "POST", "/v1/models/.*/deployments", acts=True))
    stage.sandbox.faults.add(Fault(Kind.STATUS, "GET", "/deployments$", times=None, status=503))
    return stage.run(environment="production")


def plan_new(stage: Stage) -> Result:
    """A model that does not exist yet."""
    return stage.run(mode="plan", environment="production")


def plan(stage: Stage) -> Result:
    """A pull request against what production serves."""
    stage.served()
    return stage.run(mode="plan", environment="production")


def plan_unchanged(stage: Stage) -> Result:
    """Nothing would change."""
    stage.run(environment="production")
    return stage.run(mode="plan", environment="production")


def plan_keeps_the_instance(stage: Stage) -> Result:
    """Another GPU, and the environment keeps its own."""
    stage.run(environment="production")
    config = stage.truss / "config.yaml"
    config.write_text(config.read_text().replace("cpu:", "accelerator: H100\n  cpu:", 1))
    return stage.run(mode="plan", environment="production")


def plan_refused(stage: Stage) -> Result:
    """The dry run was refused."""
    return stage.run(mode="plan", promote_to="production", deployment_settings="{instance_type_id: no-such-machine}")


def plan_dearer(stage: Stage) -> Result:
    """An expensive change: a GPU, and more replicas."""
    stage.run(environment="production")
    stage.asks_for("accelerator: H100")
    settings = "autoscaling_settings: {min_replica: 1, max_replica: 4}"
    no_keep = {"preserve_env_instance_type": "false"}
    return stage.run(mode="plan", environment="production", environment_settings=settings, **no_keep)


def plan_too_dear(stage: Stage) -> Result:
    """Refused by `max-hourly-cost`."""
    stage.run(environment="production")
    stage.asks_for("accelerator: H100")
    limits = {"preserve_env_instance_type": "false", "max_hourly_cost": "5"}
    return stage.run(mode="plan", environment="production", **limits)


def plan_missing_secret(stage: Stage) -> Result:
    """A secret that nobody has added, of nearly the name of another."""
    stage.served()
    stage.sandbox.state.secrets.add("hf_access_token")
    stage.asks_for("use_gpu: false", below="secrets:\n  hf_acess_token: null\n")
    return stage.run(mode="plan", environment="production")


def plan_drifted(stage: Stage) -> Result:
    """The content is live, and somebody has set the environment to something else."""
    stage.run(environment="production")
    settings = "autoscaling_settings: {max_replica: 3}"
    return stage.run(mode="plan", environment="production", environment_settings=settings)


def plan_checked(stage: Stage) -> Result:
    """A promotion, with checks and a watch."""
    stage.served()
    (stage.truss / "checks.yaml").write_text(
        "checks:\n  - name: greets by name\n    payload: {name: Ada}\n    expect: {regex: Ada}\n"
        "  - name: is quick\n    payload: {name: Ada}\n    max-seconds: 2\n    repeat: 20\n"
    )
    return stage.run(mode="plan", promote_to="production", checks="checks.yaml", watch_minutes="5")


def discover(stage: Stage) -> Result:
    """Five Trusses: new, changed, unchanged."""
    stage.repository("summariser", "embedder", "whisper", "hello-truss")
    for name in ("embedder", "hello-truss"):
        stage.run(truss_directory=f"models/{name}", environment="production")
    config = stage.runner.workspace / "models/embedder/config.yaml"
    config.write_text(config.read_text().replace("use_gpu: false", "accelerator: H100"))
    return stage.run(mode="discover", truss_directory=".", preserve_env_instance_type="false")


def discover_unchanged(stage: Stage) -> Result:
    """All of it is live."""
    stage.repository("embedder", "hello-truss")
    for name in ("embedder", "hello-truss"):
        stage.run(truss_directory=f"models/{name}", environment="production")
    return stage.run(mode="discover", truss_directory=".")


def discover_invalid(stage: Stage) -> Result:
    """One of them cannot be read."""
    stage.repository("summariser", "embedder", "whisper")
    config = stage.runner.workspace / "models/embedder/config.yaml"
    config.write_text(config.read_text().replace("resources:", "  resources:", 1))
    return stage.run(mode="discover", truss_directory=".")


def skipped(stage: Stage) -> Result:
    """Nothing is deployed: it is live already."""
    stage.run(environment="production")
    return stage.run(environment="production", skip_unchanged="true")


def fork(stage: Stage) -> Result:
    """No key: checked as far as that goes."""
    return stage.on(pull_request(fork=True)).run(environment="production", baseten_api_key="")


SCENES: tuple[Callable[[Stage], Result], ...] = (
    *(success, no_environment, checked_and_gone, not_waited, failed_build, timed_out, failed_smoke_test),
    *(failed_in_production, rolled_back, failed_promotion, promote, rollback, cleanup, nothing_to_clean_up),
    *(invalid, broken_yaml, rejected, refused_after_creating, wrong_key, commit_unknown),
    *(plan_new, plan, plan_dearer, plan_missing_secret, plan_refused, plan_too_dear, plan_unchanged),
    *(plan_keeps_the_instance, plan_drifted, plan_checked, skipped, fork),
    *(discover, discover_unchanged, discover_invalid),
)


def play(scene: Callable[[Stage], Result]) -> Result:
    """Run one scene from its beginning."""
    with tempfile.TemporaryDirectory() as directory, Sandbox(speed=5.0) as sandbox:
        return scene(Stage(Path(directory), sandbox))


def name_of(scene: Callable[[Stage], Result]) -> str:
    """As its picture is named."""
    return scene.__name__.replace("_", "-")


if __name__ == "__main__":
    for each in SCENES:
        if not sys.argv[1:] or name_of(each) in sys.argv[1:]:
            print(f"<!-- {name_of(each)}: {each.__doc__} -->\n{play(each).summary}")
