"""The workflow that the README begins with is run, twice, as it stands there."""

import re

import pytest
import yaml
from workflow_file import Interpreter

from runner import ROOT


def first_workflow():
    """The first YAML block of the README."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return re.search(r"```yaml\n(.*?)```", text, re.DOTALL)[1]


@pytest.fixture
def repository(job):
    """A checkout with the Truss that it names."""
    job.truss.rename(job.runner.workspace / "my-model")
    return job


def test_the_first_workflow(repository, tmp_path):
    """Into production, and what it replaces is retired: each push, from the first on."""
    workflow = tmp_path / "deploy.yml"
    workflow.write_text(first_workflow())
    sandbox, serving = repository.sandbox, []
    for text in ("one", "two"):
        (repository.runner.workspace / "my-model" / "model" / "version.py").write_text(f"VERSION = {text!r}\n")
        done = Interpreter(
            run=lambda inputs: repository.run(**{name.replace("-", "_"): value for name, value in inputs.items()}),
            github={},
            secrets={"BASETEN_API_KEY": sandbox.api_key},
        )
        done.workflow(workflow)
        [result] = done.results
        assert "success" == result.outputs["status"], result.log.text
        current = sandbox.state.environment(result.outputs["model-id"], "production").current
        assert result.outputs["deployment-id"] == current.id
        serving.append(current.id)
    states = {row.id: row.timeline[-1].status for row in sandbox.state.deployments(result.outputs["model-id"])}
    assert ("INACTIVE", "ACTIVE") == (states[serving[0]], states[serving[1]])


def test_its_parts(repository):
    """It names the key, pins what is not ours, and asks for no more than to read."""
    workflow = yaml.safe_load(first_workflow())
    [job] = workflow["jobs"].values()
    assert ({}, {"contents": "read"}) == (workflow["permissions"], job["permissions"])
