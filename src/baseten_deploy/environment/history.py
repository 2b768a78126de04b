"""What an environment served before what it serves now, from the service's audit log.

The log has promotions that were asked for, newest first; whether one completed it does not tell. What was cancelled,
and what never came up, was not served.
"""

from collections.abc import Iterable, Iterator

from baseten_deploy.errors import InvalidInput, Rejected
from baseten_deploy.run import Run
from baseten_deploy.service.answers import Deployment, Environment, Model, Promoted
from baseten_deploy.service.remedies import failing_as

from .ours import Ours
from .target import PRODUCTION

# A page has a hundred entries; nobody wants to go back further.
PAGES = 20
NEVER_UP = frozenset({"BUILD_FAILED", "BUILD_STOPPED", "DEPLOY_FAILED", "FAILED"})
OFFERED = 5


def find_previous(run: Run, model: Model, environment: Environment) -> Deployment:
    """The deployment that the environment served before its current one.

    Raises `InvalidInput` when there is none, or when it was deleted: then those that are left are named.
    """
    name, current = environment.name, environment.current
    if current is None:
        raise InvalidInput(
            f"{name!r} serves nothing, so there is nothing to roll back",
            "Set `deployment-id` to bring a certain deployment into it.",
        )
    remedy = "Set `deployment-id` to the deployment to go back to."
    with failing_as(Rejected, f"Reading what {name!r} served before", remedy):
        existing = {row.id: row for row in run.api.deployments(model.id)}
        ids = served_before(completed(_entries(run, model.id, name)), current, existing)
        previous = next(ids, "")
        left = [] if previous in existing else [existing[each] for each in ids if each in existing]
    if not previous:
        raise InvalidInput(
            f"The audit log knows of nothing that {name!r} served before {current.id}",
            f"{remedy} The model has: {_names(reversed(existing.values()), current.id) or 'no other'}.",
        )
    if previous not in existing:
        offer = _names(left, current.id)
        raise InvalidInput(
            f"{name!r} served {previous} before {current.id}, and that deployment was deleted",
            f"Set `deployment-id` to one that is left: {offer}." if offer else remedy,
        )
    return existing[previous]


def served_before(entries: Iterable[Promoted], current: Deployment, existing: dict[str, Deployment]) -> Iterator[str]:
    """The ids of what was served before `current`, the latest first, each once; deleted ones too. Pure.

    What is newer in the log than the promotion of `current` was never served, or is not any more. Where the log does
    not have it at all (a push brings a deployment into an environment too), all others count.
    """
    newer: list[str] = []
    found, said = False, set()
    for entry in entries:
        deployment = existing.get(entry.deployment_id)
        if _is(current, entry.deployment_id, deployment):
            found = True
        elif deployment is not None and deployment.status in NEVER_UP:
            continue
        elif not found:
            newer.append(entry.deployment_id)
        elif entry.deployment_id not in said:
            said.add(entry.deployment_id)
            yield entry.deployment_id
    if not found:
        yield from dict.fromkeys(newer)


def completed(entries: Iterable[Promoted]) -> Iterator[Promoted]:
    """The promotions of the log, newest first, without those that were cancelled. Pure."""
    cancelled: set[str] = set()
    for entry in entries:
        if entry.cancelled:
            cancelled.add(entry.deployment_id)
        elif entry.deployment_id in cancelled:
            cancelled.discard(entry.deployment_id)
        else:
            yield entry


def _is(current: Deployment, deployment_id: str, deployment: Deployment | None) -> bool:
    """Whether it is the current one, or the one that the current one is a copy of (`redeploy_on_promotion`)."""
    if deployment is None:
        return deployment_id == current.id
    return Ours(current).has(deployment) or Ours(deployment).has(current)


def _entries(run: Run, model_id: str, name: str) -> Iterator[Promoted]:
    cursor, seen = "", {""}
    for _ in range(PAGES):
        page, cursor = run.api.promotions(model_id, name, cursor)
        # The older call that promotes to production names no environment.
        yield from (entry for entry in page if (entry.environment or PRODUCTION) == name)
        if cursor in seen:
            return
        seen.add(cursor)


def _names(deployments: Iterable[Deployment], current_id: str) -> str:
    left = [row for row in deployments if row.id != current_id and row.status not in NEVER_UP]
    return ", ".join(f"{row.id} ({row.name})" if row.name else row.id for row in left[:OFFERED])
