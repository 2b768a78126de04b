"""What `environment-settings` and `promotion-settings` may say, checked before anything is sent. Pure.

Spec: `UpdateEnvironmentRequest`, `PromotionEnvironmentSettingsUpdate` and `UpdatePromotionSettings` of the management
API; a test holds the tables below against the official SDK's models. With what each group of settings rides is
`environment.settings`.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from baseten_deploy.errors import Problem

from .settings import suggestion

# A type, the shape of an object, or a list of one element: the kind of each of its elements.
Shape = Mapping[str, Any]

_AUTOSCALING: Shape = {
    "min_replica": int,
    "max_replica": int,
    "autoscaling_window": int,
    "scale_down_delay": int,
    "concurrency_target": int,
    "target_utilization_percentage": int,
    "target_in_flight_tokens": int,
    "max_scale_down_rate": int,
}
_ROLLING_DEPLOY_CONFIG: Shape = {
    "rolling_deploy_strategy": str,
    "max_surge_percent": int,
    "max_unavailable_percent": int,
    "stabilization_time_seconds": int,
    "replica_overhead_percent": int,
}
_SCHEDULE: Shape = {  # of all cadences: DAILY and HOURLY have hours and weekdays, ONE_TIME has a start and an end
    "id": str,
    "name": str,
    "enabled": bool,
    "autoscaling_settings": _AUTOSCALING,
    "cadence": str,
    "weekdays": [str],
    "start_hour": int,
    "start_minute": int,
    "end_hour": int,
    "end_minute": int,
    "start_at": str,
    "end_at": str,
}
_RULE: Shape = {
    "id": str,
    "type": str,
    "targets": [{"deployment_id": str, "environment": str}],
    "percent_traffic": int,
    "expires_at": str,
    "sampling_mode": str,
    "propagate_client_cancellation": bool,
}
PROMOTION_SHAPE: Shape = {
    "redeploy_on_promotion": bool,
    "rolling_deploy": bool,
    "promotion_cleanup_strategy": str,
    "rolling_deploy_config": _ROLLING_DEPLOY_CONFIG,
    "ramp_up_while_promoting": bool,
    "ramp_up_duration_seconds": int,
}
SHAPE: Shape = {
    "autoscaling_settings": _AUTOSCALING,
    "promotion_settings": PROMOTION_SHAPE,
    "request_backpressure_settings": {"policy": str},
    "autoscaling_schedule_settings": {"timezone": str, "schedules": [_SCHEDULE], "delete_schedules": [str]},
    "traffic_routing_settings": {"rules": [_RULE], "delete_rules": [str]},
}
CHAIN_SHAPE: Shape = {
    "promotion_settings": PROMOTION_SHAPE,
    "chainlet_settings": [{"chainlet_name": str, "autoscaling_settings": _AUTOSCALING, "instance_type_id": str}],
}
# What an element of a list cannot do without.
REQUIRED: Mapping[str, tuple[str, ...]] = {
    "chainlet_settings": ("chainlet_name",),
    "autoscaling_schedule_settings.schedules": ("name", "enabled", "autoscaling_settings", "cadence"),
    "traffic_routing_settings.rules": (
        "type",
        "targets",
        "percent_traffic",
        "expires_at",
        "sampling_mode",
        "propagate_client_cancellation",
    ),
}
_WORDS = {int: "a whole number", bool: "true or false", str: "a text"}


def check_environment_settings(settings: Mapping[str, Any], shape: Shape = SHAPE) -> list[Problem]:
    """A problem for each unknown key (with the nearest), each value of a wrong type, and what the service refuses."""
    check = _Check("environment-settings")
    check.object(settings, shape, "")
    promotion = settings.get("promotion_settings")
    if isinstance(promotion, Mapping):
        check.promotion(promotion, "promotion_settings.")
    return check.problems


def check_promotion_settings(settings: Mapping[str, Any]) -> list[Problem]:
    """As `check_environment_settings`, of `promotion-settings`."""
    check = _Check("promotion-settings")
    check.object(settings, PROMOTION_SHAPE, "")
    check.promotion(settings, "")
    return check.problems


class _Check:
    """Collects what is wrong with one input; null is always allowed."""

    def __init__(self, name: str) -> None:
        self.problems: list[Problem] = []
        self._input = name

    def object(self, settings: Mapping[str, Any], shape: Shape, path: str) -> None:
        """Check each key against its kind."""
        for key, value in settings.items():
            name = f"{path}.{key}" if path else str(key)
            if key not in shape:
                near = suggestion(str(key), list(shape), "Did you mean `{}`? ")
                self._add(f"there is no `{name}`", f"{near}Known: {', '.join(f'`{word}`' for word in shape)}.")
            elif value is not None:
                self._value(value, shape[key], name)

    def promotion(self, settings: Mapping[str, Any], path: str) -> None:
        """What the service takes no more, and a rolling configuration that it cannot carry out."""
        if settings.get("ramp_up_while_promoting") is True:
            self._add(
                f"`{path}ramp_up_while_promoting` is not taken by the service any more",
                "Write `rolling_deploy: true`, with `rolling_deploy_config: {max_surge_percent: 25}` or the like.",
            )
        config = settings.get("rolling_deploy_config")
        if not isinstance(config, Mapping):
            return
        given = [config[name] for name in ("max_surge_percent", "max_unavailable_percent") if _counts(config.get(name))]
        if given and sum(number > 0 for number in given) != 1:
            self._add(
                f"`{path}rolling_deploy_config` needs exactly one of `max_surge_percent` and "
                "`max_unavailable_percent` above 0",
                "Set the other one to 0: `{max_surge_percent: 25, max_unavailable_percent: 0}` starts new replicas "
                "first, the other way round it stops old ones first.",
            )

    def _value(self, value: Any, kind: Any, name: str) -> None:
        if isinstance(kind, Mapping):
            if isinstance(value, Mapping):
                self.object(value, kind, name)
            else:
                self._add(f"`{name}` must be an object", "Write its keys in it.")
        elif isinstance(kind, list):
            self._list(value, kind[0], name)
        elif type(value) is not kind:
            self._add(f"`{name}` must be {_WORDS[kind]}, not {value!r}", f"Write {_WORDS[kind]}.")

    def _list(self, value: Any, kind: Any, name: str) -> None:
        if not isinstance(value, list):
            self._add(f"`{name}` must be a list", "Write `- ` before each element.")
            return
        for number, item in enumerate(value):
            self._value(item, kind, f"{name}[{number}]")
            missing = [key for key in REQUIRED.get(name, ()) if isinstance(item, Mapping) and key not in item]
            if missing:
                words = ", ".join(f"`{key}`" for key in missing)
                self._add(
                    f"`{name}[{number}]` lacks {words}", "Write it whole: it is created or replaced as it stands."
                )

    def _add(self, message: str, remedy: str) -> None:
        self.problems.append(Problem(f"`{self._input}`: {message}", remedy))


def _counts(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def applied(wanted: Any, actual: Any) -> bool:
    """Whether `actual` has everything that `wanted` says; a wanted null asks for the default, whatever it is.

    Of a list, each wanted element must be there; what `delete_NAME` lists must be gone from `NAME`.
    """
    if isinstance(wanted, Mapping):
        return isinstance(actual, Mapping) and all(_has(actual, key, value) for key, value in wanted.items())
    if isinstance(wanted, list):
        return isinstance(actual, list) and all(any(applied(item, other) for other in actual) for item in wanted)
    return wanted is None or bool(wanted == actual) or _same_moment(wanted, actual)


def _has(actual: Mapping[str, Any], key: str, wanted: Any) -> bool:
    if str(key).startswith("delete_") and isinstance(wanted, list):
        there = actual.get(str(key).removeprefix("delete_")) or []
        return not {row.get("id") for row in there if isinstance(row, Mapping)} & {*map(str, wanted)}
    return applied(wanted, actual.get(key))


def _same_moment(one: Any, other: Any) -> bool:
    """Whether two texts are the same time in ISO 8601, however each is written."""
    if not (isinstance(one, str) and isinstance(other, str) and "T" in one and "T" in other):
        return False
    try:
        return datetime.fromisoformat(one) == datetime.fromisoformat(other)
    except (ValueError, TypeError):
        return False
