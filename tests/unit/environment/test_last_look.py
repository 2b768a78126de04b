"""After a failure the environments are looked at once more; what is not seen then is unknown."""

import httpx
import pytest
from transport import FakeClock, Service, make_run

from baseten_deploy.environment.last_look import look_again
from baseten_deploy.report.account import Serving, Switch


@pytest.fixture
def service():
    """A model whose production serves `dep1`, and a second deployment."""
    service = Service(FakeClock())
    service.add_model("m")
    service.add_environment("production", current=service.add_deployment("model1"))
    service.add_deployment("model1")
    return service


def run_that_asked(settings, handler, clock):
    """Make a run that pushed `dep2` into production and failed."""
    run = make_run(settings, handler, clock)
    run.ledger.model("m", "model1")
    run.ledger.goes_into("production", Serving(True, "dep1"))
    run.ledger.sends("production", new_model=False)
    run.ledger.made("dep2", "v2", "BUILDING", new_model=False)
    return run


def test_what_is_seen(make_settings, service):
    """It still serves what it served, or ours after all."""
    run = run_that_asked(make_settings(environment="production"), service, service.clock)
    look_again(run)
    assert (Serving(True, "dep1"), Switch.ASKED) == (run.ledger.account.final.now, run.ledger.account.final.switch)
    service.environments["production"]["current_deployment"] = service.deployments[1]
    look_again(run)
    assert (Serving(True, "dep2"), Switch.DONE) == (run.ledger.account.final.now, run.ledger.account.final.switch)
    assert "dep2" == run.outputs.get("promoted-deployment-id")


def test_what_is_not_seen(make_settings):
    """One try, and then it is not known."""
    calls = []

    def refuse(request):
        calls.append(request.url.path)
        return httpx.Response(503)

    run = run_that_asked(make_settings(environment="production"), refuse, FakeClock())
    look_again(run)
    assert Serving() == run.ledger.account.final.now
    assert 1 == len(calls)


def test_a_run_that_asked_for_nothing(make_settings):
    """Looks at nothing: what it saw is so."""
    run = make_run(make_settings(promote_to="production"), lambda request: pytest.fail(request.url.path))
    run.ledger.model("m", "model1")
    run.ledger.goes_into("production", Serving(True, "dep1"))
    look_again(run)
    assert Serving(True, "dep1") == run.ledger.account.final.now


def test_a_commit_that_may_have_acted(make_settings):
    """Nothing can be told of what serves, so nothing is asked or told."""
    run = make_run(make_settings(environment="production"), lambda request: pytest.fail(request.url.path))
    run.ledger.model("m", "model1")
    run.ledger.goes_into("production", Serving(True, "dep1"))
    run.ledger.sends("production", new_model=False)
    look_again(run)
    assert Serving() == run.ledger.account.final.now
