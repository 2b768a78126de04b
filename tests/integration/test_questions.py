"""docs/questions.md says which calls each mode makes: every call of real runs must stand there, in its column."""

import re

import pytest

from baseten_deploy.ci.outputs import OUTPUTS
from baseten_deploy.inputs.table import BY_NAME
from runner import ROOT

PAGE = (ROOT / "docs" / "questions.md").read_text(encoding="utf-8")


def documented():
    """By column: the patterns of the calls that may be made."""
    table = re.findall(r"^\| (.*) \|$", PAGE.partition("## Which calls")[2].partition("\n## ")[0], re.MULTILINE)
    header, *rows = [[cell.strip() for cell in row.split("|")] for row in table]
    found = {column: [] for title in header[1:] for column in title.split(", ")}
    for calls, *cells in rows:
        patterns = [re.sub(r"\\\{.*?\\\}", "[^/]+", re.escape(call)) for call in re.findall(r"`([^`]+)`", calls)]
        for title, cell in zip(header[1:], cells, strict=True):
            for column in title.split(", "):
                found[column] += patterns if cell else []
    return found


@pytest.fixture
def made(job):
    """What a run sends, by its mode; gives its outputs."""
    seen = {}

    def run(mode, **inputs):
        job.sandbox.clear_requests()
        result = job.run(mode=mode, **inputs)
        seen.setdefault(mode, []).extend(job.sent())
        assert 0 == result.exit_code, result.log.text
        return result.outputs

    run.seen = seen
    return run


def test_every_call_is_documented(job, made):
    """In the column of the mode that made it."""
    config = job.truss / "config.yaml"
    config.write_text(config.read_text() + "secrets:\n  hf_access_token: null\n")
    first = made("deploy", environment="production", environment_settings="promotion_settings: {rolling_deploy: false}")
    (job.truss / "new.py").write_text("NEW = 1\n")
    made("plan", environment="production", team="Default")
    second = made(
        "deploy",
        environment="staging",
        create_environment="true",
        promote_to="production",
        rollback_on_failure="true",
        checks="checks.yaml",
    )
    made("deploy", wait="false", cleanup="true", deployment_name="extra")
    made("discover", truss_directory="-")
    named = {"model_name": "hello-truss", "environment": "production"}
    made("promote", deployment_id=first["deployment-id"], predict_payload="{}", **named)
    made("rollback", **named)
    made("cleanup", model_id=second["model-id"], cleanup_labels="{git-ref: main}", retire="delete")
    allowed = documented()
    assert set(made.seen) == set(allowed)
    for mode, calls in made.seen.items():
        unknown = [call for call in calls if not any(re.fullmatch(each, call) for each in allowed[mode])]
        assert [] == sorted(set(unknown)), mode


def test_the_document_names_every_input_and_output_right():
    """What it calls an input or an output is one."""
    words = re.findall(r"`([a-z]+(?:-[a-z]+)+)(?:: [^`]*)?`", PAGE)
    others = {"git-sha", "pull-requests"}  # a label, a permission
    assert set() == {word for word in words if word not in BY_NAME and word not in OUTPUTS} - others
