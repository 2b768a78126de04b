"""What was sent is found as soon as it shows: a model's by its label, a Chain's as the one that was not there."""

import httpx
import pytest
from transport import FakeClock, make_api, make_run, printed

from baseten_deploy import post
from baseten_deploy.deployment.on_failure import Saved
from baseten_deploy.deployment.sent import CANCELLED_LOOKS, POST_LOOKS, Sent
from baseten_deploy.inputs.settings import read_settings
from baseten_deploy.service.answers import Model
from baseten_deploy.service.chain_api import ChainApi
from baseten_deploy.service.http import HttpError
from baseten_deploy.service.model_lookup import Destination

KEY = "key-of-this-run"


class Service:
    """A service whose one model or Chain gets deployments with time: `shows` are ids and from which look on they do."""

    def __init__(self, **shows):
        self.shows, self.looks = shows, 0

    def __call__(self, request):
        """The transport's handler."""
        parts = request.url.path.strip("/").split("/")[1:]
        if parts == ["teams"]:
            return httpx.Response(200, json={"teams": [{"id": "t1", "name": "Default", "default": True}]})
        if parts[-1] in ("models", "chains"):
            row = {"id": "m1", "name": "name", "team_name": "Default"}
            return httpx.Response(200, json={parts[-1]: [row]})
        self.looks += 1
        rows = [self.row(name) for name, look in self.shows.items() if self.looks >= look]
        return httpx.Response(200, json={"deployments": rows})

    @staticmethod
    def row(name):
        """A deployment; of a model the one called `ours` has this run's label."""
        labels = {"deploy-key": KEY if name == "ours" else "another"}
        owner = {"model_id": "m1", "chain_id": "m1", "chainlets": [], "environment": None}
        return {"id": name, "name": name, "status": "BUILDING", "labels": labels, "created_at": "", **owner}


KINDS = {
    "a model": (lambda api: api, {"deploy_key": KEY}),
    "a Chain": (lambda api: ChainApi(api.http), {"known": frozenset({"old"})}),
}


@pytest.fixture(params=KINDS)
def kind(request):
    """A model, and a Chain."""
    return KINDS[request.param]


@pytest.mark.parametrize("model", [Model("m1", "name"), None], ids=["there", "new"])
@pytest.mark.parametrize("look", [1, 2, 3])
@pytest.mark.parametrize("pauses", [CANCELLED_LOOKS, POST_LOOKS])
def test_it_is_found_when_it_shows(kind, model, look, pauses):
    """At the first look, or at a later one; what was there before is not it."""
    of, how = kind
    clock, service = FakeClock(), Service(old=1, ours=look)
    api = of(make_api(service, clock, deadline=clock.now() + 60))
    (found,) = Sent(Destination("name", model, "t1" if model is None else ""), **how).look(api, clock, pauses)
    assert ("m1", "ours", model is None) == (found.model.id, found.deployment.id, found.created_model)
    assert sum(pauses[:look]) == sum(clock.sleeps)


def test_it_is_not_looked_for_for_ever(kind):
    """What never shows was never made, as far as that can be told; a cancelled run has seconds for it."""
    of, how = kind
    clock = FakeClock()
    api = of(make_api(Service(old=1), clock, deadline=clock.now() + 60))
    assert [] == Sent(Destination("name", Model("m1", "name")), **how).look(api, clock, CANCELLED_LOOKS)
    assert sum(clock.sleeps) <= 1.5


def test_a_service_that_cannot_be_asked(kind):
    """That is no answer: nothing is known."""
    of, how = kind
    clock = FakeClock()
    refuses = lambda _request: httpx.Response(403, json={"message": "no"})  # noqa: E731
    api = of(make_api(refuses, clock, deadline=clock.now() + 60))
    with pytest.raises(HttpError):
        Sent(Destination("name", None), **how).look(api, clock, POST_LOOKS)


def of_chain(service):
    """A post step's run about a Chain."""
    settings, problems = read_settings(
        {"INPUT_TRUSS-DIRECTORY": "chain.py", "INPUT_ON-CANCEL": "delete", "INPUT_BASETEN-API-KEY": "key-12345678"}
    )
    assert [] == problems
    run = make_run(settings, service)
    run.api = ChainApi(run.api.http)
    return run


def test_the_post_step_takes_the_one_that_is_new():
    """With the Chain that it is of."""
    run = of_chain(Service(old=1, ours=3))
    saved = Saved("", "name", "t1", known=("old",))
    assert Saved("m1", "name", "t1", deployment_ids=("ours",), known=("old",)) == post.made_by(run, saved)


def test_the_post_step_takes_none_of_several():
    """Which one is the run's cannot be told: it names them, and touches none."""
    run = of_chain(Service(old=1, ours=1, theirs=1))
    assert post.made_by(run, Saved("m1", "name", known=("old",))) is None
    assert "2 deployments were made when the run was cancelled (ours, theirs)" in printed(run)


def test_the_post_step_of_a_push_that_made_nothing():
    """Has nothing to say."""
    run = of_chain(Service(old=1))
    assert post.made_by(run, Saved("m1", "name", known=("old",))) is None
    assert "" == printed(run)
