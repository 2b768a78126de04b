"""What `environment-settings` may say, checked before anything is sent. Pure.

Spec: `CreateEnvironmentRequest` and `UpdateEnvironmentRequest` of the management API; a test holds the tables below
against the official SDK's models.
"""

from collections.abc import Mapping
from typing import Any

from baseten_deploy.errors import Problem

from .settings import suggestion

Shape = Mapping[str, Any]

_ROLLING_DEPLOY_CONFIG: Shape = {
    "rolling_deploy_strategy": str,
    "max_surge_percent": int,
    "max_unavailable_percent": int,
    "stabilization_time_seconds": int,
    "replica_overhead_percent": int,
}
SHAPE: Shape = {
    "autoscaling_settings": {
        "min_replica": int,
        "max_replica": int,
        "autoscaling_window": int,
        "scale_down_delay": int,
        "concurrency_target": int,
        "target_utilization_percentage": int,
        "target_in_flight_tokens": int,
        "max_scale_down_rate": int,
    },
    "promotion_settings": {
        "redeploy_on_promotion": bool,
        "rolling_deploy": bool,
        "promotion_cleanup_strategy": str,
        "rolling_deploy_config": _ROLLING_DEPLOY_CONFIG,
        "ramp_up_while_promoting": bool,
        "ramp_up_duration_seconds": int,
    },
}
_WORDS = {int: "a whole number", bool: "true or false", str: "a text"}


def check_environment_settings(settings: Mapping[str, Any], shape: Shape = SHAPE, path: str = "") -> list[Problem]:
    """A problem for each unknown key (with the nearest) and each value of a wrong type; null is always allowed."""
    problems = []
    for key, value in settings.items():
        name = f"{path}.{key}" if path else key
        if key not in shape:
            near = suggestion(key, list(shape), "Did you mean `{}`? ")
            known = ", ".join(f"`{word}`" for word in shape)
            problems.append(Problem(f"`environment-settings`: there is no `{name}`", f"{near}Known: {known}."))
        elif value is None:
            continue
        elif isinstance(kind := shape[key], Mapping):
            if isinstance(value, Mapping):
                problems += check_environment_settings(value, kind, name)
            else:
                problems.append(Problem(f"`environment-settings`: `{name}` must be an object", "Write its keys in it."))
        elif type(value) is not kind:
            problems.append(
                Problem(
                    f"`environment-settings`: `{name}` must be {_WORDS[kind]}, not {value!r}",
                    f"Write {_WORDS[kind]}.",
                )
            )
    return problems


def applied(wanted: Any, actual: Any) -> bool:
    """Whether `actual` has everything that `wanted` says; a wanted null asks for the default, whatever it is."""
    if isinstance(wanted, Mapping):
        return isinstance(actual, Mapping) and all(applied(value, actual.get(key)) for key, value in wanted.items())
    return wanted is None or bool(wanted == actual)
