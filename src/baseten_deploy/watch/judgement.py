"""What the looks of a watch say so far: go on, a limit is crossed, or nothing can be seen. Pure.

A limit that is crossed once is nothing; on two looks in a row it is the end. A look that saw nothing says neither: it
is left out of the row, and too many of them end the watch too, as what they are.
"""

from collections.abc import Iterator, Sequence
from enum import Enum, auto

from baseten_deploy.inputs.watch_limits import ERROR_RATE, Limits
from baseten_deploy.records import dataclass
from baseten_deploy.service.metrics import Metrics

# On so many looks in a row a limit is crossed for good.
IN_A_ROW = 2
# So many looks in a row without metrics: the watch sees nothing.
BLIND_LOOKS = 10


@dataclass(frozen=True)
class Look:
    """One look, `seconds` after the watch began. Without `metrics` it saw nothing; `why` says why.

    `refused` is an answer that another look would get too: 401, 403 and 404.
    """

    seconds: float
    metrics: Metrics | None = None
    why: str = ""
    refused: bool = False


@dataclass(frozen=True)
class Crossing:
    """A limit of `watch-limits` that is crossed: by what `value`, of which `limit`."""

    name: str
    value: float
    limit: float


class Verdict(Enum):
    """What the looks say."""

    GOES_ON = auto()
    CROSSED = auto()
    BLIND = auto()


@dataclass(frozen=True)
class Yardstick:
    """What is judged by: the limits, and what was measured before, `None` where that is not known."""

    limits: Limits
    before: Metrics | None = None

    @property
    def ratios(self) -> dict[str, float]:
        """In seconds, what each quantile may be by its ratio; without enough requests before, a ratio says nothing."""
        before, least = self.before, max(1, self.limits.min_requests)
        if before is None or before.requests < least:
            return {}
        return {
            name: ratio * before.quantiles[name]
            for name, ratio in self.limits.ratios.items()
            if before.quantiles.get(name, 0.0) > 0
        }

    @property
    def unjudged(self) -> list[str]:
        """The ratios of `watch-limits` that have nothing to be compared with."""
        return [f"{name}-ratio" for name in self.limits.ratios if name not in self.ratios]

    def limit_of(self, name: str) -> float | None:
        """How long a quantile may take, in seconds: the narrower of its limits, `None` without one."""
        found = [each[name] for each in (self.limits.seconds, self.ratios) if name in each]
        return min(found, default=None)

    def crossings(self, metrics: Metrics) -> Iterator[Crossing]:
        """The limits that these metrics cross; none while there are too few requests."""
        if not self.judges(metrics):
            return
        limits = self.limits
        if metrics.error_rate is not None and metrics.error_rate > limits.error_rate:
            yield Crossing(ERROR_RATE, metrics.error_rate, limits.error_rate)
        for kind, most in (("seconds", limits.seconds), ("ratio", self.ratios)):
            for name, limit in most.items():
                if metrics.quantiles.get(name, 0.0) > limit:
                    yield Crossing(f"{name}-{kind}", metrics.quantiles[name], limit)

    def judges(self, metrics: Metrics) -> bool:
        """Whether there were enough requests to judge by."""
        return metrics.requests >= max(1, self.limits.min_requests)

    def unmeasured(self, metrics: Metrics) -> list[str]:
        """What has a limit and was not measured, although there were enough requests."""
        if not self.judges(metrics):
            return []
        missing = [ERROR_RATE] if metrics.error_rate is None and self.limits.error_rate < 1 else []
        limited = dict.fromkeys((*self.limits.seconds, *self.ratios))
        return missing + [name for name in limited if name not in metrics.quantiles]

    def sees(self, look: Look) -> bool:
        """Whether a look saw enough to say that all is well, or that it is not."""
        return look.metrics is not None and (any(self.crossings(look.metrics)) or not self.unmeasured(look.metrics))


def judge(looks: Sequence[Look], yardstick: Yardstick) -> Verdict:
    """Judge the looks so far, in their order."""
    if lasting(looks, yardstick):
        return Verdict.CROSSED
    blind = next((number for number, look in enumerate(reversed(looks)) if yardstick.sees(look)), len(looks))
    if looks and (looks[-1].refused or blind >= BLIND_LOOKS):
        return Verdict.BLIND
    return Verdict.GOES_ON


def lasting(looks: Sequence[Look], yardstick: Yardstick) -> list[Crossing]:
    """The limits that were crossed on the last looks in a row that saw something, as the last of these has them."""
    seen = [look.metrics for look in looks if look.metrics is not None and yardstick.sees(look)][-IN_A_ROW:]
    if len(seen) < IN_A_ROW:
        return []
    crossed = [list(yardstick.crossings(metrics)) for metrics in seen]
    common = set.intersection(*({each.name for each in row} for row in crossed))
    return [each for each in crossed[-1] if each.name in common]


def is_settled(looks: Sequence[Look], yardstick: Yardstick) -> bool:
    """Whether a watch whose time is over may end well: its last look saw everything, and crossed nothing."""
    if not looks or not yardstick.sees(looks[-1]):
        return False
    metrics = looks[-1].metrics
    return metrics is not None and not any(yardstick.crossings(metrics))
