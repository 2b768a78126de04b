"""The image, built from this checkout and run as GitHub's runner runs it, against the sandbox on loopback."""

import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from baseten_sandbox import Sandbox
from runner import ROOT, Runner, from_image

pytestmark = pytest.mark.real_image

TAG = "baseten-deploy-test"


@pytest.fixture(scope="session")
def run_sh(shared_part) -> Path:
    """Build the image once, and give the script that runs it."""
    image = shared_part("image")
    for command in ([image / "setup.sh"], [image / "build.sh", TAG, ROOT]):
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        assert done.returncode == 0, done.stdout
    return image / "run.sh"


@pytest.fixture
def runner(run_sh, tmp_path) -> Runner:
    """Make a job with examples/hello-truss in its workspace, whose steps run the image."""
    runner = Runner(tmp_path, launcher=from_image(TAG, run_sh))
    shutil.copytree(ROOT / "examples" / "hello-truss", runner.workspace / "hello-truss")
    return runner


def inputs(sandbox: Sandbox) -> dict[str, str]:
    """Say what a workflow would say under `with:`."""
    return {
        **sandbox.inputs,
        "truss-directory": "hello-truss",
    }


def python(run_sh: Path, code: str) -> str:
    """Run Python code in the image, without the action, and return what it prints."""
    environment = {**os.environ, "ENTRYPOINT_OVERRIDE": "/usr/local/bin/python3"}
    done = subprocess.run(
        [run_sh, TAG, "-I", "-B", "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_deploys(runner):
    """One deploy, end to end: the inputs with hyphens arrive, the archive is uploaded, the outputs are written."""
    with Sandbox() as sandbox:
        result = runner.run(inputs(sandbox))
        assert result.outcome == "success", result.log.text
        assert len(sandbox.objects()) == 1
    assert result.outputs["status"] == "success"
    assert result.outputs["model-name"] == "hello-truss"
    assert result.outputs["model-created"] == "true"
    assert '{"name": "world"}' in result.outputs["predict-response"]
    assert result.outputs["deployment-id"] in result.summary
    assert "***" not in result.outputs["result"]
    assert sandbox.api_key not in "\n".join(line for line in result.log.raw if "add-mask" not in line)


def test_a_cancelled_run_ends_in_time(runner):
    """SIGINT reaches the action as PID 1: it ends within the runner's grace, and says what it leaves behind."""
    with Sandbox(speed=0.01) as sandbox:
        step = runner.start(inputs(sandbox))
        while "deployment-id" not in (runner.directory / "file_commands" / "output").read_text():
            assert step.running, step.log.text
            time.sleep(0.1)
        started = time.monotonic()
        step.cancel()
        result = step.wait(30)
    assert time.monotonic() - started < 5
    assert (result.exit_code, result.outputs["status"]) == (130, "cancelled")


def test_holds_only_what_running_needs(run_sh):
    """No sandbox, no tests, none of actions-toolkit's unused dependencies, one AWS service; and it runs as root."""
    found = json.loads(
        python(
            run_sh,
            """if True:
            import importlib.metadata, json, os, pathlib, botocore
            data = pathlib.Path(botocore.__file__).parent / "data"
            print(json.dumps({
                "uid": os.getuid(),
                "app": sorted(os.listdir("/app")),
                "src": os.listdir("/app/src"),
                "services": [path.name for path in data.iterdir() if path.is_dir()],
                "packages": [package.name.lower() for package in importlib.metadata.distributions()],
            }))
            """,
        )
    )
    assert found["uid"] == 0
    assert found["app"] == ["entrypoint.py", "post_entrypoint.py", "requirements.txt", "src"]
    assert found["src"] == ["baseten_deploy"]
    assert found["services"] == ["s3"]
    assert not {"pygithub", "requests", "cryptography", "moto", "baseten", "truss", "pytest"} & set(found["packages"])
    assert {"httpx", "boto3", "pyyaml", "actions-toolkit", "pathspec", "isal"} <= set(found["packages"])


def test_nothing_is_compiled_at_start(run_sh):
    """Every module that a run imports has bytecode with an unchecked hash, ours and the standard library's too."""
    code = """if True:
        import importlib, pathlib, pkgutil, sys
        sys.path.insert(0, "/app/src")
        import baseten_deploy
        for module in pkgutil.iter_modules(baseten_deploy.__path__):
            importlib.import_module(f"baseten_deploy.{module.name}")
        for name, module in sorted(sys.modules.items()):
            cached = getattr(getattr(module, "__spec__", None), "cached", None)
            if cached and (not pathlib.Path(cached).exists() or pathlib.Path(cached).read_bytes()[4] != 1):
                print(name)
    """
    assert python(run_sh, code) == ""


def test_the_post_step_starts(run_sh):
    """The executable that action.yml names is found in the image, and has nothing to do after a run that ended."""
    environment = {**os.environ, "ENTRYPOINT_OVERRIDE": "post_entrypoint.py", "STATE_status": "success"}
    done = subprocess.run([run_sh, TAG], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
