"""The calls that tell how replicas started: the attempts, and their percentiles."""

from collections.abc import Sequence

from baseten.client import managementapi as sdk
from pydantic import BaseModel
from werkzeug.wrappers import Request

from baseten_sandbox.errors import invalid
from baseten_sandbox.state.startups import PHASES, Attempt, attempts
from baseten_sandbox.state.state import State
from baseten_sandbox.web import Handler

from . import contract

_ONE = "/v1/models/<model_id>/deployments/<deployment_id>/startups"
_OF_ALL = "/v1/models/<model_id>/environments/<name>/startups"

Query = sdk.GetModelsDeploymentsStartupsParams | sdk.GetModelsEnvironmentsStartupsParams
SummaryQuery = sdk.GetModelsDeploymentsStartupsSummaryParams | sdk.GetModelsEnvironmentsStartupsSummaryParams


class Startups:
    """The starts of a deployment, and of all that an environment has served."""

    def __init__(self, *, state: State) -> None:
        self._state = state

    def handlers(self) -> dict[str, Handler]:
        """The calls by route."""
        return {
            f"GET {_ONE}": self.of_deployment,
            f"GET {_ONE}/summary": self.deployment_summary,
            f"GET {_OF_ALL}": self.of_environment,
            f"GET {_OF_ALL}/summary": self.environment_summary,
        }

    def of_deployment(self, request: Request, model_id: str, deployment_id: str) -> BaseModel:
        """GET .../deployments/{id}/startups."""
        query = contract.query(sdk.GetModelsDeploymentsStartupsParams, request.args)
        return _page(query, self._deployment(model_id, deployment_id), None)

    def of_environment(self, request: Request, model_id: str, name: str) -> BaseModel:
        """GET .../environments/{name}/startups."""
        query = contract.query(sdk.GetModelsEnvironmentsStartupsParams, request.args)
        return _page(query, self._environment(model_id, name), name)

    def deployment_summary(self, request: Request, model_id: str, deployment_id: str) -> BaseModel:
        """GET .../deployments/{id}/startups/summary."""
        query = contract.query(sdk.GetModelsDeploymentsStartupsSummaryParams, request.args)
        return _summary(query, self._deployment(model_id, deployment_id))

    def environment_summary(self, request: Request, model_id: str, name: str) -> BaseModel:
        """GET .../environments/{name}/startups/summary."""
        query = contract.query(sdk.GetModelsEnvironmentsStartupsSummaryParams, request.args)
        return _summary(query, self._environment(model_id, name))

    def _deployment(self, model_id: str, deployment_id: str) -> list[Attempt]:
        return [*attempts(self._state.deployment(model_id, deployment_id), self._state.now())]

    def _environment(self, model_id: str, name: str) -> list[Attempt]:
        served = {each for _, each in self._state.environment(model_id, name).environment.served}
        found = [each for each in self._state.deployments(model_id) if each.id in served]
        return [attempt for each in found for attempt in attempts(each, self._state.now())]


def _within(query: Query | SummaryQuery, found: Sequence[Attempt]) -> list[Attempt]:
    if query.start_epoch_millis >= query.end_epoch_millis:
        raise invalid("end_epoch_millis must be after start_epoch_millis")
    least = query.min_duration_ms.root if query.min_duration_ms is not None else None
    return [
        each
        for each in found
        if query.start_epoch_millis <= each.started * 1000 <= query.end_epoch_millis
        and (each.ended - each.started) * 1000 >= (least or 0)
    ]


def _page(query: Query, found: Sequence[Attempt], environment: str | None) -> BaseModel:
    if any(given is not None for given in (query.search, query.sort_by, query.phase)):
        raise invalid("search, sort_by and phase are not played here")
    rows = [each for each in _within(query, found) if query.outcomes is None or each.outcome in query.outcomes]
    rows.sort(key=lambda each: each.started, reverse=query.direction != "asc")
    start = int(query.cursor) if query.cursor else 0
    more = start + query.limit < len(rows)
    return sdk.StartupAttempts(
        items=[_view(each, environment) for each in rows[start : start + query.limit]],
        pagination=sdk.PaginationResponse(has_more=more, cursor=str(start + query.limit) if more else None),
        total_count=len(rows),
    )


def _view(attempt: Attempt, environment: str | None) -> sdk.StartupAttempt:
    return sdk.StartupAttempt(
        model_id=attempt.deployment.model_id,
        deployment_id=attempt.deployment.id,
        deployment_name=attempt.deployment.name,
        environment_name=environment,
        replica_id=attempt.deployment.replica,
        started_at_epoch_millis=round(attempt.started * 1000),
        ready_at_epoch_millis=round(attempt.ended * 1000) if attempt.outcome == "SUCCESS" else None,
        duration_ms=round((attempt.ended - attempt.started) * 1000),
        outcome=attempt.outcome,
        phase_summary=[
            sdk.StartupPhaseSummary(
                phase=phase.name,
                status="FAILED" if phase.failed else "COMPLETED",
                offset_ms=round(phase.offset * 1000),
                duration_ms=None if phase.seconds is None else round(phase.seconds * 1000),
            )
            for phase in attempt.phases
        ],
    )


def _summary(query: SummaryQuery, found: Sequence[Attempt]) -> BaseModel:
    rows = _within(query, found)
    phases = {
        name: [
            phase.seconds for each in rows for phase in each.phases if phase.name == name and phase.seconds is not None
        ]
        for name in PHASES
    }
    return sdk.StartupSummary(
        start_epoch_millis=query.start_epoch_millis,
        end_epoch_millis=query.end_epoch_millis,
        total_duration_ms=_percentiles([each.ended - each.started for each in rows]),
        phase_duration_ms=[
            sdk.StartupPhasePercentiles(phase=name, duration_ms=_percentiles(seconds))
            for name, seconds in phases.items()
            if seconds
        ],
    )


def _percentiles(seconds: Sequence[float]) -> sdk.StartupPercentiles:
    ordered = sorted(round(each * 1000) for each in seconds)

    def at(share: float) -> int | None:
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None

    return sdk.StartupPercentiles(
        sample_count=len(ordered),
        mean_ms=round(sum(ordered) / len(ordered)) if ordered else None,
        p50_ms=at(0.5),
        p90_ms=at(0.9),
        p95_ms=at(0.95),
        p99_ms=at(0.99),
    )
