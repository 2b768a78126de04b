"""Registering against the recorded platform, with everything that can go wrong on the way."""

from typing import Any

import httpx
import pytest
from fakes.nemo import ROWS, FakeNemo, Fault

from baseten_deploy.ci.redaction import Redactor
from baseten_deploy.clock import Clock
from baseten_deploy.errors import Problem, RegistrationFailed
from baseten_deploy.nemo.api import Registry
from baseten_deploy.nemo.entity import DeployedModel, Registration
from baseten_deploy.nemo.upsert import Registered, plan_registration, register_model

TOKEN = "token-0123456789"
MODEL = DeployedModel("m1", "Qwen3 8B", "d1", "https://model-m1.api.baseten.co/deployment/d1/sync/v1")
ENTITY = Registration("default", "qwen3-8b", {})
WITH_PROVIDER = Registration("default", "qwen3-8b", {}, {"name": "baseten", "api_key_secret_name": "baseten-key"})
CREATE = r"^POST .*/models$"


class FastClock(Clock):
    """Sleeps in no time, and remembers how long."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def now(self) -> float:
        """Seconds slept so far."""
        return sum(self.slept)

    def sleep(self, seconds: float) -> None:
        """Remember."""
        self.slept.append(seconds)

    def chance(self) -> float:
        """No jitter."""
        return 1.0


class Desk:
    """A run's end of the registration: registers, and keeps what it was told."""

    def __init__(self, fake: FakeNemo, token: str = "", workspace: str = "default") -> None:
        self.clock = FastClock()
        self.said: list[str] = []
        self.warnings: list[Problem] = []
        self.registered: list[str] = []
        redactor = Redactor()
        redactor.add(token)
        client = httpx.Client(transport=fake.transport())
        self.registry = Registry("https://nemo/", workspace, token, client=client, clock=self.clock, redactor=redactor)

    def register(self, registration: Registration = ENTITY, model: DeployedModel = MODEL) -> Registered:
        """Register."""
        return register_model(
            self.registry,
            model,
            registration,
            say=self.said.append,
            warn=self.warnings.append,
            registered=self.registered.append,
        )

    def failure(self, registration: Registration = ENTITY) -> Problem:
        """Register in vain; the one problem, which has a remedy."""
        with pytest.raises(RegistrationFailed) as failed:
            self.register(registration)
        (problem,) = failed.value.problems
        assert problem.remedy
        assert str(failed.value.status) == "registration_failed"
        return problem


@pytest.fixture
def nemo() -> FakeNemo:
    """A platform with the secret of `WITH_PROVIDER`."""
    fake = FakeNemo()
    fake.workspaces["default"]["secrets"]["baseten-key"] = {}
    return fake


def entity_of(nemo: FakeNemo, name: str = "qwen3-8b") -> dict[str, Any]:
    """The entity that the platform has."""
    found: dict[str, Any] = nemo.workspaces["default"]["models"][name]
    return found


def reset(request: httpx.Request) -> Exception:
    """A connection that broke after the request was sent."""
    return httpx.ReadError("connection reset", request=request)


def timeout(request: httpx.Request) -> Exception:
    """An answer that did not come."""
    return httpx.ReadTimeout("", request=request)


def refused(request: httpx.Request) -> Exception:
    """A port that nobody listens on."""
    return httpx.ConnectError("connection refused", request=request)


def html(status: int) -> httpx.Response:
    """What a proxy or a web page answers."""
    return httpx.Response(status, html="<!DOCTYPE html><html><body>Sign in</body></html>")


AMBIGUOUS = [
    pytest.param({"error": reset}, id="reset"),
    pytest.param({"error": timeout}, id="timeout"),
    pytest.param({"response": httpx.Response(500, json={"detail": "Failed to create model entity"})}, id="500"),
    pytest.param({"response": html(502)}, id="502"),
    pytest.param({"response": httpx.Response(201, text="not JSON")}, id="not-json"),
    pytest.param({"response": httpx.Response(201, json={"ok": True})}, id="not-an-entity"),
]


def test_creates(nemo):
    """One call; the entity is announced."""
    desk = Desk(nemo)
    assert desk.register() == Registered("default/qwen3-8b", created=True)
    assert nemo.calls() == ["POST default/models"]
    assert desk.registered == ["default/qwen3-8b"]
    assert entity_of(nemo)["api_endpoint"]["url"] == MODEL.endpoint_url
    assert "Authorization" not in nemo.requests[0].headers


def test_updates_what_is_there(nemo):
    """The next deployment of the same model: others' custom fields and all fields not given stay."""
    Desk(nemo).register(Registration("default", "qwen3-8b", {"description": "x", "custom_fields": {"team": "search"}}))
    second = DeployedModel("m1", "Qwen3 8B", "d2", "https://model-m1.api.baseten.co/deployment/d2/sync/v1")
    start = len(nemo.requests)
    assert Desk(nemo).register(model=second) == Registered("default/qwen3-8b", created=False)
    assert nemo.calls(start) == ["POST default/models", "GET default/models/qwen3-8b", "PATCH default/models/qwen3-8b"]
    entity = entity_of(nemo)
    assert entity["description"] == "x"
    assert entity["api_endpoint"]["url"] == second.endpoint_url
    assert entity["custom_fields"]["team"] == "search"
    assert entity["custom_fields"]["baseten_deployment_id"] == "d2"


def test_warns_about_what_an_update_cannot_do(nemo):
    """The platform ignores `project` there, without a word."""
    Desk(nemo).register()
    nemo.workspaces["default"]["projects"]["search"] = {}
    desk = Desk(nemo)
    desk.register(Registration("default", "qwen3-8b", {"project": "search"}))
    (warning,) = desk.warnings
    assert "does not move an entity into 'search'" in warning.message


def test_sends_the_token(nemo):
    """As a bearer token, with every call."""
    nemo.tokens = {TOKEN: "Editor"}
    Desk(nemo, TOKEN).register()
    Desk(nemo, TOKEN).register(WITH_PROVIDER)
    assert {request.headers["Authorization"] for request in nemo.requests} == {f"Bearer {TOKEN}"}


def test_puts_the_provider_and_links_it(nemo):
    """Entity first, so that it is known when the provider fails; then the entity names the provider."""
    desk = Desk(nemo)
    assert desk.register(WITH_PROVIDER) == Registered("default/qwen3-8b", created=True, provider="default/baseten")
    assert nemo.calls() == ["POST default/models", "PUT default/providers/baseten", "PATCH default/models/qwen3-8b"]
    provider = nemo.workspaces["default"]["providers"]["baseten"]
    assert provider["host_url"] == MODEL.endpoint_url
    assert provider["api_key_secret_name"] == "baseten-key"
    assert provider["auth_header_format"] == "Authorization: Api-Key {{ auth_secret }}"
    assert entity_of(nemo)["model_providers"] == ["default/baseten"]
    assert desk.warnings == []


def test_links_the_provider_once_and_keeps_others(nemo):
    """A second run finds it there."""
    Desk(nemo).register(Registration("default", "qwen3-8b", {"model_providers": ["default/other"]}))
    Desk(nemo).register(WITH_PROVIDER)
    assert entity_of(nemo)["model_providers"] == ["default/other", "default/baseten"]
    start = len(nemo.requests)
    Desk(nemo).register(WITH_PROVIDER)
    assert nemo.calls(start)[-1] == "PUT default/providers/baseten"


def test_the_input_says_which_providers_are_linked(nemo):
    """Also that there is none."""
    Desk(nemo).register(Registration("default", "qwen3-8b", {"model_providers": []}, WITH_PROVIDER.provider))
    assert entity_of(nemo)["model_providers"] == []


@pytest.mark.parametrize("status", ["LOST", "ERROR"])
def test_a_provider_that_was_given_up_is_looked_at_again(nemo, status):
    """The platform never looks at a lost provider again, and a put keeps the status."""
    Desk(nemo).register(WITH_PROVIDER)
    nemo.workspaces["default"]["providers"]["baseten"]["status"] = status
    Desk(nemo).register(WITH_PROVIDER)
    assert nemo.workspaces["default"]["providers"]["baseten"]["status"] == "CREATED"


def test_warns_about_a_provider_without_a_secret(nemo):
    """Baseten will refuse what the gateway sends."""
    desk = Desk(nemo)
    desk.register(Registration("default", "qwen3-8b", {}, {"name": "baseten"}))
    (warning,) = desk.warnings
    assert "names no secret" in warning.message


def test_the_entity_is_announced_when_the_provider_fails(nemo):
    """The outputs name the entity; the problem is the provider's."""
    del nemo.workspaces["default"]["secrets"]["baseten-key"]
    desk = Desk(nemo)
    problem = desk.failure(WITH_PROVIDER)
    assert desk.registered == ["default/qwen3-8b"]
    assert problem.message == (
        "Registering the provider default/baseten: 400: Secret 'baseten-key' not found in workspace 'default'"
    )
    assert "Create the secret" in problem.remedy


@pytest.mark.parametrize("fault", AMBIGUOUS)
def test_a_create_that_took_effect_is_not_sent_again(nemo, fault):
    """It is looked up, found, and counts as created by this run."""
    nemo.faults.append(Fault(CREATE, acts=True, **fault))
    assert Desk(nemo).register() == Registered("default/qwen3-8b", created=True)
    assert nemo.calls() == ["POST default/models", "GET default/models/qwen3-8b", "PATCH default/models/qwen3-8b"]


@pytest.mark.parametrize("fault", AMBIGUOUS)
def test_a_create_that_did_not_take_effect_is_sent_again_after_looking(nemo, fault):
    """After three looks in seven seconds."""
    nemo.faults.append(Fault(CREATE, **fault))
    desk = Desk(nemo)
    assert desk.register() == Registered("default/qwen3-8b", created=True)
    assert nemo.calls() == ["POST default/models", *["GET default/models/qwen3-8b"] * 3, "POST default/models"]
    assert desk.clock.slept[:3] == [1.0, 2.0, 4.0]


def test_an_entity_of_somebody_else_is_updated_after_an_ambiguous_create(nemo):
    """It was there before: this run did not create it, and keeps what it says."""
    Desk(nemo).register(Registration("default", "qwen3-8b", {"custom_fields": {"team": "search"}}))
    nemo.faults.append(Fault(CREATE, error=timeout))
    assert Desk(nemo).register() == Registered("default/qwen3-8b", created=False)
    assert entity_of(nemo)["custom_fields"]["team"] == "search"


@pytest.mark.parametrize("fault", [{"error": refused}, {"response": httpx.Response(429, json={"detail": "slow down"})}])
def test_what_was_refused_unseen_is_sent_again_at_once(nemo, fault):
    """The platform saw nothing, so there is nothing to look for."""
    nemo.faults.append(Fault(CREATE, **fault))
    Desk(nemo).register()
    assert nemo.calls() == ["POST default/models", "POST default/models"]


@pytest.mark.parametrize("pattern", ["^GET", "^PATCH", "^PUT"])
@pytest.mark.parametrize("fault", AMBIGUOUS[:4])
def test_all_other_calls_are_sent_again(nemo, pattern, fault):
    """They can be, whatever happened to the first."""
    Desk(nemo).register()
    nemo.faults.append(Fault(pattern, acts=True, **fault))
    assert Desk(nemo).register(WITH_PROVIDER).provider == "default/baseten"
    assert entity_of(nemo)["model_providers"] == ["default/baseten"]


UNREACHABLE = [
    pytest.param({"error": refused}, "no connection to nemo", "Check `nemo-url`", id="refused"),
    pytest.param({"error": timeout}, "no answer within", "Run again later", id="timeout"),
    pytest.param({"error": reset}, "the connection broke", "Run again later", id="reset"),
    pytest.param({"response": httpx.Response(500, json={"detail": "Oops"})}, "500: Oops", "has trouble", id="500"),
    pytest.param({"response": html(502)}, "502: Sign in", "has trouble", id="502"),
    pytest.param({"response": html(200)}, "not the expected JSON object", "Check that `nemo-url`", id="web-page"),
    pytest.param({"response": html(404)}, "404: Sign in", "Check that `nemo-url`", id="no-route"),
    pytest.param({"response": httpx.Response(405, json={"detail": "Method Not Allowed"})}, "405", "`/apis`", id="405"),
    pytest.param(
        {"response": httpx.Response(302, headers={"Location": "https://login/?a=b"})},
        "redirected",
        "login page",
        id="302",
    ),
    pytest.param({"response": httpx.Response(429, json={"detail": "Slow"})}, "429: Slow", "rate limit", id="429"),
]


@pytest.mark.parametrize(("fault", "said", "remedy"), UNREACHABLE)
def test_a_platform_that_stays_away(nemo, fault, said, remedy):
    """What was tried, what came back, what to do; within three minutes."""
    nemo.faults.append(Fault("", times=1000, **fault))
    desk = Desk(nemo)
    problem = desk.failure()
    assert problem.message.startswith("Registering the model entity default/qwen3-8b: ")
    assert said in problem.message
    assert remedy in problem.remedy
    assert desk.clock.now() < 180
    assert desk.registered == []


def test_a_platform_whose_creates_fail_for_good(nemo):
    """Five tries, each looked up: no entity exists, and the run says what came back."""
    nemo.faults.append(
        Fault(CREATE, response=httpx.Response(500, json={"detail": "Failed to create model entity"}), times=9)
    )
    problem = Desk(nemo).failure()
    assert problem.message == "Registering the model entity default/qwen3-8b: 500: Failed to create model entity"
    assert nemo.calls().count("POST default/models") == 5
    assert nemo.workspaces["default"]["models"] == {}


def test_a_look_that_fails_says_both(nemo):
    """Why it looked, and why it could not see."""
    nemo.faults += [
        Fault("^POST", error=timeout, times=9),
        Fault("^GET", response=httpx.Response(503, json={"detail": "Down"}), times=99),
    ]
    problem = Desk(nemo).failure()
    assert "no answer within" in problem.message
    assert "Looking it up: 503: Down" in problem.message


def test_a_conflict_with_an_entity_that_is_gone(nemo):
    """Deleted between the create and the look."""
    nemo.faults.append(Fault(CREATE, response=httpx.Response(409, json={"detail": "already exists"})))
    assert "Run again" in Desk(nemo).failure().remedy


@pytest.mark.parametrize(
    ("token", "said", "remedy"),
    [
        ("", "401: Unauthorized", "nemo-token: ${{ secrets.NEMO_TOKEN }}"),
        ("token-expired-01234", "401: Invalid or expired token", "a fresh one"),
        ("token-viewer-012345", "403: Forbidden", "role Editor in the workspace 'default'"),
    ],
)
def test_authentication(nemo, token, said, remedy):
    """No, a bad, or a weak token; the token is never repeated."""
    nemo.tokens = {TOKEN: "Editor", "token-viewer-012345": "Viewer"}
    problem = Desk(nemo, token).failure()
    assert said in problem.message
    assert remedy in problem.remedy
    assert "token-" not in str(problem).replace("nemo-token", "")


def test_a_forbidden_workspace_may_be_one_that_is_not_there(nemo):
    """With authentication the platform does not tell."""
    nemo.tokens = {TOKEN: "Editor"}
    problem = Desk(nemo, TOKEN, "nope").failure(Registration("nope", "qwen3-8b", {}))
    assert "403: Forbidden" in problem.message
    assert "check `nemo-workspace`" in problem.remedy


def test_trust_remote_code_needs_a_permission(nemo):
    """An Editor does not have it."""
    nemo.tokens = {TOKEN: "Editor"}
    problem = Desk(nemo, TOKEN).failure(Registration("default", "qwen3-8b", {"trust_remote_code": True}))
    assert "Insufficient permissions" in problem.message
    assert "models.trust-remote-code.set" in problem.remedy


@pytest.mark.parametrize(
    ("entity", "said", "remedy"),
    [
        ({"project": "nope"}, "422: Project 'nope' does not exist in workspace 'default'", "Create the project"),
        ({"fileset": "nope"}, "400: Fileset 'nope' not found in workspace 'default'", "Create the fileset"),
        ({"description": 5}, "422: description: Input should be a valid string", "Correct in `nemo-entity`"),
    ],
)
def test_what_only_the_platform_knows(nemo, entity, said, remedy):
    """In each shape of `detail`."""
    problem = Desk(nemo).failure(Registration("default", "qwen3-8b", entity))
    assert said in problem.message
    assert remedy in problem.remedy


def test_a_workspace_that_is_not_there(nemo):
    """Without authentication the platform says so."""
    problem = Desk(nemo, workspace="nope").failure(Registration("nope", "qwen3-8b", {}))
    assert "422: Workspace 'nope' does not exist" in problem.message
    assert "Create the workspace" in problem.remedy


@pytest.mark.parametrize(
    "row", [pytest.param(row, id=f"{row['call']}-{row['field']}") for row in ROWS if row["kind"] != "accepted"]
)
def test_every_refusal_is_told_in_one_short_line(nemo, row):
    """As if the checks at the start had let it pass: the field is named, the value is not repeated at length."""
    value = row["value"]
    desk = Desk(nemo)
    if row["call"] == "provider":
        nemo.faults.append(Fault("^PUT", response=httpx.Response(row["status"], json=row["answer"])))
        problem = desk.failure(WITH_PROVIDER)
    else:
        nemo.faults.append(Fault("^POST", response=httpx.Response(row["status"], json=row["answer"])))
        problem = desk.failure()
    assert f": {row['status']}: " in problem.message
    assert len(problem.message) < 700
    assert "'input'" not in problem.message
    assert "\n" not in problem.message
    if row["status"] == 422:
        assert row["field"] in problem.message or "does not exist" in problem.message
    if isinstance(value, str) and len(value) > 60:
        assert value not in problem.message


def test_an_answer_with_a_secret_is_redacted(nemo):
    """A service repeats what it was sent."""
    body = {"detail": [{"loc": ["body", "x"], "msg": f"bad value {TOKEN}", "input": TOKEN}]}
    nemo.faults.append(Fault("", response=httpx.Response(422, json=body), times=2))
    assert "x: bad value ***" in Desk(nemo, TOKEN).failure().message


@pytest.mark.parametrize(
    "body",
    [
        {"detail": []},
        {"detail": "[{'loc': ['body', 'name']"},
        {"detail": [1, None, {"loc": "x"}]},
        {"detail": {"a": "b"}},
        ["x"],
        "x",
    ],
)
def test_odd_refusals_are_told_somehow(nemo, body):
    """Whatever shape they have."""
    nemo.faults.append(Fault("", response=httpx.Response(422, json=body)))
    assert "default/qwen3-8b: 422: " in Desk(nemo).failure().message


def test_plan_of_a_first_registration(nemo):
    """Only reads."""
    plan = plan_registration(Desk(nemo).registry, MODEL, WITH_PROVIDER)
    assert (plan.entity, plan.workspace_exists, plan.entity_exists) == ("default/qwen3-8b", True, False)
    assert (plan.provider, plan.provider_exists, plan.problems) == ("default/baseten", False, ())
    assert plan.body["api_endpoint"]["url"] == MODEL.endpoint_url
    assert {request.method for request in nemo.requests} == {"GET"}


def test_plan_of_an_update(nemo):
    """Everything is there."""
    Desk(nemo).register(WITH_PROVIDER)
    plan = plan_registration(Desk(nemo).registry, MODEL, WITH_PROVIDER)
    assert (plan.workspace_exists, plan.entity_exists, plan.provider_exists) == (True, True, True)


def test_plan_without_a_provider(nemo):
    """Neither provider nor secret is looked for."""
    plan = plan_registration(Desk(nemo).registry, MODEL, ENTITY)
    assert (plan.provider, plan.provider_exists) == ("", False)
    assert nemo.calls() == ["GET default", "GET default/models/qwen3-8b"]


def test_plan_of_a_registration_that_would_fail(nemo):
    """A workspace or a secret that is not there is a problem, with the remedy."""
    nope = plan_registration(Desk(nemo, workspace="nope").registry, MODEL, Registration("nope", "a", {}, {"name": "p"}))
    assert (nope.workspace_exists, nope.entity_exists, nope.provider_exists) == (False, False, False)
    assert [problem.message for problem in nope.problems] == ["The NeMo workspace 'nope' does not exist"]
    del nemo.workspaces["default"]["secrets"]["baseten-key"]
    keyless = plan_registration(Desk(nemo).registry, MODEL, WITH_PROVIDER)
    assert [problem.message for problem in keyless.problems] == [
        "The NeMo workspace 'default' has no secret 'baseten-key'"
    ]


def test_plan_with_a_token_that_may_not_look(nemo):
    """A token for models alone cannot see workspaces or secrets: that is not known, and no failure."""
    nemo.faults.append(
        Fault("/entities/|/secrets/", response=httpx.Response(403, json={"detail": "Forbidden"}), times=9)
    )
    plan = plan_registration(Desk(nemo).registry, MODEL, WITH_PROVIDER)
    assert (plan.workspace_exists, plan.entity_exists, plan.problems) == (None, False, ())


def test_plan_of_a_platform_that_is_none(nemo):
    """A web server that has no such call is not a missing workspace."""
    nemo.faults.append(Fault("", response=httpx.Response(404, json={"detail": "Not Found"})))
    with pytest.raises(RegistrationFailed, match="Check that `nemo-url`"):
        plan_registration(Desk(nemo).registry, MODEL, ENTITY)


def test_the_recorded_platform_is_served_on_loopback(nemo):
    """For tests in another process: the same answers over HTTP."""
    with nemo.serving() as url, httpx.Client(base_url=url) as client:
        response = client.get("/apis/entities/v2/workspaces/default")
    assert (response.status_code, response.json()) == (200, {"name": "default"})
