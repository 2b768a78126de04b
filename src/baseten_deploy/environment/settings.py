"""With what each group of `environment-settings` goes out, so that a run that fails leaves them as they were.

They ride with the push or the promotion that they are for, and the environment keeps them when that completes: no call
of its own has to be undone. What cannot ride is changed last, once the environment serves what it should.

Spec: `DeploymentArchivePayload`, `PromoteToEnvironmentRequest` and `UpdateEnvironmentRequest` of the management API.
What the settings may say is `inputs.environment_settings`.
"""

from collections.abc import Collection, Mapping
from typing import Any

from baseten_deploy.errors import Problem, PromotionFailed
from baseten_deploy.inputs.environment_settings import applied
from baseten_deploy.inputs.objects import merged
from baseten_deploy.inputs.settings import Settings
from baseten_deploy.run import Run
from baseten_deploy.service.answers import Environment
from baseten_deploy.service.http import HttpError
from baseten_deploy.service.remedies import explain
from baseten_deploy.service.retry import Tries

from . import chain_settings

Group = Mapping[str, Any]

WITH_A_PUSH = ("autoscaling_settings", "request_backpressure_settings", "autoscaling_schedule_settings")
WITH_A_PROMOTION = (*WITH_A_PUSH, "promotion_settings")
WITH_A_CREATION = ("autoscaling_settings", "promotion_settings", "request_backpressure_settings")
AFTER_A_PUSH = ("promotion_settings", "traffic_routing_settings")
AFTER_A_PROMOTION = ("traffic_routing_settings",)
ALL = (*WITH_A_PROMOTION, *AFTER_A_PROMOTION)
KEEP = {"promotion_cleanup_strategy": "KEEP"}
# A change of settings is applied later by the service, normally within seconds.
APPLY_SECONDS = 120.0
POLL_SECONDS = 1.0


def of_push(settings: Settings, before: Environment | None) -> dict[str, Any]:
    """The fields of a payload for a push into `environment`, which was `before` (`None`: it did not exist).

    Promotion settings hold for this promotion; `finish` makes them the environment's own.
    """
    wanted = _wanted(settings, before)
    override = merged(wanted.get("promotion_settings", {}), settings.promotion_settings or {})
    if not settings.scale_down_previous:
        override = merged(override, KEEP)
    return {name: wanted[name] for name in WITH_A_PUSH if name in wanted} | _override(override)


def of_promotion(settings: Settings, before: Environment | None) -> dict[str, Any]:
    """Further fields of a promotion's request. With `rollback-on-failure`, what was served before stays warm."""
    if settings.is_chain:
        return chain_settings.of_promotion(settings, before)
    wanted = _wanted(settings, before)
    update = {name: wanted[name] for name in WITH_A_PROMOTION if name in wanted}
    override = merged(settings.promotion_settings or {}, KEEP if settings.rollback_on_failure else {})
    return {
        "preserve_env_instance_type": settings.preserve_env_instance_type,
        "scale_down_previous_deployment": settings.scale_down_previous,
        **({"environment_settings_update": update} if update else {}),
        **_override(override),
    }


def of_roll_back(settings: Settings, before: Environment | None, now: Environment | None) -> dict[str, Any]:
    """Further fields of the promotion back: the environment is to be as it was `before`, and is as it is `now`."""
    if settings.is_chain:
        return chain_settings.of_roll_back(settings)
    fields: dict[str, Any] = {
        "preserve_env_instance_type": settings.preserve_env_instance_type,
        "scale_down_previous_deployment": settings.scale_down_previous,
    }
    update = undone(settings.environment_settings or {}, before.settings, now.settings) if before and now else {}
    return fields | ({"environment_settings_update": update} if update else {})


def strategy(settings: Settings, environment: Environment | None) -> str:
    """What is to become of the deployment that a promotion replaced: KEEP, SCALE_TO_ZERO, DEACTIVATE, or one to come.

    The service's own default is SCALE_TO_ZERO.
    """
    if settings.is_chain:
        return chain_settings.left_to_do(settings, environment)
    if not settings.scale_down_previous:
        return "KEEP"
    own = (environment.settings.get("promotion_settings") or {}) if environment else {}
    once = (settings.promotion_settings or {}).get("promotion_cleanup_strategy")
    return str(once or own.get("promotion_cleanup_strategy") or "SCALE_TO_ZERO")


def undone(wanted: Group, before: Group, now: Group) -> dict[str, Any]:
    """The update that takes back from `now` what `wanted` changed, so that it is as `before`."""
    update: dict[str, Any] = {}
    for name in WITH_A_PROMOTION:
        asked, old, new = wanted.get(name) or {}, before.get(name) or {}, now.get(name) or {}
        if not asked:
            continue
        if name == "autoscaling_schedule_settings":
            back = _schedules_back(old, new)
        else:
            back = {key: old.get(key) for key in asked if old.get(key) != new.get(key)}
        if back:
            update[name] = back
    return update


def _schedules_back(old: Group, new: Group) -> dict[str, Any]:
    before = {row["id"]: row for row in old.get("schedules") or ()}
    now = {row["id"]: row for row in new.get("schedules") or ()}
    changed = [row for key, row in before.items() if key in now and now[key] != row]
    gone = [
        {name: value for name, value in row.items() if name != "id"} for key, row in before.items() if key not in now
    ]
    back: dict[str, Any] = {}
    if rows := changed + gone:
        back["schedules"] = rows
    if added := [key for key in now if key not in before]:
        back["delete_schedules"] = added
    if before and old.get("timezone") != new.get("timezone"):
        back["timezone"] = old.get("timezone")
    return back


def finish(run: Run, model_id: str, name: str, names: Collection[str]) -> None:
    """Change the groups `names`, which could not ride with anything; the environment serves this run's deployment.

    Raises `PromotionFailed` when the settings are not in force in the end, and `AuthFailed`.
    """
    names = chain_settings.GROUPS if run.settings.is_chain else names
    rest = {key: value for key, value in (run.settings.environment_settings or {}).items() if key in names and value}
    if not rest:
        return
    if not run.settings.wait:
        words = " and ".join(f"`{key}`" for key in rest)
        run.warn(
            Problem(
                f"`environment-settings`: {words} of {name!r} are not changed: `wait: false` does not see it served",
                "Remove `wait: false`.",
            )
        )
        return
    with run.phase(f"Settings of {name}"):
        try:
            _put_in_force(run, model_id, name, rest)
        except HttpError as error:
            what = f"{name!r} serves this run's deployment, and changing its settings failed"
            raise explain(error, PromotionFailed, what, "Correct `environment-settings` and run again.") from error


def _put_in_force(run: Run, model_id: str, name: str, settings: Group) -> None:
    """PATCH, and wait until it is seen. A failed try is looked at before it is sent again: it may have made a rule."""
    tries = Tries(run.clock, run.api.http.deadline)
    while not applied(settings, (now := run.api.environment(model_id, name)).settings):
        try:
            run.api.update_environment(model_id, name, with_ids(settings, now.settings))
        except HttpError as error:
            if not tries.again(error.failure):
                raise
        else:
            _until_applied(run, model_id, name, settings)
            break
    run.say(f"The settings of the environment {name!r} are in force")


def _until_applied(run: Run, model_id: str, name: str, settings: Group) -> None:
    end = run.clock.now() + APPLY_SECONDS
    while not applied(settings, run.api.environment(model_id, name).settings):
        if run.clock.now() > end:
            raise PromotionFailed(
                f"The settings of the environment {name!r} were accepted and not applied within {APPLY_SECONDS:g} s; "
                "it serves this run's deployment",
                "Look at the environment's page; run again when they are, or without `environment-settings`.",
            )
        run.clock.sleep(POLL_SECONDS)


def with_ids(settings: Group, actual: Group) -> dict[str, Any]:
    """`settings` with the ids of what exists already, so that a second run replaces a schedule or rule and adds none.

    A schedule is known by its name, a rule by its type and target.
    """
    result = dict(settings)
    for group, rows, key in (
        ("autoscaling_schedule_settings", "schedules", ("name",)),
        ("traffic_routing_settings", "rules", ("type", "targets")),
    ):
        asked, there = settings.get(group), (actual.get(group) or {}).get(rows) or ()
        if isinstance(asked, Mapping) and asked.get(rows):
            result[group] = {**asked, rows: [_with_id(row, there, key) for row in asked[rows]]}
    return result


def _with_id(row: Group, there: Any, key: tuple[str, ...]) -> dict[str, Any]:
    same = [other for other in there if all(applied(row.get(name), other.get(name)) for name in key)]
    return {"id": same[0]["id"], **row} if len(same) == 1 and not row.get("id") else dict(row)


def _wanted(settings: Settings, before: Environment | None) -> dict[str, Any]:
    """What was asked for, without groups that say nothing."""
    given = {name: value for name, value in (settings.environment_settings or {}).items() if value}
    return with_ids(given, before.settings if before else {})


def _override(override: Group) -> dict[str, Any]:
    return {"promotion_settings_override": dict(override)} if override else {}
