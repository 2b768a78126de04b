"""A cancelled run cancels the promotion that it began, and nobody else's."""

import pytest
from transport import Service, make_run, refusal

from baseten_deploy.deployment.cancellation import cancel_promotions
from baseten_deploy.deployment.on_failure import Saved, clear_away_cancelled, of_promotion
from baseten_deploy.environment.ours import Ours
from baseten_deploy.errors import Cancelled, PredictFailed
from baseten_deploy.service.answers import Model
from baseten_deploy.service.http import HttpError

CANCEL = "POST .*/cancel_promotion"


@pytest.fixture
def scene(make_settings):
    """Make `prod`, which serves dep1 and is being given dep2, and a run; `ours` is what the run promotes."""

    def make(candidate=2, status="RELEASING", **labels):
        service = Service()
        service.add_model()
        rows = [service.add_deployment(labels=labels) for _ in range(3)]
        service.add_environment(
            "prod",
            rows[0],
            candidate_deployment=rows[candidate - 1] if candidate else None,
            in_progress_promotion={"status": status, "percent_traffic_to_new_version": 0},
        )
        return service, make_run(make_settings(on_cancel="delete"), service, service.clock)

    return make


def cancel(run, *ids):
    """Cancel the promotions of these deployments."""
    cancel_promotions(run, run.api, Model("model1", "m"), ids)


class TestCancel:
    """Which promotions."""

    def test_ours(self, scene):
        """Once, and until the environment has let go."""
        service, run = scene()
        cancel(run, "dep2")
        assert ["POST /v1/models/model1/environments/prod/cancel_promotion"] == service.calls(CANCEL)
        assert not service.environments["prod"]["candidate_deployment"]

    def test_of_a_copy_whose_id_the_run_never_learned(self, scene):
        """The label that only one run puts on a deployment tells."""
        service, run = scene(candidate=3, **{"deploy-key": "k2"})
        cancel(run, "dep2")
        assert 1 == len(service.calls(CANCEL))

    @pytest.mark.parametrize(
        ("candidate", "status"),
        [(3, "RELEASING"), (None, "SUCCEEDED"), (2, "FAILED"), (2, "CANCELED"), (2, "SUCCEEDED")],
    )
    def test_of_others_none(self, scene, candidate, status):
        """Somebody else's goes on; one that is over is over."""
        service, run = scene(candidate, status)
        cancel(run, "dep2")
        assert [] == service.calls(CANCEL)

    def test_traffic_moves_back_first(self, scene):
        """It is waited for, and not cancelled twice."""
        service, run = scene()
        row = service.environments["prod"]

        def ramps_down(_model, _name):
            row["in_progress_promotion"]["status"] = "RAMPING_DOWN"
            row["_due"] = [(service.clock.time + 4, {"candidate_deployment": None, "in_progress_promotion": None})]
            return {"status": "RAMPING_DOWN", "message": "ok"}

        service._cancel_promotion = ramps_down
        cancel(run, "dep2")
        assert (1, True) == (len(service.calls(CANCEL)), 1004 <= service.clock.now() < 1006)

    def test_it_ended_just_then(self, scene):
        """The refusal is looked at, not reported."""
        service, run = scene()
        row = service.environments["prod"]

        def too_late(_model, _name):
            row.update(candidate_deployment=None, current_deployment=service.deployments[1])
            return refusal(400).fail(None, None)

        service._cancel_promotion = too_late
        cancel(run, "dep2")
        assert 1 == len(service.calls(CANCEL))

    @pytest.mark.parametrize(("status", "tries"), [(403, 1), (400, 3)])
    def test_a_refusal(self, scene, status, tries):
        """Is an error in the end."""
        service, run = scene()
        service.fail(CANCEL, refusal(status), times=9)
        with pytest.raises(HttpError):
            cancel(run, "dep2")
        assert tries == len(service.calls(CANCEL))

    def test_the_time_is_up(self, scene):
        """Then it is left to the post step."""
        service, run = scene()
        service._cancel_promotion = lambda *_: {"status": "RAMPING_DOWN", "message": "ok"}
        run.api.http.deadline = service.clock.now() + 3.5
        cancel(run, "dep2")
        assert service.clock.now() <= 1003.5


class TestClearAway:
    """In the run, and in the post step by what it saved."""

    @pytest.mark.parametrize("retires", [True, False])
    def test_the_promotion_before_the_deployment(self, scene, retires):
        """A deployment that is being promoted cannot be retired; one of another run is not."""
        service, run = scene()
        saved = Saved("model1", "m", deployment_ids=("dep2",), retires=retires)
        assert clear_away_cancelled(run, run.api, saved)
        sent = [call.split("/")[-1] for call in service.calls("POST|DELETE")]
        assert (["cancel_promotion", "dep2"] if retires else ["cancel_promotion"]) == sent

    def test_one_that_stays_is_no_success(self, scene):
        """The post step tries again."""
        service, run = scene()
        service.fail(CANCEL, refusal(403))
        assert not clear_away_cancelled(run, run.api, Saved("model1", "m", deployment_ids=("dep2",)))
        assert [] == service.calls("DELETE")
        assert "could not be cancelled" in run.warnings[0].message

    def test_is_saved_and_read(self):
        """As the runner hands it to the post step."""
        environment = {"STATE_deployment": '{"model_id": "m", "deployment_ids": ["d"], "retires": false}'}
        assert Saved("m", deployment_ids=("d",), retires=False) == Saved.read(environment)


class TestOfPromotion:
    """A run that promotes what another one made."""

    @pytest.mark.parametrize("activated", [True, False])
    def test_it_fails(self, scene, activated):
        """What it activated stays up, and that is said; it is not retired, whatever `on-failure` says."""
        service, run = scene()
        ours = Ours(run.api.deployment("model1", "dep2"))
        with (
            pytest.raises(PredictFailed),
            of_promotion(run, Model("model1", "m"), ours, activated=activated),
        ):
            raise PredictFailed("it answers wrongly")
        assert activated is any("dep2 is up: this run activated it" in each.message for each in run.warnings)
        assert [] == service.calls("DELETE|deactivate")

    def test_keep_leaves_the_promotion(self, make_settings, scene):
        """`on-cancel: keep` keeps what was begun."""
        service, _ = scene()
        run = make_run(make_settings(), service, service.clock)
        ours = Ours(run.api.deployment("model1", "dep2"))
        with pytest.raises(Cancelled), of_promotion(run, Model("model1", "m"), ours, activated=False):
            raise Cancelled
        assert [] == service.calls("POST|DELETE")
