"""The gated promotion is watched: what crosses a limit is taken back, while it is promoted and afterwards."""

import httpx
import pytest
from traffic import Traffic
from transport import Service, make_run, printed, refusal

from baseten_deploy.environment.ours import Ours
from baseten_deploy.environment.target import find_target
from baseten_deploy.errors import PromotionFailed, RolledBack, WatchFailed, WatchUnseen
from baseten_deploy.gate import promote
from baseten_deploy.service.answers import Model

MODEL = Model("model1", "m")
CHANGES = "^(POST|PATCH|DELETE) "
STEADY = Traffic()
FAILING = Traffic(errors=lambda _: 0.4)
ROLLBACK = {"rollback_on_failure": "true"}
ROLLING = {"ramp": ((5.0, 10), (100.0, 50)), "promotes_after": 200.0}


class Scene:
    """`prod` serves dep1; dep2 is to be promoted into it, and watched for a minute. `traffic` by what is measured."""

    def __init__(self, settings, traffic, previous=True, **service):
        self.service = Service(measures=self.measure, **service)
        self.traffic = traffic
        self.service.add_model()
        first = self.service.add_deployment(labels={"deploy-key": "k1"})
        self.service.add_deployment(labels={"deploy-key": "k2"})
        self.environment = self.service.add_environment("prod", first if previous else None)
        self.run = make_run(
            settings, self.service, self.service.clock, inference=lambda _: httpx.Response(200, text='"x"')
        )
        self.ours = Ours(self.run.api.deployment("model1", "dep2"))

    def measure(self, name, start, end):
        """What was measured; `before` is what the environment's hour before was."""
        name = "before" if name == "prod" and start < 1000 else name
        return self.traffic.get(name, STEADY).summary(start, end)

    def promote(self):
        """As the pipeline does it."""
        target = find_target(self.run, "model1", "prod")
        self.service.requests.clear()
        promote(self.run, MODEL, self.ours, target, {"prompt": "hi"})

    @property
    def serves(self):
        """What the environment serves in the end."""
        current = self.service._look("prod")["current_deployment"]
        return current and current["id"]

    def changes(self):
        """The calls that change something, by their last words."""
        return [call.split("/")[-1] for call in self.service.calls(CHANGES)]


@pytest.fixture
def scene(make_settings):
    """Make a scene with the inputs of a run that promotes and watches."""

    def make(inputs=None, previous=True, traffic=None, **service):
        given = {"promote_to": "prod", "watch_minutes": "1", "deploy_timeout_minutes": "10", **(inputs or {})}
        return Scene(make_settings(**given), traffic or {}, previous, **service)

    return make


class TestAfterThePromotion:
    """The environment is watched."""

    def test_what_is_well_stays(self, scene):
        """And what was served before is scaled down only once the watch has passed."""
        it = scene(ROLLBACK)
        it.promote()
        assert "dep2" == it.serves
        assert ["promote", "autoscaling_settings"] == it.changes()
        assert it.service.times[-1] - it.service.times[0] >= 60

    def test_what_fails_is_promoted_back(self, scene):
        """`rolled_back`, verified; the outputs say that nothing of this run is served."""
        it = scene(ROLLBACK, traffic={"prod": FAILING})
        with pytest.raises(RolledBack) as raised:
            it.promote()
        assert "dep1" == it.serves
        assert ["promote", "promote"] == it.changes()
        assert ["", "dep1"] == [it.run.outputs.get(f"{which}-deployment-id") for which in ("promoted", "previous")]
        message = raised.value.problems[0].message
        assert message.startswith("prod: the error rate is 40 % (limit 5 %), of 300 requests in 30 s")
        assert message.endswith("'prod' serves the previous deployment dep1 again instead of dep2")

    def test_without_rollback_the_way_back_is_named(self, scene):
        """With the inputs and ids that would do it."""
        it = scene(traffic={"prod": FAILING})
        with pytest.raises(WatchFailed) as raised:
            it.promote()
        assert ("dep2", ["promote"]) == (it.serves, it.changes())
        assert "dep2" == it.run.outputs.get("promoted-deployment-id")
        assert (
            "To go back: `mode: rollback`, `model-id: model1`, `environment: prod`, `deployment-id: dep1`."
            == raised.value.problems[0].remedy
        )

    @pytest.mark.parametrize("inputs", [{}, ROLLBACK])
    def test_what_cannot_be_measured_is_not_rolled_back(self, scene, inputs):
        """Red, and nothing is undone: nobody knows that it fails."""
        it = scene(inputs)
        it.service.fail("GET .*/metrics", refusal(403), times=99)
        with pytest.raises(WatchUnseen):
            it.promote()
        assert ("dep2", ["promote"]) == (it.serves, it.changes())

    def test_what_was_kept_up_is_named_when_nothing_is_undone(self, scene):
        """It costs money until somebody scales it down."""
        it = scene(ROLLBACK)
        it.service.fail("GET .*/metrics", refusal(404), times=99)
        with pytest.raises(WatchUnseen):
            it.promote()
        assert "dep1, which 'prod' served before, is still up" in printed(it.run)

    def test_the_hour_before_is_that_of_what_served_then(self, scene):
        """Read before the promotion; three times as slow is above a ratio of two."""
        it = scene(
            {**ROLLBACK, "watch_limits": "p95-ratio: 2"},
            traffic={"before": Traffic(p95=lambda _: 0.2), "prod": Traffic(p95=lambda _: 0.6)},
        )
        with pytest.raises(
            RolledBack, match=r"p95 is 0\.60 s \(limit 0\.40 s, 2 times the 0\.20 s of the hour before\)"
        ):
            it.promote()
        calls = [call.split("/")[-1] for call, _ in it.service.requests]
        assert calls.index("metrics") < calls.index("promote")

    def test_settings_that_cannot_ride_wait_for_the_watch(self, scene):
        """A run that fails leaves them as they were."""
        rules = "{traffic_routing_settings: {delete_rules: [r1]}}"
        it = scene({"environment_settings": rules}, traffic={"prod": FAILING})
        with pytest.raises(WatchFailed):
            it.promote()
        assert ["promote"] == it.changes()


class TestDuringARollingPromotion:
    """The candidate is watched from its first share on."""

    @pytest.mark.parametrize("ramps_down", [0.0, 20.0])
    def test_it_is_cancelled_and_the_environment_verified(self, scene, ramps_down):
        """`rolled_back` only when the traffic is back."""
        it = scene(ROLLBACK, traffic={"dep2": FAILING}, ramps_down=ramps_down, **ROLLING)
        with pytest.raises(RolledBack) as raised:
            it.promote()
        environment = it.service._look("prod")
        assert ("dep1", None) == (environment["current_deployment"]["id"], environment["candidate_deployment"])
        assert ["promote", "cancel_promotion"] == it.changes()
        message = raised.value.problems[0].message
        assert message.startswith("the candidate dep2 of prod: the error rate is 40 % (limit 5 %)")
        assert message.endswith("The promotion was cancelled: 'prod' serves the previous deployment dep1")
        assert "goes on" not in message
        assert "" == it.run.outputs.get("promoted-deployment-id")

    def test_the_first_promotion_of_all(self, scene):
        """Afterwards the environment serves nothing, as before."""
        it = scene(ROLLBACK, previous=False, traffic={"dep2": FAILING}, **ROLLING)
        with pytest.raises(RolledBack, match="'prod' serves nothing, as before"):
            it.promote()
        assert it.serves is None

    def test_without_rollback_it_goes_on(self, scene):
        """`watch_failed` at once, which is named."""
        it = scene(traffic={"dep2": FAILING}, **ROLLING)
        with pytest.raises(WatchFailed, match="; the promotion goes on") as raised:
            it.promote()
        assert ["promote"] == it.changes()
        assert "Cancel it on its page" in raised.value.problems[0].remedy
        assert it.service.clock.time < 1100

    def test_one_that_is_over_meanwhile_is_promoted_back(self, scene):
        """The cancellation comes too late: the environment serves it."""
        it = scene(ROLLBACK, traffic={"dep2": FAILING}, **ROLLING)

        def over(_request, _answer):
            dep2 = it.service.deployments[1]
            it.environment.update(
                current_deployment=dep2, candidate_deployment=None, in_progress_promotion=None, _due=[]
            )
            return httpx.Response(400, json={"code": "ERROR", "message": "no promotion is in progress"})

        it.service.fail(".*/cancel_promotion", type(refusal(400))("over", over))
        with pytest.raises(RolledBack, match="serves the previous deployment dep1 again"):
            it.promote()
        assert "dep1" == it.serves

    @pytest.mark.parametrize("status", [400, 403])
    def test_one_that_cannot_be_cancelled(self, scene, status):
        """Says so, and what may come of it."""
        it = scene(ROLLBACK, traffic={"dep2": FAILING}, **ROLLING)
        it.service.fail(".*/cancel_promotion", refusal(status), times=99)
        with pytest.raises(PromotionFailed, match="failed too") as raised:
            it.promote()
        assert not isinstance(raised.value, RolledBack)
        assert it.changes().count("cancel_promotion") <= 3

    def test_a_cancellation_that_fails_once(self, scene):
        """Is sent again after a look."""
        it = scene(ROLLBACK, traffic={"dep2": FAILING}, **ROLLING)
        it.service.fail(".*/cancel_promotion", refusal(503))
        with pytest.raises(RolledBack):
            it.promote()
        assert "dep1" == it.serves

    def test_metrics_that_cannot_be_read_cancel_nothing(self, scene):
        """The promotion goes on, and the run says that it does not know."""
        it = scene(ROLLBACK, **ROLLING)
        it.service.fail("GET .*/deployments/dep2/metrics", refusal(404), times=99)
        with pytest.raises(WatchUnseen, match="; the promotion goes on"):
            it.promote()
        assert ["promote"] == it.changes()

    def test_a_good_candidate_is_watched_on_where_it_serves(self, scene):
        """First by its own metrics, then by the environment's."""
        it = scene(ROLLBACK, **ROLLING)
        it.promote()
        measured = list(dict.fromkeys(call.split("/")[-2] for call in it.service.calls("GET .*/metrics")))
        assert ["prod", "dep2"] == measured
        assert "dep2" == it.serves
