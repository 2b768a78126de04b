"""The calls that measure: of an environment, and of a deployment. The traffic is made up, by `state.traffic`."""

from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus

from baseten.client import managementapi as sdk
from pydantic import BaseModel
from werkzeug.wrappers import Request

from baseten_sandbox.errors import Refused, invalid
from baseten_sandbox.state import lifecycle, traffic
from baseten_sandbox.state.entities import Deployment
from baseten_sandbox.state.state import State
from baseten_sandbox.web import Handler

from . import contract

_REQUESTS = "baseten_inference_requests_total"
_RESPONSE_TIME = "baseten_end_to_end_response_time_seconds"
_REPLICAS = "baseten_replicas_active"
_DEFAULT = (_REPLICAS, _REQUESTS, _RESPONSE_TIME)
_HOUR_MS, _LONGEST_MS = 3_600_000, 7 * 24 * 3_600_000
_NOW_SECONDS = 60.0  # over which a snapshot is averaged
_STEPS = 60

Query = sdk.GetModelsEnvironmentsMetricsParams | sdk.GetModelsDeploymentsMetricsParams


class Metrics:
    """What was measured, as a summary, a series, or as it is now."""

    def __init__(self, *, state: State) -> None:
        self._state = state

    def handlers(self) -> dict[str, Handler]:
        """The calls by route."""
        return {
            "GET /v1/models/<model_id>/environments/<name>/metrics": self.of_environment,
            "GET /v1/models/<model_id>/deployments/<deployment_id>/metrics": self.of_deployment,
        }

    def of_environment(self, request: Request, model_id: str, name: str) -> BaseModel:
        """GET .../environments/{name}/metrics."""
        query = contract.query(sdk.GetModelsEnvironmentsMetricsParams, request.args)
        with self._state.transaction() as now:
            environment = self._state.environment(model_id, name).environment
            spans = [*traffic.of_environment(environment, self._deployments(model_id), now)]
        return self._answer(query, spans, now)

    def of_deployment(self, request: Request, model_id: str, deployment_id: str) -> BaseModel:
        """GET .../deployments/{id}/metrics."""
        query = contract.query(sdk.GetModelsDeploymentsMetricsParams, request.args)
        with self._state.transaction() as now:
            found = self._state.deployment(model_id, deployment_id)
            environments = [facts.environment for facts in self._state.environments(model_id)]
            spans = [*traffic.of_deployment(found, environments, self._deployments(model_id), now)]
        return self._answer(query, spans, now)

    def _deployments(self, model_id: str) -> Mapping[str, Deployment]:
        return {found.id: found for found in self._state.deployments(model_id)}

    def _answer(self, query: Query, spans: Sequence[traffic.Span], now: float) -> BaseModel:
        start, end = _window(query, now)
        names = _names(query)
        if any(span.deployment.traffic == traffic.UNREADABLE and span.end >= now for span in spans):
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "UNAVAILABLE", "The metrics cannot be queried right now")
        step = max(15, round((end - start) / 1000 / _STEPS)) if query.mode == "SERIES" else None
        starts = range(start, end, step * 1000) if step else [start]
        every = self._state.timing.request
        sets = []
        for begin in starts:
            until = min(end, begin + step * 1000) if step else end
            window = (begin / 1000 - _NOW_SECONDS, now) if query.mode == "CURRENT" else (begin / 1000, until / 1000)
            values = dict(_values(spans, *window, every=every))
            sets.append(sdk.ModelMetricValueSet(start_epoch_millis=begin, values=[values[name] for name in names]))
        return sdk.GetModelMetricsResponse(
            start_epoch_millis=start,
            end_epoch_millis=end,
            mode=query.mode,
            step_seconds=step,
            metric_descriptors=[_DESCRIPTORS[name] for name in names],
            metric_values=sets,
        )


_DESCRIPTORS = {
    _REPLICAS: sdk.ModelMetricDescriptor(name=_REPLICAS, unit_hint="COUNT", kind="GAUGE", label_sets=[{}]),
    _REQUESTS: sdk.ModelMetricDescriptor(
        name=_REQUESTS,
        unit_hint="PER_SECOND",
        kind="COUNTER",
        label_sets=[{"status": status} for status in ("2xx", "4xx", "5xx")],
    ),
    _RESPONSE_TIME: sdk.ModelMetricDescriptor(
        name=_RESPONSE_TIME,
        unit_hint="SECONDS",
        kind="HISTOGRAM",
        label_sets=[*({"quantile": each} for each in traffic.QUANTILES), {"stat": "avg"}],
    ),
}


def _window(query: Query, now: float) -> tuple[int, int]:
    moment = int(now * 1000)
    if query.mode == "CURRENT":
        if query.start_epoch_millis is not None or query.end_epoch_millis is not None:
            raise invalid("start_epoch_millis and end_epoch_millis must be omitted in mode CURRENT")
        return moment, moment
    if query.mode not in {"SUMMARY", "SERIES"}:
        raise invalid("mode: CURRENT, SUMMARY or SERIES")
    end = moment if query.end_epoch_millis is None else query.end_epoch_millis
    start = end - _HOUR_MS if query.start_epoch_millis is None else query.start_epoch_millis
    if start >= end:
        raise invalid("start_epoch_millis must be before end_epoch_millis")
    if end - start > _LONGEST_MS:
        raise invalid("the window from start to end must not exceed 7 days")
    return start, end


def _names(query: Query) -> Sequence[str]:
    names = _DEFAULT if query.metrics is None else tuple(dict.fromkeys(query.metrics))
    if unknown := [name for name in names if name not in _DESCRIPTORS]:
        raise invalid(f"metrics: {', '.join(unknown)}: no such metric")
    return names


def _values(
    spans: Sequence[traffic.Span], start: float, end: float, *, every: float
) -> Iterator[tuple[str, list[float | None]]]:
    """The series of each metric: rates a second, seconds, replicas; null where there is no data."""
    found = traffic.measure(spans, start, end, every=every)
    seconds = max(end - start, 0.001)
    yield _REQUESTS, [number / seconds if found.total else None for number in found.statuses.values()]
    times = [*traffic.QUANTILES.values(), traffic.AVERAGE]
    yield _RESPONSE_TIME, [time * found.slower if found.total else None for time in times]
    up = {span.deployment.id for span in spans if lifecycle.status_at(span.deployment.timeline, end) == "ACTIVE"}
    yield _REPLICAS, [float(len(up))]
