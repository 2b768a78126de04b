"""What users copy from the pages is run as it stands there: the first workflow, and the commands of other systems.

Whether the rest is well-formed is `tests/unit/test_documents.py`; the files in `examples` are `test_example_workflows`.
"""

import os
import re
import shlex
import subprocess
import sys

import pytest
import yaml
from workflow_file import Interpreter

from baseten_deploy.inputs.settings import variable_of
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


def test_its_rights():
    """It asks for no more than to read."""
    workflow = yaml.safe_load(first_workflow())
    [job] = workflow["jobs"].values()
    assert ({}, {"contents": "read"}) == (workflow["permissions"], job["permissions"])


def command_lines(page, heading):
    """The commands of the first block below a heading of a page, without their prompts."""
    text = (ROOT / page).read_text(encoding="utf-8").partition(f"\n{heading}\n")[2]
    block = re.search(r"```(?:console|yaml)\n(.*?)```", text, re.DOTALL)[1]
    return [line.removeprefix("$ ") for line in block.splitlines()], block


def environment(sandbox, **more):
    """What somebody's shell has, and where the sandbox is: not a variable of GitHub's."""
    where = {variable_of(name): value for name, value in sandbox.inputs.items() if name != "baseten-api-key"}
    return {"PATH": os.environ["PATH"], **where, "BASETEN_API_KEY": sandbox.api_key, **more}


def test_outside_of_github(repository):
    """README, "Outside GitHub": the last command, from a directory beside the model's."""
    lines, _ = command_lines("README.md", "## Outside GitHub")
    assert "export BASETEN_API_KEY=..." in lines
    program, script, *rest = shlex.split(lines[-1])
    assert ("python", "entrypoint.py") == (program, script)
    beside = repository.runner.workspace / "here"
    beside.mkdir()
    command = [sys.executable, str(ROOT / script), *rest]
    done = subprocess.run(
        command,
        cwd=beside,
        env=environment(repository.sandbox),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (0, "") == (done.returncode, done.stderr), done.stdout
    assert "status=success\n" in done.stdout
    # Neither git nor a CI system tells of a commit: the service names it, as the README says.
    [sent] = [request for request in repository.sandbox.requests if request.path == "/v1/models" and request.json]
    assert "deployment_name" not in sent.json["source"]["deployment"]


def test_gitlab(repository, tmp_path):
    """docs/recipes.md, "GitLab CI": its script, line by line, in a directory with the checkout."""
    _, block = command_lines("docs/recipes.md", "## GitLab CI")
    job = yaml.safe_load(block)["deploy"]
    outputs = job["variables"]["GITHUB_OUTPUT"]
    # Where the sandbox is goes in as options: /bin/sh hands on no variable with a hyphen in its name.
    where = {name: value for name, value in repository.sandbox.inputs.items() if name != "baseten-api-key"}
    options = shlex.join(f"--{name}={value}" for name, value in where.items())
    ours = f"python3 {ROOT / 'entrypoint.py'} {options}"
    script = "\n".join(job["script"]).replace("python3 /app/entrypoint.py", ours)
    script = script.replace(outputs, str(tmp_path / "outputs.txt")).replace("python3", shlex.quote(sys.executable))
    repository.run(truss_directory="my-model", environment="staging", create_environment="true")  # which is there
    more = {"GITHUB_OUTPUT": str(tmp_path / "outputs.txt"), "CI_PROJECT_DIR": str(repository.runner.workspace)}
    subprocess.run(
        ["/bin/sh", "-e", "-c", script],
        cwd=repository.runner.workspace,
        env=environment(repository.sandbox, **more),
        timeout=120,
        check=True,
    )
    report = repository.runner.workspace / job["artifacts"]["reports"]["dotenv"]
    [line] = report.read_text().splitlines()
    assert re.fullmatch(
        rf"MODEL_URL={re.escape(repository.sandbox.api_url)}/inference/.*/environments/staging/predict", line
    )
