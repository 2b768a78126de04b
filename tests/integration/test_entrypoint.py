"""`entrypoint.py` as a process: it starts from a plain checkout, and nothing in the workspace gets in its way."""

import subprocess
import sys

import pytest

from baseten_deploy import __version__
from runner import ROOT, Runner

HOSTILE = "raise SystemExit('a module of the workspace was imported')\n"


def test_starts_from_anywhere(tmp_path):
    """`--version` from another folder, in isolated mode, without the package installed."""
    command = [sys.executable, "-I", str(ROOT / "entrypoint.py"), "--version"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (0, f"{__version__}\n", "") == (done.returncode, done.stdout, done.stderr)


def test_starts_as_a_module(tmp_path):
    """`python -m baseten_deploy` where the package can be imported."""
    command = [sys.executable, "-m", "baseten_deploy", "--version"]
    environment = {"PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (0, f"{__version__}\n", "") == (done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("module", ["httpx", "json", "yaml", "baseten_deploy", "sitecustomize"])
def test_imports_nothing_of_the_workspace(tmp_path, module):
    """A file in the repository, even with the job's PYTHONPATH on it, does not become part of the action."""
    runner = Runner(tmp_path)
    (runner.workspace / f"{module}.py").write_text(HOSTILE)
    result = runner.run({"truss-directory": "missing"}, {"PYTHONPATH": str(runner.workspace)})
    assert (1, "invalid") == (result.exit_code, result.outputs["status"]), result.log.text
