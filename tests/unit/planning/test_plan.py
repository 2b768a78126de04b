"""Planning: what is asked of whom, and that nothing but the dry run's refusal ends it."""

import json
from html import unescape
from typing import Any

import httpx
import pytest
from transport import BY_NAME, FakeClock, Service, make_run, printed, refusal

from baseten_deploy.errors import AuthFailed, Rejected
from baseten_deploy.planning.plan import plan_push
from baseten_deploy.strict_yaml import load
from baseten_deploy.truss.directory import read_truss
from runner import ROOT

TEXT = (ROOT / "examples" / "hello-truss" / "config.yaml").read_text()
CONFIG = load(TEXT).value
NEMO = {"nemo_url": "https://nemo.test", "nemo_workspace": "ws", "model_name": "m"}


class Baseten(Service):
    """The management API with the dry run, and the config and archive of what is live."""

    stored: Any = None  # the answer with the config
    all_teams: Any = None
    url: Any = "https://s3.test/archive?Signature=x"

    def _routes(self):
        deployment = r"/v1/models/([^/]+)/deployments/([^/]+)"
        return {
            r"POST /v1/prepare_model_upload": lambda *, body: {"s3_key": None, "creds": None, "dry": body["dry_run"]},
            rf"GET {deployment}/config": lambda *_, output_format: self.stored or {"config": {"a": output_format}},
            rf"GET {deployment}/download": lambda *_: httpx.Response(200, text=json.dumps({"download_url": self.url})),
            **super()._routes(),
            **({"GET /v1/teams": lambda: {"teams": self.all_teams}} if self.all_teams is not None else {}),
        }


@pytest.fixture
def service():
    """A service with a model that is live in production."""
    service = Baseten(FakeClock())
    for name in ("m", "hello-truss"):
        service.add_model(name, production_deployment_id="dep1")
    service.add_deployment("model1")
    service.add_deployment("model2", id="dep1")
    return service


def plan(settings, service, nemo=lambda _: httpx.Response(404, json={"detail": "Workspace 'ws' not found"})):
    """Plan the example; S3 answers 404. Gives the run, what was sent to S3 and NeMo, and what ended it."""
    sent = []

    def answer(request):
        sent.append(f"{request.method} {request.url.host}{request.url.path}")
        return nemo(request) if request.url.host == "nemo.test" else httpx.Response(404)

    run = make_run(settings, service, service.clock, inference=answer)
    truss = read_truss(ROOT / "examples" / "hello-truss", ROOT)
    try:
        plan_push(run, truss)
    except (Rejected, AuthFailed) as error:
        return run, sent, error
    return run, sent, None


class TestRequests:
    """What is sent."""

    def test_reading_and_one_dry_run(self, make_settings, service):
        """GETs, and one prepare that is a dry run with the payload of a deploy run."""
        _, sent, _ = plan(make_settings(model_name="m"), service)
        assert ["POST /v1/prepare_model_upload"] == service.calls("^(?!GET)")
        (body,) = service.bodies("prepare")
        assert ("model1", True) == (body["model_id"], body["dry_run"])
        assert {"deploy-key", "content-digest"} <= body["deployment"]["labels"].keys()
        assert ["GET s3.test/archive"] == sent


class TestConfig:
    """Against what the service stored."""

    def test_of_truss_push(self, make_settings, service):
        """Defaults that a client filled in are no difference."""
        service.stored = {"config": {**CONFIG, "spec_version": "2.0", "build": {"no_cache": False}}, "raw_config": TEXT}
        run, _, _ = plan(make_settings(), service)
        assert "Config: the same as what is live.\n" in run.outputs.get("plan")

    def test_of_this_action(self, make_settings, service):
        """What is not in the text is an override, and counts."""
        service.stored = {"config": {**CONFIG, "build": {"no_cache": True}}, "raw_config": TEXT}
        service.deployments[1]["labels"] = {"content-digest": "d"}
        run, _, _ = plan(make_settings(), service)
        assert "\n-build:\n-  no_cache: true\n" in run.outputs.get("plan")

    @pytest.mark.parametrize("answer", [{"config": None, "raw_config": TEXT}, {"raw_config": TEXT}])
    def test_only_as_text(self, make_settings, service, answer):
        """Then the text is what was deployed, not an empty config."""
        service.stored = answer
        run, _, _ = plan(make_settings(), service)
        assert "Config: the same as what is live.\n" in run.outputs.get("plan")

    @pytest.mark.parametrize(
        ("answer", "said"),
        [
            ({"config": None, "raw_config": None}, "the service does not answer with its config (the answer has none)"),
            ({"new": 1}, "the service does not answer with its config (the answer has none)"),
            ({"config": ["a"], "raw_config": TEXT}, "(what it answers instead is no object)"),
            ({"config": None, "raw_config": "a: ["}, "the service only has its text, which cannot be read"),
        ],
    )
    def test_none(self, make_settings, service, answer, said):
        """Is said in words; a Python exception's are none."""
        service.stored = answer
        run, _, error = plan(make_settings(), service)
        assert error is None
        assert said in unescape(run.outputs.get("plan"))
        assert "Error" not in run.outputs.get("plan")

    @pytest.mark.parametrize(
        ("config", "line"),
        [('{"model_name": "\\ud83d x"}', "-model_name: \\ud83d x"), ('{"\\udc00": 1}', "-\\udc00: 1")],
    )
    def test_with_half_a_character(self, make_settings, service, config, line):
        """JSON can hold one, and it is shown by its number."""
        service.stored = httpx.Response(200, text=f'{{"config": {config}}}')
        run, _, error = plan(make_settings(), service)
        assert error is None
        assert line in run.outputs.get("plan")

    def test_that_cannot_be_shown(self, make_settings, service):
        """JSON can be of any depth: the plan goes on without."""
        config = f'{{"a": {"[" * 900}{"]" * 900}}}'
        service.stored = httpx.Response(200, text=f'{{"config": {config}}}')
        run, _, error = plan(make_settings(), service)
        assert error is None
        text = run.outputs.get("plan")
        assert "Config not compared: its config cannot be shown." in text
        assert "<details><summary>Files: " in text


class TestFiles:
    """Against the archive that the service hands out."""

    @pytest.mark.parametrize("url", [None, 7, "", ["https://s3.test/"], {}])
    def test_no_url(self, make_settings, service, url):
        """Is said in words."""
        service.url = url
        run, sent, error = plan(make_settings(), service)
        assert (None, []) == (error, sent)
        assert "the service does not hand out its archive (the answer has no `download_url`)" in unescape(
            run.outputs.get("plan")
        )

    @pytest.mark.parametrize("url", ["https://\ud800/x", "https://a\x00b/", "https://a:99999999/", "https://[::1/x"])
    def test_a_url_that_is_none(self, make_settings, service, url):
        """Becomes a reason as well."""
        service.url = url
        run, _, error = plan(make_settings(), service)
        assert error is None
        assert "Not compared with what is live: its archive could not be read" in unescape(run.outputs.get("plan"))


class TestUnchanged:
    """The title says it only where a deployment would change nothing that serves."""

    @pytest.fixture
    def live(self, make_settings, service):
        """The example as it is, live; gives its row."""
        row = service.deployments[1]
        run, _, _ = plan(make_settings(), service)
        row["labels"] = {"content-digest": run.outputs.get("content-digest")}
        service.stored = {"config": CONFIG, "raw_config": TEXT}
        return row

    def test_serving(self, make_settings, service, live):
        """Config and files are the same."""
        run, _, _ = plan(make_settings(), service)
        assert "ACTIVE" == live["status"]
        assert "## 📝 Plan: `hello-truss` is unchanged" in run.outputs.get("plan")

    @pytest.mark.parametrize("status", ["INACTIVE", "BUILD_FAILED", "DEPLOYING", "UNHEALTHY"])
    def test_not_serving(self, make_settings, service, live, status):
        """A deployment would bring it back; that its content is the same is said below."""
        live["status"] = status
        run, _, _ = plan(make_settings(), service)
        assert "## 📝 Plan: new deployment of `hello-truss`" in run.outputs.get("plan")
        assert "Config: the same as what is live." in run.outputs.get("plan")
        assert "The same as what is live." in run.outputs.get("plan")

    @pytest.mark.parametrize("labels", [{"content-digest": "other"}, {}])
    @pytest.mark.parametrize("inputs", [{"environment": "staging"}, {"environment": "staging", "promote_to": "prod"}])
    def test_about_to_be_replaced(self, make_settings, service, live, labels, inputs):
        """Something else is being promoted into one of the environments."""
        candidate = service.add_deployment("model2", status="DEPLOYING", labels=labels)
        service.add_environment("staging", live, candidate_deployment=None)
        service.add_environment("prod", live)
        service.environments[list(inputs.values())[-1]]["candidate_deployment"] = candidate
        run, _, _ = plan(make_settings(**inputs), service)
        assert "## 📝 Plan: new deployment of `hello-truss`" in run.outputs.get("plan")
        service.environments[list(inputs.values())[-1]]["candidate_deployment"] = None
        run, _, _ = plan(make_settings(**inputs), service)
        assert "## 📝 Plan: `hello-truss` is unchanged" in run.outputs.get("plan")


class TestTeam:
    """Of a new model."""

    def test_the_default_team(self, make_settings, service):
        """Is asked for when none is given."""
        run, _, _ = plan(make_settings(model_name="new"), service)
        assert "| Team | `Core`, the default team |" in run.outputs.get("plan")
        assert ["GET /v1/teams"] == service.calls("/v1/teams")

    @pytest.mark.parametrize("inputs", [{"model_name": "m"}, {"model_name": "new", "team": "t1"}])
    def test_a_team_that_is_known(self, make_settings, service, inputs):
        """Is not asked for again."""
        run, _, _ = plan(make_settings(**inputs), service)
        assert "| Team | `Core` |" in run.outputs.get("plan")
        assert len(inputs) - 1 == len(service.calls("GET /v1/teams$"))

    @pytest.mark.parametrize("answer", [refusal(403), BY_NAME["503"], BY_NAME["wrong shape"], BY_NAME["read timeout"]])
    def test_a_failure(self, make_settings, service, answer):
        """Costs one request, and nothing else."""
        service.fail("/v1/teams$", answer, times=9)
        run, _, error = plan(make_settings(model_name="new"), service)
        assert error is None
        assert "| Team | the default team of the API key |" in run.outputs.get("plan")
        assert ["GET /v1/teams"] == service.calls("/v1/teams")

    @pytest.mark.parametrize("teams", [[], [{"id": "t", "name": "A"}], [{"id": "t", "name": "A", "default": True}] * 2])
    def test_no_single_default(self, make_settings, service, teams):
        """Names none."""
        service.all_teams = teams
        run, _, _ = plan(make_settings(model_name="new"), service)
        assert "| Team | the default team of the API key |" in run.outputs.get("plan")


class TestWhatFails:
    """Is said, and the plan is shown."""

    @pytest.mark.parametrize(("status", "kind"), [(400, Rejected), (403, AuthFailed)])
    def test_the_dry_run(self, make_settings, service, status, kind):
        """Ends the run, after the plan is out."""
        service.fail("prepare", refusal(status, "no such instance"))
        run, _, error = plan(make_settings(model_name="m"), service)
        assert kind is type(error)
        assert "no such instance" in run.outputs.get("plan")

    def test_a_dry_run_that_is_not_answered(self, make_settings, service):
        """Is not called a refusal, neither in the plan nor by what ends the run."""
        service.fail("prepare", BY_NAME["502 with HTML"], times=9)
        run, _, error = plan(make_settings(model_name="m"), service)
        said = "The dry run could not be made: 502: 502 Bad Gateway"
        assert (Rejected, said) == (type(error), error.problems[0].message)
        assert said in unescape(run.outputs.get("plan"))

    @pytest.mark.parametrize(
        ("call", "said"),
        [
            ("deployments/dep1$", "what is live could not be looked up"),
            ("/config$", "the service does not answer with its config"),
            ("/download$", "the service does not hand out its archive"),
        ],
    )
    def test_a_look(self, make_settings, service, call, said):
        """Even if the key may not look."""
        service.fail(call, refusal(403, "forbidden"), times=9)
        run, _, error = plan(make_settings(model_name="m"), service)
        assert error is None
        assert said in run.outputs.get("plan")


class TestRegistration:
    """What would be registered in the NeMo Platform."""

    def test_a_missing_workspace(self, make_settings, service):
        """Is in the plan and a warning: the deployment would be made and not registered."""
        run, sent, error = plan(make_settings(**NEMO), service)
        assert error is None
        assert "`ws/model-m` created, ❌ the workspace does not exist" in run.outputs.get("plan")
        assert ["The NeMo workspace 'ws' does not exist"] == [warning.message for warning in run.warnings]
        assert {"GET"} == {request.split()[0] for request in sent}

    def test_an_update(self, make_settings, service):
        """Of an entity that is there."""
        run, _, _ = plan(make_settings(**NEMO), service, lambda _: httpx.Response(200, json={"name": "m"}))
        assert "| Model entity | `ws/model-m` updated |" in run.outputs.get("plan")
        assert [] == run.warnings

    def test_a_platform_that_is_down(self, make_settings, service):
        """Is a warning, also in the plan."""

        def down(_request):
            raise httpx.ConnectError("down")

        run, _, error = plan(make_settings(**NEMO), service, down)
        assert error is None
        assert "no connection to nemo.test" in run.warnings[0].message
        assert "no connection to nemo.test" in run.outputs.get("plan")
        assert "Signature" not in printed(run) + run.outputs.get("plan")
