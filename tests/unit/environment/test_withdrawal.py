"""A promotion that is cancelled is over when the environment serves what it served, and not before."""

import pytest
from transport import Service, make_run, printed, refusal

from baseten_deploy.environment.ours import Ours
from baseten_deploy.environment.withdrawal import withdraw
from baseten_deploy.errors import AuthFailed, PromotionFailed, PromotionUnseen

CANCEL = ".*/cancel_promotion"


class Scene:
    """`prod` serves dep1 and is being given dep2, a tenth of the traffic so far."""

    def __init__(self, settings, **service):
        self.service = Service(**service)
        self.service.add_model()
        first = self.service.add_deployment(labels={"deploy-key": "k1"})
        second = self.service.add_deployment(labels={"deploy-key": "k2"})
        self.run = make_run(settings, self.service, self.service.clock)
        self.environment = self.service.add_environment("prod", first)
        ours = Ours(self.run.api.deployment("model1", "dep2"), before=self.run.api.environment("model1", "prod"))
        self.environment.update(
            candidate_deployment=second,
            in_progress_promotion={"status": "RAMPING_UP", "percent_traffic_to_new_version": 10},
        )
        self.ours, self.second = ours, second

    def withdraw(self, seconds=600.0):
        """Cancel it."""
        clock = self.service.clock
        return withdraw(
            self.run.api,
            "model1",
            "prod",
            self.ours,
            end=clock.now() + seconds,
            clock=clock,
            say=self.run.say,
            warn=self.run.warn_text,
        )


@pytest.fixture
def scene(make_settings):
    """Make a scene."""
    return lambda **service: Scene(make_settings(), **service)


@pytest.mark.parametrize("seconds", [0.0, 30.0])
def test_until_the_traffic_is_back(scene, seconds):
    """However long it ramps down; it is cancelled once."""
    it = scene(ramps_down=seconds)
    began = it.service.clock.time
    assert it.withdraw()
    assert seconds <= it.service.clock.time - began <= seconds + 6
    assert 1 == len(it.service.calls(CANCEL))
    assert "Cancelled the promotion into prod" in printed(it.run)


def test_it_came_too_late(scene):
    """The environment serves ours: the caller has to promote back."""
    it = scene()
    it.environment.update(current_deployment=it.second, candidate_deployment=None, in_progress_promotion=None)
    assert not it.withdraw()


def test_somebody_cancelled_it_already(scene):
    """A refusal is looked at: what it served is served, and that is all that was wanted."""
    it = scene()
    it.environment.update(candidate_deployment=None, in_progress_promotion={"status": "CANCELED"})
    assert it.withdraw()


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_cancellation_without_an_answer(scene, status):
    """May have come through, or not: it is looked at, and sent again while the promotion goes on."""
    it = scene()
    it.service.fail(CANCEL, refusal(status))
    assert it.withdraw()
    assert 2 == len(it.service.calls(CANCEL))


@pytest.mark.parametrize(
    ("status", "kind", "calls"), [(400, PromotionFailed, 3), (401, AuthFailed, 1), (403, AuthFailed, 1)]
)
def test_one_that_is_refused(scene, status, kind, calls):
    """Is an error that says what is to be done by hand."""
    it = scene()
    it.service.fail(CANCEL, refusal(status), times=99)
    with pytest.raises(kind, match="Cancelling the promotion into 'prod'"):
        it.withdraw()
    assert calls == len(it.service.calls(CANCEL))


def test_an_outage_is_waited_out(scene):
    """What is promoted does not work: no outage is too long for one more try, within the time."""
    it = scene()
    it.service.fail(CANCEL, refusal(503), times=20)
    it.service.fail("GET .*/environments/prod", refusal(503), times=6)
    assert it.withdraw()
    assert 21 == len(it.service.calls(CANCEL))


def test_an_outage_without_an_end(scene):
    """Ends with the time, and says what was answered last."""
    it = scene()
    it.service.fail(CANCEL, refusal(503), times=999)
    with pytest.raises(PromotionFailed, match=r"could not be cancelled \(503: no"):
        it.withdraw(seconds=60.0)


def test_something_else_is_served_afterwards(scene):
    """Somebody promoted another one meanwhile: that is not what was there before."""
    it = scene()
    other = it.service.add_deployment(labels={"deploy-key": "k3"})
    it.environment.update(current_deployment=other)
    with pytest.raises(PromotionFailed, match="it serves dep3 instead of dep1"):
        it.withdraw()


def test_one_that_goes_on_all_the_same(scene):
    """Until the end of the time."""
    it = scene(ramps_down=9999.0)
    with pytest.raises(PromotionFailed, match="was cancelled and goes on all the same"):
        it.withdraw(seconds=60.0)


def test_an_environment_that_cannot_be_read(scene):
    """Unknown is not back."""
    it = scene()
    it.service.fail("GET .*/environments/prod", refusal(503), times=999)
    with pytest.raises(PromotionUnseen, match="what the environment serves is unknown"):
        it.withdraw()
