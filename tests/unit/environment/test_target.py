"""Environments before the push: found, created, brought to their settings, and known when they hold a deployment."""

import httpx
import pytest
from transport import AMBIGUOUS, BY_NAME, TRANSIENT, UNSEEN, FakeClock, Script, Service, make_api, make_run, refusal

from baseten_deploy.environment.target import Target, ensure_target, find_target, serving
from baseten_deploy.errors import AuthFailed, InvalidInput, Rejected

WANTED = {"autoscaling_settings": {"min_replica": 1}, "promotion_settings": {"rolling_deploy": True}}
SETTINGS = '{"autoscaling_settings": {"min_replica": 1}, "promotion_settings": {"rolling_deploy": true}}'
CREATE = "POST .*/environments$"


@pytest.fixture
def running(make_settings):
    """Make a run against a service whose model exists."""

    def make(service, **inputs):
        if not service.models:
            service.add_model()
        return make_run(make_settings(environment="staging", **inputs), service, service.clock)

    return make


def writes(service):
    """The requests that change something."""
    return [call for call in service.calls("") if not call.startswith("GET")]


class TestFind:
    """Looking, without changing anything."""

    def test_one_that_is_there(self, running):
        """With what it serves."""
        service = Service()
        service.add_environment("staging", service.add_deployment())
        target = find_target(running(service), "model1", "staging")
        assert ("staging", "dep1") == (target.name, target.previous_id)

    def test_one_that_serves_nothing(self, running):
        """There is nothing to go back to."""
        service = Service()
        service.add_environment("staging")
        target = find_target(running(service), "model1", "staging")
        assert target.before
        assert "" == target.previous_id

    def test_one_that_is_missing(self, running):
        """Those that exist are listed, and the nearest is offered."""
        service = Service()
        for name in ("production", "stagign"):
            service.add_environment(name)
        with pytest.raises(InvalidInput) as error:
            find_target(running(service), "model1", "staging")
        problem = error.value.problems[0]
        assert "The model has no environment 'staging'; it has: production, stagign" == problem.message
        assert "Did you mean `stagign`?" in problem.remedy
        assert "create-environment" in problem.remedy

    @pytest.mark.parametrize(
        ("name", "inputs"), [("staging", {"create_environment": "true"}), ("production", {})], ids=str
    )
    @pytest.mark.parametrize("model_id", ["model1", ""])
    def test_one_that_may_be_made(self, running, name, inputs, model_id):
        """Allowed by `create-environment`; `production` needs no permission. Nothing is made yet."""
        service = Service()
        target = find_target(running(service, **inputs), model_id, name)
        assert (name, None, "") == (target.name, target.before, target.previous_id)
        assert [] == writes(service)

    def test_of_a_model_that_does_not_exist_yet(self, running):
        """It will have only `production`; the service is not asked."""
        service = Service()
        with pytest.raises(InvalidInput, match="the model is new"):
            find_target(running(service), "", "staging")
        assert [] == service.calls("")

    @pytest.mark.parametrize("fault", [fault for fault in TRANSIENT if not fault.acts], ids=str)
    def test_a_failed_look_is_not_a_missing_environment(self, running, fault):
        """Otherwise it would be made."""
        service = Service()
        service.fail("GET", fault, times=99)
        with pytest.raises(Rejected):
            find_target(running(service, create_environment="true"), "model1", "staging")

    @pytest.mark.parametrize("status", [401, 403])
    def test_a_refused_key(self, running, status):
        """`auth_failed`."""
        service = Service()
        service.fail("GET", refusal(status))
        with pytest.raises(AuthFailed):
            find_target(running(service), "model1", "staging")


def make(running, service, **inputs):
    """Find and ensure_target, as a push does it."""
    run = running(service, create_environment="true", **inputs)
    ensure_target(run, "model1", find_target(run, "model1", "staging"))
    return run


class TestCreate:
    """An environment that is missing."""

    @pytest.mark.parametrize(("inputs", "body"), [({}, {}), ({"environment_settings": SETTINGS}, WANTED)], ids=str)
    def test_is_made_once_with_its_settings(self, running, inputs, body):
        """One request; its settings need no second one."""
        service = Service()
        make(running, service, **inputs)
        assert [{"name": "staging", **body}] == [sent for sent in service.bodies("") if sent]
        assert ["POST /v1/models/model1/environments"] == writes(service)

    def test_production_is_not_made(self, running):
        """It cannot be."""
        service = Service()
        run = running(service)
        ensure_target(run, "model1", Target("production", None))
        assert [] == writes(service)

    @pytest.mark.parametrize("fault", TRANSIENT, ids=str)
    def test_exactly_once_under_every_failure(self, running, fault):
        """Its answer is not needed, its existence is."""
        service = Service()
        service.fail(CREATE, fault)
        make(running, service, environment_settings=SETTINGS)
        # An answer that says nothing is as good as any: the next step finds out.
        said_nothing = fault.name in {"empty answer", "wrong shape"}
        assert fault.acts or said_nothing or "staging" in service.environments
        assert (1 if fault.acts or said_nothing else 2) == len(service.calls(CREATE))

    @pytest.mark.parametrize("fault", UNSEEN, ids=str)
    def test_obeys_a_hint(self, running, fault):
        """And sends what was not seen again without a look."""
        service = Service()
        service.fail(CREATE, fault)
        make(running, service)
        assert [3.25 if "with" in fault.name else 0.25] == service.clock.sleeps
        assert 1 == len(service.calls("GET"))

    @pytest.mark.parametrize("lost", ["reset", "reset after acting"])
    def test_what_cannot_be_checked_is_not_sent_again(self, running, lost):
        """The look-up fails: whether it was made is not known, so nothing is sent and nothing uploaded."""
        service = Service()
        service.fail(CREATE, BY_NAME[lost])
        service.fail("GET .*/environments/staging", BY_NAME["503"], times=99)
        with pytest.raises(Rejected, match="503"):
            make(running, service)
        assert 1 == len(service.calls(CREATE))

    def test_a_hint_of_hours_is_not_waited_for(self, running):
        """The run has a deadline."""
        service = Service()
        service.fail(CREATE, BY_NAME["429 with a field"], times=99)
        run = running(service, create_environment="true")
        run.api.http.deadline = service.clock.now() + 2
        with pytest.raises(Rejected, match="Creating the environment"):
            ensure_target(run, "model1", Target("staging", None))
        assert 1000 == service.clock.now()

    @pytest.mark.parametrize("fault", [fault for fault in AMBIGUOUS if not fault.acts][:8], ids=str)
    def test_gives_up(self, running, fault):
        """After five tries; nothing was uploaded."""
        service = Service()
        service.fail(CREATE, fault, times=99)
        with pytest.raises(Rejected, match="Creating the environment 'staging'"):
            make(running, service)
        assert 5 == len(service.calls(CREATE))

    @pytest.mark.parametrize("status", [400, 422])
    def test_a_refusal_is_final(self, running, status):
        """Its message is shown."""
        service = Service()
        service.fail(CREATE, refusal(status, "min_replica is too high"), times=9)
        with pytest.raises(Rejected, match="min_replica is too high"):
            make(running, service)
        assert 1 == len(service.calls(CREATE))

    @pytest.mark.parametrize("status", [401, 403])
    def test_a_refused_key(self, running, status):
        """`auth_failed`."""
        service = Service()
        service.fail(CREATE, refusal(status), times=9)
        with pytest.raises(AuthFailed):
            make(running, service)

    @pytest.mark.parametrize("status", [400, 409])
    def test_another_job_made_it_meanwhile(self, running, status):
        """Two jobs race: the loser takes the winner's; its own settings come with the push."""
        service = Service()
        run = running(service, create_environment="true", environment_settings=SETTINGS)
        target = find_target(run, "model1", "staging")
        service.add_environment("staging", autoscaling_settings={"min_replica": 0})
        service.fail(CREATE, refusal(status, "it exists"))
        ensure_target(run, "model1", target)
        assert {"min_replica": 0} == service.environments["staging"]["autoscaling_settings"]

    def test_another_job_made_it_with_the_same_settings(self, running):
        """Nothing is left to do."""
        service = Service()
        run = running(service, create_environment="true", environment_settings=SETTINGS)
        service.add_environment("staging", **WANTED)
        ensure_target(run, "model1", Target("staging", None))
        assert [] == service.calls("PATCH")


class TestLeftAlone:
    """An environment that is there: its settings come with the push or the promotion, and only when that succeeds."""

    @pytest.mark.parametrize("inputs", [{}, {"environment_settings": SETTINGS}], ids=["nothing", "settings"])
    def test_before_the_push(self, running, inputs):
        """Nothing is changed, whatever is asked for."""
        service = Service()
        service.add_environment("staging", autoscaling_settings={"min_replica": 7})
        make(running, service, **inputs)
        assert [] == writes(service)

    def test_production_of_a_new_model(self, running):
        """It was not seen before, and it exists."""
        service = Service()
        service.add_environment("production")
        run = running(service, environment_settings=SETTINGS)
        ensure_target(run, "model1", Target("production", None))
        assert [] == writes(service)


class TestServing:
    """What environments hold."""

    def test_current_and_candidate(self):
        """Both are in use, each with its reason."""
        service = Service()
        one, two, three = (service.add_deployment() for _ in range(3))
        service.add_environment("production", one)
        service.add_environment("staging", two, candidate_deployment=three)
        service.add_environment("empty")
        expected = {
            "dep1": "production serves it",
            "dep2": "staging serves it",
            "dep3": "is being promoted into staging",
        }
        assert expected == serving(make_api(service), "model1")

    def test_serving_is_the_stronger_reason(self):
        """One that is promoted elsewhere and served here."""
        service = Service()
        one = service.add_deployment()
        service.add_environment("production", one)
        service.add_environment("staging", None, candidate_deployment=one)
        assert "dep1" in serving(make_api(service), "model1")

    def test_a_wrong_shape_is_not_an_empty_list(self):
        """Nobody may believe that nothing is in use."""
        api = make_api(Script(httpx.Response(200, json={"environments": {}})), FakeClock())
        with pytest.raises(Exception, match="cannot be used"):
            serving(api, "model1")
