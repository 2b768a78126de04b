"""`environment-settings` against the official SDK, whose models are generated from the service's own description."""

import types
import typing
from collections.abc import Mapping
from typing import Any

import pytest
from baseten.client.managementapi import _models as sdk
from pydantic import BaseModel, RootModel, ValidationError

from baseten_deploy.inputs.environment_settings import SHAPE, applied, check_environment_settings


def shape_of(model: type[BaseModel]) -> dict[str, object]:
    """Write a model of the SDK down as `SHAPE` does: the type of each field, or the shape of a nested model."""
    return {name: _kind(field.annotation) for name, field in model.model_fields.items()}


def _kind(annotation: object) -> object:
    if typing.get_origin(annotation) in {types.UnionType, typing.Union}:
        kinds = {_hashable(_kind(part)): _kind(part) for part in typing.get_args(annotation) if part is not type(None)}
        (kind,) = kinds.values()
        return kind
    if typing.get_origin(annotation) is typing.Literal:
        (kind,) = {type(value) for value in typing.get_args(annotation)}
        return kind
    if isinstance(annotation, type) and issubclass(annotation, RootModel):
        return _kind(annotation.model_fields["root"].annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return shape_of(annotation)
    return annotation


def _hashable(kind: object) -> object:
    return repr(kind) if isinstance(kind, dict) else kind


class TestShape:
    """The table."""

    def test_is_the_sdks(self):
        """Field by field, name and type, no more and no less."""
        assert shape_of(sdk.UpdateAutoscalingSettings) == SHAPE["autoscaling_settings"]
        assert shape_of(sdk.UpdateModelPromotionSettings) == SHAPE["promotion_settings"]
        assert shape_of(sdk.UpdateRollingDeployConfig) == SHAPE["promotion_settings"]["rolling_deploy_config"]

    @pytest.mark.parametrize("request_model", [sdk.CreateEnvironmentRequest, sdk.UpdateEnvironmentRequest])
    def test_requests_take_it(self, request_model):
        """Both parts are fields of the requests that carry them."""
        assert set(SHAPE) <= set(request_model.model_fields)

    @pytest.mark.filterwarnings("ignore::DeprecationWarning")
    def test_what_passes_is_what_the_sdk_takes(self):
        """A value of the right type in every field at once."""
        words = {int: 20, bool: True, str: "REPLICA"}

        def filled(shape: Mapping[str, Any]) -> dict[str, Any]:
            return {name: filled(kind) if isinstance(kind, dict) else words[kind] for name, kind in shape.items()}

        settings = filled(SHAPE)
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
            ({"xyzzy": 1}, "there is no `xyzzy`", "Known: `autoscaling_settings`, `promotion_settings`."),
        ],
    )
    def test_is_a_problem(self, settings, message, remedy):
        """With the whole path, and the nearest name."""
        (problem,) = check_environment_settings(settings)
        assert problem.message.startswith("`environment-settings`: ")
        assert message in problem.message
        assert remedy in problem.remedy

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
        ],
    )
    def test_applied(self, wanted, actual, expected):
        """Everything that was asked for is there; a wanted null is whatever the service's default is."""
        assert expected is applied(wanted, actual)
