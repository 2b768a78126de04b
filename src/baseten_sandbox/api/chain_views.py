"""Chains as the wire shows them: built from the official SDK's response models, so that the SDK can read each."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from baseten.client import managementapi as sdk

from baseten_sandbox.state import lifecycle
from baseten_sandbox.state.chains import Part, parts_at
from baseten_sandbox.state.entities import INSTANCE_TYPES, Deployment, EnvironmentFacts, ModelFacts, Settings

from . import rules, views

# What was set for one chainlet of an environment: `autoscaling_settings`, `instance_type_id`.
ChainletSettings = Mapping[str, Mapping[str, Any]]


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def chain(facts: ModelFacts) -> sdk.Chain:
    """A Chain."""
    return sdk.Chain(
        id=facts.model.id,
        created_at=_time(facts.model.created_at),
        name=facts.model.name,
        deployments_count=facts.deployments,
        team_name=facts.team.name,
    )


def deployment(record: Deployment, now: float, second: float) -> sdk.ChainDeployment:
    """A Chain's deployment as it is at `now`."""
    return sdk.ChainDeployment(
        id=record.id,
        created_at=_time(record.created_at),
        chain_id=record.model_id,
        environment=record.environment,
        chainlets=[chainlet(part) for part in parts_at(record, now, second)],
        status=lifecycle.status_at(record.timeline, now),
    )


def chainlet(part: Part) -> sdk.Chainlet:
    """A chainlet."""
    live = part.status in lifecycle.LIVE
    return sdk.Chainlet(
        id=part.id,
        name=part.name,
        autoscaling_settings=Settings().autoscaling if live else None,
        instance_type_name=rules.machine_of(part.config).name,
        active_replica_count=1 if part.status == "ACTIVE" else 0,
        status=part.status,
    )


def environment(facts: EnvironmentFacts, own: ChainletSettings, now: float, second: float) -> sdk.ChainEnvironment:
    """An environment of a Chain; `own` is what was set for its chainlets."""
    record, current = facts.environment, facts.current
    parts = parts_at(current, now, second) if current else []
    names = dict.fromkeys([*(part.name for part in parts), *own])
    return sdk.ChainEnvironment(
        name=record.name,
        created_at=_time(record.created_at),
        chain_id=record.model_id,
        promotion_settings=sdk.PromotionSettings.model_validate(record.settings.promotion.model_dump()),
        chainlet_settings=[_settings(name, own.get(name, {})) for name in names],
        current_deployment=None if current is None else deployment(current, now, second),
        candidate_deployment=None if facts.candidate is None else deployment(facts.candidate, now, second),
        in_progress_promotion=views.promotion(facts),
    )


def _settings(name: str, own: Mapping[str, Any]) -> sdk.ChainletEnvironmentSettings:
    machine = INSTANCE_TYPES[own.get("instance_type_id", "1x2")]
    scaling = Settings().autoscaling.model_copy(update=own.get("autoscaling_settings") or {})
    return sdk.ChainletEnvironmentSettings(
        chainlet_name=name, autoscaling_settings=scaling, instance_type=views.instance_type(machine)
    )
