"""What is loaded: nothing of checks without the input, and of its libraries only what a check needs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LIBRARIES = ("websockets", "jsonschema_rs", "regex")
READ = """
from pathlib import Path
from baseten_deploy.checks.file import read_checks
import baseten_deploy.checks.proof
suite, problems = read_checks("checks.json", "", truss=Path({0!r}), workspace=Path({0!r}), timeout=1.0)
assert not problems, problems
"""


def loaded(program):
    """The modules that a program has loaded in the end."""
    code = f"{program}\nimport sys, json\nprint(json.dumps(sorted(sys.modules)))"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def test_without_checks():
    """A run that has none loads neither them nor their libraries, up to its end."""
    modules = loaded(
        "import baseten_deploy.pipeline, baseten_deploy.gate, baseten_deploy.main\n"
        "import baseten_deploy.checks.smoke_test, baseten_deploy.planning.plan"
    )
    ours = {name for name in modules if name.startswith("baseten_deploy.checks.")}
    assert {"check", "content", "event_stream", "payload", "smoke_test"} == {name.rpartition(".")[2] for name in ours}
    assert not modules & set(LIBRARIES)


@pytest.mark.parametrize(
    ("check", "needed"),
    [
        ({"payload": {}, "expect": {"json": {}, "live": "equal"}}, set()),
        ({"expect": {"regex": "a"}}, {"regex"}),
        ({"expect": {"schema": {}}}, {"jsonschema_rs"}),
    ],
)
def test_only_what_is_needed(tmp_path, check, needed):
    """Pattern by pattern, schema by schema; the websocket's client with its first call."""
    (tmp_path / "checks.json").write_text(json.dumps({"checks": [{"name": "a", **check}]}))
    assert needed == loaded(READ.format(str(tmp_path))) & set(LIBRARIES)
