"""Metrics as the service answers them, made from traffic that a test thinks up: a function of time, added up.

The answers have the shape of the official SDK's `GetModelMetricsResponse`; a test holds them to it.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

REQUESTS = "baseten_inference_requests_total"
RESPONSE_TIME = "baseten_end_to_end_response_time_seconds"
QUANTILES = ("0.5", "0.95", "0.99")


def summary(
    start: float,
    end: float,
    statuses: dict[str, float | None],
    quantiles: Sequence[float | None] = (None, None, None),
    *,
    rate: bool = True,
) -> dict[str, Any]:
    """A summary of a window (seconds since 1970): numbers of requests by status, and p50, p95, p99 in seconds."""
    seconds = end - start if rate else 1.0
    counts = [None if number is None else number / seconds for number in statuses.values()]
    return {
        "start_epoch_millis": round(start * 1000),
        "end_epoch_millis": round(end * 1000),
        "mode": "SUMMARY",
        "step_seconds": None,
        "metric_descriptors": [
            {
                "name": REQUESTS,
                "unit_hint": "PER_SECOND" if rate else "COUNT",
                "kind": "COUNTER",
                "label_sets": [{"status": status} for status in statuses],
            },
            {
                "name": RESPONSE_TIME,
                "unit_hint": "SECONDS",
                "kind": "HISTOGRAM",
                "label_sets": [*({"quantile": each} for each in QUANTILES), {"stat": "avg"}],
            },
        ],
        "metric_values": [{"start_epoch_millis": round(start * 1000), "values": [counts, [*quantiles, quantiles[0]]]}],
    }


@dataclass(frozen=True)
class Traffic:
    """Requests a second, the share of them that fails, and their p95 in seconds; each a function of the time."""

    rate: Callable[[float], float] = lambda _: 10.0
    errors: Callable[[float], float] = lambda _: 0.0
    p95: Callable[[float], float] = lambda _: 0.4

    def summary(self, start: float, end: float, *, rate: bool = True) -> dict[str, Any]:
        """What is measured of it in a window."""
        moments = [start + (end - start) * (number + 0.5) / 200 for number in range(200)]
        step = (end - start) / 200
        requests = [max(0.0, self.rate(moment)) * step for moment in moments]
        total = math.fsum(requests)
        if total == 0:
            return summary(start, end, {"2xx": None, "5xx": None}, rate=rate)
        failed = math.fsum(number * self.errors(moment) for number, moment in zip(requests, moments, strict=True))
        slow = math.fsum(number * self.p95(moment) for number, moment in zip(requests, moments, strict=True)) / total
        return summary(start, end, {"2xx": total - failed, "5xx": failed}, (slow / 2, slow, slow * 1.5), rate=rate)
