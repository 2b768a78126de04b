"""How many replicas an environment runs at least and at most, as it is and as the run leaves it. Pure.

An enabled schedule has numbers of its own for some hours: the smallest and the largest of all count.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from baseten_deploy.inputs.objects import merged
from baseten_deploy.records import dataclass

from .machine import Unknown

# Of an environment or deployment that nobody set anything for: https://docs.baseten.co/deployment/autoscaling/overview
DEFAULT_MIN, DEFAULT_MAX = 0, 1
_MIN, _MAX = "min_replica", "max_replica"

Group = Mapping[str, Any]


@dataclass(frozen=True)
class Replicas:
    """The smallest and the largest number; `by_default` when nobody set them."""

    smallest: int
    largest: int
    by_default: bool = False

    def __str__(self) -> str:
        return str(self.smallest) if self.smallest == self.largest else f"{self.smallest} to {self.largest}"


def replicas_of(settings: Group) -> Replicas:
    """The numbers of an environment's settings. Raises `Unknown` when it tells none."""
    autoscaling = settings.get("autoscaling_settings") or {}
    schedules = [*_schedules(settings)]
    numbers = [_pair(autoscaling, autoscaling), *(_pair(each, autoscaling) for each in schedules)]
    return Replicas(min(small for small, _ in numbers), max(large for _, large in numbers))


def of_a_new_one(wanted: Group) -> Replicas:
    """The numbers of what starts from the service's defaults, with `wanted` settings applied."""
    autoscaling = {_MIN: DEFAULT_MIN, _MAX: DEFAULT_MAX}
    found = replicas_of(applied({"autoscaling_settings": autoscaling}, wanted))
    given = wanted.get("autoscaling_settings") or {}
    return Replicas(found.smallest, found.largest, by_default=not (given.get(_MIN) or given.get(_MAX)))


def applied(settings: Group, wanted: Group) -> dict[str, Any]:
    """An environment's settings once `wanted` is in force: schedules replace those of their id or name."""
    result = merged(settings, {key: _without_nulls(value) for key, value in wanted.items() if value})
    schedules = wanted.get("autoscaling_schedule_settings") or {}
    if schedules.get("schedules") or schedules.get("delete_schedules"):
        there = [*_rows(settings)]
        new = [row for row in schedules.get("schedules") or () if isinstance(row, Mapping)]
        gone = {*map(str, schedules.get("delete_schedules") or ())} | {row.get("id") for row in new if row.get("id")}
        names = {row.get("name") for row in new}
        kept = [row for row in there if row.get("id") not in gone and row.get("name") not in names]
        result["autoscaling_schedule_settings"] = {"schedules": [*kept, *new]}
    return result


def _without_nulls(group: Any) -> Any:
    """A wanted null asks for the default: what it is, only the service knows, so what is there counts."""
    return {key: value for key, value in group.items() if value is not None} if isinstance(group, Mapping) else group


def _rows(settings: Group) -> Iterator[Group]:
    group = settings.get("autoscaling_schedule_settings")
    rows = group.get("schedules") if isinstance(group, Mapping) else None
    yield from (row for row in rows or () if isinstance(row, Mapping))


def _schedules(settings: Group) -> Iterator[Group]:
    for row in _rows(settings):
        own = row.get("autoscaling_settings")
        if row.get("enabled") is not False and isinstance(own, Mapping):
            yield own


def _pair(group: Group, otherwise: Group) -> tuple[int, int]:
    small, large = (_number([group.get(key), otherwise.get(key)], key) for key in (_MIN, _MAX))
    return small, max(small, large)


def _number(candidates: Sequence[Any], key: str) -> int:
    for each in candidates:
        if isinstance(each, int) and not isinstance(each, bool) and each >= 0:
            return each
    raise Unknown(f"the environment does not tell its `{key}`")
