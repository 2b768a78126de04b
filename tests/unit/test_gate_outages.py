"""Unseen is not failed where something is promoted: outages of every kind, in virtual time, with `rollback-on-failure`.

Waiting for the deployment itself, and for what a push does to an environment, is `deployment/test_wait_outages.py`.
"""

import httpx
import pytest
from outages import KINDS
from transport import Fault, Service, make_run

from baseten_deploy.deployment.activation import bring_up
from baseten_deploy.environment.ours import Ours
from baseten_deploy.environment.target import find_target
from baseten_deploy.errors import DeployUnseen, PredictUnseen, PromotionUnseen
from baseten_deploy.gate import promote
from baseten_deploy.service.answers import Model

MODEL = Model("model1", "m")
PROMOTE = "POST .*/promote"
ROLLBACK = {"promote_to": "prod", "rollback_on_failure": "true"}
# What a gateway says that has no way to the model yet; anything else is the model's own answer.
OF_THE_WAY = ["refused", "connect time-out", "name unknown", "408", "425", "429", "502", "503", "504", "520", "530"]


class Scene:
    """`prod` serves dep1, and dep2 is promoted into it; the service cannot be asked from second 5 on, for `seconds`."""

    def __init__(self, settings, kind, seconds, *, at):
        self.service = Service(promotes_after=30.0)
        self.service.add_model()
        self.service.add_environment("prod", self.service.add_deployment(name="v1", labels={"deploy-key": "k1"}))
        self.service.add_deployment(name="v2", labels={"deploy-key": "k2"})
        self.run = make_run(settings, self.service, self.service.clock, inference=self.infer)
        self.ours = Ours(self.run.api.deployment("model1", "dep2"))
        self.born, self.kind, self.seconds, self.at = self.service.clock.now(), kind, seconds, at
        self.service.fail("GET .*/(environments|deployments)/", Fault(kind, self.answer, acts=True), times=10**6)

    @property
    def out(self):
        """Whether it is an outage now."""
        return 5 <= self.service.clock.now() - self.born < 5 + self.seconds

    def answer(self, _request, answer):
        """What the service says, or the outage."""
        return KINDS[self.kind]() if self.out and self.at == "service" else answer

    def infer(self, _request):
        """What the model says, or the outage."""
        return KINDS[self.kind]() if self.out and self.at == "model" else httpx.Response(200, text='"pong"')

    def promote(self):
        """As the pipeline does it, at second 4."""
        target = find_target(self.run, "model1", "prod")
        self.service.clock.sleep(4)
        self.service.requests.clear()
        promote(self.run, MODEL, self.ours, target, {"prompt": "hi"})

    @property
    def promoted(self):
        """What was asked to be promoted, in order."""
        return [body["deployment_id"] for body in self.service.bodies(PROMOTE)]

    @property
    def gaps(self):
        """The warnings about a gap."""
        return [warning for warning in self.run.warnings if "could not be asked" in warning.message]


@pytest.mark.parametrize("seconds", [15, 120])
@pytest.mark.parametrize("kind", KINDS)
def test_a_promotion_waits_out_a_short_one(make_settings, kind, seconds):
    """Served and checked there, with one warning, and nothing rolled back."""
    scene = Scene(make_settings(**ROLLBACK), kind, seconds, at="service")
    scene.promote()
    assert (["dep2"], 1) == (scene.promoted, len(scene.gaps))
    assert "dep2" == scene.run.outputs.get("promoted-deployment-id")


@pytest.mark.parametrize("kind", KINDS)
def test_a_promotion_ends_unknown(make_settings, kind):
    """After ten minutes it is not rolled back: it may have succeeded long ago."""
    scene = Scene(make_settings(**ROLLBACK), kind, 600, at="service")
    with pytest.raises(PromotionUnseen, match="The state of the environment 'prod' is unknown"):
        scene.promote()
    assert ["dep2"] == scene.promoted
    assert [] == scene.service.calls("DELETE|deactivate|cancel_promotion")


@pytest.mark.parametrize("seconds", [15, 120])
@pytest.mark.parametrize("kind", OF_THE_WAY)
def test_the_check_in_place_waits_out_a_short_one(make_settings, kind, seconds):
    """The way to the model is out right after the promotion, and the model is fine."""
    scene = Scene(make_settings(**ROLLBACK), kind, 30 + seconds, at="model")
    scene.promote()
    assert ["dep2"] == scene.promoted
    assert '"pong"' == scene.run.outputs.get("predict-response")


@pytest.mark.parametrize("kind", OF_THE_WAY)
def test_the_check_in_place_ends_unknown(make_settings, kind):
    """The way to the model stays out: red, and what was promoted stays, for it may answer everybody else."""
    scene = Scene(make_settings(**ROLLBACK), kind, 3600, at="model")
    with pytest.raises(PredictUnseen, match="unknown, and nothing is undone"):
        scene.promote()
    assert ["dep2"] == scene.promoted
    assert "dep2" == scene.run.outputs.get("promoted-deployment-id")


@pytest.mark.parametrize("seconds", [15, 120, 600])
@pytest.mark.parametrize("kind", KINDS)
def test_an_activation(make_settings, kind, seconds):
    """A deployment is brought up through an outage, or its state is unknown; it is activated once."""
    scene = Scene(make_settings(), kind, seconds, at="service")
    row = scene.service.deployments[1]
    row["status"] = "INACTIVE"
    scene.service._activate = lambda _model, _deployment: {"success": True}

    def infer_status(_request, answer):
        row["status"] = "ACTIVE" if scene.service.clock.now() - scene.born > 40 else "DEPLOYING"
        return scene.answer(_request, httpx.Response(200, json=row) if scene.service.calls("activate") else answer)

    scene.service._faults[0].fault = Fault(kind, infer_status, acts=True)
    scene.service.clock.sleep(4)

    def bring():
        return bring_up(scene.run, MODEL, "dep2", end=scene.service.clock.now() + 2700)

    if seconds < 600:
        assert "ACTIVE" == bring().status
    else:
        with pytest.raises(DeployUnseen, match="dep2 is unknown"):
            bring()
    assert 1 == len(scene.service.calls("POST .*/activate"))
