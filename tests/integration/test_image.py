"""The images, built from this checkout and run as GitHub's runner runs them, against the sandbox on loopback.

That of the action, and the one that has `truss` besides, for Chains.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from containers import BASE, Confined, build, build_anew, compressed_layers, layer_digests, tool
from packaging.requirements import Requirement

from baseten_sandbox import Sandbox
from build_context import copy_checkout
from runner import ROOT, Runner, from_image, read_action

pytestmark = pytest.mark.real_image

TAG = "baseten-deploy-test"
CHAIN = "baseten-deploy-chain-test"
LARGEST = 12_000_000  # bytes, compressed, above the base
LARGEST_CHAIN = 85_000_000  # the same of what the image for Chains has above the action's: `truss` and its 87 packages
LOCKED_DOWN = ("--read-only", "--read-only-tmpfs=false", "--cap-drop=all", "--security-opt=no-new-privileges")
STRANGER = 54321  # a uid that no /etc/passwd knows


@pytest.fixture(scope="session")
def run_sh(shared_part) -> Path:
    """Build the image once, and give the script that runs it."""
    image = shared_part("image")
    build(image, TAG, ROOT)
    return image / "run.sh"


@pytest.fixture(scope="session")
def chain_image(run_sh) -> str:
    """Build the image for Chains once, on top of the other's layers; its tag."""
    build(run_sh.parent, CHAIN, ROOT, "chain")
    return CHAIN


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


def python(run_sh: Path, code: str, tag: str = TAG) -> str:
    """Run Python code in the image, without the action, and return what it prints."""
    environment = {**os.environ, "ENTRYPOINT_OVERRIDE": "/usr/local/bin/python3"}
    done = subprocess.run(
        [run_sh, tag, "-I", "-B", "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def belongs_to_somebody(runner: Runner) -> None:
    """Give everything that is mounted to the runner's user, who lets nobody in."""
    for path in (runner.directory, *runner.directory.rglob("*")):
        os.chown(path, 1001, 1001)
        path.chmod(0o700 if path.is_dir() else 0o600)


def test_deploys(runner):
    """One deploy, end to end: the inputs with hyphens arrive, the archive is uploaded, the outputs are written.

    As on GitHub's runner: root in the container, and everything mounted belongs to another user, who lets nobody in.
    """
    belongs_to_somebody(runner)
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
    """Every module that a run may import is in a start file, or has bytecode with an unchecked hash.

    Ours, the packages', Python's own; and so is every regular expression that they have.
    """
    code = """if True:
        import sys
        sys.path.insert(0, "/app/src")
        from baseten_deploy import launch, start_file
        launch.prepare()
        start_file.ask_before_compiling(noting=True)
        import importlib, pathlib, pkgutil
        import baseten_deploy, botocore.session
        for module in pkgutil.walk_packages(baseten_deploy.__path__, "baseten_deploy."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
        botocore.session.Session().create_client("s3", region_name="us-east-1")
        import h11, isal.isal_zlib, jsonschema_rs, regex, websockets.sync.client, yaml
        found = [pathlib.Path(spec.cached) for spec in start_file.found_by_python() if spec.cached]
        print(*(path for path in found if not path.exists() or path.read_bytes()[4] != 1))
        print(len(start_file.files), start_file.compiled)
    """
    assert python(run_sh, code) == "\n2 []\n"


def test_the_start_files_are_used(run_sh):
    """A whole start reads no other bytecode than that of what comes before: with `-v`, Python names its files."""
    environment = {**os.environ, "ENTRYPOINT_OVERRIDE": "/usr/local/bin/python3"}
    done = subprocess.run(
        [run_sh, TAG, "-I", "-B", "-v", "/app/entrypoint.py", "--help"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not re.findall(r"^# code object from .*\.py$", done.stderr, re.MULTILINE)
    read = set(re.findall(r"^# /\S+/__pycache__/(\S+)\.cpython-313\.pyc matches", done.stderr, re.MULTILINE))
    assert {"launch", "start_file"} <= read <= {"launch", "start_file", "__init__", "aliases", "utf_8"}
    assert "import 'baseten_deploy.main'" in done.stderr


def test_is_small(run_sh, tmp_path):
    """Above its base the image is two layers and at most 12 MB, compressed; the one with the code is small."""
    image = layer_digests(run_sh.parent, TAG)
    base = layer_digests(run_sh.parent, BASE)
    assert base == image[: len(base)]
    packages, code = compressed_layers(run_sh.parent, TAG, tmp_path)[len(base) :]
    assert packages + code <= LARGEST
    assert code < 2_000_000


def test_the_one_for_chains_is_the_other_and_a_layer(run_sh, chain_image, tmp_path):
    """The action's layers are its own too, and the action's has none of `truss`; what is above them has a bound."""
    image, chain = (layer_digests(run_sh.parent, tag) for tag in (TAG, chain_image))
    assert image == chain[: len(image)]
    (above,) = compressed_layers(run_sh.parent, chain_image, tmp_path)[len(image) :]
    assert 20_000_000 < above <= LARGEST_CHAIN
    there = "import os; print(os.path.exists('/opt/truss'), os.environ.get('BASETEN_DEPLOY_TRUSS_PYTHON'))"
    assert ("False None\n", "True /opt/truss/bin/python\n") == tuple(
        python(run_sh, there, tag) for tag in (TAG, chain_image)
    )


def test_two_builds_are_the_same(run_sh, chain_image, tmp_path):
    """The same layers from another copy: other times of its files, another umask, no cache, and left-over bytecode.

    Of the image for Chains, which has those of the action's.
    """
    copy = tmp_path / "copy"
    copy_checkout(ROOT, copy)
    for path in copy.rglob("*"):
        if path.is_file():
            path.chmod(0o600)
            os.utime(path, (1e9, 1e9))
    (copy / "src" / "baseten_deploy" / "__pycache__").mkdir()
    (copy / "src" / "baseten_deploy" / "__pycache__" / "main.cpython-313.pyc").write_bytes(b"of another checkout")
    build_anew(run_sh.parent, f"{TAG}-again", copy, "chain")
    again = layer_digests(run_sh.parent, f"{TAG}-again")
    tool(run_sh.parent, "buildah", "rmi", "--force", f"{TAG}-again")
    assert layer_digests(run_sh.parent, chain_image) == again
    image = layer_digests(run_sh.parent, TAG)
    assert image == again[: len(image)]


def confined(
    tmp_path: Path, run_sh: Path, uid: int, *options: str, tag: str = TAG, example: str = "hello-truss", **kind: object
) -> Runner:
    """Make a job whose command files belong to `uid`, and whose workspace belongs to somebody else."""
    launcher = Confined(tag, run_sh.parent, (*LOCKED_DOWN, f"--user={uid}:{uid}", *options), **kind)
    runner = Runner(tmp_path / "job", launcher=launcher)
    tmp_path.chmod(0o755)
    tmp_path.parent.chmod(0o755)
    shutil.copytree(ROOT / "examples" / example, runner.workspace / example)
    for path in (runner.workspace, *runner.workspace.rglob("*")):
        os.chown(path, 1001, 1001)
    return runner


def own_command_files(runner: Runner, uid: int) -> None:
    """Let `uid` write what the runner makes for a step."""
    for name in ("output", "state", "summary", "env", "path"):
        (runner.directory / "file_commands" / name).touch()
    for path in runner.directory.rglob("file_commands/*"):
        os.chown(path, uid, uid)


def deploy_confined(runner: Runner, uid: int, said: Callable[[Sandbox], dict[str, str]]) -> None:
    """A whole deploy, which must succeed."""
    own_command_files(runner, uid)
    with Sandbox(speed=20) as sandbox:
        result = runner.run(said(sandbox))
    assert result.outcome == "success", result.log.text
    assert result.outputs["status"] == "success"
    assert result.outputs["deployment-id"] in result.summary


@pytest.mark.parametrize(
    ("uid", "home"), [(0, True), (STRANGER, True), (STRANGER, False)], ids=["root", "a stranger", "a stranger, no HOME"]
)
def test_runs_confined(run_sh, tmp_path, uid, home):
    """A whole deploy with nothing writable but the command files, no capability, any uid, with HOME and without."""
    deploy_confined(confined(tmp_path, run_sh, uid, home=home), uid, inputs)


def chain_inputs(sandbox: Sandbox) -> dict[str, str]:
    """Say what a workflow with a Chain would say under `with:`."""
    payload = '{"max_value": 6}'
    return {**sandbox.chain_inputs, "truss-directory": "hello-chain/hello.py", "predict-payload": payload}


def test_deploys_a_chain(run_sh, chain_image, tmp_path):
    """As GitHub's runner runs it: the import, the push by `truss`, the wait, the question. Its key is in no log."""
    action = read_action(ROOT / "chain" / "action.yml")
    runner = Runner(tmp_path, launcher=from_image(chain_image, run_sh), action=action)
    shutil.copytree(ROOT / "examples" / "hello-chain", runner.workspace / "hello-chain")
    belongs_to_somebody(runner)
    with Sandbox(speed=20) as sandbox:
        result = runner.run(chain_inputs(sandbox))
        assert result.outcome == "success", result.log.text
        (facts,) = sandbox.chains.models()
        (deployment,) = sandbox.chains.deployments(facts.model.id)
    assert (result.outputs["chain-id"], result.outputs["deployment-id"]) == (facts.model.id, deployment.id)
    assert ("success", "Hello Chain") == (result.outputs["status"], result.outputs["model-name"])
    assert "| `RandInt` | `ACTIVE` |" in result.summary
    assert sandbox.api_key not in "\n".join(line for line in result.log.raw if "add-mask" not in line)


HOSTILE = """
import os, pathlib, subprocess, sys
import truss_chains as chains

print("USER", os.getuid(), os.getgroups())
sealed = ("/app/entrypoint.py", "/app/src/baseten_deploy/gate.py", "/opt/truss/bin/python", "/usr/local/bin/new",
          "/github/file_commands/output", "/github/workspace/new")
for path in sealed:
    try:
        open(path, "a").write("0 / 0\\n")
        print("WROTE", path)
    except OSError as error:
        print("SEALED", path)
for path in ("/proc/1/environ", f"/proc/{os.getppid()}/environ", "/github/home/.netrc"):
    try:
        print("READ", path, len(open(path, "rb").read()))
    except OSError:
        print("SEALED", path)
try:
    os.setuid(0)
    print("ROOT")
except PermissionError:
    pass

@chains.mark_entrypoint
class Hello(chains.ChainletBase):
    async def run_remote(self, name: str) -> str:
        return name
"""


def test_a_chains_code_is_nobody(run_sh, chain_image, tmp_path):
    """With a checkout as GitHub's runner has it, the import and the push run without root: nothing there is theirs."""
    runner = Runner(
        tmp_path, launcher=from_image(chain_image, run_sh), action=read_action(ROOT / "chain" / "action.yml")
    )
    (runner.workspace / "hostile.py").write_text(HOSTILE)
    (runner.directory / "home" / ".netrc").write_text("machine example.com password secret")
    for path in (runner.directory, *runner.directory.rglob("*")):
        os.chown(path, 1001, 1001)
        path.chmod(0o755 if path.is_dir() else 0o600 if path.name == ".netrc" else 0o644)
    with Sandbox(speed=20) as sandbox:
        result = runner.run(
            chain_inputs(sandbox) | {"truss-directory": "hostile.py", "predict-payload": '{"name": "world"}'}
        )
    assert result.outcome == "success", result.log.text
    assert "USER 65534 []" in result.log.text
    assert 2 * 9 == result.log.text.count("SEALED /"), result.log.text  # imported twice: read, and pushed
    assert not re.search(r"^(WROTE|READ|ROOT)", result.log.text, re.MULTILINE), result.log.text


@pytest.mark.parametrize(("uid", "home"), [(0, True), (STRANGER, False)], ids=["root", "a stranger, no HOME"])
def test_deploys_a_chain_confined(run_sh, chain_image, tmp_path, uid, home):
    """The root file system is read-only, no capability is there, any uid: `truss` needs a /tmp that it may write to."""
    options = ("--tmpfs=/tmp:mode=1777",)
    runner = confined(tmp_path, run_sh, uid, *options, tag=chain_image, example="hello-chain", home=home)
    deploy_confined(runner, uid, chain_inputs)


def test_a_chain_without_a_place_to_write(run_sh, chain_image, tmp_path):
    """Said as what it is, with what to do, and nothing was sent."""
    runner = confined(tmp_path, run_sh, STRANGER, tag=chain_image, example="hello-chain")
    own_command_files(runner, STRANGER)
    with Sandbox(speed=20) as sandbox:
        result = runner.run(chain_inputs(sandbox))
        assert sandbox.chains.models() == []
    assert (result.exit_code, result.outputs["status"]) == (1, "invalid"), result.log.text
    assert "TMPDIR" in result.log.text
    assert "Traceback" not in result.log.text


def test_runs_as_in_a_kubernetes_pod(run_sh, tmp_path):
    """ARC's Kubernetes mode takes prebuilt images alone. Its hook starts `tail` in the pod, and a script by `sh -l`.

    The script is that of actions/runner-container-hooks (`writeEntryPointScript`): `env` gets the names with hyphens.
    """
    runner = confined(tmp_path, run_sh, STRANGER)
    own_command_files(runner, STRANGER)
    with Sandbox(speed=20) as sandbox:
        variables = runner.variables(inputs(sandbox))
        entry = json.loads(tool(run_sh.parent, "podman", "image", "inspect", TAG))[0]["Config"]["Entrypoint"]
        named = " ".join(shlex.quote(f"{name}={value}") for name, value in variables.items() if name != "PATH")
        (runner.directory / "temp" / "step.sh").write_text(
            f"#!/bin/sh -l\ncd /github/workspace && \\\nexec env {named} {shlex.join(entry)}\n"
        )
        runner.launcher = Confined(
            TAG,
            run_sh.parent,
            (*LOCKED_DOWN, f"--user={STRANGER}"),
            ("sh", "-c", "tail -f /dev/null & sh -l /github/temp/step.sh; code=$?; kill $!; exit $code"),
        )
        result = runner.run({})
    assert result.outcome == "success", result.log.text


def test_starts_with_nothing_but_itself(run_sh):
    """No network, nothing writable, nobody's uid: the image is complete."""
    options = (*LOCKED_DOWN, "--network=none", f"--user={STRANGER}")
    assert "usage: baseten-deploy" in tool(run_sh.parent, "podman", "run", "--rm", *options, TAG, "--help")


@pytest.mark.parametrize(
    ("lock", "machine"),
    [
        ("requirements.txt", "x86_64"),
        ("requirements.txt", "aarch64"),
        ("requirements-chain.txt", "aarch64"),  # for x86_64 it is built here
    ],
)
def test_every_wheel_exists(machine, lock, tmp_path):
    """For both architectures of a release, by the hashes of the lock files: no image needs a compiler on either."""
    newest = 41  # glibc of the base; wheels name the oldest that they run with
    platforms = [f"--platform=manylinux_2_{minor}_{machine}" for minor in range(17, newest + 1)]
    platforms.append(f"--platform=manylinux2014_{machine}")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--dest", str(tmp_path))
    locked = ("--no-deps", "--require-hashes", "-r", str(ROOT / lock))
    done = subprocess.run(
        [*pip, *locked, "--only-binary=:all:", "--python-version=3.13", *platforms],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    wheels = [path.name for path in tmp_path.iterdir()]
    pins = map(Requirement, re.findall(r"^([a-z0-9-]+==[^\\\n]+)", (ROOT / lock).read_text(), re.MULTILINE))
    # pip goes by the markers of the interpreter that runs it, whatever it downloads for.
    assert sum(1 for pin in pins if not pin.marker or pin.marker.evaluate()) == len(wheels)
    native = {name.partition("-")[0] for name in wheels if not name.endswith("-any.whl")}
    expected = {"requirements.txt": {"isal", "jsonschema_rs", "pyyaml", "regex"}}
    assert expected.get(lock, {"pydantic_core", "ruff", "truss_transfer"}) <= native
    assert [] == [name for name in wheels if not name.endswith(("-any.whl", f"{machine}.whl"))]


def test_has_what_other_ci_systems_start(run_sh):
    """GitLab CI and Jenkins start a shell in an image; what their scripts of the recipes use is there."""
    found = "for name in sh bash env sed tail cat python3 post_entrypoint.py; do command -v $name || exit 1; done"
    command = f"{found}; python3 /app/entrypoint.py --help"
    environment = {**os.environ, "ENTRYPOINT_OVERRIDE": "sh"}
    done = subprocess.run([run_sh, TAG, "-c", command], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "/usr/local/bin/post_entrypoint.py" in done.stdout
    assert "usage: baseten-deploy" in done.stdout


def test_the_post_step_starts(run_sh):
    """The executable that action.yml names is found in the image, and has nothing to do after a run that ended."""
    environment = {**os.environ, "ENTRYPOINT_OVERRIDE": "post_entrypoint.py", "STATE_status": "success"}
    done = subprocess.run([run_sh, TAG], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
