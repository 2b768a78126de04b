"""Autoscaling schedules and traffic rules: collections of an environment that are changed element by element.

What is sent is a whole element; with an id it replaces that one, without one it is new. Pure; refusals are a 400.
"""

from typing import Any

from baseten.client.managementapi import (
    AutoscalingSchedule,
    OneTimeAutoscalingSchedule,
    TrafficRoutingRule,
    UpdateAutoscalingScheduleSettings,
    UpdateTrafficRoutingSettings,
)

from baseten_sandbox.errors import invalid
from baseten_sandbox.state.entities import Settings
from baseten_sandbox.state.store import new_id


def scheduled(base: Settings, update: UpdateAutoscalingScheduleSettings | None) -> Settings:
    """`base` with the schedules as `update` says."""
    if update is None:
        return base
    there = {row.id: row for row in base.schedules}
    _delete(there, update.delete_schedules, "delete_schedules")
    for row in update.schedules or ():
        if isinstance(row, dict):  # the contract has refused what fits no model
            continue
        made = _identified(row.model_dump(mode="json"), there, "schedules")
        kind = OneTimeAutoscalingSchedule if row.cadence == "ONE_TIME" else AutoscalingSchedule
        there[made["id"]] = kind.model_validate(made)
    names = [row.name for row in there.values()]
    if len(names) != len(set(names)):
        raise invalid("autoscaling_schedule_settings.schedules: a schedule of that name exists")
    timezone = update.timezone or base.timezone
    if there and timezone is None:
        raise invalid("autoscaling_schedule_settings.timezone: required with the first schedule")
    return base.but(schedules=tuple(there.values()), timezone=timezone if there else None)


def routed(base: Settings, update: UpdateTrafficRoutingSettings | None, model_id: str) -> Settings:
    """`base` with the traffic rules as `update` says."""
    if update is None:
        return base
    there = {row.id: row for row in base.rules}
    _delete(there, update.delete_rules, "delete_rules")
    for row in update.rules or ():
        made = _identified(row.model_dump(mode="json"), there, "rules")
        made["targets"] = [{**target, "model_id": model_id} for target in made["targets"]]
        there[made["id"]] = TrafficRoutingRule.model_validate(made)
    return base.but(rules=tuple(there.values()))


def _delete(there: dict[str, Any], ids: list[str] | None, name: str) -> None:
    for each in ids or ():
        if each not in there:
            raise invalid(f"{name}: there is no {each!r}")
        del there[each]


def _identified(row: dict[str, Any], there: dict[str, Any], name: str) -> dict[str, Any]:
    if row["id"] is None:
        return {**row, "id": new_id(8)}
    if row["id"] not in there:
        raise invalid(f"{name}: there is no {row['id']!r}")
    return row
