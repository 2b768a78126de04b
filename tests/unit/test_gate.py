"""The gated promotion: its order, its check in place, and the way back."""

from typing import ClassVar

import httpx
import pytest
from transport import AMBIGUOUS, KEY, Service, make_client, make_run, printed, refusal

from baseten_deploy.environment.ours import Ours
from baseten_deploy.environment.target import find_target
from baseten_deploy.errors import AuthFailed, PredictUnseen, PromotionFailed, RolledBack
from baseten_deploy.gate import promote
from baseten_deploy.service.answers import Model

MODEL = Model("model1", "m")
PROMOTE = "POST .*/promote"


class Scene:
    """`prod` serves dep1; dep2 is to be promoted into it. `answer` is what the environment's endpoint says."""

    def __init__(self, settings, *, answer='"pong"', status=200, previous=True, **service):
        self.service = Service(**service)
        self.service.add_model()
        first = self.service.add_deployment(name="v", labels={"deploy-key": "k1"})
        self.service.add_deployment(name="v", labels={"deploy-key": "k2"})
        self.service.add_environment("prod", first if previous else None)
        self.asked = []
        self.answer, self.status = answer, status
        self.run = make_run(settings, self.service, self.service.clock, inference=self.infer)
        self.ours = Ours(self.run.api.deployment("model1", "dep2"))

    def infer(self, request):
        """The endpoint."""
        self.asked.append(str(request.url))
        self.service.requests.append((f"PREDICT {request.url.path}", None))
        return httpx.Response(self.status, text=self.answer)

    def promotes_once(self):
        """Leave every promotion after the first hanging, and let it show late."""
        answer = self.answer

        def infer(request):
            self.service.promotion_shows_after = 5.0
            self.service.promotes_after = None
            return httpx.Response(self.status, text=answer, request=request)

        self.run.client = make_client(infer)

    def promote(self, **arguments):
        """As the pipeline does it."""
        target = find_target(self.run, "model1", "prod")
        self.service.requests.clear()
        promote(self.run, MODEL, self.ours, target, {"prompt": "hi"}, **arguments)

    @property
    def serves(self):
        """The id of what the environment serves in the end."""
        return self.service._look("prod")["current_deployment"]["id"]

    def order(self):
        """The calls that matter, in their order."""
        return [call.split()[0] for call in self.service.calls(f"{PROMOTE}|PREDICT")]


@pytest.fixture
def scene(make_settings):
    """Make a scene with the inputs of a run that promotes."""

    def make(inputs=None, **arguments):
        url = "https://model-{model_id}.api.test"
        return Scene(make_settings(**{"inference_url": url, "promote_to": "prod", **(inputs or {})}), **arguments)

    return make


ROLLBACK = {"rollback_on_failure": "true"}
REDEPLOYS = pytest.mark.parametrize("redeploys", ["", "labelled", "bare"])


class TestPromote:
    """The way there."""

    @REDEPLOYS
    def test_until_it_is_served(self, scene, redeploys):
        """By whichever id; the outputs name both, and the environment's URL."""
        it = scene(redeploys=redeploys)
        it.promote()
        assert ("dep3" if redeploys else "dep2") == it.serves
        assert {
            "environment": "prod",
            "previous-deployment-id": "dep1",
            "promoted-deployment-id": it.serves,
            "predict-url": "https://model-model1.api.test/environments/prod/predict",
        } == it.run.outputs.values
        assert [] == it.asked

    def test_the_previous_id_is_known_before_anything_is_changed(self, scene):
        """A run that dies in between tells what to go back to."""
        it = scene()
        it.service.fail(PROMOTE, refusal(400))
        with pytest.raises(PromotionFailed):
            it.promote()
        assert "dep1" == it.run.outputs.get("previous-deployment-id")
        assert "" == it.run.outputs.get("promoted-deployment-id")
        assert "dep1" == it.serves

    @pytest.mark.parametrize("preserve", ["true", "false"])
    def test_the_instance_type_is_kept_or_not(self, scene, preserve):
        """As `preserve-env-instance-type` says."""
        it = scene({"preserve_env_instance_type": preserve})
        it.promote()
        assert [preserve == "true"] == [body["preserve_env_instance_type"] for body in it.service.bodies(PROMOTE)]

    def test_a_regional_environment(self, scene):
        """Has a host of its own."""
        it = scene({"regional_environment": "true", **ROLLBACK})
        it.promote()
        assert ["https://model-model1-prod.api.test/predict"] == it.asked

    def test_what_is_served_already_is_not_promoted(self, scene):
        """A repeated run; it is still checked."""
        it = scene(ROLLBACK)
        it.service.environments["prod"]["current_deployment"] = it.service.deployments[1]
        it.promote()
        assert ["PREDICT"] == it.order()
        assert "dep2" == it.run.outputs.get("promoted-deployment-id")

    def test_a_bare_copy_of_another_is_not_this_one(self, scene):
        """Same name, no labels, younger, and served: somebody else's copy. Ours is promoted all the same."""
        it = scene()
        it.service.environments["prod"]["current_deployment"] = it.service.add_deployment(name="v", labels=None)
        it.promote()
        assert "dep2" == it.serves

    def test_its_own_copy_is_recognized(self, scene):
        """Promoted by an earlier run, which made a copy with the same label."""
        it = scene()
        copy = it.service.add_deployment(name="v", labels={"deploy-key": "k2"})
        it.service.environments["prod"]["current_deployment"] = copy
        it.promote()
        assert [] == it.order()

    def test_not_in_time(self, scene):
        """A promotion that hangs is `promotion_failed`; it is left as it is."""
        it = scene({"wait_timeout_minutes": "0.5"}, promotes_after=None)
        with pytest.raises(PromotionFailed, match="does not serve the deployment dep2") as error:
            it.promote()
        assert PromotionFailed is type(error.value)
        assert "goes on by itself" in error.value.problems[0].remedy
        assert "" == it.run.outputs.get("promoted-deployment-id")

    def test_not_waited_for(self, scene):
        """`mode: promote` with `wait: false`."""
        it = scene({"wait": "false"}, promotes_after=None)
        it.promote()
        assert "" == it.run.outputs.get("promoted-deployment-id")
        assert "Not waiting" in printed(it.run)

    @pytest.mark.parametrize("status", [401, 403])
    def test_a_refused_key(self, scene, status):
        """`auth_failed`."""
        it = scene()
        it.service.fail(PROMOTE, refusal(status))
        with pytest.raises(AuthFailed):
            it.promote()


class TestCheckInPlace:
    """`rollback-on-failure`: the environment's own endpoint is asked after the promotion."""

    def test_passes(self, scene):
        """First promoted, then asked, and left there."""
        it = scene(ROLLBACK)
        it.promote()
        assert ["POST", "PREDICT"] == it.order()
        assert ("dep2", ["https://model-model1.api.test/environments/prod/predict"]) == (it.serves, it.asked)

    @REDEPLOYS
    @pytest.mark.parametrize("inputs", [{}, {"predict_expect": '"ping"'}], ids=["answers 500", "answers wrongly"])
    def test_fails_and_is_rolled_back(self, scene, redeploys, inputs):
        """What was there is there again; the error names both."""
        it = scene({**ROLLBACK, **inputs}, redeploys=redeploys, status=200 if inputs else 500)
        with pytest.raises(RolledBack) as error:
            it.promote()
        failed = "dep3" if redeploys else "dep2"
        assert ["POST", "PREDICT", "POST"] == it.order()
        assert ["dep2", "dep1"] == [body["deployment_id"] for body in it.service.bodies(PROMOTE)]
        assert ("dep4" if redeploys else "dep1") == it.serves
        assert (
            f"'prod' serves the previous deployment dep1 again instead of {failed}" in error.value.problems[0].message
        )
        assert ("dep1", "") == (
            it.run.outputs.get("previous-deployment-id"),
            it.run.outputs.get("promoted-deployment-id"),
        )

    @pytest.mark.parametrize("error", [httpx.ConnectError, httpx.ConnectTimeout])
    def test_what_was_never_reached_is_not_rolled_back(self, scene, error):
        """The network of the runner says nothing about the model: red, unknown, and the environment stays as it is."""
        it = scene(ROLLBACK)

        def infer(_request):
            it.asked.append("never")
            raise error("down")

        it.run.client = make_client(infer)
        with pytest.raises(PredictUnseen) as failed:
            it.promote()
        assert "no connection" in failed.value.problems[0].message
        assert ("dep2", ["dep2"]) == (it.serves, [body["deployment_id"] for body in it.service.bodies(PROMOTE)])
        assert len(it.asked) > 3

    def test_is_not_rolled_back_before_it_is(self, scene):
        """A bare copy of the same name is served while the old one is on its way: that is not the old one."""
        it = scene({**ROLLBACK, "wait_timeout_minutes": "1"}, redeploys="bare", status=500)
        # The one that is to be restored has no labels either, the name of both is the same.
        it.service.deployments[0]["labels"] = None
        it.promotes_once()
        with pytest.raises(PromotionFailed, match="failed too") as error:
            it.promote()
        assert RolledBack is not type(error.value)
        assert "dep3" == it.serves

    def test_there_is_nothing_to_go_back_to(self, scene):
        """The environment served nothing; the failure says so, and nothing is promoted again."""
        it = scene(ROLLBACK, status=500, previous=False)
        with pytest.raises(PromotionFailed, match="no earlier deployment to roll back to"):
            it.promote()
        assert ["POST", "PREDICT"] == it.order()

    def test_it_was_there_before(self, scene):
        """Rolling back to itself would be no help."""
        it = scene(ROLLBACK, status=500)
        it.service.environments["prod"]["current_deployment"] = it.service.deployments[1]
        with pytest.raises(PromotionFailed, match="no earlier deployment"):
            it.promote()

    @pytest.mark.parametrize("status", [400, 403, 409])
    def test_rolling_back_is_refused(self, scene, status):
        """`promotion_failed`, not `rolled_back`: the bad one is still served, and that is the message."""
        it = scene(ROLLBACK, status=500)
        it.service.fail(PROMOTE, refusal(status, "it is inactive"), after=1)
        with pytest.raises(PromotionFailed, match="Rolling 'prod' back to dep1 failed too") as error:
            it.promote()
        assert RolledBack is not type(error.value)
        assert "promote dep1 by hand" in error.value.problems[0].remedy
        assert "dep2" == it.serves

    @pytest.mark.parametrize("fault", AMBIGUOUS, ids=str)
    def test_rolling_back_has_blips_too(self, scene, fault):
        """Exactly one promotion back."""
        it = scene(ROLLBACK, status=500, redeploys="labelled")
        it.service.fail(PROMOTE, fault, after=1)
        with pytest.raises(RolledBack):
            it.promote()
        assert 4 == len(it.service.deployments)
        assert "dep4" == it.serves

    @pytest.mark.parametrize("inputs", [{"predict": "false"}, {}], ids=["predict: false", "rollback off"])
    def test_is_not_asked(self, scene, inputs):
        """Without a smoke test, or without `rollback-on-failure`, it stays as it is."""
        it = scene({**inputs, **(ROLLBACK if inputs else {})}, status=500)
        it.promote()
        assert ([], "dep2") == (it.asked, it.serves)

    def test_tells_nobody_the_key(self, scene):
        """An endpoint that echoes its headers."""
        it = scene({**ROLLBACK, "baseten_api_key": KEY}, status=500, answer=f"Api-Key {KEY}")
        with pytest.raises(RolledBack) as error:
            it.promote()
        assert KEY not in str(error.value) + printed(it.run)


CLEANUPS = pytest.mark.parametrize(
    ("cleanup", "status"), [("KEEP", "ACTIVE"), ("SCALE_TO_ZERO", "SCALED_TO_ZERO"), ("DEACTIVATE", "INACTIVE")]
)


class TestCleanUp:
    """Whatever the environment does with what it served, there is a way back."""

    @CLEANUPS
    @REDEPLOYS
    def test_it_is_rolled_back(self, scene, cleanup, status, redeploys):  # noqa: ARG002 - one table of strategies
        """The previous one stays warm until the check has passed, so it needs no activation."""
        it = scene(ROLLBACK, status=500, redeploys=redeploys)
        it.service.environments["prod"]["promotion_settings"] = {"promotion_cleanup_strategy": cleanup}
        with pytest.raises(RolledBack):
            it.promote()
        assert [{"promotion_cleanup_strategy": "KEEP"}, None] == [
            body.get("promotion_settings_override") for body in it.service.bodies(PROMOTE)
        ]
        assert ("dep4" if redeploys else "dep1") == it.serves
        assert [] == it.service.calls("/activate")

    @CLEANUPS
    def test_it_is_carried_out_in_the_end(self, scene, cleanup, status):
        """Once the check has passed."""
        it = scene(ROLLBACK)
        it.service.environments["prod"]["promotion_settings"] = {"promotion_cleanup_strategy": cleanup}
        it.promote()
        assert ("dep2", status) == (it.serves, it.service.deployments[0]["status"])
        sent = [call.split("/")[-1] for call in it.service.calls("POST|PATCH|PREDICT")]
        assert ["promote", "predict"] == sent[:2]

    @CLEANUPS
    def test_it_is_left_to_the_service(self, scene, cleanup, status):
        """Without `rollback-on-failure` there is nothing to keep warm."""
        it = scene()
        it.service.environments["prod"]["promotion_settings"] = {"promotion_cleanup_strategy": cleanup}
        it.promote()
        assert status == it.service.deployments[0]["status"]
        assert 1 == len(it.service.calls("POST|PATCH"))

    def test_it_went_to_rest_all_the_same(self, scene):
        """Somebody deactivated it meanwhile: it is activated before it is promoted."""
        it = scene(ROLLBACK, status=500)
        answer = it.infer

        def infer(request):
            it.service.deployments[0]["status"] = "INACTIVE"
            return answer(request)

        it.run.client = make_client(infer)
        with pytest.raises(RolledBack):
            it.promote()
        sent = [call.split("/")[-1] for call in it.service.calls("POST")]
        assert (["promote", "activate", "promote"], "dep1") == (sent, it.serves)

    @pytest.mark.parametrize("asked", ["true", "false"])
    def test_scale_down_previous(self, scene, asked):
        """As it is said; what is kept is kept."""
        it = scene({"scale_down_previous": asked, **ROLLBACK})
        it.service.environments["prod"]["promotion_settings"] = {"promotion_cleanup_strategy": "DEACTIVATE"}
        it.promote()
        assert [asked == "true"] == [body["scale_down_previous_deployment"] for body in it.service.bodies(PROMOTE)]
        assert ("INACTIVE" if asked == "true" else "ACTIVE") == it.service.deployments[0]["status"]


class TestSettings:
    """They come with the promotion and go with it."""

    WANTED = '{"autoscaling_settings": {"min_replica": 2}}'

    def test_they_ride_with_it(self, scene):
        """One request, and the environment keeps them."""
        it = scene({"environment_settings": self.WANTED})
        it.service.environments["prod"]["autoscaling_settings"] = {"min_replica": 0}
        it.promote()
        assert {"min_replica": 2} == it.service._look("prod")["autoscaling_settings"]
        assert [] == it.service.calls("PATCH")

    def test_a_promotion_that_fails_leaves_them(self, scene):
        """Nothing is changed and nothing has to be undone."""
        it = scene({"environment_settings": self.WANTED})
        it.service.environments["prod"]["autoscaling_settings"] = {"min_replica": 0}
        it.service.fail(PROMOTE, refusal(400))
        with pytest.raises(PromotionFailed):
            it.promote()
        assert {"min_replica": 0} == it.service._look("prod")["autoscaling_settings"]

    def test_a_roll_back_takes_them_along(self, scene):
        """The environment is as it was, in everything."""
        it = scene({"environment_settings": self.WANTED, **ROLLBACK}, status=500)
        it.service.environments["prod"]["autoscaling_settings"] = {"min_replica": 0, "max_replica": 3}
        with pytest.raises(RolledBack):
            it.promote()
        assert {"min_replica": 0, "max_replica": 3} == it.service._look("prod")["autoscaling_settings"]
        assert [] == it.service.calls("PATCH")

    def test_what_is_served_already_gets_them_too(self, scene):
        """There is no promotion to ride with: they are changed by themselves."""
        it = scene({"environment_settings": self.WANTED})
        it.service.environments["prod"].update(
            current_deployment=it.service.deployments[1], autoscaling_settings={"min_replica": 0}
        )
        it.promote()
        assert ([], {"min_replica": 2}) == (it.order(), it.service._look("prod")["autoscaling_settings"])


class TestOvertaken:
    """Somebody else's newer deployment is in the place of ours, or on its way there."""

    LABELS: ClassVar = {"deploy-key": "k3", "github-pr": "7"}

    def test_before_the_promotion(self, scene):
        """An older version is not promoted over a newer one."""
        it = scene()
        it.service.environments["prod"]["current_deployment"] = it.service.add_deployment(labels=self.LABELS)
        with pytest.raises(
            PromotionFailed, match=r"Overtaken: 'prod' serves .* dep3 \(pull request #7\) instead of dep2"
        ):
            it.promote()
        assert ([], "dep3") == (it.order(), it.serves)

    def test_unless_it_was_asked_for(self, scene):
        """`mode: promote` and `mode: rollback` bring older ones in."""
        inputs = {"mode": "promote", "promote_to": "", "model_id": "m", "deployment_id": "d", "environment": "prod"}
        it = scene(inputs)
        it.service.environments["prod"]["current_deployment"] = it.service.add_deployment(labels=self.LABELS)
        it.promote()
        assert "dep2" == it.serves

    def test_the_service_refuses_the_second_promotion(self, scene):
        """One at a time is allowed: it is said whose goes on."""
        it = scene()
        other = it.service.add_deployment(labels=self.LABELS)
        target = find_target(it.run, "model1", "prod")
        it.service.environments["prod"].update(
            candidate_deployment=other,
            in_progress_promotion={"status": "RELEASING", "percent_traffic_to_new_version": 0},
        )
        with pytest.raises(PromotionFailed, match=r"is being given the newer deployment dep3 \(pull request #7\)"):
            promote(it.run, MODEL, it.ours, target, None)

    def test_before_the_way_back(self, scene):
        """What somebody else put there meanwhile is not rolled back."""
        it = scene(ROLLBACK, status=500)
        answer = it.infer

        def infer(request):
            row = it.service.add_deployment(labels=self.LABELS)
            it.service.environments["prod"]["current_deployment"] = row
            return answer(request)

        it.run.client = make_client(infer)
        with pytest.raises(
            PromotionFailed, match="Not rolled back: Overtaken: 'prod' serves the newer deployment dep3"
        ):
            it.promote()
        assert (["POST", "PREDICT"], "dep3") == (it.order(), it.serves)
