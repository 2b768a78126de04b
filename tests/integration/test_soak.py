"""Two hundred deploys, twenty at a time, against one sandbox where a tenth of all requests fails at random."""

import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest
from test_fault_matrix import FastClock

from baseten_deploy.main import main
from baseten_sandbox import Kind, Sandbox
from baseten_sandbox.control.faults import matrix
from runner import Runner
from workflow_commands import parse_command_file

pytestmark = pytest.mark.soak

DEPLOYS, AT_ONCE, MODELS = 200, 20, 5
# All that take no time, each before and after the server acted.
FAULTS = [fault for fault in matrix().values() if fault.kind not in (Kind.HANG, Kind.ENDLESS, Kind.DRIP)]


class PatientClock(FastClock):
    """Sped up, but for sockets: none of these faults makes one wait, and a busy machine may."""

    def real(self, seconds):
        """As long as it says."""
        return seconds


def test_exactly_two_hundred(job, tmp_path, capsys):
    """Every run ends well, each made exactly one deployment, and no secret is in any log."""

    def deploy(number):
        runner = Runner(tmp_path / str(number))
        shutil.copytree(job.truss, runner.workspace / "hello-truss")
        for name in ("output", "state", "summary"):
            (runner.directory / "file_commands" / name).write_bytes(b"")
        inputs = {
            **sandbox.inputs,
            "truss-directory": "hello-truss",
            "model-name": f"model-{number % MODELS}",
            "predict": "false",  # an error of the model itself is not tried again
        }
        main([], runner.variables(inputs), PatientClock())
        return parse_command_file((runner.directory / "file_commands" / "output").read_text())

    with Sandbox(speed=100.0, rate_limits=False, seed=7) as sandbox:
        sandbox.faults.add_random(0.1, FAULTS)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            ended = list(pool.map(deploy, range(DEPLOYS)))
        sandbox.faults.clear()
        made = [row.id for facts in sandbox.state.models() for row in sandbox.state.deployments(facts.model.id)]
        assert [] == sandbox.multipart_uploads()
        assert sum(request.fault is not None for request in sandbox.requests) > DEPLOYS / 2
    log = capsys.readouterr().out
    failed = [outputs["result"] for outputs in ended if outputs["status"] != "success"]
    assert [] == failed, "\n".join(line for line in log.splitlines() if line.startswith("::error"))
    assert sorted(outputs["deployment-id"] for outputs in ended) == sorted(made)
    assert (DEPLOYS, MODELS) == (len(set(made)), len({outputs["model-id"] for outputs in ended}))
    assert not [line for line in log.splitlines() if sandbox.api_key in line and not line.startswith("::add-mask::")]
