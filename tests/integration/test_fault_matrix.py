"""Every call of the flow, each fault: exactly one deployment, or none and a status that says so.

The run is the whole action, in this process with a clock that goes a hundred times as fast, so retries and time-outs
take no time; the state at the end is the sandbox's, not what the run believes.
"""

import shutil
import time

import pytest

from baseten_deploy.clock import Clock
from baseten_deploy.main import main
from baseten_sandbox import Sandbox
from baseten_sandbox.control.faults import matrix
from baseten_sandbox.state.entities import Settings
from runner import ROOT, Runner
from workflow_events import push

pytestmark = pytest.mark.usefixtures("restored_signals")
FAST = 100.0
FAULTS = matrix()
# Called by a deploy into a new model with a clean-up, in this order: method, path, which match, service.
CALLS = {
    "resolve": ("GET", "/v1/models$|/v1/models.name=", 1, "management"),
    "dry run": ("POST", "/v1/prepare_model_upload", 1, "management"),
    "prepare": ("POST", "/v1/prepare_model_upload", 2, "management"),
    "upload": ("PUT", "", 1, "s3"),
    "commit": ("POST", "/v1/models$", 1, "management"),
    "wait": ("GET", "/deployments/[^/]+$", 1, "management"),
    "logs": ("GET", "/logs", 1, "management"),
    "clean-up": ("POST", "/deactivate", 1, "management"),
}
PROMOTING = {
    "add deployment": ("POST", "/v1/models/[^/]+/deployments$", 1, "management"),
    "list environments": ("GET", "/environments$", 1, "management"),
    "create environment": ("POST", "/environments$", 1, "management"),
    "promote": ("POST", "/promote$", 1, "management"),
    "read environment": ("GET", "/environments/canary$", 1, "management"),
}


class FastClock(Clock):
    """The machine's clock, sped up."""

    def now(self):
        """Monotonic seconds that pass quickly."""
        return time.monotonic() * FAST

    def sleep(self, seconds):
        """Wait a fraction."""
        time.sleep(max(0.0, seconds) / FAST)

    def real(self, seconds):
        """A fraction for sockets, too."""
        return max(seconds / FAST, 0.2)


@pytest.fixture
def fast():
    """A sandbox whose deployments are live at once."""
    with Sandbox(speed=200.0, rate_limits=False) as sandbox:
        yield sandbox


@pytest.fixture
def act(tmp_path, fast, capsys):
    """Run the action in this process; gives its outputs, its summary and its log."""
    runner = Runner(tmp_path / "runner", event=push())
    shutil.copytree(ROOT / "examples" / "hello-truss", runner.workspace / "hello-truss")
    files = runner.directory / "file_commands"

    def run(**given):
        from workflow_commands import parse_command_file  # noqa: PLC0415

        for name in ("output", "state", "summary"):
            (files / name).write_bytes(b"")
        inputs = {
            **fast.inputs,
            "truss-directory": "hello-truss",
            **{name.replace("_", "-"): value for name, value in given.items()},
        }
        exit_code = main([], runner.variables(inputs), FastClock())
        outputs = parse_command_file((files / "output").read_text())
        assert (exit_code == 0) == (outputs["status"] == "success")
        return outputs, (files / "summary").read_text(), capsys.readouterr().out

    return run


def aimed(name, call, times=1):
    """A fault of the matrix at one call."""
    method, path, nth, service = call
    return FAULTS[name].on(method, path, nth=nth, service=service, times=times)


def deployments(sandbox):
    """All deployments of all models."""
    return [row for facts in sandbox.state.models() for row in sandbox.state.deployments(facts.model.id)]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("fault", FAULTS)
def test_one_fault(act, fast, fault, call):
    """A fault that passes does not show: one model, one deployment, one object, nothing left over."""
    fast.faults.add(aimed(fault, CALLS[call]))
    outputs, _, log = act(cleanup="true")
    assert "success" == outputs["status"], log
    assert [outputs["deployment-id"]] == [row.id for row in deployments(fast)]
    assert 1 == len(fast.objects())
    assert [] == fast.multipart_uploads()


@pytest.mark.parametrize("call", PROMOTING)
@pytest.mark.parametrize("fault", FAULTS)
def test_one_fault_while_promoting(act, fast, fault, call):
    """The same for the calls of a promotion: it is asked for once, and the environment serves it in the end."""
    model = fast.state.create_model("hello-truss", fast.state.team(None).id)
    fast.state.add_deployment(model.id, config={"model_name": "hello-truss"}, settings=Settings())
    fast.faults.add(aimed(fault, PROMOTING[call]))
    outputs, _, log = act(promote_to="canary", create_environment="true")
    assert "success" == outputs["status"], log
    assert 2 == len(deployments(fast))
    served = fast.state.environment(outputs["model-id"], "canary").current
    assert outputs["deployment-id"] == served.id
    acted = [r for r in fast.requests if r.path.endswith("/promote") and r.status == 200]
    assert len(acted) <= 1


@pytest.mark.parametrize(
    ("call", "status"),
    [
        ("resolve", "rejected"),
        ("dry run", "rejected"),
        ("prepare", "rejected"),
        ("upload", "upload_failed"),
        ("commit", "commit_failed"),
        ("wait", "deploy_timeout"),
        ("clean-up", "cleanup_failed"),
    ],
)
@pytest.mark.parametrize("fault", ["refuse", "reset before", "hang before", "429", "500", "502 html"])
def test_a_fault_that_stays(act, fast, fault, call, status):
    """A service that stays down is red with the phase's status and a remedy, and at most one deployment exists."""
    fast.faults.add(aimed(fault, CALLS[call], times=None))
    outputs, summary, log = act(cleanup="true", wait_timeout_minutes="10")
    assert status == outputs["status"], log
    assert (1 if status in ("deploy_timeout", "cleanup_failed") else 0) == len(deployments(fast))
    assert [] == fast.multipart_uploads()
    assert "> **" in summary


def test_a_commit_that_never_answers(act, fast):
    """Every answer of the commit is lost, and still there is exactly one deployment, and the run goes on with it."""
    fast.faults.add(aimed("reset after", CALLS["commit"], times=None))
    outputs, _, log = act()
    assert "success" == outputs["status"], log
    assert [outputs["deployment-id"]] == [row.id for row in deployments(fast)]


def test_a_log_that_cannot_be_read_fails_nothing(act, fast):
    """A run is not about its log."""
    fast.faults.add(aimed("500", CALLS["logs"], times=None))
    assert "success" == act()[0]["status"]


def test_nine_blips_are_fine(act, fast):
    """Nine failed polls in a row are no reason to fail."""
    fast.faults.add(aimed("503", CALLS["wait"], times=9))
    assert "success" == act()[0]["status"]


def test_a_retry_hint_is_obeyed(act, fast):
    """`retry_after` is waited for, not undercut."""
    fast.faults.add(aimed("429 with hint", CALLS["dry run"]))
    act(wait="false")
    tries = [r.time for r in fast.requests if r.path == "/v1/prepare_model_upload"]
    assert tries[1] - tries[0] >= 1.0 / FAST


def test_two_jobs_create_one_model(act, fast):
    """The job that comes second adds its deployment to the model that the first one made."""
    fast.faults.add(FAULTS["503"].on("POST", "/v1/models$"))
    other = act(model_name="shared")  # makes the retry's path, and the model
    again = act(model_name="shared")
    assert other[0]["model-id"] == again[0]["model-id"]
    assert 1 == len(fast.state.models())
