"""What is live of many Trusses: asked eight at a time, and unknown is changed."""

import pytest
from price_list import ANSWER
from transport import FakeClock, Service, make_run, refusal

from baseten_deploy.discovery import page
from baseten_deploy.discovery.comparison import Reason, compare, without_service
from baseten_deploy.discovery.reading import ReadTruss
from baseten_deploy.errors import AuthFailed, InvalidInput

MACHINE = ANSWER["instance_types"][3]["instance_type"]


class Priced(Service):
    """The management API, with prices."""

    def _routes(self):
        return {"GET /v1/instance_type_prices": lambda: ANSWER, **super()._routes()}


def truss(name, digest="d"):
    """A Truss that was read."""
    return ReadTruss(name, name, digest, {"model_name": name}, (f"{name}/config.yaml", 1, 1))


@pytest.fixture
def service():
    """A service whose model `m` serves content `d` in production."""
    service = Priced(FakeClock())
    service.add_model("m", production_deployment_id="dep1")
    serving = service.add_deployment(labels={"content-digest": "d"})
    scale = {"min_replica": 0, "max_replica": 2}
    service.add_environment("production", serving, instance_type=MACHINE, autoscaling_settings=scale)
    return service


@pytest.fixture
def ask(make_settings, service):
    """Compare Trusses; gives the reasons by name."""

    def of(*trusses, **inputs):
        run = make_run(make_settings(mode="discover", **inputs), service, service.clock)
        return {each.truss.name: each.reason for each in compare(run, trusses)}

    return of


class TestReasons:
    """What counts as changed, and why."""

    @pytest.mark.parametrize(("digest", "expected"), [("d", None), ("other", Reason.CONTENT)])
    def test_content(self, ask, digest, expected):
        """The digest of what production serves."""
        assert {"m": expected, "new": Reason.NEW_MODEL} == ask(truss("m", digest), truss("new"))

    @pytest.mark.parametrize("name", ["environment", "promote_to"])
    def test_the_environment_of_the_inputs(self, ask, service, name):
        """Counts instead of production; one that is not there, or serves nothing, has no content."""
        service.add_environment("staging", service.add_deployment(labels={"content-digest": "s"}))
        service.add_environment("empty")
        assert {"m": None} == ask(truss("m", "s"), **{name: "staging"})
        assert {"m": Reason.CONTENT} == ask(truss("m", "d"), **{name: "staging"})
        assert {"m": Reason.CONTENT} == ask(truss("m", "d"), **{name: "empty"})
        assert {"m": Reason.CONTENT} == ask(truss("m", "d"), **{name: "missing"})

    def test_the_newest(self, ask, service):
        """Where production serves nothing; the development deployment is none."""
        service.environments["production"]["current_deployment"] = None
        service.add_deployment(labels={"content-digest": "newest"})
        service.add_deployment(labels={"content-digest": "dev"}, is_development=True)
        assert {"m": None} == ask(truss("m", "newest"))
        assert {"m": Reason.CONTENT} == ask(truss("m", "d"))

    @pytest.mark.parametrize("status", ["BUILD_FAILED", "INACTIVE", "DEPLOYING"])
    def test_what_is_not_live(self, ask, service, status):
        """A deployment that serves nothing has not brought the content there."""
        service.deployments[0]["status"] = status
        assert {"m": Reason.CONTENT} == ask(truss("m", "d"))

    def test_what_is_about_to_be_replaced(self, ask, service):
        """By something else."""
        service.environments["production"]["candidate_deployment"] = service.add_deployment(status="DEPLOYING")
        assert {"m": Reason.CONTENT} == ask(truss("m", "d"))

    def test_the_trigger(self, ask, service):
        """Counts as content."""
        assert {"m": Reason.CONTENT} == ask(truss("m", "d"), redeploy_trigger="foo")
        service.deployments[0]["labels"]["redeploy-trigger"] = "2c26b46b68ff"
        assert {"m": None} == ask(truss("m", "d"), redeploy_trigger="foo")
        assert {"m": Reason.CONTENT} == ask(truss("m", "d"), redeploy_trigger="bar")

    @pytest.mark.parametrize("status", [403, 404, 500])
    def test_what_cannot_be_seen(self, ask, service, status):
        """Of one model: it is changed, the others are known."""
        service.add_model("other")
        service.fail("model2/environments", refusal(status), 100)
        assert {"m": None, "other": Reason.UNKNOWN} == ask(truss("m"), truss("other"))

    def test_no_models_at_all(self, ask, service):
        """Everything is changed, and asked for no further."""
        service.fail("GET /v1/models$", refusal(500), 100)
        assert {"m": Reason.UNKNOWN, "n": Reason.UNKNOWN} == ask(truss("m"), truss("n"))
        assert [] == service.calls("environments")

    def test_without_a_key(self):
        """As well."""
        assert [Reason.UNKNOWN] == [each.reason for each in without_service([truss("m")])]

    @pytest.mark.parametrize("status", [401, 403])
    def test_a_key_that_is_refused(self, ask, service, status):
        """Ends the run."""
        service.fail("GET /v1/models$", refusal(status), 100)
        with pytest.raises(AuthFailed):
            ask(truss("m"))

    def test_a_name_of_several_teams(self, ask, service):
        """Is named at its line; with `team` it is one."""
        service.add_model("m", team_name="Research")
        with pytest.raises(InvalidInput) as caught:
            ask(truss("m"), truss("n"))
        (problem,) = caught.value.problems
        assert ("m/config.yaml", 1) == (problem.file, problem.line)
        assert "2 models are called 'm': model1 (team Core), model2 (team Research)" == problem.message


def test_one_look_for_each_model(ask, service):
    """One list of the models, the prices, and one request for each that exists."""
    for number in range(20):
        service.add_model(f"m{number}")
    ask(*(truss(f"m{number}") for number in range(30)))
    assert 20 == len(service.calls("environments"))
    assert 22 == len(service.requests)


class TestPage:
    """The table, which is summary and comment."""

    @pytest.fixture
    def compared(self, make_settings, service):
        """One of each kind."""
        service.add_model("seen")
        service.fail("model2/environments", refusal(403, "not | yours"), 100)
        service.add_model("same")
        run = make_run(make_settings(mode="discover"), service, service.clock)
        return compare(run, [truss("m", "x"), truss("new"), truss("seen"), truss("same")])

    def test_a_row_each(self, compared):
        """With why, and the cost now and then; what is foreign breaks no table."""
        text = page.page(compared, "production")
        assert "**3 of 4 Trusses changed**, compared with `production`." in text
        assert "| `m`<br>`m` | ✏️ content differs from live `dep1` | $0.00 to $2.40 |" in text
        assert "| `new`<br>`new` | 🆕 new model | nothing<br>→ $0.00 to $0.0348 |" in text
        assert "| `seen`<br>`seen` | ❔ not known: 403: not &#124; yours (ERROR) | not known |" in text
        assert (
            "Together they can cost **$0.0348 an hour more** than now ($25.40 a month); of 1 of them it is not" in text
        )

    def test_nothing_is_live(self, make_settings, service):
        """Then there is no content that could differ."""
        run = make_run(make_settings(mode="discover", environment="staging"), service, service.clock)
        text = page.page(compare(run, [truss("m")]), "staging")
        assert "| `m`<br>`m` | ✏️ nothing is live there yet | nothing<br>→ " in text

    def test_what_is_unchanged_is_folded(self, make_settings, service):
        """Below what changed; alone it is open."""
        run = make_run(make_settings(mode="discover"), service, service.clock)
        one = page.page(compare(run, [truss("m")]), "production")
        assert ("**0 of 1 Truss changed**" in one, "<details>" in one) == (True, False)
        both = page.page(compare(run, [truss("m"), truss("new")]), "production")
        assert "<details><summary>1 unchanged</summary>" in both
        assert "Together they can cost **$0.0348 an hour more** than now ($25.40 a month)." in both

    def test_without_prices(self, make_settings, service):
        """Nothing is guessed."""
        service.fail("prices", refusal(404), 100)
        run = make_run(make_settings(mode="discover"), service, service.clock)
        text = page.page(compare(run, [truss("m", "x"), truss("new")]), "production")
        assert "| `m`<br>`m` | ✏️ content differs from live `dep1` | not known |" in text
        assert ("Together" in text, "estimate" in text) == (False, False)
        assert "What they can cost is not known." in text
        assert 1 == text.count("Costs are not known because the service does not answer with its prices (404: no")
