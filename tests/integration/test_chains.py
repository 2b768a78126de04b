"""Chains with the real `truss`: whole runs against the sandbox, and what a Chain's own code may do to a run.

Runs where `truss` is installed, in an environment of its own: `.ci/run`.
"""

import json
import shutil
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

pytest.importorskip("truss_chains", reason="pushes with the real truss package, which is not installed")
from workflow_file import Interpreter

from baseten_sandbox import Fault, Kind, Sandbox
from runner import ROOT, Runner, from_checkout
from workflow_events import push

PYTHON = {"BASETEN_DEPLOY_TRUSS_PYTHON": sys.executable}
PAYLOAD = '{"max_value": 6}'
REFUSED = {"success": False, "details": json.dumps({"errors": ["cpu: too many"]})}
CHAINLET = """
import truss_chains as chains

@chains.mark_entrypoint
class Hello(chains.ChainletBase):
    async def run_remote(self, name: str) -> str:
        return name
"""


class ChainJob:
    """A job of a workflow with examples/hello-chain checked out, pointed at a sandbox."""

    def __init__(self, sandbox, runner):
        self.sandbox, self.runner = sandbox, runner

    def run(self, env=None, **given):
        """Run the action; inputs are keyword arguments with underscores."""
        return self.start(env, **given).wait(120)

    def start(self, env=None, **given):
        """Start it with an interpreter that has `truss`."""
        inputs = {
            **self.sandbox.chain_inputs,
            "truss-directory": "hello-chain/hello.py",
            **{name.replace("_", "-"): value for name, value in given.items()},
        }
        return self.runner.start(
            {name: value for name, value in inputs.items() if value != "-"}, {**PYTHON, **(env or {})}
        )

    def sent(self):
        """The requests to the management API and to GraphQL so far, as `METHOD /path`."""
        return [f"{row.method} {row.path}" for row in self.sandbox.requests if row.service == "management"]

    def deployments(self):
        """The ids of all deployments of Chains."""
        chains = self.sandbox.chains
        return {each.id for facts in chains.models() for each in chains.deployments(facts.model.id)}

    def write(self, code, name="chain.py"):
        """Another Chain's file; its path."""
        (self.runner.workspace / name).write_text(textwrap.dedent(code), encoding="utf-8")
        return name


@pytest.fixture
def chain(sandbox, tmp_path):
    """A job on a push to main."""
    runner = Runner(tmp_path / "runner", event=push(), launcher=from_checkout())
    shutil.copytree(ROOT / "examples" / "hello-chain", runner.workspace / "hello-chain")
    return ChainJob(sandbox, runner)


def errors(result):
    """The texts of the errors that GitHub shows."""
    return [issue.message for issue in result.log.annotations if issue.kind == "error"]


def test_deploy_then_promote_into_a_new_environment(chain):
    """A Chain is pushed, waited for, asked and promoted; the second push adds a deployment to it."""
    first = chain.run(predict_payload=PAYLOAD)
    assert ("success", "true") == (first.outputs["status"], first.outputs["model-created"]), first.log.lines
    assert "Hello Chain" == first.outputs["model-name"]
    assert "model-id" not in first.outputs
    second = chain.run(
        predict_payload=PAYLOAD,
        promote_to="staging",
        create_environment="true",
        environment_settings="chainlet_settings: [{chainlet_name: RandInt, autoscaling_settings: {max_replica: 3}}]",
    )
    assert ("success", "false") == (second.outputs["status"], second.outputs["model-created"]), second.log.lines
    assert first.outputs["chain-id"] == second.outputs["chain-id"]
    assert second.outputs["deployment-id"] == second.outputs["promoted-deployment-id"]
    facts = chain.sandbox.chains.environment(second.outputs["chain-id"], "staging")
    assert second.outputs["deployment-id"] == facts.current.id
    chainlets = [row["name"] for row in facts.current.config["chainlets"]]
    assert ["HelloChain", "RandInt"] == chainlets
    assert "`RandInt`" in second.summary
    result = json.loads(second.outputs["result"])
    assert result["chain-id"] == second.outputs["chain-id"]
    assert "/environments/staging/run_remote" in result["predict-url"]


def test_the_example_workflow(chain):
    """Run as it stands, twice, the Chain being new at first: both environments serve what was pushed last."""

    def run(inputs):
        return chain.run(**{name.replace("-", "_"): value for name, value in inputs.items()})

    for _ in range(2):
        done = Interpreter(
            run=run, github={"event": push().payload}, secrets={"BASETEN_API_KEY": chain.sandbox.api_key}
        )
        done.workflow(ROOT / "examples" / "workflows" / "chain.yml")
        (result,) = done.results
        assert "success" == result.outputs["status"], result.log.text
        for name in ("staging", "production"):
            serves = chain.sandbox.chains.environment(result.outputs["chain-id"], name).current.id
            assert result.outputs["deployment-id"] == serves


def test_the_commit_is_told(chain):
    """The facts of the event go out as git's, without git; and the deployment has its commit's name."""
    result = chain.run(predict="false")
    (sent,) = [each for each in chain.sandbox.requests if b"deploy_chain_atomic" in each.body]
    facts = json.loads(sent.json["variables"]["trussUserEnv"])["git_info"]
    assert push().sha == facts["latest_commit_sha"]
    assert push().sha[:7] == result.outputs["deployment-name"]


def test_plan_changes_nothing_and_has_no_key(chain):
    """The plan names the chainlets and their resources; its import finds no key anywhere."""
    source = chain.write(
        """
        import os, pathlib
        found = [str(path) for path in pathlib.Path.home().rglob("*") if path.is_file()]
        print("FILES", found, sorted(os.environ))
        """
        + CHAINLET.replace("\n", "\n        ")
    )
    result = chain.run(mode="plan", truss_directory=source)
    assert "planned" == result.outputs["status"], result.log.lines
    assert "`Hello` (entry point)" in result.outputs["plan"]
    printed = next(line.text for line in result.log.lines if "FILES" in line.text)
    assert ".trussrc" not in printed
    assert "INPUT_" not in printed
    assert "GITHUB" not in printed
    assert [] == [line for line in chain.sent() if not line.startswith("GET ")]


BAD = {
    "no class is marked": (
        "import truss_chains as chains\n"
        "class A(chains.ChainletBase):\n    async def run_remote(self) -> str:\n        return ''\n"
        "class B(chains.ChainletBase):\n    async def run_remote(self) -> str:\n        return ''\n",
        "No class of the Chain's file is marked as its entry point",
        None,
    ),
    "two are marked": (
        "import truss_chains as chains\n"
        "@chains.mark_entrypoint\n"
        "class A(chains.ChainletBase):\n    async def run_remote(self) -> str:\n        return ''\n"
        "@chains.mark_entrypoint\n"
        "class B(chains.ChainletBase):\n    async def run_remote(self) -> str:\n        return ''\n",
        "More than one class is marked as entry point: A, B",
        None,
    ),
    "a syntax error": ("import os\n\ndef broken(:\n", "SyntaxError", 3),
    "an import that fails": (
        "import os\nimport torch_of_nowhere\n",
        "imports 'torch_of_nowhere', which is not installed",
        2,
    ),
    "a chainlet that truss refuses": (
        "import truss_chains as chains\n\n\n@chains.mark_entrypoint\nclass A(chains.ChainletBase):\n"
        "    async def run_remote(self, x) -> str:\n        return ''\n",
        "A.run_remote",
        6,
    ),
    "a sibling's syntax error": ("import broken_helper\n", "SyntaxError", 1),
    "a name that is not there": ("import os\nfrom os import nothing_there\n", "cannot import name 'nothing_there'", 2),
    "a relative import": ("from . import helper\n", "attempted relative import", 1),
    "a class that is no chainlet": (
        "import truss_chains as chains\n@chains.mark_entrypoint\nclass A:\n    pass\n",
        "What is marked as entry point is no chainlet",
        2,
    ),
    "a function": (
        "import truss_chains as chains\n@chains.mark_entrypoint\ndef f():\n    pass\n",
        "What is marked as entry point is no chainlet",
        2,
    ),
    "an error that cannot be said": (
        "class E(BaseException):\n    def __str__(self):\n        raise RuntimeError\nraise E()\n",
        "Importing the Chain failed: E",
        4,
    ),
    "it closes what it did not open": ("import os\nos.closerange(3, 64)\nraise ValueError\n", "with exit code 1", None),
    "it raises": ("raise ValueError('not today')\n", "Importing the Chain failed: ValueError: not today", 1),
    "it reads the job's environment": ("import os\nos.environ['HF_TOKEN']\n", "KeyError: 'HF_TOKEN'", 2),
    "it exits": ("import sys\nsys.exit(0)\n", "ends the process when it is imported (exit code 0)", 2),
    "it ends the process": ("import os\nos._exit(0)\n", "ended the process that imported it, with exit code 0", None),
    "it kills itself": ("import os, signal\nos.kill(0, signal.SIGKILL)\n", "by SIGKILL", None),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_file_that_cannot_be_pushed(chain, kind):
    """It is `invalid`, said at its line, with nothing sent."""
    code, said, line = BAD[kind]
    chain.write("def broken(:\n", "broken_helper.py")
    result = chain.run(truss_directory=chain.write(code))
    assert (1, "invalid") == (result.exit_code, result.outputs["status"]), result.log.lines
    assert any(said in message for message in errors(result)), errors(result)
    issue = next(each for each in result.log.annotations if each.kind == "error")
    assert ("broken_helper.py" if "broken_helper" in code else "chain.py") == issue.properties.get("file")
    assert line is None or str(line) == issue.properties.get("line")
    assert [] == chain.sent()
    assert "Traceback" not in result.log.text


def test_a_thread_that_goes_on_is_not_waited_for(chain):
    """What the user's code started ends with the import, and with the push."""
    source = chain.write(
        "import threading, time\nthreading.Thread(target=time.sleep, args=(100,)).start()\n" + CHAINLET
    )
    result = chain.run(truss_directory=source, predict="false")
    assert "success" == result.outputs["status"], result.log.text
    assert result.seconds < 90


def test_an_import_that_does_what_it_should_not(chain, tmp_path):
    """Commands, command files, other processes, the parent's environment: nothing of it gets anywhere."""
    marker = tmp_path / "still-alive"
    files = chain.runner.directory / "file_commands"
    source = chain.write(
        f"""
        import os, pathlib, subprocess, sys, time
        print("::set-output name=deployment-id::forged")
        print("::error::forged")
        sys.stderr.write("##[add-mask]forged\\n")
        for name in ("output", "state", "summary", "env", "path"):
            with open({str(files)!r} + "/" + name, "a") as file:
                file.write("status=forged\\nPATH=/forged\\n")
        for pid in (os.getppid(), 1):
            try:
                print("PARENT", b"INPUT_BASETEN" in pathlib.Path(f"/proc/{{pid}}/environ").read_bytes())
            except OSError as error:
                print("PARENT", type(error).__name__)
        for number in range(3, 64):
            try:
                os.write(number, b'{{"result": {{"chain_id": "forged", "deployment_id": "forged"}}}}\\n')
            except OSError:
                pass
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                os.setsid()
                while True:
                    time.sleep(0.2)
                    pathlib.Path({str(marker)!r}).write_text(str(time.time()))
            os._exit(0)
        """
        + CHAINLET.replace("\n", "\n        ")
    )
    result = chain.run(truss_directory=source, predict_payload='{"name": "x"}')
    assert "success" == result.outputs["status"], result.log.lines
    assert result.outputs["deployment-id"] in {
        each.id for each in chain.sandbox.chains.deployments(result.outputs["chain-id"])
    }
    assert [] == errors(result)
    assert "forged" not in json.dumps(dict(result.outputs)) + result.summary.replace("::error::forged", "")
    assert b"" == (files / "env").read_bytes()
    assert b"" == (files / "path").read_bytes()
    assert any("that was taken back" in issue.message for issue in result.log.annotations)
    assert "PARENT PermissionError" in "\n".join(line.text for line in result.log.lines)
    assert "PARENT True" not in "\n".join(line.text for line in result.log.lines)
    seen = marker.read_text()
    time.sleep(1)
    assert seen == marker.read_text()  # nobody writes on


def test_a_name_in_two_teams(chain):
    """It is never guessed which Chain is meant; `team` says it."""
    with Sandbox(speed=20.0, teams=("Default", "Other")) as sandbox:
        chain = ChainJob(sandbox, chain.runner)
        for team in sandbox.state.teams():
            sandbox.chains.create_model("Hello Chain", team.id)
        result = chain.run()
        assert "invalid" == result.outputs["status"]
        assert any("2 Chains are called 'Hello Chain'" in message for message in errors(result))
        assert not any(line.startswith("POST") for line in chain.sent())
        result = chain.run(team="Other", predict="false")
        assert "success" == result.outputs["status"], result.log.text
        ids = {facts.model.id: facts.team.name for facts in sandbox.chains.models()}
        assert "Other" == ids[result.outputs["chain-id"]]


def test_a_chainlet_that_fails_is_named_with_its_log(chain):
    """The run is red, says which chainlet it is, and the summary has its log."""
    source = chain.write(
        CHAINLET.replace(
            "class Hello(chains.ChainletBase):",
            "class Hello(chains.ChainletBase):\n    remote_config = chains.RemoteConfig("
            "options=chains.ChainletOptions(env_variables={'SANDBOX_END_STATUS': 'DEPLOY_FAILED'}))",
        )
    )
    result = chain.run(truss_directory=source)
    assert (1, "deploy_failed") == (result.exit_code, result.outputs["status"]), result.log.lines
    assert any("the chainlet Hello is DEPLOY_FAILED" in message for message in errors(result)), errors(result)
    assert "| `Hello` | `DEPLOY_FAILED` |" in result.summary
    assert "The replica did not start" in result.summary


@pytest.mark.parametrize("kind", [Kind.RESET, Kind.STATUS])
def test_an_answer_that_is_lost_is_looked_up(chain, kind):
    """The one request that makes something took effect and its answer was lost: that deployment is adopted."""
    chain.run(predict="false")
    before = {
        each.id for facts in chain.sandbox.chains.models() for each in chain.sandbox.chains.deployments(facts.model.id)
    }
    chain.sandbox.faults.add(Fault(kind, "POST", "/graphql", nth=10, acts=True, status=502))
    result = chain.run(predict="false")
    after = {
        each.id for facts in chain.sandbox.chains.models() for each in chain.sandbox.chains.deployments(facts.model.id)
    }
    assert "success" == result.outputs["status"], result.log.lines
    assert {result.outputs["deployment-id"]} == after - before


@pytest.mark.parametrize(
    ("fault", "status", "said"),
    [
        (Fault(Kind.STATUS, "POST", "/graphql", times=None, status=401), "auth_failed", "does not accept the API key"),
        (
            Fault(Kind.STATUS, "PUT", service="s3", times=None, status=403),
            "upload_failed",
            "Uploading the Chain failed",
        ),
        (
            Fault(Kind.SHAPE, "POST", "/graphql", nth=2, body=json.dumps({"data": {"truss_validation": REFUSED}})),
            "rejected",
            "cpu: too many",
        ),
        (
            Fault(Kind.SHAPE, "POST", "/graphql", nth=9, body='{"errors": [{"message": "quota is used up"}]}'),
            "commit_failed",
            "quota is used up",
        ),
    ],
)
def test_a_push_that_fails(chain, fault, status, said):
    """Each end has its status, and says what was answered."""
    if status == "commit_failed":  # the fault comes in the place of what the request does
        fault = Fault(Kind.STATUS, "POST", "/graphql", nth=9, status=200, body=fault.body)
    chain.sandbox.faults.add(fault)
    result = chain.run(predict="false")
    assert (status, 1) == (result.outputs["status"], result.exit_code), result.log.text
    assert any(said in message for message in errors(result)), errors(result)
    assert not chain.sandbox.chains.models()


def test_an_environment_that_redeploys(chain):
    """It serves a copy in the end, and that is known to be ours."""
    chains = chain.sandbox.chains
    chain_id = chains.create_model("Hello Chain", chain.sandbox.state.teams()[0].id).id
    result = chain.run(
        environment="staging",
        create_environment="true",
        environment_settings="promotion_settings: {redeploy_on_promotion: true}",
        predict="false",
    )
    assert "success" == result.outputs["status"], result.log.text
    result = chain.run(environment="staging", predict="false")
    assert "success" == result.outputs["status"], result.log.text
    assert chains.environment(chain_id, "staging").current.id == result.outputs["promoted-deployment-id"]
    assert result.outputs["deployment-id"] != result.outputs["promoted-deployment-id"]


def test_cancel_ends_the_push_and_all_of_it(chain):
    """A cancel in the middle of an import ends the run within seconds, and its process with it."""
    source = chain.write("import os, time\nprint('PID', os.getpid(), flush=True)\ntime.sleep(300)\n")
    step = chain.start(truss_directory=source)
    end = time.monotonic() + 60
    while not (line := next((each.text for each in step.log.lines if "PID " in each.text), "")):
        assert time.monotonic() < end
        time.sleep(0.05)
    pid = int(line.split()[1])
    began = time.monotonic()
    step.cancel()
    result = step.wait(20)
    assert (130, "cancelled") == (result.exit_code, result.outputs["status"])
    assert time.monotonic() - began < 7.5
    assert not Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize("how", ["deactivate", "delete"])
def test_cancel_while_it_is_promoted(chain, how):
    """What the run made is taken out of service, which ends its promotion too."""
    chain.sandbox.chains.create_model("Hello Chain", chain.sandbox.state.teams()[0].id)
    chain.sandbox.chains.plan_next_deployment([("BUILDING", 600.0)])
    step = chain.start(environment="production", on_cancel=how)
    end = time.monotonic() + 90
    while "deployment-status" not in step.outputs():
        assert step.running, step.log.lines
        assert time.monotonic() < end, step.log.lines
        time.sleep(0.05)
    step.cancel()
    result = step.wait(20)
    assert (130, "cancelled") == (result.exit_code, result.outputs["status"])
    chain_id, deployment_id = result.outputs["chain-id"], result.outputs["deployment-id"]
    left = {each.id: each.timeline[-1].status for each in chain.sandbox.chains.deployments(chain_id)}
    assert {"deactivate": "INACTIVE", "delete": None}[how] == left.get(deployment_id), result.log.text
    assert chain.sandbox.chains.environment(chain_id, "production").candidate is None


@pytest.mark.parametrize("new", [True, False])
def test_the_post_step_clears_away_a_push_that_was_killed(chain, new):
    """Killed while the answer is still out: what it made was not there before, and goes; what was there stays.

    A new Chain's first deployment is production's, which the service does not give up: then it is named.
    """
    before = set()
    if not new:
        before.add(chain.run(predict="false").outputs["deployment-id"])
    chain.sandbox.faults.add(Fault(Kind.HANG, "POST", "/graphql", nth=9 if new else 10, acts=True))
    step = chain.start(predict="false", on_cancel="delete")
    end = time.monotonic() + 60
    while not [each for each in chain.deployments() if each not in before]:
        assert step.running, step.log.text
        assert time.monotonic() < end, step.log.text
        time.sleep(0.05)
    step._process.kill()
    state = step.wait(10).state
    variables = chain.runner.variables(
        {**chain.sandbox.chain_inputs, "truss-directory": "hello-chain/hello.py", "on-cancel": "delete"}
    )
    variables |= {f"STATE_{name}": value for name, value in state.items()}
    command = [sys.executable, "-I", "-B", "-u", str(ROOT / "post_entrypoint.py")]
    done = subprocess.run(command, env=variables, cwd=chain.runner.workspace, capture_output=True, check=False)
    assert (0, b"") == (done.returncode, done.stderr)
    if new:
        (made,) = chain.deployments()
        assert f"The deployment {made} could not be cleared away".encode() in done.stdout
    else:
        assert before == chain.deployments(), (state, done.stdout)


def test_the_real_command_line_pushes_into_the_sandbox(chain, tmp_path):
    """`truss chains push` itself finds in the sandbox all that it asks for."""
    home = tmp_path / "home"
    (home / ".config" / "truss").mkdir(parents=True)
    (home / ".aws").mkdir()
    (home / ".config" / "truss" / "settings.toml").write_text("[preferences]\ncheck_for_updates = false\n")
    (home / ".trussrc").write_text(
        "[baseten]\nremote_provider = baseten\n"
        f"remote_url = {chain.sandbox.api_url}\napi_key = {chain.sandbox.api_key}\n"
    )
    (home / ".aws" / "config").write_text(
        f"[default]\nendpoint_url = {chain.sandbox.s3_endpoint_url}\ns3 =\n    addressing_style = path\n"
    )
    environment = {"HOME": str(home), "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "TMPDIR": str(tmp_path)}
    command = [
        str(Path(sys.executable).with_name("truss")),
        "chains",
        "push",
        "hello.py",
        "--remote",
        "baseten",
        "--no-wait",
    ]
    ended = subprocess.run(
        command,
        cwd=chain.runner.workspace / "hello-chain",
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 == ended.returncode, ended.stdout + ended.stderr
    (facts,) = chain.sandbox.chains.models()
    assert "Hello Chain" == facts.model.name
    assert ["HelloChain", "RandInt"] == [
        row["name"] for each in chain.sandbox.chains.deployments(facts.model.id) for row in each.config["chainlets"]
    ]
