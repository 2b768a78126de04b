"""`mode: promote` by `deployment-name`: exactly one, never a guess."""

import pytest
from transport import Service, make_run

from baseten_deploy.deployment.by_name import find_by_name
from baseten_deploy.errors import InvalidInput
from baseten_deploy.service.answers import Model


@pytest.fixture
def find(make_settings):
    """Find `name` among deployments of these names, oldest first."""

    def go(name, *names):
        service = Service()
        service.add_model()
        for each in names:
            service.add_deployment(name=each)
        return find_by_name(make_run(make_settings(), service, service.clock), Model("model1", "m"), name)

    return go


def test_the_one(find):
    """By its whole name."""
    assert "dep2" == find("v2", "v1", "v2", "v22").id


def test_several(find):
    """All are listed, newest first, with what tells them apart."""
    with pytest.raises(InvalidInput, match="2 deployments of the model 'm' are named 'v2'") as error:
        find("v2", "v2", "v1", "v2")
    assert "dep3 (ACTIVE, 2026-01-01T00:00:03Z), dep1 (ACTIVE, 2026-01-01T00:00:01Z)" in error.value.problems[0].message
    assert "`deployment-id`" in error.value.problems[0].remedy


def test_many(find):
    """Ten, and how many more."""
    with pytest.raises(InvalidInput) as error:
        find("v", *["v"] * 13)
    assert error.value.problems[0].message.endswith(", and 3 more")


def test_none(find):
    """The nearest and the newest are offered."""
    with pytest.raises(InvalidInput, match="has no deployment named 'PR-1_abc'") as error:
        find("PR-1_abc", "old", "PR-1_abd")
    assert "Did you mean `PR-1_abd`? The newest names: PR-1_abd, old. Or" in error.value.problems[0].remedy


def test_none_at_all(find):
    """A model without deployments."""
    with pytest.raises(InvalidInput) as error:
        find("v1")
    assert "The newest names: none." in error.value.problems[0].remedy
