"""What was kept warm for a roll-back is scaled down as the environment says, once nobody needs it."""

import pytest
from transport import Service, make_run, printed, refusal

from baseten_deploy.deployment.replaced import carry_out
from baseten_deploy.service.answers import Model


@pytest.fixture
def replaced(make_settings):
    """Carry a strategy out on `dep1`; return the run."""

    def go(service, strategy):
        run = make_run(make_settings(), service, service.clock)
        carry_out(run, Model("model1", "m"), "dep1", strategy)
        return run

    return go


def scene(status="ACTIVE", **environments):
    """Make a service in which `prod` serves dep2, and dep1 is `status`."""
    service = Service()
    service.add_model()
    service.add_deployment(status=status)
    service.add_environment("prod", service.add_deployment())
    for name, number in environments.items():
        service.add_environment(name, service.deployments[number - 1])
    return service


@pytest.mark.parametrize(
    ("strategy", "status"),
    [("KEEP", "ACTIVE"), ("SCALE_TO_ZERO", "SCALED_TO_ZERO"), ("DEACTIVATE", "INACTIVE"), ("FREEZE", "ACTIVE")],
)
def test_each_strategy(replaced, strategy, status):
    """One that this version does not know is a warning."""
    service = scene()
    run = replaced(service, strategy)
    assert status == service.deployments[0]["status"]
    assert ("FREEZE" == strategy) is bool(run.warnings)


@pytest.mark.parametrize("strategy", ["SCALE_TO_ZERO", "DEACTIVATE"])
@pytest.mark.parametrize(
    ("status", "environments"), [("ACTIVE", {"staging": 1}), ("INACTIVE", {}), ("UNHEALTHY", {})], ids=str
)
def test_what_is_left_alone(replaced, strategy, status, environments):
    """Another environment serves it, or it is not live any more."""
    service = scene(status, **environments)
    assert [] == replaced(service, strategy).warnings
    assert (status, []) == (service.deployments[0]["status"], service.calls("POST|PATCH|DELETE"))


@pytest.mark.parametrize("strategy", ["SCALE_TO_ZERO", "DEACTIVATE"])
@pytest.mark.parametrize("status", [400, 403, 500])
def test_a_failure_is_a_warning(replaced, strategy, status):
    """What the environment serves is live, whatever becomes of this one."""
    service = scene()
    service.fail("POST|PATCH", refusal(status, "busy"), times=9)
    run = replaced(service, strategy)
    assert "dep1, which was served before, could not be scaled down" in run.warnings[0].message
    assert "busy" in printed(run)


def test_it_was_deleted_meanwhile(replaced):
    """Nothing is left to do."""
    service = scene()
    del service.deployments[0]
    assert [] == replaced(service, "DEACTIVATE").warnings
