"""A deployment that rests is brought back before it is promoted."""

import pytest
from transport import UNSEEN, Service, make_run, printed, refusal

from baseten_deploy.deployment.activation import bring_up
from baseten_deploy.errors import AuthFailed, DeployFailed, DeployTimeout
from baseten_deploy.service.answers import Model

ACTIVATE = "POST .*/activate"


class Waking(Service):
    """An activation takes its time: the old status shows for a while, then that of a start."""

    def _activate(self, model_id, deployment_id):
        row = self._deployment(model_id, deployment_id)
        row["_walk"] = [(3.0, "DEPLOYING"), (6.0, "LOADING_MODEL"), (9.0, getattr(self, "end", "ACTIVE"))]
        row["_from"] = self.clock.time
        return {"success": True, "no_op": False}

    def _deployment(self, model_id, deployment_id):
        row = super()._deployment(model_id, deployment_id)
        for after, status in row.get("_walk", []) if isinstance(row, dict) else []:
            if self.clock.time >= row["_from"] + after:
                row["status"] = status
        return row


@pytest.fixture
def bring(make_settings):
    """Bring `dep1` up; return it and the run."""

    def go(service, status, seconds=600.0):
        service.add_model()
        service.add_deployment(status=status)
        run = make_run(make_settings(), service, service.clock)
        return bring_up(run, Model("model1", "m"), "dep1", end=service.clock.now() + seconds), run

    return go


class TestBringUp:
    """What it takes."""

    @pytest.mark.parametrize("status", ["ACTIVE", "SCALED_TO_ZERO", "LOADING_MODEL", "UNHEALTHY", "FAILED"])
    def test_what_does_not_rest_is_left_alone(self, bring, status):
        """Live or on its way; what failed is not for an activation to mend."""
        service = Service()
        found, _ = bring(service, status)
        assert status == found.status
        assert [] == service.calls(ACTIVATE)

    def test_an_inactive_one(self, bring):
        """Activated once, and waited for although it shows its old status first."""
        service = Waking()
        found, run = bring(service, "INACTIVE")
        assert "ACTIVE" == found.status
        assert 1 == len(service.calls(ACTIVATE))
        assert "dep1 is INACTIVE; activating it" in printed(run)

    def test_one_that_is_just_going(self, bring):
        """Deactivating: that is waited for first."""
        service = Waking()
        service.fail("nothing", refusal(400))
        row_of = service.add_deployment

        def add(**fields):
            row = row_of(**fields)
            row["_walk"], row["_from"] = [(4.0, "INACTIVE")], service.clock.time
            return row

        service.add_deployment = add
        found, _ = bring(service, "DEACTIVATING")
        assert "ACTIVE" == found.status
        assert service.times[[call for call, _ in service.requests].index(service.calls(ACTIVATE)[0])] >= 1004

    @pytest.mark.parametrize("fault", UNSEEN, ids=str)
    def test_a_full_minute_is_waited_out(self, bring, fault):
        """20 activations a minute: what is refused for that is sent again, as the service says."""
        service = Waking()
        service.fail(ACTIVATE, fault, times=2)
        assert "ACTIVE" == bring(service, "INACTIVE")[0].status
        assert 3 == len(service.calls(ACTIVATE))

    def test_it_fails_to_come_up(self, bring):
        """As any deployment that does."""
        service = Waking()
        service.end = "DEPLOY_FAILED"
        with pytest.raises(DeployFailed, match="ended as DEPLOY_FAILED"):
            bring(service, "INACTIVE")

    def test_it_takes_too_long(self, bring):
        """Until the time is up."""
        with pytest.raises(DeployTimeout):
            bring(Waking(), "INACTIVE", seconds=5.0)

    @pytest.mark.parametrize(("status", "kind"), [(400, DeployFailed), (403, AuthFailed)])
    def test_a_refusal(self, bring, status, kind):
        """With what the service says."""
        service = Waking()
        service.fail(ACTIVATE, refusal(status, "no capacity"))
        with pytest.raises(kind, match=r"Activating the deployment dep1.*no capacity"):
            bring(service, "INACTIVE")
