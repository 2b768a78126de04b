"""Preparing a push: what a failure is called. Whole pushes are driven from outside, in the integration tests."""

import pytest
from transport import BY_NAME, Service, make_run, refusal

from baseten_deploy.deployment.push import prepare
from baseten_deploy.errors import Rejected
from baseten_deploy.service.destination import Destination
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
