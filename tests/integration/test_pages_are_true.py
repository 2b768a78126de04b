"""No page claims what the service's own state contradicts: random runs with faults, endings and modes.

The whole action in this process, with one clock for it and for the sandbox that moves only while somebody waits: a run
of an hour takes a moment, and both sides stand still when it has ended. A run is cancelled by raising where it waits,
as the signal's handler does.
"""

import itertools
import random
import re
import shutil
import threading
from dataclasses import dataclass, field

import pytest

from baseten_deploy.clock import Clock
from baseten_deploy.errors import Cancelled
from baseten_deploy.main import main
from baseten_sandbox import Answer, Fault, Kind, Sandbox
from baseten_sandbox.state import lifecycle
from runner import ROOT, Runner
from workflow_commands import parse_command_file
from workflow_events import pull_request

pytestmark = pytest.mark.usefixtures("restored_signals")
RUNS = 32
LIVE = {"ACTIVE", "SCALED_TO_ZERO", "WAKING_UP"}  # a request wakes it
FAILED = {"BUILD_FAILED", "BUILD_STOPPED", "DEPLOY_FAILED", "FAILED", "INACTIVE", "DEACTIVATING"}
WRONG = '{"greeting": "no such answer"}'


class OneClock(Clock):
    """Time that passes only in `sleep`. The sleep number `cancel_at` of the main thread is cancelled."""

    def __init__(self):
        self.time = 1_800_000_000.0
        self.cancel_at = None
        self._sleeps = 0
        self._lock = threading.Lock()

    def now(self):
        """Seconds of both sides."""
        return self.time

    def epoch_millis(self):
        """The same for logs."""
        return int(self.time * 1000)

    def sleep(self, seconds):
        """Move on, or be cancelled."""
        if threading.current_thread() is threading.main_thread():
            self._sleeps += 1
            if self._sleeps == self.cancel_at:
                raise Cancelled
        with self._lock:
            self.time += max(0.0, seconds)

    def chance(self):
        """No chance at all."""
        return 0.5


@dataclass
class Scenario:
    """One random run: what there was, what is asked for, and what goes wrong."""

    seed: int
    inputs: dict[str, str] = field(default_factory=dict)
    served: bool = False
    twice: bool = False
    statuses: tuple = ()
    promotion: dict = field(default_factory=dict)
    answer: str = ""
    faults: tuple = ()
    cancel_at: int | None = None

    @classmethod
    def of(cls, seed):
        """Roll the dice."""
        dice = random.Random(seed)
        mode = dice.choice(["deploy"] * 6 + ["plan", "promote", "rollback", "cleanup"])
        served = dice.random() < 0.75 or mode in ("promote", "rollback")
        inputs = {"mode": mode, "on-failure": dice.choice(["keep", "keep", "deactivate", "delete"])}
        if mode in ("deploy", "plan"):
            inputs |= dice.choice(
                [
                    {},
                    {"environment": "production"},
                    {"environment": "production"},
                    {"promote-to": "production"},
                    {"promote-to": "production", "rollback-on-failure": "true"},
                    {"environment": "canary", "create-environment": "true"},
                    {"promote-to": "canary", "create-environment": "true"},
                    {"environment": "canary", "create-environment": "true", "promote-to": "production"},
                    {"environment": "production", "wait": "false"},
                    {"wait": "false"},
                    {"cleanup": "true"},
                    {"environment": "production", "skip-unchanged": "true"},
                    {"development": "true"},
                ]
            )
        elif mode == "cleanup":
            inputs |= {"cleanup-labels": dice.choice(["{team: core}", "{team: none}"]), "on-failure": ""}
        else:
            inputs |= {"environment": "production", "on-failure": ""}
            if mode == "promote" and dice.random() < 0.5:
                inputs |= {"rollback-on-failure": "true"}
        statuses = dice.choice(
            [
                *[()] * 5,
                ("BUILDING", "BUILD_FAILED"),
                ("BUILDING", "DEPLOYING", "DEPLOY_FAILED"),
                ("BUILDING", "DEPLOYING", ("LOADING_MODEL", 90_000)),
                ("BUILDING", "DEPLOYING", "UNHEALTHY"),
            ]
        )
        promotion = dice.choice(
            [{}, {}, {}, {"end": "FAILED", "error_message": "no capacity"}, {"end": "CANCELED"}, {"paused": True}]
        )
        answer = dice.choice(["", "", "", "wrong", "broken in the environment"])
        faults = dice.choice(
            [
                *[()] * 4,
                (Fault(Kind.STATUS, "POST", "prepare_model_upload", nth=2, status=400, body='{"error": "quota"}'),),
                (
                    Fault(Kind.RESET, "POST", "/v1/models(/[^/]+/deployments)?$", acts=dice.random() < 0.5),
                    Fault(Kind.STATUS, "GET", "/deployments$|/v1/models[?]name", nth=2, times=None, status=503),
                ),
                (Fault(Kind.RESET, "POST", "/v1/models(/[^/]+/deployments)?$", acts=dice.random() < 0.5),),
                (Fault(Kind.STATUS, "GET", "/deployments/[^/]+$", nth=3, times=None, status=503),),
                (Fault(Kind.STATUS, "GET", "/environments/[^/]+$", nth=2, times=None, status=503),),
                (Fault(Kind.STATUS, "POST", "/promote$", times=None, status=500, acts=dice.random() < 0.5),),
                (Fault(Kind.STATUS, "POST", "/deactivate$", times=None, status=500),),
                (Fault(Kind.STATUS, "POST", "/promote$", times=None, status=403, body='{"error": "forbidden"}'),),
            ]
        )
        return cls(
            seed=seed,
            inputs={name: value for name, value in inputs.items() if value},
            served=served,
            twice=mode == "rollback" or dice.random() < 0.2,
            statuses=statuses,
            promotion=promotion,
            answer=answer,
            faults=faults,
            cancel_at=dice.choice([None] * 8 + [1, 3, 6]),
        )


class Stage:
    """A checkout, a sandbox and their one clock."""

    def __init__(self, directory, sandbox, clock):
        self.sandbox, self.clock = sandbox, clock
        self.runner = Runner(directory, event=pull_request())
        self.truss = self.runner.workspace / "hello-truss"
        shutil.copytree(ROOT / "examples/hello-truss", self.truss, ignore=shutil.ignore_patterns("__pycache__"))

    def run(self, **inputs):
        """Run the action; gives its outputs and its summary."""
        files = self.runner.directory / "file_commands"
        for name in ("output", "state", "summary"):
            (files / name).write_bytes(b"")
        given = {"truss-directory": "hello-truss", "stream-logs": "false", "wait-timeout-minutes": "20", **inputs}
        main([], self.runner.variables({**self.sandbox.inputs, **given}), self.clock)
        return parse_command_file((files / "output").read_text()), (files / "summary").read_text()

    def edit(self, text):
        """Change the content."""
        (self.truss / "model" / "version.py").write_text(f"VERSION = {text!r}\n")

    def state(self):
        """Everything that a page may speak of: statuses, what environments serve."""
        models = [facts.model for facts in self.sandbox.state.models()]
        deployments = {row.id: row for model in models for row in self.sandbox.state.deployments(model.id)}
        environments = {
            facts.environment.name: facts.current.id if facts.current else ""
            for model in models
            for facts in self.sandbox.state.environments(model.id)
        }
        statuses = {key: lifecycle.status_at(row.timeline, self.clock.time) for key, row in deployments.items()}
        return State(statuses, {key: row.environment for key, row in deployments.items()}, environments)


@dataclass(frozen=True)
class State:
    """The sandbox at one moment."""

    statuses: dict
    where: dict
    serving: dict


def play(stage, scenario):  # noqa: C901 - one step after the other
    """Set up what there was, run, and give the state before and after with the outputs and the page."""
    inputs = dict(scenario.inputs)
    if scenario.served:
        stage.run(environment="production", labels="{team: core}")
        if scenario.twice:
            stage.edit("between")
            stage.run(environment="production", labels="{team: core}")
    if inputs["mode"] == "promote":
        stage.edit("to promote")
        made, _ = stage.run(labels="{team: core}")
        inputs |= {"deployment-id": made["deployment-id"]}
    if inputs["mode"] in ("promote", "rollback", "cleanup"):
        inputs |= {"model-name": "hello-truss", "truss-directory": "."}
    if inputs.get("skip-unchanged") != "true" or scenario.seed % 2:
        stage.edit("new")
    stage.clock.time += 3600
    if scenario.statuses and inputs["mode"] == "deploy":
        stage.sandbox.state.plan_next_deployment(scenario.statuses)
    if scenario.promotion and ({"environment", "promote-to"} & inputs.keys()) and inputs["mode"] != "plan":
        stage.sandbox.state.plan_next_promotion(**scenario.promotion)
    if scenario.answer == "wrong" and inputs["mode"] not in ("plan", "cleanup"):
        inputs["predict-expect"] = WRONG
    elif scenario.answer:
        stage.sandbox.answers.add(Answer(500, {"error": "CUDA out of memory"}), path="/environments/")
    for fault in scenario.faults:
        stage.sandbox.faults.add(fault)
    before = stage.state()
    stage.clock.cancel_at = scenario.cancel_at and stage.clock._sleeps + scenario.cancel_at
    outputs, page = stage.run(**inputs)
    return before, stage.state(), outputs, page


def claims(page):
    """The heading and the verdict as one text, and the rest."""
    head, verdict, *rest = page.split("\n\n")
    return f"{head}\n{verdict}", "\n\n".join(rest)


def contradictions(before, after, outputs, page):  # noqa: C901, PLR0912 - one claim after the other
    """What the page says that is not so; each with what is."""
    said, rest = claims(page)
    made = after.statuses.keys() - before.statuses.keys()
    changed = (before.statuses.keys(), before.serving) != (after.statuses.keys(), after.serving)
    for name, deployment_id in re.findall(r"`([\w-]+)` (?:is untouched, )?(?:still )?serves `(\w+)`", said):
        if after.serving.get(name) != deployment_id:
            yield f"{name} serves {after.serving.get(name)}, not {deployment_id}"
    for name in re.findall(r"`([\w-]+)` (?:was created and |is untouched, )?(?:still )?serves nothing", said):
        if after.serving.get(name, ""):
            yield f"{name} serves {after.serving[name]}"
    for name in re.findall(r"the environment `([\w-]+)` was created", said):
        if name not in after.serving or name in before.serving:
            yield f"{name} was not created"
    if "nothing was changed" in said and changed:
        yield f"it was: {before} -> {after}"
    if "no deployment was made" in said and made:
        yield f"made: {made}"
    if made and not re.search("|".join(made), page) and "not known whether a deployment" not in said:
        yield f"{made} is not named"
    for key, told in re.findall(r"deployment `(\w+)` (is live|failed|is `\w+` and goes on|was \w+)", said):
        status = after.statuses.get(key, "gone")
        fits = {
            "is live": status in LIVE,
            "failed": status in FAILED | {"UNHEALTHY"} or "and was deleted" in said,
            "was deleted": status == "gone",
            "was deactivated": status in ("INACTIVE", "DEACTIVATING"),
        }
        if not fits.get(told, status not in LIVE | FAILED):
            yield f"{key} is {status}, not {told!r}"
    nowhere = re.findall(r"deployment `(\w+)` [^.]*, in no environment", said)
    if any(after.where.get(key) for key in nowhere):
        yield "it is in one"
    if "[Endpoint]" in said and after.statuses.get(outputs.get("deployment-id")) not in LIVE:
        yield f"an endpoint of what is {after.statuses.get(outputs.get('deployment-id'))}"
    if "curl" in rest and "[Endpoint]" not in said and after.statuses.get(outputs.get("deployment-id")) not in LIVE:
        yield "a curl of what cannot answer"
    promoted = outputs.get("promoted-deployment-id")
    if promoted and promoted not in after.serving.values():
        yield f"`promoted-deployment-id` is {promoted}, which nothing serves"
    for name, deployment_id in re.findall(
        r"mode: rollback\nmodel-id: \w+\nenvironment: (\w+)\ndeployment-id: (\w+)", page
    ):
        if after.serving.get(name) == deployment_id:
            yield f"a way back to what {name} serves"


@pytest.mark.parametrize("seed", range(RUNS))
def test_no_page_contradicts_the_service(tmp_path, seed):
    """Serving, made or not, live or not, retired or not: what is said is so, and what was made is named."""
    scenario, clock = Scenario.of(seed), OneClock()
    with Sandbox(clock=lambda: clock.time, rate_limits=False, seed=seed) as sandbox:
        stage = Stage(tmp_path / "runner", sandbox, clock)
        before, after, outputs, page = play(stage, scenario)
    assert [] == list(contradictions(before, after, outputs, page)), f"{scenario}\n{outputs}\n{page}"
    said = claims(page)[0].splitlines()
    assert len(said) <= 4


def test_the_judge():
    """It finds a page that says something else: else the test above would hold whatever is written."""
    before = State({"old1": "ACTIVE"}, {"old1": "production"}, {"production": "old1"})
    after = State({"old1": "INACTIVE", "new1": "BUILD_FAILED"}, {"new1": None}, {"production": "new1", "canary": ""})
    lies = [
        "## ❌ Refused, nothing was changed\n\n`production` serves `new1` now. `new1`",
        "## ❌ The commit failed, no deployment was made\n\n`production` serves `new1` now.",
        "## ✅ Deployed\n\n`production` is untouched, still serves `old1`. `new1`",
        "## ✅ Deployed\n\n`production` serves nothing. `new1`",
        "## ✅ Live\n\nThe new deployment `new1` is live (`ACTIVE`), in no environment.",
        "## ✅ Live\n\nThe new deployment `new1` was deleted.",
        "## ✅ Deployed\n\n`new1` [Endpoint](https://x)",
        "## ❌ Refused, but the environment `production` was created\n\n`new1`",
        "## ❌ Timed out\n\nThe new deployment `new1` is `BUILDING` and goes on.",
        "## ❌ Failed\n\nNothing to say.",
    ]
    for lie in lies:
        assert list(contradictions(before, after, {"deployment-id": "new1"}, lie)), lie
    truth = (
        "## ❌ The build failed\n\n`production` serves `new1` now. The new deployment `new1` failed (`BUILD_FAILED`)."
    )
    assert [] == list(itertools.chain(contradictions(before, after, {"deployment-id": "new1"}, truth)))
