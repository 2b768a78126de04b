"""What an environment costs now, and what it will cost with this run's deployment in it. Pure.

At list prices, as if so many replicas ran all the time: an estimate. Which instance type counts is, in this order: that
of the environment when it is kept, `instance_type_id`, `resources.instance_type`, the cheapest that has what the config
asks for.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from baseten_deploy.inputs.settings import Settings
from baseten_deploy.records import dataclass
from baseten_deploy.service.answers import Environment
from baseten_deploy.service.instance_types import InstanceType, PricedInstanceType

from . import machine, replicas
from .machine import Unknown
from .replicas import Replicas

HOURS_PER_MONTH = 730


@dataclass(frozen=True)
class Cost:
    """What runs, on which machines: `per_minute` is the list price of one replica in USD, on all of its `nodes`."""

    machine: InstanceType
    replicas: Replicas
    per_minute: float
    nodes: int = 1

    def per_hour(self, number: int) -> float:
        """So many replicas, in USD."""
        return self.per_minute * 60 * number

    @property
    def least(self) -> float:
        """USD per hour at the smallest number of replicas."""
        return self.per_hour(self.replicas.smallest)

    @property
    def most(self) -> float:
        """USD per hour at the largest number of replicas."""
        return self.per_hour(self.replicas.largest)


@dataclass(frozen=True)
class Estimate:
    """The cost of one place: `where` is an environment's name, `""` for a deployment in none.

    `now` and `then` are `None` where they are not known, with the reason beside them; `now` also where nothing is
    served (`serves` is false) or there is no environment. `kept` is the instance type of the environment that stays,
    and `ignores_resources` whether the config asks for another (`None`: cannot be told).
    """

    where: str
    now: Cost | None = None
    then: Cost | None = None
    why_not_now: str = ""
    why_not_then: str = ""
    serves: bool = False
    kept: InstanceType | None = None
    ignores_resources: bool | None = False

    @property
    def difference(self) -> float | None:
        """By how much it gets dearer per hour at the largest number of replicas, in USD; `None` for unknown."""
        return self._difference(lambda cost: cost.most)

    @property
    def difference_at_least(self) -> float | None:
        """The same at the smallest number of replicas."""
        return self._difference(lambda cost: cost.least)

    def _difference(self, end: Callable[[Cost], float]) -> float | None:
        if self.then is None or (self.now is None and self.serves):
            return None
        return end(self.then) - (end(self.now) if self.now else 0.0)


def estimate(
    prices: Sequence[PricedInstanceType] | str,
    settings: Settings,
    config: Mapping[str, Any],
    where: str = "",
    before: Environment | None = None,
    *,
    extra: Mapping[str, Any] | None = None,
) -> Estimate:
    """The cost of `config` in the environment `where`, which is `before`; `prices` as a text is why there are none.

    `extra` are further fields of the payload that goes there with a push: `instance_type_id`, `autoscaling_settings`.
    """
    given = extra or {}
    known = () if isinstance(prices, str) else prices
    serves = bool(before and before.current)
    keeps = bool(before and serves and settings.preserve_env_instance_type)
    kept = before.instance_type if before and keeps else None
    now, why_not_now = _try(lambda: _now(before, prices, config)) if before and serves else (None, "")
    then, why_not_then = _try(lambda: _then(prices, settings, config, before, given, keeps=keeps))
    ignores = machine.differs(config, kept, known) if kept else False
    return Estimate(where, now, then, why_not_now, why_not_then, serves, kept, ignores)


def _try(work: Callable[[], Cost]) -> tuple[Cost | None, str]:
    try:
        return work(), ""
    except Unknown as unknown:
        return None, str(unknown)


def _now(before: Environment, prices: Sequence[PricedInstanceType] | str, config: Mapping[str, Any]) -> Cost:
    if isinstance(prices, str):
        raise Unknown(prices)
    if machine.nodes(config) > 1:  # that of what is live may be another, and no answer has it
        raise Unknown("the service does not tell on how many nodes it runs")
    return _cost(_of_environment(before, prices), replicas.replicas_of(before.settings), 1)


def _then(
    prices: Sequence[PricedInstanceType] | str,
    settings: Settings,
    config: Mapping[str, Any],
    before: Environment | None,
    given: Mapping[str, Any],
    *,
    keeps: bool,
) -> Cost:
    if isinstance(prices, str):
        raise Unknown(prices)
    wanted = settings.environment_settings or {}
    own = {key: given[key] for key in ("autoscaling_settings", "autoscaling_schedule_settings") if given.get(key)}
    if before and keeps:
        chosen = _of_environment(before, prices)
    elif name := given.get("instance_type_id"):
        chosen = machine.named(str(name), prices)
    else:
        chosen = machine.choose(config, prices)
    number = (
        replicas.replicas_of(replicas.applied(replicas.applied(before.settings, wanted), own))
        if before
        else replicas.of_a_new_one(replicas.applied(wanted, own))
    )
    return _cost(chosen, number, machine.nodes(config))


def _of_environment(environment: Environment, prices: Sequence[PricedInstanceType]) -> PricedInstanceType:
    if environment.instance_type is None:
        raise Unknown(f"the service does not tell the instance type of `{environment.name}`")
    return machine.named(environment.instance_type.id, prices)


def _cost(chosen: PricedInstanceType, number: Replicas, nodes: int) -> Cost:
    return Cost(chosen.machine, number, chosen.usd_per_minute * nodes, nodes)
