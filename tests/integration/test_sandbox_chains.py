"""The sandbox's Chains: what the official SDK reads, and the GraphQL operations recorded from `truss` 0.18.35."""

import base64
import json
import time

import httpx
import pytest
from baseten.client import managementapi as sdk

from baseten_sandbox import Sandbox
from baseten_sandbox.graphql_document import read

CONFIG = base64.b64encode(json.dumps({"model_name": "Hello-1", "resources": {"cpu": "1"}}).encode()).decode()
USER_ENV = json.dumps({"truss_client_version": "0.18.35", "git_info": None})


@pytest.fixture
def chains():
    """A sandbox that is a hundred times as fast."""
    with Sandbox(speed=100.0) as sandbox:
        yield Client(sandbox)


class Client:
    """Calls of both APIs."""

    def __init__(self, sandbox):
        self.sandbox = sandbox

    def rest(self, method, path, body=None, status=200):
        """A REST call."""
        headers = {"Authorization": f"Bearer {self.sandbox.api_key}"}
        answer = httpx.request(method, f"{self.sandbox.api_url}/v1{path}", json=body, headers=headers)
        assert status == answer.status_code, answer.text
        return answer.json()

    def graphql(self, query, variables=None, key=None):
        """A GraphQL call."""
        headers = {"Authorization": f"Api-Key {key or self.sandbox.api_key}"}
        body = {"query": query, "variables": variables or {}}
        return httpx.post(f"{self.sandbox.api_url}/graphql/", json=body, headers=headers)

    def upload(self):
        """Upload something as a chainlet's archive; its key."""
        key, _ = self.sandbox._storage.issue()
        self.sandbox._storage._backend.put_object(self.sandbox.bucket, key, b"archive")
        return key

    def deploy(self, **arguments):
        """The mutation, as truss writes it."""
        given = {"chain_name": "Hello", "is_draft": False, **arguments}
        words = "\n".join(f"{name}: {json.dumps(value)}" for name, value in given.items() if value is not None)
        parts = [
            f'{{ name: "{name}", oracle: {{ model_name: "{name}-1", s3_key: "{self.upload()}", '
            f'encoded_config_str: "{CONFIG}", semver_bump: "MINOR" }} }}'
            for name in ("HelloChain", "RandInt")
        ]
        return self.graphql(
            f"mutation ($trussUserEnv: String) {{ deploy_chain_atomic( {words} entrypoint: {parts[0]} "
            f"dependencies: [{parts[1]}] truss_user_env: $trussUserEnv ) "
            "{ chain_deployment { id chain { id hostname } } } }",
            {"trussUserEnv": USER_ENV},
        ).json()


def made(answer):
    """Chain and deployment of an answer."""
    found = answer["data"]["deploy_chain_atomic"]["chain_deployment"]
    return found["chain"]["id"], found["id"]


def test_the_first_deployment_is_productions(chains):
    """And the SDK reads all of it."""
    chain_id, deployment_id = made(chains.deploy())
    time.sleep(0.2)
    (chain,) = sdk.Chains.model_validate(chains.rest("GET", "/chains")).chains
    assert (chain_id, "Hello", 1) == (chain.id, chain.name, chain.deployments_count)
    found = sdk.ChainDeployment.model_validate(chains.rest("GET", f"/chains/{chain_id}/deployments/{deployment_id}"))
    assert ("ACTIVE", ["HelloChain", "RandInt"]) == (found.status, [each.name for each in found.chainlets])
    production = sdk.ChainEnvironment.model_validate(chains.rest("GET", f"/chains/{chain_id}/environments/production"))
    assert production.current_deployment
    assert deployment_id == production.current_deployment.id
    log = chains.rest("GET", f"/chains/{chain_id}/deployments/{deployment_id}/chainlets/{found.chainlets[0].id}/logs")
    assert sdk.GetLogsResponse.model_validate(log).logs


def test_promotion_and_audit_log(chains):
    """An environment is made, changed and promoted into."""
    chain_id, deployment_id = made(chains.deploy())
    time.sleep(0.2)
    chains.rest("POST", f"/chains/{chain_id}/environments", {"name": "staging"})
    promoted = chains.rest("POST", f"/chains/{chain_id}/environments/staging/promote", {"deployment_id": deployment_id})
    assert deployment_id == sdk.ChainDeployment.model_validate(promoted).id
    time.sleep(0.1)
    path = f"/chains/{chain_id}/environments/staging"
    update = {"updates": [{"chainlet_name": "RandInt", "autoscaling_settings": {"max_replica": 3}}]}
    chains.rest("PATCH", f"{path}/chainlet_settings/autoscaling_settings", update)
    types = {"updates": [{"chainlet_name": "RandInt", "instance_type_id": "4x16"}]}
    chains.rest("POST", f"{path}/chainlet_settings/instance_types/update", types)
    staging = sdk.ChainEnvironment.model_validate(chains.rest("GET", path))
    settings = {each.chainlet_name: each for each in staging.chainlet_settings}
    assert settings["RandInt"].autoscaling_settings
    assert (3, "4x16") == (settings["RandInt"].autoscaling_settings.max_replica, settings["RandInt"].instance_type.id)
    log = sdk.ListAuditLogsResponse.model_validate(chains.rest("GET", f"/chains/{chain_id}/audit_logs"))
    assert ["CHAIN_DEPLOYMENT_PROMOTED"] == [each.event_type for each in log.items]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/chains?name=Hello", None, 422),
        (
            "POST",
            "/chains/{chain}/environments/production/promote",
            {"deployment_id": "x", "preserve_env_instance_type": True},
            422,
        ),
        ("PATCH", "/chains/{chain}/environments/production", {"chainlet_settings": []}, 422),
        ("POST", "/chains/{chain}/deployments/{deployment}/activate", None, 404),
        ("POST", "/chains/{chain}/environments/production/cancel_promotion", None, 404),
        ("POST", "/chains/{chain}/environments", {"name": "production"}, 400),
        ("DELETE", "/chains/{chain}/deployments/{deployment}", None, 400),
        ("GET", "/models/{chain}", None, 404),
    ],
)
def test_what_is_refused(chains, method, path, body, status):
    """Unknown parameters and fields, calls that do not exist, and what breaks a rule."""
    chain_id, deployment_id = made(chains.deploy())
    time.sleep(0.1)
    chains.rest(method, path.format(chain=chain_id, deployment=deployment_id), body, status)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"environment": "staging"}, "Environment 'staging' not found"),
        ({"chain_id": "nowhere"}, "one of chain_id and chain_name"),
        ({"chain_id": "nowhere", "chain_name": None}, "Model nowhere not found"),
        ({"team_id": "nowhere"}, "Team nowhere not found"),
        ({"original_source_artifact_s3_key": "nowhere"}, "nothing was uploaded to nowhere"),
        ({"labels": "x"}, "Unknown argument 'labels'"),
    ],
)
def test_a_mutation_that_is_refused(chains, arguments, said):
    """200 with errors, and nothing is made."""
    answer = chains.deploy(**arguments)
    assert said in answer["errors"][0]["message"]
    assert [] == chains.rest("GET", "/chains")["chains"]


@pytest.mark.parametrize(
    "query",
    [
        "{",
        "{ nothing }",
        "subscription { a }",
        "{ teams { secret } }",
        "{ teams(x: 1) { id } }",
        "query ($a: Int) { teams(x: $b) { id } }",
    ],
)
def test_a_document_that_is_none(chains, query):
    """It is refused, as a query or as one of its fields."""
    answer = chains.graphql(query)
    assert answer.status_code in {400, 422} or answer.json()["errors"]


def test_another_key(chains):
    """401."""
    assert 401 == chains.graphql("{ teams { id } }", key="other").status_code


def test_a_document_is_read_as_it_is_written():
    """Arguments of every kind, nested, with variables; commas are blanks."""
    kind, (field,) = read(
        'query Name($a: String!) { f(s: "q\\"\\n", n: -3, b: true, e: WORD, l: [1, 2], o: {x: $a, y: null}) '
        "{ id, name { z } } }",
        {"a": "v"},
    )
    assert ("query", "f", ["id", "name"]) == (kind, field.name, [each.name for each in field.selection])
    expected = {"s": 'q"\n', "n": -3, "b": True, "e": "WORD", "l": [1, 2], "o": {"x": "v", "y": None}}
    assert expected == field.arguments
