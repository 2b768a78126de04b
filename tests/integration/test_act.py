"""Real interpreters of CI files: `act` runs every example workflow, `gitlab-ci-local` the GitLab recipe.

Both against the sandbox, with the images that this checkout builds. The examples are taken as they are: what they leave
out (where the sandbox is) is the default in the copies of both action.yml that stand in for `OWNER/baseten-deploy@v1`.
"""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from act import RUNNER_IMAGE, Act, ActRun, podman_service, repository
from containers import build, in_storage, machine_environment, tool
from fakes.nemo import FakeNemo

from baseten_sandbox import Sandbox
from runner import ROOT, Runner, from_image, read_action
from workflow_events import PUSHED_SHA, pull_request, push

pytestmark = pytest.mark.real_act

TAG = "baseten-deploy-act"
CHAIN = f"{TAG}-chain"
EXAMPLES = sorted((ROOT / "examples" / "workflows").glob("*.yml"))
OURS = "OWNER/baseten-deploy"
SPEED = 20
GREEN = {"success", "planned", "skipped"}


@pytest.fixture(scope="session")
def image_part(shared_part) -> Path:
    """Build both images."""
    part = shared_part("image")
    build(part, TAG, ROOT)
    build(part, CHAIN, ROOT, "chain")
    return part


@pytest.fixture(scope="session")
def docker_host(image_part, tmp_path_factory) -> Iterator[str]:
    """Docker's API, played by podman."""
    with podman_service(image_part, tmp_path_factory.mktemp("podman")) as address:
        yield address


def action_for(sandbox: Sandbox, directory: Path) -> Path:
    """Copy both action.yml into a repository, with the images that were built, and the sandbox as where to go."""
    files = {}
    for name, tag, where in (("action.yml", TAG, sandbox.inputs), ("chain/action.yml", CHAIN, sandbox.chain_inputs)):
        document = yaml.safe_load((ROOT / name).read_text())
        document["runs"]["image"] = f"docker://localhost/{tag}:latest"
        for key, value in where.items():
            if key != "baseten-api-key":
                document["inputs"][key]["default"] = value
        files[name] = yaml.safe_dump(document, sort_keys=False)
    return repository(directory, files)


def other_actions(workflow: Path) -> list[str]:
    """The actions that a workflow uses besides ours and actions/checkout."""
    used = re.findall(r"uses: (\S+)", workflow.read_text())
    return sorted({name for name in used if not name.startswith((OURS, "actions/checkout@", "./"))})


STAND_IN = {
    "action.yml": "name: stand-in\ndescription: does nothing\nruns:\n  using: composite\n  steps:\n"
    "    - run: echo stood in for\n      shell: bash\n"
}
PAYLOADS: dict[str, dict[str, Any]] = {
    "push": dict(push().payload),
    "pull_request": dict(pull_request(12).payload),
    "workflow_dispatch": {"inputs": {}, "ref": "refs/heads/main"},
    "schedule": {"schedule": "0 6 * * *"},
    "issue_comment": {
        "action": "created",
        "issue": {"number": 12, "pull_request": {}},
        "comment": {"body": "/deploy", "author_association": "MEMBER"},
    },
}


# What steps of the examples call besides the action: `gh`, which finds nothing and does nothing here.
GITHUB_COMMAND = "#!/bin/sh\nexit 0\n"


def shortened(workflow: Path, directory: Path) -> Path:
    """Copy a workflow with watches of seconds in the place of minutes: the one thing in which an example is changed."""
    copy = directory / workflow.name
    copy.write_text(re.sub(r"(watch-minutes: )[\d.]+", r"\g<1>0.2", workflow.read_text()))
    return copy


def trigger(workflow: Path) -> str:
    """The first event that starts a workflow."""
    found = yaml.safe_load(workflow.read_text())
    events = found.get("on", found.get(True))  # `on` is a YAML 1.1 boolean
    return events if isinstance(events, str) else next(iter(events))


def seed(sandbox: Sandbox, models: Path, directory: Path) -> None:
    """What was there before: two versions of my-model in production, one after the other, and a pull request's."""
    runner = Runner(directory / "seed")
    shutil.copytree(models / "my-model", runner.workspace / "my-model")
    for number, event in enumerate((push(), push(sha="a" * 40), pull_request(12))):
        (runner.workspace / "my-model" / "version.py").write_text(f"VERSION = {number}\n")
        runner.event = event
        into = {"promote-to": "production"} if event.name == "push" else {}
        done = runner.run({**sandbox.inputs, "truss-directory": "my-model", **into})
        assert done.outputs["status"] == "success", done.log.text


@pytest.mark.parametrize("workflow", EXAMPLES, ids=[path.name for path in EXAMPLES])
def test_every_example_workflow(workflow, sandbox, models, release_tools, docker_host, tmp_path):
    """Each file of examples/workflows/ runs as it is and ends green, and its steps of ours did what they are for."""
    seed(sandbox, models, tmp_path)
    before = len(sandbox.requests)
    event = trigger(workflow)
    assert event in PAYLOADS, f"say in PAYLOADS what a `{event}` is"
    replaced = {f"{OURS}@v1": action_for(sandbox, tmp_path / "action")}
    for number, name in enumerate(other_actions(workflow)):
        replaced[name] = repository(tmp_path / f"stand-in-{number}", STAND_IN)
    nemo = FakeNemo()
    nemo.workspaces["default"]["secrets"]["baseten-api-key"] = {"name": "baseten-api-key", "workspace": "default"}
    with nemo.serving() as url:
        command = tmp_path / "gh"
        command.write_text(GITHUB_COMMAND)
        command.chmod(0o755)
        options = ("--var", f"NEMO_URL={url}", "--container-options", f"-v {command}:/usr/local/bin/gh:ro")
        act = Act(release_tools / "bin" / "act", docker_host, models, replaced, options)
        secrets = {"BASETEN_API_KEY": sandbox.api_key, "NEMO_TOKEN": "token"}  # no GITHUB_TOKEN: there is no GitHub
        run = act.run(shortened(workflow, tmp_path), event, PAYLOADS[event], secrets)
    steps = run.steps(OURS)
    assert run.exit_code == 0, run.text
    assert steps, run.text
    assert {"success"} == set(run.jobs.values())
    assert {outputs.get("status") for _, outputs in steps} <= GREEN
    if f"{OURS}/chain@" in workflow.read_text():
        ((_, outputs),) = steps
        served = {
            sandbox.chains.environment(outputs["chain-id"], name).current.id for name in ("staging", "production")
        }
        assert served == {outputs["deployment-id"]}
    assert len(sandbox.requests) > before
    assert sandbox.api_key not in without_masks(run)


def without_masks(run: ActRun) -> str:
    """What act printed, but for the commands that mask."""
    return "\n".join(line for line in run.log.splitlines() if '"command":"add-mask"' not in line)


PROBE = """
import json, os, sys, uuid
password = "hunter" + str(2)  # act shows the source
print(f"::add-mask::{password}")
print(f"the password is {password}")
print("::stop-commands::token")
print("::warning::not a command")
print("::token::")
print("::warning title=A title,file=a.py,line=3::100%25 of it%0Aon two lines")
mark = uuid.uuid4().hex
with open(os.environ["GITHUB_OUTPUT"], "a") as file:
    file.write(f"plain=a=b\\ntwo<<{mark}\\nfirst\\n\\nthird = x\\n{mark}\\nempty=\\n")
    names = sorted(os.environ)
    inputs = {name: os.environ[name] for name in names if name.startswith("INPUT_")}
    there = [name for name in names if name.startswith("GITHUB_")]
    seen = {"inputs": inputs, "there": there, "argv": sys.argv[1:], "uid": os.getuid(), "home": os.environ["HOME"]}
    seen["in_workspace"] = os.getcwd() == os.environ["GITHUB_WORKSPACE"]
    seen["event"] = json.load(open(os.environ["GITHUB_EVENT_PATH"]))["after"]
    file.write("seen=" + json.dumps(seen) + "\\n")
"""
# Set by the emulated runner, as by GitHub, and not by act.
ONLY_GITHUB = {
    "GITHUB_ACTOR_ID",
    "GITHUB_REF_PROTECTED",
    "GITHUB_REPOSITORY_ID",
    "GITHUB_REPOSITORY_OWNER_ID",
    "GITHUB_RUN_ATTEMPT",
    "GITHUB_TRIGGERING_ACTOR",
    "GITHUB_WORKFLOW_REF",
    "GITHUB_WORKFLOW_SHA",
}


def test_the_emulated_runner_and_act_agree(image_part, models, release_tools, docker_host, tmp_path):
    """What both do for a container action: inputs of every kind, environment, command files, masks, commands."""
    given = {"mode": "plan", "truss-directory": "my-model", "labels": "a: 1\nb: '2'", "predict-payload": '{"a": "b c"}'}
    document = yaml.safe_load((ROOT / "action.yml").read_text())
    document["runs"] = {"using": "docker", "image": f"docker://{RUNNER_IMAGE}", "entrypoint": "/usr/local/bin/python3"}
    document["runs"]["args"] = ["-c", PROBE]
    action = repository(tmp_path / "probe", {"action.yml": yaml.safe_dump(document, sort_keys=False)})
    step = {"uses": f"{OURS}@v1", "id": "probe", "with": given}
    job = {"runs-on": "ubuntu-24.04", "steps": [step]}
    workflow = tmp_path / "probe.yml"
    workflow.write_text(yaml.safe_dump({"on": "push", "jobs": {"probe": job}}))
    act = Act(release_tools / "bin" / "act", docker_host, models, {f"{OURS}@v1": action})
    by_act = act.run(workflow, "push", push().payload)
    assert by_act.exit_code == 0, by_act.text
    ((_, outputs),) = by_act.steps(OURS)

    launcher = from_image(RUNNER_IMAGE, image_part / "run.sh")
    launcher = type(launcher)((*launcher.command, "-c", PROBE), launcher.root, launcher.environment)
    runner = Runner(tmp_path / "job", launcher=launcher, action=read_action(ROOT / "action.yml"))
    emulated = runner.run(given, {"ENTRYPOINT_OVERRIDE": "/usr/local/bin/python3"})
    assert emulated.exit_code == 0, emulated.log.text

    theirs, ours = json.loads(outputs.pop("seen")), json.loads(emulated.outputs["seen"])
    assert theirs["inputs"] == ours["inputs"]
    assert {"plain": "a=b", "two": "first\n\nthird = x", "empty": ""} == outputs
    assert outputs.items() <= dict(emulated.outputs).items()
    assert set(ours["there"]) - set(theirs["there"]) <= ONLY_GITHUB
    same = ("uid", "in_workspace", "event", "argv")
    assert [theirs[name] for name in same] == [ours[name] for name in same]
    assert PUSHED_SHA == ours["event"]
    warnings = [event["arg"] for event in by_act.events if event.get("command") == "warning"]
    assert ["100% of it\non two lines"] == warnings
    assert warnings == [line.text for line in emulated.log.lines if line.tag == "warning"]
    for text in (without_masks(by_act), emulated.log.text):
        assert "the password is ***" in text
        assert "hunter2" not in text


def helper_image(part: Path, tag: str) -> None:
    """Make what gitlab-ci-local copies artifacts with, of this machine's rsync: its own is on the internet."""
    binary = shutil.which("rsync")
    assert binary, "scripts/release_tools.sh installs it"
    linked = subprocess.run(["ldd", binary], capture_output=True, text=True, check=True).stdout
    container = tool(part, "buildah", "from", "--pull-never", RUNNER_IMAGE).strip()
    root = Path(tool(part, "buildah", "mount", container).strip())
    for name in (binary, *re.findall(r"=> (/\S+)", linked)):
        place = root / name.lstrip("/")
        if not place.exists():
            shutil.copy(
                name, place.parent.resolve() if not place.parent.is_symlink() else root / "usr" / name.lstrip("/")
            )
    tool(part, "buildah", "commit", "-q", "--rm", container, tag)


def gitlab_recipe() -> dict[str, Any]:
    """The job of docs/recipes.md."""
    text = (ROOT / "docs" / "recipes.md").read_text()
    recipe = re.search(r"^## GitLab CI\n+```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return yaml.safe_load(recipe[1])


def test_the_gitlab_recipe(sandbox, models, image_part, release_tools):
    """It deploys, and the outputs become variables of later jobs. Only the image's name and the sandbox are added."""
    pipeline = gitlab_recipe()
    (job,) = pipeline.values()
    assert re.match(r"\S+/baseten-deploy", job["image"]["name"])
    job["image"]["name"] = f"localhost/{TAG}:latest"
    # Every input can be an option; where the sandbox is are the only ones that the recipe does not need.
    where = {name: value for name, value in sandbox.inputs.items() if name != "baseten-api-key"}
    options = " ".join(f"--{name}={value}" for name, value in where.items())
    job["script"] = [
        f"{line} {options} --create-environment" if "entrypoint.py" in line else line for line in job["script"]
    ]
    pipeline["later"] = {
        "needs": [next(iter(pipeline))],
        "image": {"name": f"localhost/{TAG}:latest", "entrypoint": [""]},
        "script": ['echo "the model is at $MODEL_URL"'],
    }
    (models / ".gitlab-ci.yml").write_text(yaml.safe_dump(pipeline, sort_keys=False))
    subprocess.run(["git", "add", ".gitlab-ci.yml"], cwd=models, check=True)
    helper_image(image_part, f"localhost/{TAG}-helper")
    command = (
        *("node", release_tools / "node_modules" / "gitlab-ci-local" / "src" / "index.js"),
        *("--container-executable", "podman", "--pull-policy", "if-not-present", "--network", "host"),
        *("--helper-image", f"localhost/{TAG}-helper", "--variable", f"BASETEN_API_KEY={sandbox.api_key}"),
    )
    done = subprocess.run(
        in_storage(image_part, *command),
        cwd=models,
        env=machine_environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    address = re.search(r"later\s+> the model is at (\S+)", done.stdout)
    assert address, done.stdout
    assert address[1].startswith(sandbox.inference_url.partition("{")[0])
    assert len(sandbox.objects()) == 1
