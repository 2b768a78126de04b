"""How promotions move, and what follows when one ends. Whoever calls holds the store's lock.

A promotion is RELEASING until its candidate is live; a rolling one then ramps up; when it succeeds, the environment
serves the candidate and the previous deployment is cleaned up. All of it follows from timelines: `settle` catches up
with the clock.
"""

from collections.abc import Sequence
from dataclasses import replace

from baseten_sandbox.errors import invalid

from . import lifecycle
from .entities import Deployment, Environment, EnvironmentFacts, Promotion, PromotionStep, Timing
from .plans import Plans, PromotionPlan
from .store import Store, new_id

ENDED = frozenset({"SUCCEEDED", "FAILED", "CANCELED"})

_RAMP = (10, 50, 90)  # percent of the traffic
_FOREVER = float("inf")


def timeline_of(
    candidate: Deployment, start: float, *, rolling: bool, plan: PromotionPlan, timing: Timing
) -> tuple[PromotionStep, ...]:
    """The timeline of a promotion that begins at `start`; it fails when the candidate does."""
    steps = [PromotionStep(start, "RELEASING", 0)]
    ready = lifecycle.settles(candidate.timeline, start)
    if ready is None:
        return tuple(steps)
    if ready.status not in lifecycle.LIVE:
        return (*steps, PromotionStep(ready.at, "FAILED", 0))
    at = ready.at
    for percent in _RAMP if rolling else (0,):
        if rolling:
            steps.append(PromotionStep(at, "RAMPING_UP", percent))
            at += timing.ramp_step
        if plan.paused and percent in {0, _RAMP[0]}:
            steps.append(PromotionStep(at, "PAUSED", percent))
            at += _FOREVER if plan.pause is None else plan.pause
    if at == _FOREVER:
        return tuple(step for step in steps if step.at < _FOREVER)
    return (*steps, PromotionStep(at, plan.end, 100 if plan.end == "SUCCEEDED" else 0))


def step_at(promotion: Promotion, now: float) -> PromotionStep:
    """The state of a promotion at `now`."""
    return [step for step in promotion.timeline if step.at <= now][-1]


def facts(store: Store, environment: Environment, now: float) -> EnvironmentFacts:
    """An environment with its deployments; a promotion that succeeded is shown for a while, another until the next."""
    current = store.deployments[environment.current_id] if environment.current_id else None
    promotion = environment.promotion
    if promotion is None:
        return EnvironmentFacts(environment, current, None, None)
    step = step_at(promotion, now)
    if step.status not in ENDED:
        return EnvironmentFacts(environment, current, store.deployments[promotion.candidate_id], step)
    over = step.status == "SUCCEEDED" and now >= step.at + store.timing.outcome
    return EnvironmentFacts(environment, current, None, None if over else step)


def check_idle(environment: Environment, now: float) -> None:
    """Refuse when a promotion is under way; only one is allowed at a time."""
    if environment.promotion is not None and step_at(environment.promotion, now).status not in ENDED:
        raise invalid(f"A promotion into environment {environment.name!r} is in progress; one at a time is allowed")


def begin(store: Store, plans: Plans, environment: Environment, promotion: Promotion, now: float) -> None:
    """Begin a promotion (which comes without a timeline) of a candidate that exists."""
    candidate = store.deployments[promotion.candidate_id]
    plan = PromotionPlan() if promotion.redeploys else plans.promotion(candidate)
    timeline = timeline_of(candidate, now, rolling=promotion.rolling, plan=plan, timing=store.timing)
    store.keep(replace(environment, promotion=replace(promotion, timeline=timeline, error_message=plan.error_message)))


def copy(store: Store, plans: Plans, original: Deployment, now: float) -> Deployment:
    """A redeployment: a new deployment of the same image."""
    made = replace(
        original,
        id=new_id(7),
        created_at=now,
        timeline=(),
        replica=new_id(5),
        is_development=False,
        environment=None,
    )
    statuses = [status for status in plans.statuses(made) if status != "BUILDING"]
    made = replace(made, timeline=lifecycle.walk(now, statuses, store.timing))
    store.keep(made)
    return made


def cancel(store: Store, environment: Environment, now: float) -> str:
    """Cancel what is under way: CANCELED, or RAMPING_DOWN when traffic has to move back first."""
    if environment.promotion is None or step_at(environment.promotion, now).status in ENDED:
        raise invalid(f"No promotion into environment {environment.name!r} is in progress")
    percent = step_at(environment.promotion, now).percent
    back = (PromotionStep(now, "RAMPING_DOWN", percent),) if percent else ()
    canceled = PromotionStep(now + (store.timing.ramp_step if back else 0.0), "CANCELED", 0)
    _end(store, environment, environment.promotion, (*back, canceled), "the promotion was canceled", now)
    return "RAMPING_DOWN" if back else "CANCELED"


def fail_those_of(store: Store, deployment_id: str, message: str, now: float) -> None:
    """Fail the promotions of a deployment that will not be live."""
    for environment in list(store.environments.values()):
        promotion = environment.promotion
        if promotion is None or promotion.candidate_id != deployment_id or step_at(promotion, now).status in ENDED:
            continue
        _end(store, environment, promotion, (PromotionStep(now, "FAILED", 0),), message, now)


def retry_those_of(store: Store, plans: Plans, deployment_id: str, now: float) -> None:
    """Begin the promotions again that failed because their candidate did not come up."""
    for environment in list(store.environments.values()):
        promotion = environment.promotion
        if promotion and promotion.candidate_id == deployment_id and step_at(promotion, now).status == "FAILED":
            begin(store, plans, environment, replace(promotion, applied=False), now)


def settle(store: Store, plans: Plans, now: float) -> None:
    """Let happen what is due: changed settings, redeployments, promotions that succeeded."""
    for environment in list(store.environments.values()):
        settled = environment
        while settled.pending and settled.pending[0][0] <= now:
            settled = replace(settled, settings=settled.pending[0][1], pending=settled.pending[1:])
        store.keep(settled)
        if settled.promotion is not None and settled.promotion.redeploys:
            _redeploy(store, plans, settled, settled.promotion, now)
        _succeed(store, store.environments[settled.model_id, settled.name], now)


def _redeploy(store: Store, plans: Plans, environment: Environment, promotion: Promotion, now: float) -> None:
    """Put a copy in the place of a candidate that is live, as `redeploy_on_promotion` says."""
    start = promotion.timeline[0].at
    ready = lifecycle.settles(store.deployments[promotion.candidate_id].timeline, start)
    if ready is None or ready.at > now or ready.status not in lifecycle.LIVE:
        return
    made = copy(store, plans, store.deployments[promotion.candidate_id], ready.at)
    plan = plans.promotion(made)
    changed = replace(
        promotion,
        candidate_id=made.id,
        timeline=timeline_of(made, start, rolling=promotion.rolling, plan=plan, timing=store.timing),
        redeploys=False,
        error_message=plan.error_message,
    )
    store.keep(replace(environment, promotion=changed))


def _succeed(store: Store, environment: Environment, now: float) -> None:
    """Let the environment serve its candidate, once."""
    promotion = environment.promotion
    if promotion is None or promotion.applied:
        return
    step = step_at(promotion, now)
    if step.status != "SUCCEEDED":
        return
    if environment.current_id is not None:
        _clean_up(store, store.deployments[environment.current_id], promotion.cleanup, step.at)
    served = store.deployments[promotion.candidate_id]
    store.keep(replace(served, environment=environment.name, settings=promotion.settings))
    store.keep(
        replace(
            environment,
            current_id=served.id,
            settings=promotion.settings,
            promotion=replace(promotion, applied=True),
            served=(*environment.served, (step.at, served.id)),
        )
    )


def _clean_up(store: Store, previous: Deployment, cleanup: str, at: float) -> None:
    timeline = previous.timeline
    if lifecycle.status_at(timeline, at) in lifecycle.LIVE:
        if cleanup == "SCALE_TO_ZERO":
            timeline = lifecycle.scaled_to_zero(timeline, at)
        elif cleanup == "DEACTIVATE":
            timeline = lifecycle.deactivated(timeline, at, store.timing)
    store.keep(replace(previous, environment=None, timeline=timeline))


def _end(
    store: Store,
    environment: Environment,
    promotion: Promotion,
    last: Sequence[PromotionStep],
    message: str,
    now: float,
) -> None:
    past = tuple(step for step in promotion.timeline if step.at <= now)
    ended = replace(promotion, timeline=(*past, *last), error_message=message, redeploys=False)
    store.keep(replace(environment, promotion=ended))
