"""`mode: discover`, driven from outside: what a job of a matrix gets, and what people read of it."""

import json
import shutil

import pytest
from github_api import github_api

from workflow_events import pull_request

TOKEN = "ghs_0123456789abcdef"


@pytest.fixture
def repository(job):
    """A repository with three Trusses, something of another tool, and one that git ignores."""
    workspace = job.runner.workspace
    for directory, name in (("models/b", "model-b"), ("models/a", "model-a"), ("build/old", "old")):
        shutil.copytree(job.truss, workspace / directory)
        config = workspace / directory / "config.yaml"
        config.write_text(config.read_text().replace("hello-truss", name))
    (workspace / ".gitignore").write_text("/build\n")
    (workspace / "train").mkdir()
    (workspace / "train" / "config.yaml").write_text("model_name: resnet\nlr: 0.1\nepochs: 3\n")
    return job


def discover(job, **inputs):
    """Look, and check that nothing but reading was done."""
    job.sandbox.clear_requests()
    result = job.run(mode="discover", **{"truss_directory": "-"} | inputs)
    assert {"GET"} >= {request.method for request in job.sandbox.requests}
    return result


def matrix(result):
    """What a job is given: directory, name and reason of each row."""
    assert (0, "success") == (result.exit_code, result.outputs["status"]), result.log.text
    rows = json.loads(result.outputs["matrix"])["include"]
    assert all(row["changed"] is True for row in rows)
    return [(row["truss-directory"], row["model-name"], row["reason"]) for row in rows]


def test_what_changed(repository):
    """New models, then nothing, then the one whose content differs; sorted."""
    everything = [(name, model, "new model") for name, model in TRUSSES]
    assert everything == matrix(discover(repository))
    for name, _ in TRUSSES:
        repository.run(truss_directory=name, environment="production")
    nothing = discover(repository)
    assert ([], '{"include": []}') == (matrix(nothing), nothing.outputs["matrix"])
    (repository.runner.workspace / "models" / "b" / "new.py").write_text("NEW = 1\n")
    changed = discover(repository, redeploy_trigger="-")
    assert [("models/b", "model-b", "content")] == matrix(changed)
    assert "**1 of 3 Trusses changed**, compared with `production`." in changed.summary
    assert "<details><summary>2 unchanged</summary>" in changed.summary
    assert "$0.00 to $0.0348" in changed.summary
    below = discover(repository, truss_directory="models", redeploy_trigger="2026-11-28")
    assert [(name, model, "content") for name, model in TRUSSES[1:]] == matrix(below)


TRUSSES = [("hello-truss", "hello-truss"), ("models/a", "model-a"), ("models/b", "model-b")]


def test_without_a_key(repository):
    """All count as changed, and nothing is sent."""
    result = discover(repository, baseten_api_key="-")
    assert [(name, model, "unknown") for name, model in TRUSSES] == matrix(result)
    assert [] == repository.sent()


def test_what_is_invalid(repository):
    """Every Truss that is wrong is named at its line, after all were read; nothing is sent."""
    workspace = repository.runner.workspace
    (workspace / "models" / "a" / "config.yaml").write_text("model_name: model-a\nresources: [\n")
    (workspace / "models" / "b" / "config.yaml").write_text("python_version: py311\nmodel_name: hello-truss\n")
    result = discover(repository)
    assert (1, "invalid", None) == (result.exit_code, result.outputs["status"], result.outputs.get("matrix"))
    errors = [each.properties for each in result.log.annotations if each.kind == "error"]
    assert [("models/a/config.yaml", "3"), ("models/b/config.yaml", "2")] == [
        (each["file"], each["line"]) for each in errors
    ]
    assert [] == repository.sent()
    assert "**2 of 3 Trusses cannot be deployed**" in result.summary


def test_no_truss_at_all(job):
    """Is green, with a warning: a job of the matrix is skipped."""
    shutil.rmtree(job.truss)
    (job.runner.workspace / "README.md").write_text("# Nothing here\n")
    result = discover(job)
    assert [] == matrix(result)
    assert "no Truss at or below `.`" in result.log.text


def test_one_comment(repository):
    """The table of all, kept up to date; the comment of a matrix job stands beside it."""
    with github_api() as github:
        repository = repository.on(pull_request(), github=github.url)
        discover(repository, github_token=TOKEN)
        repository.run(truss_directory="models/a", mode="plan", github_token=TOKEN)
        (repository.runner.workspace / "models" / "b" / "config.yaml").write_text("model_name: [\n")
        discover(repository, github_token=TOKEN)
        (repository.runner.workspace / "models" / "b" / "config.yaml").write_text("model_name: model-b\n")
        discover(repository, github_token=TOKEN)
        first, second = github.bodies()
    assert "**3 of 3 Trusses changed**" in first
    assert ("Plan: new model" in second, "Trusses changed" in second) == (True, False)
