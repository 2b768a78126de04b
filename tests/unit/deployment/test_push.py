"""Preparing a push: what a failure is called. Whole pushes are driven from outside, in the integration tests."""

import httpx
import pytest
from transport import BY_NAME, Fault, Service, make_run, refusal

from baseten_deploy.deployment.assembly import draft_deployment
from baseten_deploy.deployment.push import prepare, push
from baseten_deploy.errors import Rejected
from baseten_deploy.service.model_lookup import Destination
from baseten_deploy.truss.directory import read_truss
from runner import ROOT


@pytest.mark.parametrize(
    ("fault", "dry_run", "said"),
    [
        (refusal(400), True, "The dry run was refused: 400: no"),
        (refusal(400), False, "Preparing the upload was refused: 400: no"),
        (BY_NAME["503"], True, "The dry run could not be made: 503: try later"),
        (BY_NAME["503"], False, "The upload could not be prepared: 503: try later"),
    ],
    ids=str,
)
def test_a_failure(make_settings, fault, dry_run, said):
    """A refusal is one, trouble is none; nothing was uploaded after either."""
    service = Service()
    service.fail("prepare", fault, times=9)
    truss = read_truss(ROOT / "examples" / "hello-truss", ROOT)
    with pytest.raises(Rejected) as caught:
        prepare(make_run(make_settings(), service), truss, Destination("m", None), {}, dry_run=dry_run)
    assert caught.value.problems[0].message.startswith(said)


@pytest.mark.parametrize("step", ["dry run", "prepare"])
def test_another_job_makes_the_model_meanwhile(make_settings, step):
    """A new model whose name is refused is looked up again; then this is a deployment of it, and nothing is red."""
    service = Service()
    run = make_run(make_settings(), service)
    draft = draft_deployment(run, read_truss(ROOT / "examples" / "hello-truss", ROOT))
    name = draft.destination.name

    def taken(_request, _answer):
        service.add_model(name)
        return httpx.Response(400, json={"message": f"A model named {name} exists already"})

    service.fail("prepare", Fault("taken", taken), after=0 if step == "dry run" else 1)
    made = push(run, draft)
    assert ("model1", False, 1) == (made.model.id, made.created_model, len(service.deployments))


def test_a_refusal_of_a_new_model_stays_one(make_settings):
    """Nobody made it meanwhile: the service means the payload."""
    service = Service()
    run = make_run(make_settings(), service)
    draft = draft_deployment(run, read_truss(ROOT / "examples" / "hello-truss", ROOT))
    service.fail("prepare", refusal(400), times=9)
    with pytest.raises(Rejected, match="The dry run was refused: 400: no"):
        push(run, draft)
