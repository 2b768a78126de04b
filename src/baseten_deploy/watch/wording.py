"""Looks and limits in words, for the log, the messages and the summary. Pure."""

from collections.abc import Sequence

from baseten_deploy.inputs.watch_limits import ERROR_RATE
from baseten_deploy.report.amounts import count, duration
from baseten_deploy.service.metrics import Metrics

from .judgement import Crossing, Look, Yardstick


def share(value: float) -> str:
    """A share as percent: `0 %`, `0.25 %`, `12.4 %`, `50 %`."""
    percent = 100 * value
    if percent == 0:
        return "0 %"
    if percent < 0.01:
        return "below 0.01 %"
    digits = 2 if percent < 0.995 else 1 if percent < 99.95 else 0
    text = f"{percent:.{digits}f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text} %"


def number(value: int) -> str:
    """A number of requests: `1 234`."""
    return f"{value:,}".replace(",", " ")


def line(elapsed: float, total: float, look: Look, yardstick: Yardstick) -> str:
    """A look as a line of the log; `total` is 0 where it is open how long the watch takes."""
    when = f"{duration(elapsed)} of {duration(total)}" if total else f"After {duration(elapsed)}"
    metrics = look.metrics
    if metrics is None:
        return f"{when}: the metrics could not be read: {look.why}"
    if not metrics.requests:
        return f"{when}: no requests"
    parts = [count_of(metrics), *_measured(metrics, yardstick)]
    if look.why:
        parts.append(look.why)
    if not yardstick.judges(metrics):
        parts.append(f"nothing is judged below {yardstick.limits.min_requests}")
    elif any(yardstick.crossings(metrics)):
        parts.append("above its limit")
    return f"{when}: {', '.join(parts)}"


def count_of(metrics: Metrics) -> str:
    """How many requests: `1 234 requests`."""
    return count(metrics.requests, "request").replace(str(metrics.requests), number(metrics.requests), 1)


def _measured(metrics: Metrics, yardstick: Yardstick) -> list[str]:
    """Error rate and p95, and whatever else has a limit, with the limits."""
    parts = []
    if metrics.error_rate is not None:
        parts.append(f"error rate {share(metrics.error_rate)} (limit {share(yardstick.limits.error_rate)})")
    for name in ("p50", "p95", "p99"):
        limit = yardstick.limit_of(name)
        if name in metrics.quantiles and (name == "p95" or limit is not None):
            bound = f" (limit {duration(limit)})" if limit is not None else ""
            parts.append(f"{name} {duration(metrics.quantiles[name])}{bound}")
    return parts


def crossed(crossings: Sequence[Crossing], look: Look, yardstick: Yardstick) -> str:
    """The limits that are crossed, with the figures: `the error rate is 12 % (limit 5 %), of 830 requests in 45 s`."""
    parts = [_crossing(each, yardstick) for each in crossings]
    metrics = look.metrics
    of = f", of {count_of(metrics)} in {duration(metrics.seconds)}" if metrics else ""
    return " and ".join(parts) + of


def _crossing(crossing: Crossing, yardstick: Yardstick) -> str:
    if crossing.name == ERROR_RATE:
        return f"the error rate is {share(crossing.value)} (limit {share(crossing.limit)})"
    name, _, kind = crossing.name.partition("-")
    limit = f"limit {duration(crossing.limit)}"
    if kind == "ratio" and yardstick.before:
        before = duration(yardstick.before.quantiles[name])
        limit += f", {yardstick.limits.ratios[name]:g} times the {before} of the hour before"
    return f"the {name} is {duration(crossing.value)} ({limit})"
