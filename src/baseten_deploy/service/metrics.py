"""What the service measured of a deployment or an environment over one window: read off its answer, and checked.

Spec: `GetModelMetricsResponse` of the management API. A value's place is its descriptor's, then its label set's; null
is no data. A metric that does not apply is left out of the answer, which is not the same: it was not measured.
"""

import math
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from baseten_deploy.records import dataclass

from . import shapes
from .answers import JsonObject, optional_text, rows

REQUESTS = "baseten_inference_requests_total"
RESPONSE_TIME = "baseten_end_to_end_response_time_seconds"
NAMES = (REQUESTS, RESPONSE_TIME)
# The hint of a metric that is a rate: times the window it is a number.
_RATE = "PER_SECOND"
# As label sets have them, and as people and `watch-limits` call them.
_QUANTILES = {"0.5": "p50", "0.50": "p50", "0.95": "p95", "0.99": "p99"}

Series = list[tuple[Mapping[str, Any], float | None]]


@dataclass(frozen=True)
class Metrics:
    """What was measured in a window of `seconds`.

    `requests` is their number, 0 where there is no data of any; `error_rate` is the share of those with status 5xx,
    `None` where there were none or their status is not told. `quantiles` are seconds end to end, by `p50`, `p95`,
    `p99`, as far as there is data.
    """

    seconds: float
    requests: int = 0
    error_rate: float | None = None
    quantiles: Mapping[str, float] = field(default_factory=dict)


def read_metrics(body: JsonObject, *, seconds: float) -> Metrics:
    """Read a summary; `seconds` is the window that was asked for, where the answer does not tell its own.

    Raises `Unusable`, also where the number of requests was not measured.
    """
    seconds = _window(body, seconds)
    series = _series(body)
    if REQUESTS not in series:
        raise shapes.Unusable(f"it has no `{REQUESTS}`: the number of requests is not measured there")
    requests = [(labels, value) for labels, value in series[REQUESTS].values if value is not None]
    statuses = [(str(labels["status"]), value) for labels, value in requests if "status" in labels]
    total = sum(value for _, value in statuses) if statuses else sum(value for _, value in requests)
    errors = sum(value for status, value in statuses if status.startswith("5"))
    number = round(total * seconds) if series[REQUESTS].is_rate else round(total)
    return Metrics(
        seconds=seconds,
        requests=number,
        error_rate=errors / total if statuses and total > 0 else None,
        quantiles=_quantiles(series[RESPONSE_TIME].values) if RESPONSE_TIME in series else {},
    )


@dataclass(frozen=True)
class _Metric:
    values: Series
    is_rate: bool


def _series(body: JsonObject) -> dict[str, _Metric]:
    """The series of each metric, by its name; what the values lack is no data."""
    descriptors, sets = rows(body, "metric_descriptors"), rows(body, "metric_values")
    if len(sets) > 1:
        raise shapes.Unusable("`metric_values` has more than one window, where one was asked for")
    values = rows(sets[0], "values") if sets else []
    found = {}
    for number, descriptor in enumerate(descriptors):
        row: Any = values[number] if number < len(values) else []
        if not isinstance(row, list):
            raise shapes.Unusable("`values` has no array for each metric")
        labels = rows(descriptor, "label_sets")
        if len(row) > len(labels):
            raise shapes.Unusable("`values` has more series than `label_sets`")
        series: Series = [
            (shapes.mapping(each, "label_sets"), _value(row[index]) if index < len(row) else None)
            for index, each in enumerate(labels)
        ]
        is_rate = optional_text(descriptor, "unit_hint") == _RATE
        found[shapes.text(descriptor["name"], "name")] = _Metric(series, is_rate)
    return found


def _quantiles(series: Series) -> dict[str, float]:
    named = ((_QUANTILES.get(str(labels.get("quantile"))), value) for labels, value in series)
    return {name: value for name, value in named if name and value is not None}


def _value(value: Any) -> float | None:
    """A number that can be one of requests or of seconds; null and NaN, as of a share of nothing, are no data."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise shapes.Unusable("a value of a metric is no number")
    number = float(value)
    if math.isnan(number):
        return None
    if math.isinf(number) or number < 0:
        raise shapes.Unusable("a value of a metric is below 0, or has no end")
    return number


def _window(body: JsonObject, asked: float) -> float:
    """The seconds of the window that the answer is about."""
    start, end = body.get("start_epoch_millis"), body.get("end_epoch_millis")
    if type(start) is int and type(end) is int and end - start > 0:
        return (end - start) / 1000
    return asked
