"""`environment-settings` against the official SDK, whose models are generated from the service's own description."""

import types
import typing
from collections.abc import Mapping
from typing import Any

import pytest
from baseten.client.managementapi import _models as sdk
from pydantic import AwareDatetime, BaseModel, RootModel, ValidationError

from baseten_deploy.inputs.environment_settings import (
    PROMOTION_SHAPE,
    REQUIRED,
    SHAPE,
    applied,
    check_environment_settings,
    check_promotion_settings,
)

SCHEDULE = {
    "name": "peak",
    "enabled": True,
    "cadence": "DAILY",
    "autoscaling_settings": {"min_replica": 2, "max_replica": 8},
    "weekdays": ["MONDAY"],
    "start_hour": 8,
    "start_minute": 0,
    "end_hour": 18,
    "end_minute": 0,
}


def shape_of(model: type[BaseModel]) -> dict[str, object]:
    """Write a model of the SDK down as `SHAPE` does: the type of each field, or the shape of a nested model."""
    return {name: _kind(field.annotation) for name, field in model.model_fields.items()}


def _kind(annotation: object) -> object:
    if typing.get_origin(annotation) in {types.UnionType, typing.Union}:
        # A dict beside models is the SDK's way to read what it does not know yet; the models say what may be sent.
        parts = [part for part in typing.get_args(annotation) if part is not type(None)]
        parts = [part for part in parts if typing.get_origin(part) is not dict]
        kinds = {_hashable(_kind(part)): _kind(part) for part in parts}
        if len(kinds) > 1:  # one of several models: all their fields
            return {name: kind for shape in kinds.values() for name, kind in shape.items()}
        (kind,) = kinds.values()
        return kind
    if typing.get_origin(annotation) is typing.Annotated:
        return _kind(typing.get_args(annotation)[0])
    if typing.get_origin(annotation) is list:
        return [_kind(typing.get_args(annotation)[0])]
    if annotation is AwareDatetime:
        return str
    if typing.get_origin(annotation) is typing.Literal:
        (kind,) = {type(value) for value in typing.get_args(annotation)}
        return kind
    if isinstance(annotation, type) and issubclass(annotation, RootModel):
        return _kind(annotation.model_fields["root"].annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return shape_of(annotation)
    return annotation


def _hashable(kind: object) -> object:
    return repr(kind) if isinstance(kind, dict | list) else kind


class TestShape:
    """The table."""

    def test_is_the_sdks(self):
        """Field by field, name and type, no more and no less."""
        assert shape_of(sdk.UpdateEnvironmentRequest) == SHAPE

    def test_of_one_promotion_is_the_sdks(self):
        """What `promotion-settings` may say."""
        assert shape_of(sdk.UpdatePromotionSettings) == PROMOTION_SHAPE

    @pytest.mark.parametrize(
        ("group", "models"),
        [
            (
                "autoscaling_schedule_settings.schedules",
                [sdk.AutoscalingScheduleUpsert, sdk.OneTimeAutoscalingScheduleUpsert],
            ),
            ("traffic_routing_settings.rules", [sdk.TrafficRoutingRuleUpsert]),
        ],
    )
    def test_what_an_element_needs_is_the_sdks(self, group, models):
        """The fields that every kind of element requires."""
        required = [{name for name, field in model.model_fields.items() if field.is_required()} for model in models]
        assert set.intersection(*required) == set(REQUIRED[group])

    @pytest.mark.filterwarnings("ignore::DeprecationWarning")
    def test_what_passes_is_what_the_sdk_takes(self):
        """A value of the right type in every field at once, and of each cadence what it has."""
        words = {int: 20, bool: True, str: "REPLICA"}
        special = {
            "ramp_up_while_promoting": False,
            "max_unavailable_percent": 0,
            "start_at": "2026-12-01T08:00:00Z",
            "end_at": "2026-12-01T18:00:00Z",
            "expires_at": "2026-12-01T18:00:00Z",
        }

        def filled(shape: Mapping[str, Any]) -> dict[str, Any]:
            return {name: special.get(name, of(kind)) for name, kind in shape.items()}

        def of(kind: Any) -> Any:
            if isinstance(kind, list):
                return [of(kind[0])]
            return filled(kind) if isinstance(kind, dict) else words[kind]

        settings = filled(SHAPE)
        (schedule,) = settings["autoscaling_schedule_settings"]["schedules"]
        hours = {name for name in schedule if name.startswith(("start_", "end_")) and not name.endswith("_at")}
        daily = {name: value for name, value in schedule.items() if not name.endswith("_at")} | {"cadence": "DAILY"}
        once = {name: value for name, value in schedule.items() if name not in hours | {"weekdays"}}
        settings["autoscaling_schedule_settings"]["schedules"] = [daily, once | {"cadence": "ONE_TIME"}]
        assert [] == check_environment_settings(settings)
        assert settings == sdk.UpdateEnvironmentRequest.model_validate(settings).model_dump(
            exclude_unset=True, mode="json"
        )


class TestCheck:
    """Wrong keys and values."""

    @pytest.mark.parametrize(
        "settings",
        [
            {},
            {"autoscaling_settings": {}},
            {"autoscaling_settings": {"min_replica": 0, "max_scale_down_rate": None}},
            {"autoscaling_settings": None, "promotion_settings": {"rolling_deploy_config": None}},
        ],
    )
    def test_is_fine(self, settings):
        """Any part of it; null asks for the default."""
        assert [] == check_environment_settings(settings)

    @pytest.mark.parametrize(
        ("settings", "message", "remedy"),
        [
            ({"autoscaling": {}}, "there is no `autoscaling`", "Did you mean `autoscaling_settings`?"),
            (
                {"autoscaling_settings": {"min_replicas": 1}},
                "there is no `autoscaling_settings.min_replicas`",
                "Did you mean `min_replica`?",
            ),
            (
                {"promotion_settings": {"rolling_deploy_config": {"max_surge": 1}}},
                "there is no `promotion_settings.rolling_deploy_config.max_surge`",
                "Did you mean `max_surge_percent`?",
            ),
            ({"autoscaling_settings": {"min_replica": "1"}}, "must be a whole number, not '1'", ""),
            ({"autoscaling_settings": {"min_replica": 1.0}}, "must be a whole number, not 1.0", ""),
            ({"autoscaling_settings": {"min_replica": True}}, "must be a whole number, not True", ""),
            ({"promotion_settings": {"rolling_deploy": 1}}, "must be true or false, not 1", ""),
            ({"promotion_settings": {"promotion_cleanup_strategy": 1}}, "must be a text, not 1", ""),
            ({"autoscaling_settings": [1]}, "`autoscaling_settings` must be an object", ""),
            ({"promotion_settings": {"rolling_deploy_config": "x"}}, "must be an object", ""),
            ({"xyzzy": 1}, "there is no `xyzzy`", "Known: `autoscaling_settings`, `promotion_settings`, `request_back"),
        ],
    )
    def test_is_a_problem(self, settings, message, remedy):
        """With the whole path, and the nearest name."""
        (problem,) = check_environment_settings(settings)
        assert problem.message.startswith("`environment-settings`: ")
        assert message in problem.message
        assert remedy in problem.remedy

    @pytest.mark.parametrize(
        ("settings", "message", "remedy"),
        [
            ({"request_backpressure_settings": {"polcy": "x"}}, "there is no `request_back", "Did you mean `policy`?"),
            ({"request_backpressure_settings": {"policy": 1}}, "must be a text, not 1", ""),
            ({"autoscaling_schedule_settings": {"schedules": {}}}, "must be a list", ""),
            ({"autoscaling_schedule_settings": {"delete_schedules": [1]}}, "`autoscaling_schedule_settings.delete", ""),
            (
                {"autoscaling_schedule_settings": {"schedules": [{**SCHEDULE, "weekday": ["MONDAY"]}]}},
                "there is no `autoscaling_schedule_settings.schedules[0].weekday`",
                "Did you mean `weekdays`?",
            ),
            (
                {"autoscaling_schedule_settings": {"schedules": [SCHEDULE, {"name": "peak", "cadence": "DAILY"}]}},
                "`autoscaling_schedule_settings.schedules[1]` lacks `enabled`, `autoscaling_settings`",
                "",
            ),
            ({"traffic_routing_settings": {"rules": [{"type": "SHADOW"}]}}, "lacks `targets`, `percent_traffic`", ""),
        ],
    )
    def test_the_newer_groups_too(self, settings, message, remedy):
        """Backpressure, schedules and routing; the elements of lists by their number."""
        (problem,) = check_environment_settings(settings)
        assert message in problem.message
        assert remedy in problem.remedy

    @pytest.mark.parametrize(
        "settings",
        [
            {"request_backpressure_settings": {"policy": "REJECT_ON_FULL"}},
            {"request_backpressure_settings": {"policy": None}},
            {"autoscaling_schedule_settings": {"timezone": "Europe/Berlin", "schedules": [SCHEDULE]}},
            {"autoscaling_schedule_settings": {"delete_schedules": ["s1"]}},
            {"traffic_routing_settings": {"delete_rules": ["r1"]}},
        ],
    )
    def test_the_newer_groups_are_fine(self, settings):
        """As the service documents them."""
        assert [] == check_environment_settings(settings)

    @pytest.mark.parametrize(
        "config",
        [
            {"max_surge_percent": 10, "max_unavailable_percent": 10},
            {"max_surge_percent": 0, "max_unavailable_percent": 0},
            {"max_surge_percent": 0},
            {"max_unavailable_percent": 0, "stabilization_time_seconds": 5},
        ],
    )
    def test_a_rolling_configuration_that_cannot_be(self, config):
        """Both or neither of the two above 0, in either input."""
        settings = {"rolling_deploy": True, "rolling_deploy_config": config}
        (problem,) = check_environment_settings({"promotion_settings": settings})
        assert "`promotion_settings.rolling_deploy_config` needs exactly one of" in problem.message
        (problem,) = check_promotion_settings(settings)
        assert problem.message.startswith("`promotion-settings`: `rolling_deploy_config` needs exactly one of")

    @pytest.mark.parametrize(
        "config",
        [
            {},
            {"max_surge_percent": 50},
            {"max_unavailable_percent": 10},
            {"max_surge_percent": 0, "max_unavailable_percent": 10},
            {"max_surge_percent": 25, "max_unavailable_percent": None},
            {"stabilization_time_seconds": 300},
        ],
    )
    def test_a_rolling_configuration_that_can_be(self, config):
        """Exactly one, or none said: the environment's own values stay."""
        settings = {"rolling_deploy_config": config}
        assert [] == check_environment_settings({"promotion_settings": settings}) + check_promotion_settings(settings)

    @pytest.mark.parametrize("taken", [False, None])
    def test_the_old_canary_form(self, taken):
        """Refused with the newer form; to switch it off is fine."""
        (problem,) = check_environment_settings({"promotion_settings": {"ramp_up_while_promoting": True}})
        assert "`promotion_settings.ramp_up_while_promoting` is not taken" in problem.message
        assert "`rolling_deploy: true`" in problem.remedy
        (problem,) = check_promotion_settings({"ramp_up_while_promoting": True})
        assert "`promotion-settings`: `ramp_up_while_promoting`" in problem.message
        assert [] == check_promotion_settings({"ramp_up_while_promoting": taken})

    def test_all_at_once(self):
        """Each has its own."""
        settings = {"a": 1, "autoscaling_settings": {"b": 1, "min_replica": "x"}, "promotion_settings": {"c": {}}}
        assert 4 == len(check_environment_settings(settings))

    def test_the_sdk_refuses_unknown_autoscaling_keys_too(self):
        """The reason for looking at all: the service would refuse them, or drop them without a word."""
        with pytest.raises(ValidationError):
            sdk.UpdateAutoscalingSettings.model_validate({"min_replicas": 1})
        assert {} == sdk.UpdateModelPromotionSettings.model_validate({"rolling": 1}).model_dump(exclude_unset=True)


class TestApplied:
    """Whether an update is in force."""

    @pytest.mark.parametrize(
        ("wanted", "actual", "expected"),
        [
            ({}, {}, True),
            ({"a": {"b": 1}}, {"a": {"b": 1, "c": 2}, "d": 3}, True),
            ({"a": {"b": 1}}, {"a": {"b": 2}}, False),
            ({"a": {"b": 1}}, {"a": None}, False),
            ({"a": {"b": 1}}, {}, False),
            ({"a": {"b": None}}, {"a": {"b": 7}}, True),
            ({"a": None}, {}, True),
            ({"a": 0}, {}, False),
            ({"a": False}, {"a": None}, False),
            ({"a": [{"b": 1}]}, {"a": [{"b": 2}, {"b": 1, "id": "x"}]}, True),
            ({"a": [{"b": 1}]}, {"a": [{"b": 2}]}, False),
            ({"a": []}, {"a": [1]}, True),
            ({"a": [1]}, {"a": None}, False),
            ({"delete_a": ["x"]}, {"a": [{"id": "y"}]}, True),
            ({"delete_a": ["x"]}, {"a": [{"id": "x"}]}, False),
            ({"delete_a": ["x"]}, {}, True),
            ({"a": "2026-12-01T08:00:00Z"}, {"a": "2026-12-01T09:00:00+01:00"}, True),
            ({"a": "2026-12-01T08:00:00Z"}, {"a": "2026-12-01T08:00:01Z"}, False),
            ({"a": "T"}, {"a": "XT"}, False),
        ],
    )
    def test_applied(self, wanted, actual, expected):
        """Everything that was asked for is there; a wanted null is whatever the service's default is."""
        assert expected is applied(wanted, actual)
