"""The rules of a deployment payload and of settings that types cannot say: pure checks that raise a 400.

They follow the descriptions of the official SDK's models, and what the service was seen to refuse.
"""

import re
import zoneinfo
from collections.abc import Mapping
from typing import Any

from baseten.client.managementapi import (
    AutoscalingSettings,
    DeploymentArchivePayload,
    ModelPromotionSettings,
    RollingDeployConfig,
    TrussUserEnv,
    UpdateAutoscalingScheduleSettings,
    UpdateAutoscalingSettings,
    UpdateModelPromotionSettings,
    UpdatePromotionSettings,
    UpdateRequestBackpressureSettings,
)
from pydantic import BaseModel, ValidationError

from baseten_sandbox.errors import invalid
from baseten_sandbox.state.entities import INSTANCE_TYPES, REGIONS, SCRIPT, InstanceType, Settings

_NAME = re.compile(r"[0-9a-zA-Z_.-]{1,255}")
_ENVIRONMENT = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
_TIMEOUT_MINUTES = range(10, 1441)
_MEBIBYTES: Mapping[str, float] = {"Mi": 1, "Gi": 1024, "Ti": 1024**2, "M": 0.95367, "G": 953.67, "": 2**-20}
_BOUNDS: Mapping[str, tuple[int, int]] = {
    "min_replica": (0, 1000),
    "max_replica": (1, 1000),
    "autoscaling_window": (10, 3600),
    "scale_down_delay": (0, 3600),
    "concurrency_target": (1, 100_000),
    "target_utilization_percentage": (1, 100),
    "target_in_flight_tokens": (1, 100_000_000),
    "max_scale_down_rate": (1, 50),
}


def check_payload(payload: DeploymentArchivePayload) -> None:
    """What prepare and commit check of a deployment payload, whatever the model."""
    if payload.deployment_name is not None and not _NAME.fullmatch(payload.deployment_name):
        raise invalid("deployment_name: only alphanumeric characters, hyphens, underscores and periods are allowed")
    if payload.deploy_timeout_minutes is not None and payload.deploy_timeout_minutes not in _TIMEOUT_MINUTES:
        raise invalid("deploy_timeout_minutes: must be between 10 and 1440")
    if payload.is_development:
        _check_development(payload)
    if payload.environment_name is not None:
        check_environment_name(payload.environment_name)
    else:
        for name in ("autoscaling_schedule_settings", "promotion_settings_override"):
            if getattr(payload, name) is not None:
                raise invalid(f"{name}: requires environment_name")
    if payload.region is not None and payload.region not in REGIONS:
        raise invalid(f"region: {payload.region!r} is none of {', '.join(REGIONS)}")
    check_instance_type(payload.instance_type_id, preserve=payload.preserve_env_instance_type)
    check_schedules(payload.autoscaling_schedule_settings)
    if payload.user_env is not None:
        _check_user_env(payload.user_env)
    _check_script(payload.config)


def check_environment_name(name: str) -> None:
    """A name that an environment can have."""
    if not _ENVIRONMENT.fullmatch(name):
        raise invalid(f"environment name {name!r}: lowercase letters, digits and hyphens, at most 40 characters")


def check_instance_type(instance_type_id: str | None, *, preserve: bool) -> None:
    """An instance type that exists and does not contradict `preserve_env_instance_type`."""
    if instance_type_id is None:
        return
    if preserve:
        raise invalid("instance_type_id: cannot be set with preserve_env_instance_type: true")
    if instance_type_id not in INSTANCE_TYPES:
        raise invalid(f"instance_type_id: {instance_type_id!r} is unknown; see GET /v1/instance_types")


def check_schedules(settings: UpdateAutoscalingScheduleSettings | None) -> None:
    """A time zone that exists, where one is set."""
    if settings is None or settings.timezone is None:
        return
    if settings.timezone not in zoneinfo.available_timezones():
        raise invalid(f"autoscaling_schedule_settings.timezone: {settings.timezone!r} is no IANA time zone")


def needs_archive(config: Mapping[str, Any]) -> bool:
    """Whether a model of this config is built from an archive; BIS-LLM is not."""
    return not config.get("bis_llm")


def machine_of(config: Mapping[str, Any]) -> InstanceType:
    """The instance type that a config asks for: the one it names, else the cheapest that has what it needs."""
    resources = config.get("resources")
    resources = resources if isinstance(resources, dict) else {}
    if named := resources.get("instance_type"):
        same = [machine for machine in INSTANCE_TYPES.values() if named in {machine.id, machine.name}]
        return next(iter(same), INSTANCE_TYPES["1x2"])
    kind, _, number = str(resources.get("accelerator") or "").partition(":")
    cpu, memory = (
        str(resources.get("cpu") or "1"),
        re.fullmatch(r"([0-9.]+)(\w*)", str(resources.get("memory") or "2Gi")),
    )
    millicpu = float(cpu[:-1]) if cpu.endswith("m") else float(cpu) * 1000
    mebibytes = float(memory[1]) * _MEBIBYTES.get(memory[2], 0) if memory else 0
    fitting = [
        machine
        for machine in INSTANCE_TYPES.values()
        if (machine.gpu or "") == kind
        and machine.gpus >= (int(number or 1) if kind else 0)
        and machine.millicpu >= millicpu
        and machine.memory_mib >= mebibytes
    ]
    return min(fitting, key=lambda machine: machine.price, default=INSTANCE_TYPES["1x2"])


def autoscaling(base: AutoscalingSettings, update: UpdateAutoscalingSettings | None) -> AutoscalingSettings:
    """`base` with the fields of `update` that were sent."""
    if update is None:
        return base
    sent = update.model_dump(exclude_unset=True, exclude_none=True)
    for name, value in sent.items():
        low, high = _BOUNDS[name]
        if not low <= value <= high:
            raise invalid(f"autoscaling_settings.{name}: must be between {low} and {high}")
    result = base.model_copy(update=sent)
    if result.min_replica > result.max_replica:
        raise invalid("autoscaling_settings: min_replica is greater than max_replica")
    return result


def promotion(
    base: ModelPromotionSettings, update: UpdateModelPromotionSettings | UpdatePromotionSettings | None
) -> ModelPromotionSettings:
    """`base` with the fields of `update` that were sent, the rolling settings merged."""
    if update is None:
        return base
    sent = _sent(update)
    if sent.get("ramp_up_while_promoting"):
        raise invalid("promotion_settings.ramp_up_while_promoting: not supported; use rolling_deploy")
    if sent.get("promotion_cleanup_strategy", "KEEP") not in {"KEEP", "SCALE_TO_ZERO", "DEACTIVATE"}:
        raise invalid("promotion_settings.promotion_cleanup_strategy: KEEP, SCALE_TO_ZERO or DEACTIVATE")
    if update.rolling_deploy_config is not None:
        config = (base.rolling_deploy_config or RollingDeployConfig()).model_copy(
            update=_sent(update.rolling_deploy_config)
        )
        if (config.max_surge_percent == 0) == (config.max_unavailable_percent == 0):
            raise invalid(
                "rolling_deploy_config: exactly one of max_surge_percent and max_unavailable_percent is not 0"
            )
        sent["rolling_deploy_config"] = config
    return base.model_copy(update=sent)


def changed(
    base: Settings,
    autoscale: UpdateAutoscalingSettings | None,
    promote: UpdateModelPromotionSettings | UpdatePromotionSettings | None,
    backpressure: UpdateRequestBackpressureSettings | None,
) -> Settings:
    """`base` with what was sent of each."""
    return base.but(
        autoscaling=autoscaling(base.autoscaling, autoscale),
        promotion=promotion(base.promotion, promote),
        backpressure=base.backpressure if backpressure is None else backpressure.policy,
    )


def new_environment() -> Settings:
    """The settings that a new environment starts from: it rolls; `production` does not."""
    return Settings(promotion=ModelPromotionSettings(rolling_deploy=True, rolling_deploy_config=RollingDeployConfig()))


def _sent(update: BaseModel) -> dict[str, Any]:
    return {name: value for name, value in update if name in update.model_fields_set and value is not None}


def _check_development(payload: DeploymentArchivePayload) -> None:
    for name, default in (("environment_name", None), ("deployment_name", None), ("preserve_env_instance_type", True)):
        if getattr(payload, name) != default:
            raise invalid(f"{name}: must be left at its default with is_development")


def _check_script(config: Mapping[str, Any]) -> None:
    """The one rule of the stand-in's own: what scripts a rehearsal is spelled right."""
    variables = config.get("environment_variables")
    for name, value in variables.items() if isinstance(variables, dict) else ():
        if not str(name).startswith("SANDBOX_"):
            continue
        if name not in SCRIPT:
            raise invalid(f"environment_variables.{name}: the sandbox knows {', '.join(SCRIPT)}")
        try:
            SCRIPT[name](str(value))
        except ValueError as error:
            raise invalid(f"environment_variables.{name}: {error}") from error


def _check_user_env(user_env: Mapping[str, Any]) -> None:
    try:
        TrussUserEnv.model_validate(user_env, strict=True, extra="forbid")
    except ValidationError as error:
        places = "; ".join(f"user_env.{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise invalid(places) from error
