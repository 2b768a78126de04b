"""`workflow` writes what npm's @actions/core writes: the reference that GitHub gives to authors of actions."""

import io
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from baseten_deploy.ci.redaction import Redactor
from baseten_deploy.ci.runner import Runner
from baseten_deploy.errors import Problem
from workflow_commands import parse_command_file

pytestmark = pytest.mark.real_core

VERSION = "3.0.1"
TEXTS = [
    "plain",
    "",
    "100% sure",
    "%0A is not a line feed, %25 not a per cent",
    "two\nlines\n",
    "::error::inside",
    "##[error]inside",
    "a: b, c; d]",
    "snow ☃ and 𝄞",
    " spaces around ",
]
FILES = ["model/model.py", "a,b:c%.py", "spaced name.py"]

# Calls each function with its arguments; what it prints comes between two marker lines.
SCRIPT = """
import * as core from '@actions/core';
import { readFileSync } from 'node:fs';
for (const [name, args] of JSON.parse(readFileSync(0, 'utf8'))) {
  process.stdout.write('=== begin\\n');
  core[name](...args);
  process.stdout.write('=== end\\n');
}
"""


@pytest.fixture(scope="session")
def core(tmp_path_factory):
    """Install @actions/core, and give a function that makes calls in it and returns what each one printed."""
    if not shutil.which("npm"):
        reason = "needs node and npm, to run @actions/core"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    folder = tmp_path_factory.mktemp("core")
    package = f"@actions/core@{VERSION}"
    install = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", package]
    subprocess.run(install, cwd=folder, check=True)
    (folder / "calls.mjs").write_text(SCRIPT)

    def call(calls: list[tuple[str, list]], **environment: str) -> list[str]:
        done = subprocess.run(
            ["node", "calls.mjs"],
            cwd=folder,
            input=json.dumps(calls),
            env={"PATH": os.environ["PATH"], **environment},
            capture_output=True,
            text=True,
            check=True,
        )
        return re.findall(r"^=== begin\n(.*?)^=== end\n", done.stdout, re.DOTALL | re.MULTILINE)

    return call


def printed(name: str, *args) -> str:
    """Return what a method of `Workflow` prints."""
    stream = io.StringIO()
    getattr(Runner({"GITHUB_ACTIONS": "true"}, Redactor(), stream), name)(*args)
    return stream.getvalue()


@pytest.mark.parametrize("kind", ["error", "warning", "notice"])
def test_annotations(core, kind):
    """The same command for every text, which begins with the place if there is one; line 0 is no line.

    But for one thing: `##[` in a text, which Azure Pipelines obeys wherever it stands, is written apart.
    """
    problems = [Problem(text) for text in TEXTS]
    problems += [Problem("m", file=file, line=line, column=line) for file in FILES for line in (0, 12)]
    calls = []
    for problem in problems:
        place = {"file": problem.file, "startLine": problem.line, "startColumn": problem.column}
        calls.append((kind, [str(problem), {key: value for key, value in place.items() if value}]))
    expected = [text.replace("##[", "## [") for text in core(calls)]
    assert expected == [printed(kind, problem) for problem in problems]


def test_masks(core):
    """The same command for every secret, also one of two lines; the runner complains of an empty one: none is sent."""
    secrets = [text for text in TEXTS if text.strip()]
    assert core([("setSecret", [text]) for text in secrets]) == [printed("mask", text) for text in secrets]
    assert printed("mask", "") == ""


def test_groups(core):
    """The same commands at the start and the end."""
    stream = io.StringIO()
    runner = Runner({"GITHUB_ACTIONS": "true"}, Redactor(), stream)
    with runner.group("100% done"):
        runner.info("said")
    start, end = core([("startGroup", ["100% done"]), ("endGroup", [])])
    assert f"{start}said\n{end}" == stream.getvalue()


@pytest.mark.parametrize(("function", "method", "variable"), [
    ("setOutput", "output", "GITHUB_OUTPUT"),
    ("saveState", "state", "GITHUB_STATE"),
])  # fmt: skip
def test_command_files(core, tmp_path, function, method, variable):
    """The same file but for the delimiter, which is random, and the runner reads every value back from both."""
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    for path in (theirs, ours):
        path.touch()
    values = {f"name-{number}": text for number, text in enumerate(TEXTS)}
    core([(function, [name, text]) for name, text in values.items()], **{variable: str(theirs)})
    runner = Runner({variable: str(ours)}, Redactor())
    for name, text in values.items():
        getattr(runner, method)(name, text)
    assert without_delimiters(theirs) == without_delimiters(ours)
    assert values == parse_command_file(theirs.read_text()) == parse_command_file(ours.read_text())


def without_delimiters(path: Path) -> str:
    """Return the file with each random part replaced, after a look at whether it is random."""
    text = path.read_text(encoding="utf-8")
    delimiters = re.findall(r"<<(ghadelimiter_\S+)$", text, re.MULTILINE)
    assert len(delimiters) == len(set(delimiters)) == len(TEXTS)
    return re.sub(r"ghadelimiter_[0-9a-f-]{36}", "DELIMITER", text)
