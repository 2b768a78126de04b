"""Takes deployments out of service: the one of a PR check, or old ones by their labels.

Never one that an environment serves or that is being promoted into it; for `mode: cleanup` never the development slot
either. Which ones go is a pure decision, looked at again right before each.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from baseten_deploy.environment.target import serving
from baseten_deploy.errors import CleanupFailed, Problem, Rejected
from baseten_deploy.inputs.settings import Aftermath
from baseten_deploy.records import dataclass
from baseten_deploy.report.markdown import code, escape, table
from baseten_deploy.run import Run
from baseten_deploy.service.answers import Deployment, Model
from baseten_deploy.service.api import Api
from baseten_deploy.service.http import HttpError
from baseten_deploy.service.remedies import explain, failing_as
from baseten_deploy.service.retry import Failure, Fault

# The service takes 20 deactivations a minute per key.
RATE = 20
RATE_SECONDS = 60.0
RESTING = frozenset({"INACTIVE", "DEACTIVATING"})


@dataclass(frozen=True)
class Decision:
    """One matching deployment, and why it stays (`""`: it goes)."""

    deployment: Deployment
    kept_because: str = ""


def select(
    deployments: Sequence[Deployment],
    labels: Mapping[str, Any],
    *,
    in_use: Mapping[str, str],
    keep_latest: int,
    how: Aftermath,
) -> list[Decision]:
    """Decide about every deployment that carries all `labels`, newest first.

    `in_use` gives the ids that environments hold, with the reason. Label values are compared as texts: of a deployment
    that something else labelled, the service may know a number or a flag.
    """
    matching = [row for row in deployments if _carries(row.labels, labels)]
    decisions = []
    for rank, row in enumerate(sorted(matching, key=lambda row: row.created_at, reverse=True)):
        reason = ""
        if row.id in in_use:
            reason = in_use[row.id]
        elif row.is_development:
            reason = "the development slot"
        elif rank < keep_latest:
            reason = f"among the newest {keep_latest}"
        elif how is Aftermath.DEACTIVATE and row.status in RESTING:
            reason = f"{row.status} already"
        decisions.append(Decision(row, reason))
    return decisions


def _carries(labels: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return all(name in labels and _label(labels[name]) == _label(value) for name, value in wanted.items())


def _label(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def pause_before(sent: Sequence[float], now: float) -> float:
    """Seconds to wait before the next deactivation, when those at the times `sent` went before."""
    recent = [time for time in sent if now - time < RATE_SECONDS]
    return recent[-RATE] + RATE_SECONDS - now if len(recent) >= RATE else 0.0


def retire_old(run: Run, model: Model) -> None:
    """`mode: cleanup`. Raises `CleanupFailed` naming those that could not be retired, after trying all."""
    settings = run.settings
    with run.phase("Select"):
        with failing_as(Rejected, f"Listing the deployments of {model.name!r}"):
            deployments = run.api.deployments(model.id)
            in_use = held(run.api, model)
        decisions = select(
            deployments,
            settings.cleanup_labels or {},
            in_use=in_use,
            keep_latest=settings.keep_latest,
            how=settings.retire,
        )
        for decision in decisions:
            verdict = f"kept: {decision.kept_because}" if decision.kept_because else settings.retire.value
            run.say(f"{decision.deployment.id} {decision.deployment.name}: {verdict}")
        wanted = settings.cleanup_labels or {}
        if not (decisions or wanted):
            run.say(f"{model.name!r} has no deployment")
        elif not decisions:
            looked_for = ", ".join(f"{name}: {value}" for name, value in wanted.items())
            said = f"no deployment of {model.name!r} carries the labels {looked_for}"
            run.say(said[0].upper() + said[1:])
            run.ledger.did_nothing(said)
    with run.phase("Retire"):
        results = _retire_all(run, model, decisions)
    rows = [(code(row.name), code(row.id), escape(results[row.id])) for row in (d.deployment for d in decisions)]
    if rows:
        run.notes.append(table(("Deployment", "Id", "What became of it"), rows))
    failed = [f"{name} ({results[name]})" for name in results if results[name].startswith("failed")]
    if failed:
        raise CleanupFailed(
            f"{len(failed)} of {len(decisions)} deployments could not be retired: {', '.join(failed)}",
            "Run again; what is retired already is left alone.",
        )


def skip_without_key(run: Run) -> None:
    """Say that a run without a key, such as a fork's, retires nothing. Sends nothing."""
    said = "there is no API key: GitHub gives no secrets to a run from a fork or of Dependabot"
    run.runner.notice(
        Problem(f"Nothing was retired: {said}", "`fail-without-credentials: true` makes such a run fail.")
    )
    run.ledger.did_nothing(said)


def _retire_all(run: Run, model: Model, decisions: Sequence[Decision]) -> dict[str, str]:
    sent: list[float] = []
    results = {}
    for decision in decisions:
        row = decision.deployment
        if decision.kept_because:
            results[row.id] = f"kept: {decision.kept_because}"
            run.ledger.keeps()
            continue
        if run.settings.retire is Aftermath.DEACTIVATE:
            run.clock.sleep(pause_before(sent, run.clock.now()))
            sent.append(run.clock.now())
        run.allow_retries()
        try:
            reason = held(run.api, model).get(row.id)  # an environment may have taken it since
            if reason:
                results[row.id] = f"kept: {reason}"
                run.ledger.keeps()
            else:
                results[row.id] = retire(run.api, model, row.id, run.settings.retire)
                run.ledger.became(row.id, results[row.id])
        except HttpError as error:
            if error.status in (401, 403):  # nor may the key retire the others
                raise explain(error, CleanupFailed, f"Retiring the deployment {row.id}") from error
            results[row.id] = f"failed: {error.message}"
        run.say(f"{row.id}: {results[row.id]}")
    return results


def held(api: Api, model: Model) -> dict[str, str]:
    """The deployments of a model that environments hold, with the reason."""
    in_use = {model.production_deployment_id: "production serves it"} if model.production_deployment_id else {}
    return in_use | serving(api, model.id)


def retire(api: Api, model: Model, deployment_id: str, how: Aftermath) -> str:
    """Deactivate or delete one deployment; what became of it in a word, and only what was seen. Raises `HttpError`.

    An answer that does not say that it was done (an empty one, or something else's) is not believed: it is looked up.
    """
    if how is Aftermath.DELETE:
        deleted = api.delete_deployment(model.id, deployment_id)
        if not deleted and (left := _still_there(api, model, deployment_id)) is not None:
            raise _not_done("DELETE", left, f"it is still there ({left.status})")
        return "deleted"
    try:
        done = api.deactivate(model.id, deployment_id)
    except HttpError:
        # A try may have done it and its answer was lost; the service may refuse to do it twice.
        if api.deployment(model.id, deployment_id).status not in RESTING:
            raise
        return "deactivated"
    if not done and (found := api.deployment(model.id, deployment_id)).status not in RESTING:
        raise _not_done("deactivate", found, f"it is {found.status}")
    return "deactivated"


def _still_there(api: Api, model: Model, deployment_id: str) -> Deployment | None:
    try:
        return api.deployment(model.id, deployment_id)
    except HttpError as error:
        if error.status == 404:
            return None
        raise


def _not_done(call: str, found: Deployment, seen: str) -> HttpError:
    message = f"the service answered with success, but {seen}"
    return HttpError(Failure(Fault.BAD_ANSWER), message, f"{call} {found.id}")


def clean_up(run: Run, model: Model, deployment_id: str) -> None:
    """Deactivate the deployment of a successful run, as `cleanup` says. Raises `CleanupFailed`."""
    with run.phase("Clean up"):
        try:
            if reason := reason_to_stay(run, run.api, model, deployment_id):
                run.warn(Problem(f"`cleanup`: the deployment {deployment_id} stays: {reason}", "Remove `cleanup`."))
            else:
                became = retire(run.api, model, deployment_id, Aftermath.DEACTIVATE)
                run.ledger.became(deployment_id, became)
                run.say(f"{deployment_id}: {became}")
                run.notes.append(f"The deployment {code(deployment_id)} is {became} again, as `cleanup` says.")
        except HttpError as error:
            remedy = f"The deployment {deployment_id} still runs; deactivate it yourself."
            raise explain(error, CleanupFailed, "Deactivating the deployment", remedy) from error


def reason_to_stay(run: Run, api: Api, model: Model, deployment_id: str) -> str:
    """Why a deployment of this run must not be retired, `""` if it may be. Raises `HttpError`.

    A new model's first deployment, which the service may make its production by itself, is the run's own to retire;
    any other that an environment serves got there from this run, as was asked for, or from somebody else meanwhile.
    """
    reason = serving(api, model.id).get(deployment_id, "")
    if reason and not (run.settings.environment or run.settings.promote_to) and len(api.deployments(model.id)) == 1:
        return ""
    return reason
