"""What is around the step: other runners than GitHub's own, streams and disks that end, answers that are no text."""

import json
import os
import re
import subprocess
import sys
import threading
import time

import pytest
from github_api import github_api

from baseten_sandbox import Answer
from runner import ROOT
from workflow_commands import parse_command_file
from workflow_events import PUSHED_SHA, Event, pull_request

ENTRYPOINT = [sys.executable, "-I", "-B", "-u", "-X", "utf8", str(ROOT / "entrypoint.py")]
TOKEN = "ghs_0123456789abcdef"
WAV = "RIFF\0\0\0\0WAVEfmt \x1b[31m\x07" + "\0" * 2026


def git(directory, *arguments):
    """What git says."""
    identity = {f"GIT_{who}_{what}": "x@y.test" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    environment = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull, **identity}
    return subprocess.run(
        ["git", *arguments], cwd=directory, env=environment, capture_output=True, text=True, check=True
    ).stdout.strip()


def test_the_commit_that_was_packed(job):
    """A dispatch on main that checks out another branch: its commit is in name, label and `user_env`."""
    job = job.on(Event("workflow_dispatch", "refs/heads/main", PUSHED_SHA, {}))
    git(job.runner.workspace, "init", "-q")
    git(job.runner.workspace, "checkout", "-qb", "feature")
    git(job.runner.workspace, "add", ".")
    git(job.runner.workspace, "commit", "-qm", "x")
    head = git(job.runner.workspace, "rev-parse", "HEAD")
    result = job.run()
    assert head[:7] == result.outputs["deployment-name"], result.log.text
    (commit,) = [r.json for r in job.sandbox.requests if r.method == "POST" and r.path == "/v1/models"]
    deployment = commit["source"]["deployment"]
    assert (head, "refs/heads/feature") == (deployment["labels"]["git-sha"], deployment["labels"]["git-ref"])
    assert head == deployment["user_env"]["git_info"]["latest_commit_sha"]


@pytest.mark.parametrize("status", [200, 500])
def test_an_answer_that_is_no_text(job, status):
    """It is told by size, type and digest, and no control character gets into an output, the log or the summary."""
    job.sandbox.answers.add(Answer(status, text=WAV, headers={"Content-Type": "audio/wav"}))
    result = job.run()
    assert ("success" if status == 200 else "predict_failed") == result.outputs["status"], result.log.text
    assert re.fullmatch("binary, 2 048 bytes, audio/wav, SHA-256 [0-9a-f]{64}", result.outputs["predict-response"])
    everything = "".join(result.outputs.values()) + result.summary + result.log.text
    assert [] == re.findall(r"[\x00-\x08\x0b-\x1f\x7f]", everything)


def test_a_stream_that_ends_in_an_error(job):
    """It fails the run, and is what the outputs show."""
    text = 'data: {"choices": [{"delta": {"content": "po"}}]}\r\revent: error\rdata: {"message": "CUDA"}\r\r'
    job.sandbox.answers.add(Answer(text=text, headers={"Content-Type": "Text/Event-Stream"}))
    result = job.run(predict_payload='{"stream": true}')
    assert "predict_failed" == result.outputs["status"]
    assert 'po\n{"message": "CUDA"}' == result.outputs["predict-response"]
    assert "The smoke test's stream carried an error: CUDA" in result.log.text


def variables(job, **more):
    """The environment of a step, on a runner of some kind: only what it is given."""
    inputs = {f"INPUT_{name.upper()}": value for name, value in job.inputs({}).items()}
    return {"PATH": os.environ["PATH"], **inputs, **more}


@pytest.mark.parametrize("variable", ["GITHUB_ACTIONS", "GITHUB_OUTPUT", "GITHUB_RUN_ID", "GITHUB_WORKFLOW"])
def test_a_container_hook_sets_only_some_variables(job, tmp_path, variable):
    """Masks and guards are as on any runner of GitHub's."""
    job.sandbox.answers.add(Answer(text="##[set-output name=X]1\n::set-output name=Y::2\n##vso[task.complete]x"))
    value = {"GITHUB_OUTPUT": str(tmp_path / "output")}.get(variable, "true")
    environment = variables(job, **{variable: value, "GITHUB_WORKSPACE": str(job.runner.workspace)})
    done = subprocess.run(ENTRYPOINT, env=environment, capture_output=True, text=True, check=False)
    assert (0, "") == (done.returncode, done.stderr), done.stdout
    assert f"::add-mask::{job.sandbox.api_key}\n" in done.stdout
    assert [] == re.findall(r"##\[|##vso\[", done.stdout)
    before, _, after = done.stdout.partition("\n::set-output name=Y::2\n")
    token = before.rpartition("::stop-commands::")[2].splitlines()[0]
    assert f"::{token}::" in after
    assert f"::{token}::" not in before


@pytest.mark.parametrize("at", ["== Read the Truss", "== Commit", "Answered in"])
def test_a_reader_that_goes_away(job, at):
    """`| head`: the deployment, the outputs and the exit code are as without it, and nothing is on stderr."""
    workspace = {"CI_PROJECT_DIR": str(job.runner.workspace)}
    process = subprocess.Popen(
        ENTRYPOINT, env=variables(job, **workspace), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    for line in process.stdout:
        if line.startswith(at):
            break
    process.stdout.close()
    with process.stderr as stderr:
        said = stderr.read()
    assert (0, "") == (process.wait(60), said)
    (model,) = job.sandbox.state.models()
    assert 1 == len(job.sandbox.state.deployments(model.model.id))
    assert any(request.service == "inference" for request in job.sandbox.requests)


def test_a_reader_that_goes_away_from_a_run_that_fails(job, tmp_path):
    """`on-failure` is done all the same, and the outputs are written."""
    job.sandbox.answers.add(Answer(500, text="no"))
    output = tmp_path / "output"
    environment = variables(
        job, GITHUB_OUTPUT=str(output), GITHUB_WORKSPACE=str(job.runner.workspace), **{"INPUT_ON-FAILURE": "delete"}
    )
    process = subprocess.Popen(ENTRYPOINT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for line in process.stdout:
        if "Upload" in line:
            break
    process.stdout.close()
    with process.stderr as stderr:
        assert "" == stderr.read()
    assert 1 == process.wait(60)
    assert "predict_failed" == parse_command_file(output.read_text(encoding="utf-8"))["status"]
    (model,) = job.sandbox.state.models()
    assert [] == job.sandbox.state.deployments(model.model.id)


@pytest.mark.parametrize("variable", ["GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_STATE"])
def test_a_full_disk(job, variable):
    """Is said once, and changes nothing about the deployment."""
    environment = variables(
        job, GITHUB_ACTIONS="true", GITHUB_WORKSPACE=str(job.runner.workspace), **{variable: "/dev/full"}
    )
    done = subprocess.run(ENTRYPOINT, env=environment, capture_output=True, text=True, check=False)
    assert (0, "") == (done.returncode, done.stderr)
    (warning,) = [line for line in done.stdout.splitlines() if line.startswith("::warning")]
    assert "deployment-id=" in done.stdout  # what cannot be written is printed
    assert f"`{variable}`" in warning
    assert "The disk is full" in warning


@pytest.mark.parametrize("status", ["success", "predict_failed"])
def test_a_comment_that_hangs_and_a_cancel(job, status):
    """The run has ended: its outputs are written, and the signal ends the waiting at once."""
    if status != "success":
        job.sandbox.answers.add(Answer(500, text="no"))
    with github_api() as github:
        github.hangs = threading.Event()
        step = job.on(pull_request(), github=github.url).start(github_token=TOKEN)
        end = time.monotonic() + 60
        while not github.requests:
            assert time.monotonic() < end, step.log.lines
            time.sleep(0.02)
        step.cancel()
        result = step.wait(30)
        github.hangs.set()
    assert (130, status) == (result.exit_code, result.outputs["status"]), result.log.text
    assert status == json.loads(result.outputs["result"])["status"]
    assert "Traceback" not in result.log.text


@pytest.mark.parametrize(
    ("event", "payload"),
    [
        ("issue_comment", {"issue": {"number": 42, "pull_request": {"url": "https://x.test"}}}),
        ("workflow_run", {"workflow_run": {"pull_requests": [{"number": 42}]}}),
        ("merge_group", {"merge_group": {}}),
    ],
)
def test_events_beside_pull_request(job, event, payload):
    """The comment is on the pull request that the event is about; where there is none, a notice says so."""
    with github_api() as github:
        started = Event(event, "refs/heads/main", PUSHED_SHA, payload)
        result = job.on(started, github=github.url).run(mode="plan", github_token=TOKEN)
        comments = [comment["issue"] for comment in github.comments]
    assert (0, "planned") == (result.exit_code, result.outputs["status"])
    notices = [note.message for note in result.log.annotations if note.kind == "notice"]
    assert ([42], []) == (comments, notices) if payload.keys() != {"merge_group"} else not comments
    assert event != "merge_group" or "A run on `merge_group` has no pull request" in notices[0]


def test_comments_of_runs_at_once_become_one(job):
    """Three of ours, as runs at once may leave them; the next run keeps the oldest and folds the rest."""
    with github_api() as github:
        for number in (7, 9, 8):
            run = job.on(pull_request(), github=github.url, run_id=number)
            result = run.run(mode="plan", github_token=TOKEN)
            assert "planned" == result.outputs["status"], result.log.text
            if number == 7:
                for _ in range(2):
                    github.say(7, github.comments[0]["body"], "github-actions[bot]", "Bot")
        marked = ["run=9.1" in body.splitlines()[0] for body in github.bodies()]
        assert [True, False, False] == marked
        assert ["<details><summary>Superseded</summary>"] * 2 == [body.splitlines()[1] for body in github.bodies()[1:]]
        assert "which is newer" in result.log.text


@pytest.mark.parametrize("what", ["missing", "a file", "empty", "letters"])
def test_no_place(job, tmp_path, what):
    """`invalid`, with what to add to the workflow; no traceback."""
    workspace = tmp_path / "elsewhere"
    if what == "a file":
        workspace.touch()
    elif what != "missing":
        workspace.mkdir()
    environment = variables(job, GITHUB_ACTIONS="true", GITHUB_WORKSPACE=str(workspace))
    if what == "letters":
        (workspace / "file").touch()
        environment["INPUT_TRUSS-DIRECTORY"] = "x" * 5000
    done = subprocess.run(ENTRYPOINT, env=environment, capture_output=True, text=True, check=False)
    assert (1, "") == (done.returncode, done.stderr)
    assert "Status: invalid" in done.stdout
    assert "Traceback" not in done.stdout
    assert (what == "letters") != ("uses: actions/checkout@v6" in done.stdout)
