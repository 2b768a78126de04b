"""Registering in the real NeMo Platform, and in the recorded one with the same tests; and what keeps the record honest.

The real service comes from ../shared/nemo, or from the folder `nemo` in `BASETEN_DEPLOY_SHARED`.
"""

import base64
import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from fakes.nemo import ROWS, FakeNemo
from fakes.record_nemo import FULL_SPEC, SPEC, rows
from nemo_service import Platform, running

from baseten_deploy.errors import RegistrationFailed
from baseten_deploy.inputs.nemo_fields import ENTITY, PROVIDER, Field, Kind
from baseten_deploy.nemo.entity import DeployedModel, Registration
from baseten_deploy.nemo.upsert import Registered, plan_registration, register_model
from baseten_deploy.network.way_out import WayOut
from baseten_deploy.service.http import make_client
from baseten_sandbox import Sandbox

ENDPOINT = "https://model-m1.api.baseten.co/deployment/d1/sync/v1"
MODEL = DeployedModel("m1", "Qwen3 8B", "d1", ENDPOINT, "", "f00", "abc")
NEXT = DeployedModel(
    "m1", "Qwen3 8B", "d2", "https://model-m1.api.baseten.co/environments/production/sync/v1", "production"
)
REAL = pytest.param("real", marks=pytest.mark.real_nemo)
PRINCIPAL = {"X-NMP-Principal-Id": "service:baseten-deploy-tests"}  # what the platform's own services say they are


@pytest.fixture(scope="session")
def script(shared_part) -> Path:
    """Find what starts the platform."""
    shared = os.environ.get("BASETEN_DEPLOY_SHARED")
    return (Path(shared) / "nemo" if shared else shared_part("nemo")) / "run_local_nemo.sh"


@pytest.fixture(scope="session")
def open_url(script, tmp_path_factory) -> Iterator[str]:
    """Run a platform without authentication."""
    with running(script, tmp_path_factory.mktemp("nemo"), {}) as url:
        yield url


@pytest.fixture(scope="session")
def guarded_url(script, tmp_path_factory) -> Iterator[str]:
    """Run a platform with authentication that takes unsigned tokens, with an editor and a viewer of `default`."""
    variables = {"NMP_AUTH_ENABLED": "true", "NMP_AUTH_ALLOW_UNSIGNED_JWT": "true"}
    with running(script, tmp_path_factory.mktemp("nemo-auth"), variables) as url:
        for role in ("Editor", "Viewer"):
            body = {"principal": f"{role.lower()}@example.com", "role": role, "workspace": "default"}
            httpx.post(
                f"{url}/apis/auth/v2/iam/role-bindings", json=body, headers=PRINCIPAL, timeout=30
            ).raise_for_status()
        path = f"{url}/apis/models/v2/workspaces/default/models"
        for role in ("editor", "viewer"):
            headers = {"Authorization": f"Bearer {unsigned_token(role)}"}
            eventually(lambda headers=headers: httpx.get(path, headers=headers, timeout=30).is_success)
        yield url


@pytest.fixture
def real(open_url) -> Iterator[Platform]:
    """Make a workspace of the real platform."""
    with make_client(WayOut()) as client:
        yield Platform(client, open_url)


@pytest.fixture(params=["recorded", REAL])
def nemo(request) -> Iterator[Platform]:
    """Make a workspace of the recorded or the real platform, without authentication."""
    if request.param == "real":
        yield request.getfixturevalue("real")
    else:
        with httpx.Client(transport=FakeNemo().transport()) as client:
            yield Platform(client, "http://nemo")


@pytest.fixture(params=["recorded", REAL])
def guarded(request) -> Iterator[Callable[[str], Platform]]:
    """Make `default` of a platform with authentication, for a run of an editor, a viewer, a stranger or nobody."""
    if request.param == "real":
        url, client = request.getfixturevalue("guarded_url"), make_client(WayOut())
    else:
        tokens = {unsigned_token("editor"): "Editor", unsigned_token("viewer"): "Viewer"}
        url, client = "http://nemo", httpx.Client(transport=FakeNemo(tokens).transport())

    def make(who: str) -> Platform:
        token = unsigned_token(who) if who in ("editor", "viewer") else who
        return Platform(client, url, "default", token, {"Authorization": f"Bearer {unsigned_token('editor')}"})

    with client:
        yield make


def unsigned_token(who: str) -> str:
    """A token that lives until 2100."""
    parts = ({"alg": "none", "typ": "JWT"}, {"sub": who, "email": f"{who}@example.com", "iat": 0, "exp": 4102444800})
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts) + "."


def eventually(done: Callable[[], bool], seconds: float = 60) -> None:
    """Wait until it is so."""
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "it did not become so in time"
        time.sleep(0.2)


def go(platform: Platform, registration: Registration, model: DeployedModel = MODEL) -> Registered:
    """Register as a run does."""
    return register_model(
        platform.registry(registration.workspace),
        model,
        registration,
        say=platform.said.append,
        warn=platform.warnings.append,
        registered=platform.registered.append,
    )


def wanted(platform: Platform, entity: Mapping[str, Any] | None = None, **provider: Any) -> Registration:
    """Make the registration of `qwen3-8b` in the platform's workspace."""
    return Registration(platform.workspace, "qwen3-8b", dict(entity or {}), provider or None)


def failure(platform: Platform, registration: Registration) -> str:
    """Register in vain: the message and the remedy."""
    with pytest.raises(RegistrationFailed) as failed:
        go(platform, registration)
    (problem,) = failed.value.problems
    return f"{problem.message} -> {problem.remedy}"


# The same on the recorded and on the real platform


def test_create(nemo):
    """The entity is there, as the registry shows it to everybody, without a key."""
    assert go(nemo, wanted(nemo)) == Registered(f"{nemo.workspace}/qwen3-8b", created=True)
    entity = nemo.entity("qwen3-8b")
    assert entity["api_endpoint"] == {"url": ENDPOINT, "model_id": "m1", "api_key": None, "format": "openai"}
    assert entity["backend_format"] == "OPENAI_CHAT"
    assert entity["custom_fields"] == {
        "baseten_model_id": "m1",
        "baseten_model_name": "Qwen3 8B",
        "baseten_deployment_id": "d1",
        "baseten_git_sha": "f00",
        "baseten_content_digest": "abc",
    }
    assert nemo.registered == [f"{nemo.workspace}/qwen3-8b"]


def test_create_with_every_field(nemo):
    """All that the create call knows can be set and comes back."""
    nemo.add("entities", "projects", name="search")
    entity = {
        "project": "search",
        "description": "Ranks search results",
        "spec": FULL_SPEC,
        "finetuning_type": "lora_merged",
        "base_model": "qwen/qwen3-8b",
        "api_endpoint": {"model_id": "qwen", "format": "nim"},
        "backend_format": "ANTHROPIC_MESSAGES",
        "prompt": {"system_prompt": "Be brief.", "inference_params": {"temperature": 0.5, "min_p": 0.1}},
        "custom_fields": {"tier": 1},
        "ownership": {"team": "search"},
        "model_providers": ["default/other"],
        "trust_remote_code": True,
    }
    assert set(entity) == set(ENTITY) - {"fileset"}  # has a test of its own
    go(nemo, wanted(nemo, entity))
    there = nemo.entity("qwen3-8b")
    for field in sorted(set(entity) - {"spec", "prompt", "api_endpoint", "custom_fields"}):
        assert (field, there[field]) == (field, entity[field])
    assert there["api_endpoint"] == {"url": ENDPOINT, "model_id": "qwen", "api_key": None, "format": "nim"}
    assert there["custom_fields"]["tier"] == 1
    assert there["prompt"]["system_prompt"] == "Be brief."
    assert there["prompt"]["inference_params"]["min_p"] == 0.1
    assert there["spec"]["moe_config"] == FULL_SPEC["moe_config"]


def test_update_and_merge(nemo):
    """What others wrote stays, what this action wrote before goes, what is given replaces, a null takes it back."""
    before = {"description": "x", "custom_fields": {"team": "search"}, "ownership": {"a": 1, "b": 2}}
    go(nemo, wanted(nemo, before))
    again = wanted(nemo, {"ownership": {"c": 3}, "backend_format": None, "custom_fields": {"tier": 1}})
    assert go(nemo, again, NEXT) == Registered(f"{nemo.workspace}/qwen3-8b", created=False)
    entity = nemo.entity("qwen3-8b")
    assert (entity["description"], entity["ownership"], entity["backend_format"]) == ("x", {"c": 3}, None)
    assert entity["api_endpoint"]["url"] == NEXT.endpoint_url
    assert entity["custom_fields"] == {
        "team": "search",
        "tier": 1,
        "baseten_model_id": "m1",
        "baseten_model_name": "Qwen3 8B",
        "baseten_deployment_id": "d2",
        "baseten_environment": "production",
    }
    assert nemo.warnings == []


def test_update_with_every_field(nemo):
    """Nothing that a create takes makes an update fail."""
    entity = {
        "description": "x",
        "spec": SPEC,
        "finetuning_type": "grpo",
        "base_model": "b",
        "prompt": {"system_prompt": "s"},
        "ownership": {"a": 1},
        "model_providers": [],
        "trust_remote_code": False,
    }
    go(nemo, wanted(nemo, {"trust_remote_code": True}))
    go(nemo, wanted(nemo, entity))
    there = nemo.entity("qwen3-8b")
    assert {key: there[key] for key in entity if key not in ("spec", "prompt")} == {
        key: entity[key] for key in entity if key not in ("spec", "prompt")
    }


def test_registering_twice_changes_nothing_but_the_time(nemo):
    """So that a failed run can be run again."""
    go(nemo, wanted(nemo, {"description": "x"}))
    first = nemo.entity("qwen3-8b")
    go(nemo, wanted(nemo, {"description": "x"}))
    assert {**nemo.entity("qwen3-8b"), "updated_at": ""} == {**first, "updated_at": ""}


def test_an_update_cannot_move_an_entity(nemo):
    """The platform ignores the project without a word; the run says so."""
    nemo.add("entities", "projects", name="search")
    go(nemo, wanted(nemo))
    go(nemo, wanted(nemo, {"project": "search"}))
    assert nemo.entity("qwen3-8b")["project"] is None
    (warning,) = nemo.warnings
    assert "stays outside of every project" in warning.message


def test_a_key_that_somebody_left_there_goes(nemo):
    """The platform shows it to everybody; the run says that it was there, not what it was."""
    entity = {"name": "qwen3-8b", "api_endpoint": {"url": "https://h/v1", "api_key": "hush"}}
    nemo.ask("POST", f"/apis/models/v2/workspaces/{nemo.workspace}/models", entity)
    go(nemo, wanted(nemo))
    assert "hush" not in json.dumps(nemo.entity("qwen3-8b"))
    assert ["held an API key" in str(warning) for warning in nemo.warnings] == [True]
    assert "hush" not in str(nemo.warnings)


def test_provider(nemo):
    """Created, then replaced as a whole; linked in the entity; the secret by its name."""
    nemo.add("secrets", "secrets", name="baseten-key", value="hush")
    first = wanted(nemo, name="baseten", api_key_secret_name="baseten-key", description="x")
    assert go(nemo, first).provider == f"{nemo.workspace}/baseten"
    assert nemo.provider("baseten")["description"] == "x"
    go(nemo, wanted(nemo, name="baseten", api_key_secret_name="baseten-key", enabled_models=["m"]), NEXT)
    provider = nemo.provider("baseten")
    assert (provider["description"], provider["enabled_models"]) == (None, ["m"])
    assert (provider["host_url"], provider["api_key_secret_name"]) == (NEXT.endpoint_url, "baseten-key")
    assert provider["auth_header_format"] == "Authorization: Api-Key {{ auth_secret }}"
    assert nemo.entity("qwen3-8b")["model_providers"] == [f"{nemo.workspace}/baseten"]
    assert "hush" not in json.dumps(provider)


def test_a_lost_provider_is_found_again(nemo):
    """A put keeps the status, and the platform looks at a lost one no more."""
    go(nemo, wanted(nemo, name="baseten", status="LOST"))
    assert nemo.provider("baseten")["status"] == "LOST"
    go(nemo, wanted(nemo, name="baseten"))
    assert nemo.provider("baseten")["status"] == "CREATED"


@pytest.mark.parametrize(
    ("entity", "said"),
    [
        ({"project": "nope"}, ["422: Project 'nope' does not exist", "Create the project"]),
        ({"fileset": "nope"}, ["400: Fileset 'nope' not found", "Create the fileset"]),
        (
            {"spec": {**SPEC, "tool_call_config": {"tool_call_plugin": "default/plugin"}}},
            ["403: tool_call_plugin", "Remove"],
        ),
        ({"description": "d" * 1001}, ["422: description: String should have at most 1000 characters", "Correct in"]),
    ],
)
def test_refused(nemo, entity, said):
    """What the platform finds wrong, at a create and at an update, with the remedy."""
    message = failure(nemo, wanted(nemo, entity))
    assert [part for part in said if part in message] == said
    assert nemo.registered == []


def test_refused_name(nemo):
    """The store's rule comes as a list that is a text."""
    message = failure(nemo, replace(wanted(nemo), name="a--b"))
    assert "422: name: String should match pattern '^[a-z](?!.*--)[a-z0-9\\-@.+_]{1,62}(?<!-)$'" in message


def test_missing_workspace(nemo):
    """Said as such, when there is no authentication."""
    message = failure(nemo, replace(wanted(nemo), workspace="no-such-workspace"))
    assert "422: Workspace 'no-such-workspace' does not exist" in message
    assert "Create the workspace" in message


def test_missing_secret(nemo):
    """The entity is there and announced; the provider is not."""
    message = failure(nemo, wanted(nemo, name="baseten", api_key_secret_name="nope"))
    assert "400: Secret 'nope' not found in workspace" in message
    assert "Create the secret" in message
    assert nemo.registered == [f"{nemo.workspace}/qwen3-8b"]


def test_plan(nemo):
    """Before, without the secret, and after; it writes nothing."""
    registration = wanted(nemo, name="baseten", api_key_secret_name="baseten-key")
    plan = plan_registration(nemo.registry(), MODEL, registration)
    assert (plan.workspace_exists, plan.entity_exists, plan.provider_exists) == (True, False, False)
    assert ["has no secret 'baseten-key'" in problem.message for problem in plan.problems] == [True]
    nemo.add("secrets", "secrets", name="baseten-key", value="hush")
    go(nemo, registration)
    plan = plan_registration(nemo.registry(), MODEL, registration)
    assert (plan.workspace_exists, plan.entity_exists, plan.provider_exists) == (True, True, True)
    assert plan.problems == ()


def test_plan_without_workspace(nemo):
    """That is what a plan is for."""
    registration = replace(wanted(nemo), workspace="no-such-workspace")
    plan = plan_registration(nemo.registry("no-such-workspace"), MODEL, registration)
    assert (plan.workspace_exists, plan.entity_exists) == (False, False)
    assert [problem.message for problem in plan.problems] == ["The NeMo workspace 'no-such-workspace' does not exist"]


def test_an_address_that_is_no_platform(nemo):
    """A path too much is told apart from a workspace that is missing."""
    nemo.url += "/apis"
    assert "Check that `nemo-url`" in failure(nemo, wanted(nemo))
    with pytest.raises(RegistrationFailed, match="Check that `nemo-url`"):
        plan_registration(nemo.registry(), MODEL, wanted(nemo))


@pytest.mark.parametrize(
    ("who", "said"),
    [
        ("", ["401: Unauthorized", "nemo-token: ${{ secrets.NEMO_TOKEN }}"]),
        ("stranger", ["401: Invalid or expired token", "a fresh one"]),
        ("viewer", ["403: Forbidden", "role Editor in the workspace 'default'"]),
    ],
)
def test_authentication_refuses(guarded, who, said):
    """No, a bad and a weak token: three remedies, no token in any."""
    platform = guarded(who)
    message = failure(platform, wanted(platform))
    assert [part for part in said if part in message] == said
    assert not who or platform.token not in message


def test_authentication_takes_an_editor(guarded):
    """Create, update and provider; and what an editor may not do."""
    platform = guarded("editor")
    platform.add("secrets", "secrets", name="baseten-key", value="hush")
    registration = wanted(platform, name="baseten", api_key_secret_name="baseten-key")
    assert go(platform, registration).provider == "default/baseten"
    assert not go(platform, registration).created
    message = failure(platform, wanted(platform, {"trust_remote_code": True}))
    assert "403: Insufficient permissions to set the trust_remote_code field" in message
    assert "models.trust-remote-code.set" in message


def test_authentication_hides_what_is_missing(guarded):
    """A workspace that is not there is forbidden like any other, and the remedy says so; a plan does not know."""
    platform = guarded("editor")
    registration = replace(wanted(platform), workspace="no-such-workspace")
    message = failure(platform, registration)
    assert "403: Forbidden" in message
    assert "check `nemo-workspace`" in message
    plan = plan_registration(platform.registry("no-such-workspace"), MODEL, registration)
    assert (plan.workspace_exists, plan.entity_exists) == (None, None)


def test_a_plan_with_a_bad_token_fails(guarded):
    """It would be of no use to the registration either."""
    platform = guarded("stranger")
    with pytest.raises(RegistrationFailed, match="a fresh one"):
        plan_registration(platform.registry(), MODEL, wanted(platform))


# The real platform alone


@pytest.mark.real_nemo
def test_the_record_is_what_the_platform_answers(open_url):
    """Every recorded answer, asked again: status and words; and everything that was taken is taken."""
    with httpx.Client(base_url=open_url, timeout=60) as client:
        asked = rows(client)
    assert len(asked) == len(ROWS)
    for row, before in zip(asked, ROWS, strict=True):
        assert row == before


@pytest.mark.real_nemo
def test_the_tables_are_what_the_platform_documents(open_url):
    """Names, types, limits, enums, what is required and what may be null, of all fields at all depths."""
    schemas = httpx.get(f"{open_url}/openapi.json", timeout=60).json()["components"]["schemas"]
    create = documented(schemas, schemas["CreateModelEntityRequest"])
    del create["name"], create["api_endpoint"]["fields"]["api_key"]
    assert create == {name: described(rule) for name, rule in ENTITY.items()}
    put = documented(schemas, schemas["UpsertModelProviderRequest"])
    put["host_url"] |= {"kind": Kind.URL, "required": False}  # a plain text there; we have a value of our own
    assert put == {name: described(rule) for name, rule in PROVIDER.items()}
    update = set(schemas["UpdateModelEntityRequest"]["properties"])
    assert update == {*ENTITY} - {"project"}


def described(rule: Field) -> dict[str, Any]:
    """A rule of ours, to compare."""
    return {
        "kind": rule.kind,
        "required": rule.required,
        "nullable": rule.nullable,
        "longest": rule.longest,
        "pattern": f"^{rule.pattern}$" if rule.pattern else None,
        "choices": rule.choices,
        "low": rule.low,
        "high": rule.high,
        "open": rule.open,
        "items": described(rule.items) if rule.items else None,
        "fields": {name: described(field) for name, field in rule.fields.items()} if rule.fields is not None else None,
    }


def documented(schemas: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """The fields of an object of the platform's OpenAPI document, in the same words."""
    return {
        name: documented_field(schemas, field, required=name in schema.get("required", []))
        for name, field in schema["properties"].items()
    }


def documented_field(schemas: dict[str, Any], field: dict[str, Any], *, required: bool = False) -> dict[str, Any]:
    """One field."""
    either = field.get("anyOf", [field])
    (schema,) = [one for one in either if one.get("type") != "null"]
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    kinds = {
        "string": Kind.URL if schema.get("format") == "uri" else Kind.TEXT,
        "integer": Kind.INTEGER,
        "number": Kind.NUMBER,
        "boolean": Kind.FLAG,
        "array": Kind.LIST,
        "object": Kind.OBJECT,
    }
    values = schema.get("items") or schema.get("additionalProperties")
    return {
        "kind": kinds[schema["type"]],
        "required": required,
        "nullable": len(either) > 1,
        "longest": schema.get("maxLength"),
        "pattern": schema.get("pattern"),
        "choices": tuple(schema.get("enum", ())),
        "low": schema.get("minimum"),
        "high": schema.get("maximum"),
        "open": "properties" in schema and schema.get("additionalProperties") is True,
        "items": documented_field(schemas, values) if isinstance(values, dict) else None,
        "fields": documented(schemas, schema) if "properties" in schema else None,
    }


@pytest.mark.real_nemo
def test_fileset(real):
    """A fileset of the workspace, by both kinds of reference; an update wants a file in it."""
    real.add("files", "filesets", name="weights")
    go(real, wanted(real, {"fileset": "weights"}))
    assert real.entity("qwen3-8b")["fileset"] == "weights"
    message = failure(real, wanted(real, {"fileset": "weights"}))
    assert "Updating the model entity" in message
    assert "400: Fileset weights, exists but is empty -> Create the fileset, with a file in it" in message
    file = f"/apis/files/v2/workspaces/{real.workspace}/filesets/weights/-/config.json"
    real.client.put(real.url + file, content=b"{}").raise_for_status()
    go(real, wanted(real, {"fileset": f"{real.workspace}/weights"}))
    assert real.entity("qwen3-8b")["fileset"] == f"{real.workspace}/weights"


@pytest.mark.real_nemo
def test_the_gateway_routes_to_the_deployment(real):
    """A chat with the platform's gateway ends at the sandbox's deployment, which takes the key of the secret."""
    with Sandbox(speed=1000) as sandbox:
        headers = {"Authorization": f"Bearer {sandbox.api_key}"}
        source = {"kind": "library_listing", "lab_display_name": "qwen", "user_defined_listing_id": "qwen3-8b"}
        made = httpx.post(f"{sandbox.api_url}/v1/models", json={"source": source}, headers=headers).raise_for_status()
        model_id, deployment_id = made.json()["model"]["id"], made.json()["deployment"]["id"]
        base = sandbox.inference_url.replace("{model_id}", model_id)
        model = DeployedModel(model_id, "qwen3-8b", deployment_id, f"{base}/deployment/{deployment_id}/sync/v1")
        real.add("secrets", "secrets", name="baseten-key", value=sandbox.api_key)
        go(real, wanted(real, name="baseten", api_key_secret_name="baseten-key"), model)
        sandbox.clear_requests()
        answer = chat(real, "baseten")
        (request,) = [one for one in sandbox.requests if one.path.endswith("/chat/completions")]
    assert answer["choices"][0]["message"]["content"] == "You said: hello"
    assert request.path.endswith(f"/deployment/{deployment_id}/sync/v1/chat/completions")


@pytest.mark.real_nemo
def test_the_gateway_follows_the_next_registration(real):
    """The path below the base URL, and `Api-Key` with the secret's value; then those of the next deployment."""
    real.add("secrets", "secrets", name="baseten-key", value="hush")
    registration = wanted(real, name="baseten", api_key_secret_name="baseten-key")
    with endpoint() as (base, seen):
        for deployment in ("d1", "d2"):
            url = f"{base}/deployment/{deployment}/sync/v1"
            go(real, registration, replace(MODEL, deployment_id=deployment, endpoint_url=url))
            path = f"/deployment/{deployment}/sync/v1/chat/completions"
            eventually(lambda path=path: chat(real, "baseten") != {} and seen[-1][0] == path)
    assert {authorization for _, authorization in seen} == {"Api-Key hush"}


@contextmanager
def endpoint() -> Iterator[tuple[str, list[tuple[str, str | None]]]]:
    """Serve chats on loopback: the base URL, and path and authorization of each request."""
    seen: list[tuple[str, str | None]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            seen.append((self.path, self.headers["Authorization"]))
            body = b'{"choices": [{"message": {"content": "hi"}}]}'
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", seen
        finally:
            server.shutdown()
            thread.join()


def chat(platform: Platform, provider: str) -> dict[str, Any]:
    """Chat through the gateway, which learns of a provider within some seconds."""
    path = f"/apis/inference-gateway/v2/workspaces/{platform.workspace}/provider/{provider}/-/v1/chat/completions"
    body = {"model": "qwen", "messages": [{"role": "user", "content": "hello"}]}
    answers: list[httpx.Response] = []

    def answered() -> bool:
        answers.append(httpx.post(platform.url + path, json=body, timeout=30))
        return answers[-1].is_success

    eventually(answered)
    answer: dict[str, Any] = answers[-1].json()
    return answer
