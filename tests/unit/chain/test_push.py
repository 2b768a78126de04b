"""Exactly one deployment: pushed once, adopted when its answer is lost, never sent twice blindly."""

import io

import httpx
import pytest
from transport import printed

from baseten_deploy.chain import push
from baseten_deploy.chain.blueprint import read_chain
from baseten_deploy.ci.runner import Runner
from baseten_deploy.deployment.on_failure import Saved
from baseten_deploy.errors import AuthFailed, CommitFailed, InvalidInput, Rejected, UploadFailed
from workflow_commands import parse_command_file

GOOD = "def push(api, options):\n    api.deploy_chain_atomic()\n    return 'c1', 'd2'\n"


def pushed(run, service, makes=(), chain="c1"):
    """Draft, then push; `makes` are the deployments that it makes."""
    draft = push.draft_chain(run, read_chain(run))
    for deployment_id in makes:
        if chain not in service.chains:
            service.add_chain(chain)
        service.add_deployment(chain, deployment_id, "BUILDING")
    return push.push_chain(run, draft)


def test_a_deployment_is_added(make_chain_run, service):
    """To the Chain of that name, whose id the push tells; the deployment's name is the one that was asked for."""
    service.add_chain("c1")
    service.add_deployment("c1", "d1")
    committed = pushed(make_chain_run(push=GOOD, deployment_name="v7"), service, ["d2"])
    assert ("c1", "d2", "v7", False) == (
        committed.model.id,
        committed.deployment.id,
        committed.deployment.name,
        committed.created_model,
    )


def test_a_new_chain(make_chain_run, service):
    """It is told as new."""
    committed = pushed(make_chain_run(push=GOOD), service, ["d2"])
    assert ("c1", True) == (committed.model.id, committed.created_model)


def test_what_the_push_is_asked_for(make_chain_run, service):
    """Environment, name and team; published and not promoted; without git's facts."""
    service.add_chain("c1")
    code = (
        "def push(api, options):\n"
        "    print('ASKED', options.environment, options.deployment_name, options.team_id, options.publish,\n"
        "          options.include_git_info, options.disable_chain_download)\n" + GOOD.partition("\n")[2]
    )
    run = make_chain_run(push=code, deployment_name="v7", environment="production", disable_archive_download="true")
    pushed(run, service, ["d2"])
    assert "ASKED production v7 t1 True False True" in printed(run)


def test_the_home_has_the_key_and_where_to_push(make_chain_run, service):
    """`.trussrc` is for its owner alone; `.aws/config` says where S3 is."""
    code = (
        "import os, pathlib\n"
        "def push(api, options):\n"
        "    for name in ('.trussrc', '.aws/config', '.config/truss/settings.toml'):\n"
        "        path = pathlib.Path.home() / name\n"
        "        print(oct(path.stat().st_mode), path.read_text())\n" + GOOD.partition("\n")[2]
    )
    run = make_chain_run(push=code, app_url="https://app.test/", s3_endpoint_url="https://s3.test")
    run.redactor = type(run.redactor)()
    run.runner.redactor = run.redactor
    pushed(run, service, ["d2"])
    text = printed(run)
    assert (
        "0o100600 [baseten]\nremote_provider = baseten\nremote_url = https://app.test\napi_key = key-12345678" in text
    )
    assert "endpoint_url = https://s3.test\ns3 =\n    addressing_style = path" in text
    assert "check_for_updates = false" in text


LOST = [
    "def push(api, options):\n    api.deploy_chain_atomic()\n    raise ConnectionError('reset')\n",
    "import os\ndef push(api, options):\n    api.deploy_chain_atomic()\n    os._exit(0)\n",
    "import os\ndef push(api, options):\n    api.deploy_chain_atomic()\n    os.kill(os.getpid(), 9)\n",
    "def push(api, options):\n    api.deploy_chain_atomic()\n    return 'c1', 'd1'\n",  # was there before
    "def push(api, options):\n    api.deploy_chain_atomic()\n    return 'c9', 'd2'\n",  # another Chain
    "def push(api, options):\n    api.deploy_chain_atomic()\n    return '../x', 'd2'\n",
]


@pytest.mark.parametrize("code", LOST)
def test_an_answer_that_is_lost(make_chain_run, service, code):
    """The one deployment that was not there before is adopted."""
    service.add_chain("c1")
    service.add_deployment("c1", "d1")
    run = make_chain_run(push=code)
    assert "d2" == pushed(run, service, ["d2"]).deployment.id
    assert 1 == printed(run).count("== Push")


@pytest.mark.parametrize(("makes", "said"), [([], "that is not known"), (["d2", "d3"], "(d2, d3)")])
@pytest.mark.parametrize("code", LOST[:3])
def test_one_that_cannot_be_told(make_chain_run, service, code, makes, said):
    """None or several: nothing is adopted and nothing is sent again."""
    service.add_chain("c1")
    service.add_deployment("c1", "d1")
    with pytest.raises(CommitFailed, match=said.replace("(", r"\(").replace(")", r"\)")):
        pushed(make_chain_run(push=code), service, makes)


@pytest.mark.parametrize("end", ["os._exit(0)", "os.kill(os.getpid(), 9)"])
def test_an_end_before_it_makes_anything(make_chain_run, service, end):
    """Somebody else's deployment of that time is not adopted."""
    service.add_chain("c1")
    run = make_chain_run(push=f"import os\ndef push(api, options):\n    {end}\n")
    with pytest.raises(CommitFailed, match="before anything was made"):
        pushed(run, service, ["d2"])
    assert run.sent is None


def test_a_result_without_its_request_is_none(make_chain_run, service):
    """The user's code can write an answer, too: nothing was sent, so nothing was made."""
    service.add_chain("c1")
    run = make_chain_run(push="def push(api, options):\n    return 'c1', 'forged'\n")
    with pytest.raises(CommitFailed, match="before anything was made"):
        pushed(run, service, ["d2"])
    assert run.outputs.get("deployment-id") == ""


def test_a_cancelled_push_is_looked_up(make_chain_run, service):
    """When its request may have gone out: what it made is found, and nothing else."""
    service.add_chain("c1")
    service.add_deployment("c1", "d1")
    run = make_chain_run(push="def push(api, options):\n    api.deploy_chain_atomic()\n    return 'c1', 'd2'\n")
    pushed(run, service, ["d2"])
    assert ["d2"] == [each.deployment.id for each in run.sent.candidates(run.api)]
    service.add_deployment("c1", "d3")
    assert ["d2", "d3"] == [each.deployment.id for each in run.sent.candidates(run.api)]


def saved_state(run, tmp_path):
    """Where the run saves from now on what its post step needs; reads it."""
    state = tmp_path / "state"
    state.touch()
    run.runner = Runner({"GITHUB_STATE": str(state)}, run.redactor, io.StringIO())
    return lambda: Saved.read({f"STATE_{name}": value for name, value in parse_command_file(state.read_text()).items()})


def test_what_finds_a_push_is_saved_before_its_request(make_chain_run, service, tmp_path):
    """For the post step of a run that is killed: the Chain, and the deployments that were there."""
    service.add_chain("c1")
    service.add_deployment("c1", "d1")
    run = make_chain_run(push="import os\ndef push(api, options):\n    api.deploy_chain_atomic()\n    os._exit(0)\n")
    saved = saved_state(run, tmp_path)
    with pytest.raises(CommitFailed):
        pushed(run, service)
    assert Saved("c1", "Hello", "t1", known=("d1",)) == saved()
    service.add_deployment("c1", "d2")
    assert ["d2"] == [each.deployment.id for each in saved().sent.candidates(run.api)]


def test_what_finds_the_push_of_a_new_chain_is_its_name(make_chain_run, service, tmp_path):
    """And the team; a Chain of another name or team is not it."""
    run = make_chain_run(push="import os\ndef push(api, options):\n    api.deploy_chain_atomic()\n    os._exit(0)\n")
    saved = saved_state(run, tmp_path)
    with pytest.raises(CommitFailed):
        pushed(run, service)
    assert Saved("", "Hello", "t1", known=()) == saved()
    for chain_id, named in (("c1", {"name": "Other"}), ("c2", {"team": "Other"}), ("c3", {})):
        service.add_chain(chain_id, **named)
        service.add_deployment(chain_id, f"d-{chain_id}")
    assert [("c3", "d-c3")] == [(each.model.id, each.deployment.id) for each in saved().sent.candidates(run.api)]


def test_nothing_is_saved_before_anything_can_be_made(make_chain_run, service, tmp_path):
    """A push that ends before its request leaves the post step nothing to look for."""
    run = make_chain_run(push="import os\ndef push(api, options):\n    os._exit(0)\n")
    saved = saved_state(run, tmp_path)
    with pytest.raises(CommitFailed):
        pushed(run, service)
    assert saved() is None


def test_a_look_that_fails(make_chain_run, service):
    """Then it is not known, and that is said."""
    service.add_chain("c1")
    run = make_chain_run(push=LOST[0])
    draft = push.draft_chain(run, read_chain(run))
    service.fail = lambda _request: httpx.Response(503, json={"message": "down"})
    with pytest.raises(CommitFailed, match="could not be checked"):
        push.push_chain(run, draft)


ERROR = "class {name}(Exception):\n    pass\n{name}.__module__ = {module!r}\n"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (ERROR.format(name="ClientError", module="botocore.exceptions"), UploadFailed),
        (ERROR.format(name="ValidationError", module="truss.base"), Rejected),
        (ERROR.format(name="AuthorizationError", module="truss.remote"), AuthFailed),
        (ERROR.format(name="ConnectionError", module="requests.exceptions"), Rejected),
    ],
)
def test_a_push_that_fails_before_it_makes_anything(make_chain_run, service, code, kind):
    """By what failed; nothing has to be looked up."""
    service.add_chain("c1")
    name = code.split("(")[0].removeprefix("class ")
    run = make_chain_run(push=f"{code}def push(api, options):\n    raise {name}('so it is')\n")
    with pytest.raises(kind, match="so it is"):
        pushed(run, service)


@pytest.mark.parametrize(("status", "kind"), [(401, AuthFailed), (403, AuthFailed), (400, Rejected), (503, Rejected)])
def test_a_status_before_it_makes_anything(make_chain_run, service, status, kind):
    """A refused key is `auth_failed`."""
    service.add_chain("c1")
    code = (
        "class HTTPError(Exception):\n    pass\nHTTPError.__module__ = 'requests.exceptions'\n"
        f"class R:\n    status_code, text = {status}, 'said'\n"
        "def push(api, options):\n    error = HTTPError('no')\n    error.response = R\n    raise error\n"
    )
    with pytest.raises(kind):
        pushed(make_chain_run(push=code), service)


def test_a_passing_failure_is_begun_anew(make_chain_run, service, tmp_path):
    """As long as nothing was made."""
    service.add_chain("c1")
    code = (
        "import pathlib\n"
        "class ConnectionError(Exception):\n    pass\nConnectionError.__module__ = 'requests.exceptions'\n"
        "def push(api, options):\n"
        f"    first = pathlib.Path({str(tmp_path / 'first')!r})\n"
        "    if not first.exists():\n        first.touch()\n        raise ConnectionError('refused')\n"
        + GOOD.partition("\n")[2]
    )
    run = make_chain_run(push=code)
    assert "d2" == pushed(run, service, ["d2"]).deployment.id
    assert "Nothing was made; again in" in printed(run)


def test_a_new_chain_gets_its_environment_later(make_chain_run, service):
    """It is pushed without one, and promoted into it once it is live."""
    run = make_chain_run(push=GOOD, environment="staging", create_environment="true")
    pushed(run, service, ["d2"])
    assert ("", "staging") == (run.settings.environment, run.settings.promote_to)


def test_a_new_chain_and_two_environments(make_chain_run, service):
    """It is promoted into the one first and then into the other."""
    run = make_chain_run(push=GOOD, environment="staging", promote_to="production", create_environment="true")
    pushed(run, service, ["d2"])
    assert ("", "staging", "production") == (run.settings.environment, run.first_into, run.settings.promote_to)


def test_a_new_chain_that_is_not_waited_for(make_chain_run):
    """Nothing could be promoted into its environment."""
    run = make_chain_run(environment="staging", wait="false", create_environment="true")
    with pytest.raises(InvalidInput, match="the Chain is new"):
        push.draft_chain(run, read_chain(run))


def test_an_environment_that_redeploys_and_another_one(make_chain_run, service):
    """A push would end as a copy there: it is promoted into it first."""
    service.add_chain("c1")
    redeploys = {"promotion_settings": {"redeploy_on_promotion": True}, "current_deployment": None}
    service.environments["c1"].append({"name": "staging", **redeploys})
    run = make_chain_run(push=GOOD, environment="staging", promote_to="production")
    pushed(run, service, ["d2"])
    assert ("", "staging", "production") == (run.settings.environment, run.first_into, run.settings.promote_to)


def test_a_missing_environment_is_made_before_the_push(make_chain_run, service):
    """With its settings."""
    service.add_chain("c1")
    run = make_chain_run(
        push=GOOD,
        environment="staging",
        create_environment="true",
        environment_settings="chainlet_settings: [{chainlet_name: Hello, instance_type_id: 1x4}]",
    )
    pushed(run, service, ["d2"])
    made = service.environments["c1"][-1]
    assert ("staging", [{"chainlet_name": "Hello", "instance_type_id": "1x4"}]) == (
        made["name"],
        made["chainlet_settings"],
    )


def test_a_name_in_two_teams(make_chain_run, service):
    """Nothing is guessed."""
    service.add_chain("c1", team="A")
    service.add_chain("c2", team="B")
    run = make_chain_run()
    with pytest.raises(InvalidInput, match=r"2 Chains are called 'Hello': c1 \(team A\), c2 \(team B\)"):
        push.draft_chain(run, read_chain(run))


def test_by_id(make_chain_run, service):
    """The Chain of that id, whatever the file calls it."""
    service.add_chain("c1", name="Other")
    run = make_chain_run(push=GOOD, chain_id="c1")
    draft = push.draft_chain(run, read_chain(run))
    assert "Other" == draft.destination.name


def test_no_such_id(make_chain_run):
    """It is named."""
    run = make_chain_run(chain_id="c9")
    with pytest.raises(InvalidInput, match="there is no Chain 'c9'"):
        push.draft_chain(run, read_chain(run))
