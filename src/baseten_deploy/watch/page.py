"""What people read about a watch: how it ended, a table of before, now and limit, and two charts. Pure."""

import math
from collections.abc import Iterator, Sequence

from baseten_deploy.report.amounts import duration
from baseten_deploy.report.markdown import block, table, texts
from baseten_deploy.service.metrics import Metrics

from . import wording
from .gauge import LOOK_SECONDS, Gauge
from .judgement import Look, Yardstick

# More points than that are no line any more; fewer than two are none yet.
POINTS = 40
# What is measured and its limit, each on white and on black: a chart has one colour for both themes of GitHub.
MEASURED, LIMIT = "#3b82f6", "#e5534b"
_NICE = (1.5, 2.0, 4.0, 5.0, 8.0, 10.0, 15.0)
_SMALLEST = 1e-4  # that a chart tells from nothing: `_short` has four digits
_LONG = 180.0  # seconds that are counted as minutes
_LATE = 1.0  # seconds that a look may be off


def watched(gauge: Gauge, outcome: str, *, good: bool) -> str:
    """The part of the summary: the verdict above table and charts."""
    verdict = f"{'✅' if good else '❌'} {texts(outcome)}"
    last = _last(gauge.looks)
    parts = [f"### Watch of {texts(gauge.place.title)}", verdict, _table(gauge.yardstick, last), *_charts(gauge)]
    return "\n\n".join(parts)


def outcome(gauge: Gauge) -> str:
    """How a watch ended whose time is over, in one line."""
    last, limits = _last(gauge.looks), gauge.yardstick.limits
    title, time = gauge.place.title, duration(gauge.elapsed)
    if last is None:
        return f"{title} was watched for {time}, and nothing could be measured"
    if not last.requests:
        return f"No traffic: {title} got no request in {time}, so nothing was judged"
    figures = ", ".join(figure for figure in _figures(last))
    if not gauge.yardstick.judges(last):
        got = wording.count_of(last)
        return f"{title} got {got} in {time}: with fewer than {limits.min_requests} nothing is judged ({figures})"
    if crossings := list(gauge.yardstick.crossings(last)):
        return f"{title}: {wording.crossed(crossings, gauge.looks[-1], gauge.yardstick)}"
    return f"{title} stayed within its limits for {time}: {wording.count_of(last)}, {figures}"


def _figures(metrics: Metrics) -> Iterator[str]:
    if metrics.error_rate is not None:
        yield f"error rate {wording.share(metrics.error_rate)}"
    if "p95" in metrics.quantiles:
        yield f"p95 {duration(metrics.quantiles['p95'])}"


def _last(looks: Sequence[Look]) -> Metrics | None:
    return next((look.metrics for look in reversed(looks) if look.metrics), None)


def _table(yardstick: Yardstick, now: Metrics | None) -> str:
    before, limits = yardstick.before, yardstick.limits
    rows = [
        ("Requests", _requests(before), _requests(now), f"at least {limits.min_requests}"),
        ("Error rate", _error_rate(before), _error_rate(now), f"at most {wording.share(limits.error_rate)}"),
        *((name, _quantile(before, name), _quantile(now, name), _limit(yardstick, name)) for name in _NAMES),
    ]
    return table(("", "before", "now", "limit"), rows)


_NAMES = ("p50", "p95", "p99")
_NO_DATA = "-"


def _requests(metrics: Metrics | None) -> str:
    return _NO_DATA if metrics is None else f"{wording.number(metrics.requests)} in {duration(metrics.seconds)}"


def _error_rate(metrics: Metrics | None) -> str:
    return _NO_DATA if metrics is None or metrics.error_rate is None else wording.share(metrics.error_rate)


def _quantile(metrics: Metrics | None, name: str) -> str:
    return _NO_DATA if metrics is None or name not in metrics.quantiles else duration(metrics.quantiles[name])


def _limit(yardstick: Yardstick, name: str) -> str:
    parts = []
    if name in yardstick.limits.seconds:
        parts.append(f"at most {duration(yardstick.limits.seconds[name])}")
    if name in yardstick.limits.ratios:
        ratio = f"{yardstick.limits.ratios[name]:g} times before"
        known = yardstick.ratios.get(name)
        parts.append(f"at most {duration(known)} ({ratio})" if known is not None else f"{ratio}: not judged")
    return ", ".join(parts)


def _charts(gauge: Gauge) -> Iterator[str]:
    """Error rate and p95 over the watch, each with its limit."""
    limits = gauge.yardstick.limits
    rates = [None if look.metrics is None else look.metrics.error_rate for look in gauge.looks]
    percent = [None if rate is None else 100 * rate for rate in rates]
    yield from _chart("Error rate in %", percent, 100 * limits.error_rate, gauge.looks)
    p95 = [None if look.metrics is None else look.metrics.quantiles.get("p95") for look in gauge.looks]
    yield from _chart("p95 in seconds", p95, gauge.yardstick.limit_of("p95"), gauge.looks)


def _chart(title: str, values: Sequence[float | None], limit: float | None, looks: Sequence[Look]) -> Iterator[str]:
    """A line over the looks of the watch, and a straight one for the limit; nothing below two points."""
    if len(values) < 2 or all(value is None for value in values):
        return
    stride = -(-(len(values) - 1) // (POINTS - 1))
    chosen = [*range(len(values) - 1, -1, -stride)][::-1]  # the last look is always there
    whole = _whole(values)
    points = [whole[number] for number in chosen]
    # Steps that have no rounding error: Mermaid adds them up, and drops a last point that comes out a little too far.
    regular = all(abs(look.seconds - LOOK_SECONDS * number) <= _LATE for number, look in enumerate(looks, 1))
    long = len(values) * LOOK_SECONDS > _LONG
    of_the_watch = ("minutes of the watch", LOOK_SECONDS / 60) if long else ("seconds of the watch", LOOK_SECONDS)
    unit, step = of_the_watch if regular else ("look", 1.0)
    start, end = (step * (chosen[number] + 1) for number in (0, -1))
    lines = [
        f'%%{{init: {{"xyChart": {{"width": 700, "height": 300}}, "themeVariables": {{"xyChart": '
        f'{{"plotColorPalette": "{MEASURED}, {LIMIT}", "backgroundColor": "transparent"}}}}}}}}%%',
        "xychart-beta",
        f'  title "{title}{"" if limit is None else " (blue), and its limit (red)"}"',
        f'  x-axis "{unit}" {_short(start)} --> {_short(end)}',
        f'  y-axis "{title}" 0 --> {_short(_ceiling(max([*points, limit or 0.0])))}',
        f"  line [{', '.join(map(_short, points))}]",
    ]
    if limit is not None:
        lines.append(f"  line [{', '.join([_short(limit)] * len(points))}]")
    yield block("\n".join(lines), "mermaid")


def _whole(values: Sequence[float | None]) -> list[float]:
    """A line without gaps: where nothing was measured it goes on as it was, from 0 on."""
    points: list[float] = []
    for value in values:
        points.append(value if value is not None else points[-1] if points else 0.0)
    return points


def _ceiling(value: float) -> float:
    """Where an axis ends that has to show `value`: a little above, and where Mermaid makes ten marks at most."""
    value = max(value, _SMALLEST) if value > 0 else 0.0
    power = 10 ** math.floor(math.log10(value)) if value > 0 else 1.0
    return next(nice * power for nice in _NICE if nice * power >= value * 1.05)


def _short(value: float) -> str:
    """A number for a chart: no exponent, which Mermaid does not read."""
    return f"{value:.4f}".rstrip("0").rstrip(".") or "0"
