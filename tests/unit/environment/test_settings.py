"""Settings of an environment: with what they ride, what comes last, and how they are taken back."""

import json

import pytest
from baseten.client import managementapi as sdk
from transport import AMBIGUOUS, BY_NAME, Service, make_run, printed, refusal

from baseten_deploy.environment.settings import (
    AFTER_A_PUSH,
    APPLY_SECONDS,
    finish,
    of_promotion,
    of_push,
    of_roll_back,
    strategy,
    undone,
    with_ids,
)
from baseten_deploy.errors import AuthFailed, PromotionFailed
from baseten_deploy.service.answers import Environment

AUTOSCALING = {"min_replica": 1, "max_replica": 4}
HOURS = {"start_hour": 8, "start_minute": 0, "end_hour": 18, "end_minute": 0}
LIMITS = {
    "min_replica": 2,
    "max_replica": 8,
    "autoscaling_window": None,
    "scale_down_delay": None,
    "concurrency_target": None,
    "target_utilization_percentage": None,
    "target_in_flight_tokens": None,
    "max_scale_down_rate": None,
}
SCHEDULE = {"name": "peak", "enabled": True, "cadence": "DAILY", "weekdays": ["MONDAY"], **HOURS}
SCHEDULE["autoscaling_settings"] = LIMITS
RULE = {
    "type": "SHADOW",
    "targets": [{"environment": "staging"}],
    "percent_traffic": 10,
    "expires_at": "2026-12-01T08:00:00Z",
    "sampling_mode": "RANDOM",
    "propagate_client_cancellation": True,
}
EVERYTHING = {
    "autoscaling_settings": AUTOSCALING,
    "promotion_settings": {"rolling_deploy": True, "rolling_deploy_config": {"max_surge_percent": 50}},
    "request_backpressure_settings": {"policy": "REJECT_ON_FULL"},
    "autoscaling_schedule_settings": {"timezone": "Europe/Berlin", "schedules": [SCHEDULE]},
    "traffic_routing_settings": {"rules": [RULE]},
}
ALL = json.dumps(EVERYTHING)


def accepted(request, fields):
    """Hold a request's further fields against the official SDK, unknown ones forbidden."""
    request.model_validate(fields, extra="forbid")


class TestPush:
    """A push into an environment carries them in its payload."""

    def test_everything(self, make_settings):
        """Three groups as they are, those of promotions for this one; routing comes later."""
        settings = make_settings(environment="staging", environment_settings=ALL)
        fields = of_push(settings, None)
        accepted(sdk.DeploymentArchivePayload, {"config": {}, "environment_name": "staging", **fields})
        assert {
            "autoscaling_settings": AUTOSCALING,
            "request_backpressure_settings": {"policy": "REJECT_ON_FULL"},
            "autoscaling_schedule_settings": {"timezone": "Europe/Berlin", "schedules": [SCHEDULE]},
            "promotion_settings_override": EVERYTHING["promotion_settings"],
        } == fields

    def test_nothing(self, make_settings):
        """No field that was not asked for; null and `{}` ask for nothing."""
        assert {} == of_push(make_settings(environment="staging"), None)
        settings = make_settings(environment="e", environment_settings="{autoscaling_settings: null}")
        assert {} == of_push(settings, None)

    def test_for_this_promotion_only(self, make_settings):
        """`promotion-settings` go over what the environment shall have, key by key."""
        settings = make_settings(
            environment="staging",
            environment_settings=ALL,
            promotion_settings="{rolling_deploy: false, rolling_deploy_config: {stabilization_time_seconds: 5}}",
        )
        config = {"max_surge_percent": 50, "stabilization_time_seconds": 5}
        override = of_push(settings, None)["promotion_settings_override"]
        assert {"rolling_deploy": False, "rolling_deploy_config": config} == override

    def test_scale_down_previous(self, make_settings):
        """A push has no field of that name: the clean-up of this promotion keeps it."""
        settings = make_settings(environment="staging", scale_down_previous="false")
        keep = {"promotion_cleanup_strategy": "KEEP"}
        assert {"promotion_settings_override": keep} == of_push(settings, None)

    def test_the_same_schedule_again(self, make_settings):
        """It is replaced, not added: its id is looked up by its name."""
        before = Environment(
            "staging", settings={"autoscaling_schedule_settings": {"schedules": [{**SCHEDULE, "id": "s1"}]}}
        )
        fields = of_push(make_settings(environment="staging", environment_settings=ALL), before)
        assert ["s1"] == [row["id"] for row in fields["autoscaling_schedule_settings"]["schedules"]]


class TestPromotion:
    """A promotion carries them in its request."""

    def test_everything(self, make_settings):
        """Four groups; what holds for this promotion only goes beside them."""
        settings = make_settings(
            promote_to="prod",
            environment_settings=ALL,
            promotion_settings="{redeploy_on_promotion: false}",
            scale_down_previous="false",
            preserve_env_instance_type="false",
        )
        fields = of_promotion(settings, None)
        accepted(sdk.PromoteToEnvironmentRequest, {"deployment_id": "d", **fields})
        assert {
            "preserve_env_instance_type": False,
            "scale_down_previous_deployment": False,
            "environment_settings_update": {
                name: value for name, value in EVERYTHING.items() if name != "traffic_routing_settings"
            },
            "promotion_settings_override": {"redeploy_on_promotion": False},
        } == fields

    def test_nothing(self, make_settings):
        """As little as there is to say."""
        expected = {"preserve_env_instance_type": True, "scale_down_previous_deployment": True}
        assert expected == of_promotion(make_settings(promote_to="prod"), None)

    @pytest.mark.parametrize("own", ["{}", "{promotion_cleanup_strategy: DEACTIVATE, rolling_deploy: true}"])
    def test_what_was_served_stays_warm(self, make_settings, own):
        """With `rollback-on-failure`, whatever clean-up is asked for; that comes later."""
        settings = make_settings(promote_to="prod", rollback_on_failure="true", promotion_settings=own)
        override = of_promotion(settings, None)["promotion_settings_override"]
        assert "KEEP" == override["promotion_cleanup_strategy"]
        assert ("rolling_deploy" in own) is override.get("rolling_deploy", False)


class TestStrategy:
    """What becomes of what was replaced."""

    @pytest.mark.parametrize(
        ("inputs", "own", "expected"),
        [
            ({}, "DEACTIVATE", "DEACTIVATE"),
            ({}, "KEEP", "KEEP"),
            ({}, None, "SCALE_TO_ZERO"),
            ({"promotion_settings": "{promotion_cleanup_strategy: KEEP}"}, "DEACTIVATE", "KEEP"),
            ({"scale_down_previous": "false"}, "DEACTIVATE", "KEEP"),
        ],
    )
    def test_is_the_nearest(self, make_settings, inputs, own, expected):
        """First that of this promotion, then the environment's, then the service's default."""
        environment = Environment("prod", settings={"promotion_settings": {"promotion_cleanup_strategy": own}})
        assert expected == strategy(make_settings(promote_to="prod", **inputs), environment)


class TestRollBack:
    """A promotion that is taken back takes its settings along."""

    def test_as_they_were(self, make_settings):
        """Only what was changed, to what it was."""
        settings = make_settings(promote_to="prod", environment_settings=ALL)
        before = {
            "autoscaling_settings": {"min_replica": 0, "max_replica": 4, "concurrency_target": 3},
            "promotion_settings": {"rolling_deploy": False, "rolling_deploy_config": None},
            "request_backpressure_settings": {"policy": None},
            "autoscaling_schedule_settings": {},
        }
        now = {
            **before,
            "autoscaling_settings": {**AUTOSCALING, "concurrency_target": 9},
            "promotion_settings": EVERYTHING["promotion_settings"],
            "request_backpressure_settings": {"policy": "REJECT_ON_FULL"},
            "autoscaling_schedule_settings": {"timezone": "Europe/Berlin", "schedules": [{**SCHEDULE, "id": "s1"}]},
        }
        fields = of_roll_back(settings, Environment("p", settings=before), Environment("p", settings=now))
        accepted(sdk.PromoteToEnvironmentRequest, {"deployment_id": "d", **fields})
        assert {
            "autoscaling_settings": {"min_replica": 0},
            "promotion_settings": {"rolling_deploy": False, "rolling_deploy_config": None},
            "request_backpressure_settings": {"policy": None},
            "autoscaling_schedule_settings": {"delete_schedules": ["s1"]},
        } == fields["environment_settings_update"]

    @pytest.mark.parametrize("before", [None, Environment("p", settings={"autoscaling_settings": AUTOSCALING})])
    def test_nothing_to_take_back(self, make_settings, before):
        """Nothing was asked for, or it was so before."""
        settings = make_settings(promote_to="p", environment_settings=json.dumps({"autoscaling_settings": AUTOSCALING}))
        assert "environment_settings_update" not in of_roll_back(settings, before, before)

    def test_a_schedule_that_was_replaced(self):
        """It is put back whole; one that was deleted is made again."""
        old = {"timezone": "UTC", "schedules": [{**SCHEDULE, "id": "s1"}, {**SCHEDULE, "id": "s2", "name": "night"}]}
        new = {"timezone": "Asia/Tokyo", "schedules": [{**SCHEDULE, "id": "s1", "enabled": False}]}
        name = "autoscaling_schedule_settings"
        assert {
            name: {
                "timezone": "UTC",
                "schedules": [{**SCHEDULE, "id": "s1"}, {**SCHEDULE, "name": "night"}],
            }
        } == undone({name: {"timezone": "Asia/Tokyo"}}, {name: old}, {name: new})


class TestIds:
    """What exists is known by what it is."""

    def test_rules(self):
        """By type and target."""
        actual = {
            "traffic_routing_settings": {
                "rules": [{**RULE, "id": "r1", "targets": [{"model_id": "m", "environment": "staging"}]}]
            }
        }
        wanted = {"traffic_routing_settings": {"rules": [RULE, {**RULE, "targets": [{"environment": "canary"}]}]}}
        assert ["r1", None] == [row.get("id") for row in with_ids(wanted, actual)["traffic_routing_settings"]["rules"]]

    def test_two_of_a_name(self):
        """Which one is meant cannot be known: it is left to the service."""
        name = "autoscaling_schedule_settings"
        actual = {name: {"schedules": [{**SCHEDULE, "id": "s1"}, {**SCHEDULE, "id": "s2"}]}}
        assert [SCHEDULE] == with_ids({name: {"schedules": [SCHEDULE]}}, actual)[name]["schedules"]


@pytest.fixture
def finished(make_settings):
    """Finish a push into `staging` that asked for promotion settings; return the run."""

    def go(service, settings='{"promotion_settings": {"rolling_deploy": true}}', **inputs):
        if not service.models:
            service.add_model()
        run = make_run(
            make_settings(environment="staging", environment_settings=settings, **inputs), service, service.clock
        )
        finish(run, "model1", "staging", AFTER_A_PUSH)
        return run

    return go


class TestFinish:
    """What a push cannot carry for good."""

    def test_is_changed_and_waited_for(self, finished):
        """One PATCH with nothing else in it, and looks until it is there."""
        service = Service()
        service.add_environment("staging", promotion_settings={"rolling_deploy": False})
        settings = '{"promotion_settings": {"rolling_deploy": true}, "autoscaling_settings": {"min_replica": 1}}'
        finished(service, settings)
        assert [{"promotion_settings": {"rolling_deploy": True}}] == service.bodies("PATCH")
        assert 3 <= service.clock.now() - 1000 < 5

    def test_is_left_alone_when_it_is_so(self, finished):
        """Nothing is sent."""
        service = Service()
        service.add_environment("staging", promotion_settings={"rolling_deploy": True, "x": 1})
        finished(service)
        assert [] == service.calls("PATCH")

    @pytest.mark.parametrize("settings", ["{}", '{"autoscaling_settings": {"min_replica": 1}}'])
    def test_nothing_is_left(self, finished, settings):
        """What rode with the push is done: the service is not even asked."""
        service = Service()
        finished(service, settings)
        assert [] == service.calls("")

    def test_not_seen(self, finished):
        """`wait: false`: a warning, and no change for a deployment that may never be served."""
        service = Service()
        assert "`promotion_settings` of 'staging' are not changed" in printed(finished(service, wait="false"))
        assert [] == service.calls("")

    @pytest.mark.parametrize("fault", AMBIGUOUS, ids=str)
    def test_under_every_failure(self, finished, fault):
        """In force in the end, and looked at before it is sent again."""
        service = Service()
        service.add_environment("staging")
        service.fail("PATCH", fault)
        if not fault.acts and fault.name in {"wrong shape", "empty answer"}:
            return  # an answer, for all that anybody can tell
        finished(service)
        assert {"rolling_deploy": True} == service.environments["staging"]["promotion_settings"]

    def test_a_change_that_never_comes(self, finished):
        """Two minutes; that the deployment is served is said."""
        service = Service()
        row = service.add_environment("staging")
        service.environments["staging"] = lambda: {**row}
        service.fail("PATCH", BY_NAME["empty answer"])
        with pytest.raises(PromotionFailed, match="not applied within 120 s; it serves this run's deployment"):
            finished(service)
        assert APPLY_SECONDS <= service.clock.now() - 1000 <= APPLY_SECONDS + 2

    @pytest.mark.parametrize(("status", "kind"), [(400, PromotionFailed), (422, PromotionFailed), (401, AuthFailed)])
    def test_a_refusal(self, finished, status, kind):
        """Is final, with what the service said and what is served."""
        service = Service()
        service.add_environment("staging")
        service.fail("PATCH", refusal(status, "no such strategy"), times=9)
        with pytest.raises(kind, match=r"'staging' serves this run's deployment.*no such strategy"):
            finished(service)
        assert 1 == len(service.calls("PATCH"))
