"""What the stand-in remembers: frozen records of teams, models, deployments, environments and promotions.

Time is seconds since the epoch. A record never holds "the status": it holds a timeline, and `lifecycle` reads the
status at a moment off it. Who may change what is `state`; how a record looks on the wire is `views`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, NamedTuple

from baseten.client.managementapi import (
    AutoscalingSchedule,
    AutoscalingSettings,
    ModelPromotionSettings,
    OneTimeAutoscalingSchedule,
    TrafficRoutingRule,
)

PRODUCTION = "production"

# The environment variables by which a Truss scripts its own rehearsal, and how each is read
SCRIPT: Mapping[str, Callable[[str], object]] = {
    "SANDBOX_END_STATUS": str,
    "SANDBOX_STATUSES": str,
    "SANDBOX_LOG_LINES": int,
    "SANDBOX_PROMOTION": str,
    "SANDBOX_TRAFFIC": str,
    "SANDBOX_STARTUP_PHASE": str,
    "SANDBOX_PREDICT_STATUS": int,
    "SANDBOX_PREDICT_BODY": str,
    "SANDBOX_PREDICT_DELAY": float,
}


@dataclass(frozen=True)
class Timing:
    """How long things take, in seconds at speed 1. The defaults make a deployment live after two seconds."""

    building: float = 0.8
    deploying: float = 0.5
    loading: float = 0.7
    waking: float = 0.5
    deactivating: float = 0.4
    ramp_step: float = 0.4  # one step of a rolling promotion
    settings: float = 0.6  # until a changed environment is seen to be changed
    not_found: float = 0.3  # how long `GET` of a fresh deployment answers 404
    unlisted: float = 0.0  # how long a fresh model or deployment is missing from lists
    outcome: float = 1.0  # how long a promotion that succeeded is still shown
    request: float = 0.05  # from one of the requests that metrics tell of to the next
    minute: float = 60.0  # the window of the limits that are per minute

    def at_speed(self, speed: float) -> "Timing":
        """The same, `speed` times as fast."""
        return Timing(**{item.name: getattr(self, item.name) / speed for item in fields(self)})


class Step(NamedTuple):
    """From `at` on, the deployment has this status."""

    at: float
    status: str


class PromotionStep(NamedTuple):
    """From `at` on, the promotion has this status and share of the traffic."""

    at: float
    status: str
    percent: int


@dataclass(frozen=True)
class InstanceType:
    """A machine that a deployment runs on."""

    id: str
    name: str
    millicpu: int
    memory_mib: int
    gpu: str | None = None
    price: float = 0.0  # USD per minute

    @property
    def gpus(self) -> int:
        """How many accelerators: `A10G:2x24x96` has two, what names one core and its memory has one."""
        parts = self.name.partition(":")[2].split("x")
        return 0 if self.gpu is None else int(parts[0]) if len(parts) == 3 else 1


INSTANCE_TYPES: Mapping[str, InstanceType] = {
    machine.id: machine
    for machine in (
        InstanceType("1x2", "1x2", 1000, 2048, None, 0.00058),
        InstanceType("4x16", "4x16", 4000, 16384, None, 0.00288),
        InstanceType("T4x4x16", "T4:4x16", 4000, 16384, "T4", 0.01052),
        InstanceType("L4:4x16", "L4:4x16", 4000, 16384, "L4", 0.01414),
        InstanceType("A10Gx4x16", "A10G:4x16", 4000, 16384, "A10G", 0.02012),
        InstanceType("A10Gx8x32", "A10G:8x32", 8000, 32768, "A10G", 0.02424),
        InstanceType("A10G:2x24x96", "A10G:2x24x96", 24000, 98304, "A10G", 0.05672),
        InstanceType("A100:12x144", "A100:12x144", 12000, 147456, "A100", 0.06667),
        InstanceType("H100:26x234", "H100:26x234", 26000, 239616, "H100", 0.10833),
    )
}
REGIONS: Mapping[str, str] = {"us": "United States", "eu": "European Union"}


def _default_autoscaling() -> AutoscalingSettings:
    return AutoscalingSettings(
        min_replica=0,
        max_replica=1,
        autoscaling_window=60,
        scale_down_delay=900,
        concurrency_target=1,
        target_utilization_percentage=70,
    )


@dataclass(frozen=True)
class Team:
    """A team of the organization; model names are unique within one."""

    id: str
    name: str
    default: bool
    created_at: float


@dataclass(frozen=True)
class Secret:
    """A secret of a team's; its value is nobody's business."""

    id: str
    name: str
    team_id: str
    created_at: float = 0.0


@dataclass(frozen=True)
class Settings:
    """What an environment keeps and a deployment runs with."""

    autoscaling: AutoscalingSettings = field(default_factory=_default_autoscaling)
    backpressure: str | None = None
    promotion: ModelPromotionSettings = field(default_factory=ModelPromotionSettings)
    instance_type: InstanceType = INSTANCE_TYPES["1x2"]
    schedules: tuple[AutoscalingSchedule | OneTimeAutoscalingSchedule, ...] = ()
    timezone: str | None = None  # of the schedules
    rules: tuple[TrafficRoutingRule, ...] = ()

    def but(self, **changes: Any) -> "Settings":
        """The same with some of it changed."""
        return replace(self, **changes)


@dataclass(frozen=True)
class Model:
    """A model: a name, and whether its archives may be downloaded."""

    id: str
    name: str
    team_id: str
    created_at: float
    archive_locked: bool = False


@dataclass(frozen=True)
class Deployment:
    """One version of a model. `environment` is the one that serves it now."""

    id: str
    model_id: str
    name: str
    created_at: float
    timeline: tuple[Step, ...]
    config: Mapping[str, Any]
    settings: Settings
    replica: str
    raw_config: str | None = None
    labels: Mapping[str, Any] | None = None
    region: str | None = None
    s3_key: str | None = None
    is_development: bool = False
    environment: str | None = None
    build_error: str = ""
    traffic: str = "steady"  # the script of the requests that it gets, of `traffic`

    def variable(self, name: str, default: str = "") -> str:
        """An environment variable of the Truss, which is how a rehearsal scripts this deployment."""
        variables = self.config.get("environment_variables")
        return str(variables.get(name, default)) if isinstance(variables, dict) else default


@dataclass(frozen=True)
class Promotion:
    """A promotion into an environment, under way or over.

    `redeploys` says that `candidate_id` is to be replaced by a copy of itself once it is live.
    """

    candidate_id: str
    timeline: tuple[PromotionStep, ...]
    settings: Settings
    rolling: bool
    cleanup: str  # what becomes of the previous deployment: KEEP, SCALE_TO_ZERO or DEACTIVATE
    redeploys: bool = False
    error_message: str | None = None
    applied: bool = False


@dataclass(frozen=True)
class Environment:
    """A stable endpoint of a model. `pending` is what was set and is not seen yet: (from when, what)."""

    name: str
    model_id: str
    created_at: float
    settings: Settings
    current_id: str | None = None
    promotion: Promotion | None = None
    pending: tuple[tuple[float, Settings], ...] = ()
    served: tuple[tuple[float, str], ...] = ()  # (from when, the id of the deployment), oldest first


@dataclass(frozen=True)
class Upload:
    """What a prepare issued: the key, and the payload that its commit must repeat."""

    s3_key: str
    payload: Mapping[str, Any]
    team_id: str
    model_name: str | None
    model_id: str | None


@dataclass(frozen=True)
class ModelFacts:
    """A model with what its list entry says about the rest."""

    model: Model
    team: Team
    deployments: int
    production_id: str | None
    development_id: str | None
    instance_type: InstanceType


@dataclass(frozen=True)
class EnvironmentFacts:
    """An environment with its deployments and the state of its promotion at one moment."""

    environment: Environment
    current: Deployment | None
    candidate: Deployment | None
    promotion: PromotionStep | None
