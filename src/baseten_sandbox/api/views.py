"""Records as the wire shows them: built from the official SDK's response models, so that the SDK can read each."""

from datetime import UTC, datetime

from baseten.client import managementapi as sdk

from baseten_sandbox.state import lifecycle
from baseten_sandbox.state.entities import (
    REGIONS,
    Deployment,
    EnvironmentFacts,
    InstanceType,
    ModelFacts,
    Secret,
    Settings,
    Team,
)


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def team(record: Team) -> sdk.Team:
    """A team."""
    return sdk.Team(id=record.id, name=record.name, default=record.default, created_at=_time(record.created_at))


def model(facts: ModelFacts) -> sdk.Model:
    """A model."""
    return sdk.Model(
        id=facts.model.id,
        created_at=_time(facts.model.created_at),
        name=facts.model.name,
        deployments_count=facts.deployments,
        production_deployment_id=facts.production_id,
        development_deployment_id=facts.development_id,
        instance_type_name=facts.instance_type.name,
        team_name=facts.team.name,
    )


def deployment(record: Deployment, now: float) -> sdk.Deployment:
    """A deployment as it is at `now`."""
    status = lifecycle.status_at(record.timeline, now)
    deployed = status in lifecycle.LIVE
    return sdk.Deployment(
        id=record.id,
        created_at=_time(record.created_at),
        name=record.name,
        model_id=record.model_id,
        is_production=record.environment == "production",
        is_development=record.is_development,
        status=status,
        active_replica_count=1 if status == "ACTIVE" else 0,
        autoscaling_settings=record.settings.autoscaling if deployed else None,
        instance_type_name=record.settings.instance_type.name,
        environment=record.environment,
        labels=dict(record.labels) if record.labels is not None else None,
        region=sdk.Region(slug=record.region, display_name=REGIONS[record.region]) if record.region else None,
        request_backpressure_settings=sdk.RequestBackpressureSettings(policy=record.settings.backpressure),
    )


def environment(facts: EnvironmentFacts, now: float) -> sdk.Environment:
    """An environment as it is at `now`."""
    record = facts.environment
    return sdk.Environment(
        name=record.name,
        created_at=_time(record.created_at),
        model_id=record.model_id,
        current_deployment=None if facts.current is None else deployment(facts.current, now),
        candidate_deployment=None if facts.candidate is None else deployment(facts.candidate, now),
        in_progress_promotion=_promotion(facts),
        autoscaling_settings=record.settings.autoscaling,
        promotion_settings=record.settings.promotion,
        instance_type=instance_type(record.settings.instance_type),
        autoscaling_schedules=_schedules(record.settings),
        traffic_routing=sdk.EnvironmentTrafficRouting(rules=list(record.settings.rules)),
        request_backpressure_settings=sdk.RequestBackpressureSettings(policy=record.settings.backpressure),
    )


def _schedules(settings: Settings) -> sdk.EnvironmentAutoscalingSchedules:
    return sdk.EnvironmentAutoscalingSchedules(
        timezone=settings.timezone, schedules=list(settings.schedules), applied_state=None
    )


def instance_type(record: InstanceType) -> sdk.InstanceType:
    """An instance type."""
    return sdk.InstanceType(
        id=record.id,
        name=record.name,
        memory_limit_mib=record.memory_mib,
        millicpu_limit=record.millicpu,
        gpu_count=record.gpus,
        gpu_type=record.gpu,
        gpu_memory_limit_mib=16384 if record.gpu else None,
    )


def priced(record: InstanceType) -> sdk.InstanceTypeWithPrice:
    """An instance type with its price."""
    return sdk.InstanceTypeWithPrice(instance_type=instance_type(record), price=record.price)


def secret(record: Secret, owner: Team) -> sdk.Secret:
    """A secret, without its value."""
    return sdk.Secret(id=record.id, created_at=_time(record.created_at), name=record.name, team_name=owner.name)


def _promotion(facts: EnvironmentFacts) -> sdk.InProgressPromotion | None:
    promotion, step = facts.environment.promotion, facts.promotion
    if promotion is None or step is None:
        return None
    message = promotion.error_message if step.status in {"FAILED", "CANCELED", "PAUSED"} else None
    if step.status == "FAILED" and not message:
        message = f"deployment {promotion.candidate_id} did not become active"
    return sdk.InProgressPromotion(
        status=step.status,
        percent_traffic_to_new_version=step.percent,
        error_message=message,
        rolling_deploy=promotion.rolling,
    )
