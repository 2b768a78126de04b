"""The machines that deployments run on: records of them, with their prices, and how each is read off the JSON.

Spec: `InstanceType` and `InstanceTypePrices` of the management API. What one costs a user is `cost`.
"""

import math
from typing import Any

from baseten_deploy.records import dataclass

from . import shapes

_MOST = 2**53  # a number of JSON that Python and the service read alike


@dataclass(frozen=True)
class InstanceType:
    """A machine: its memory in MiB, its cores in thousandths, its accelerators (`gpu` is `""` without any)."""

    id: str
    name: str
    memory_mib: int
    millicpu: int
    gpu: str = ""
    gpus: int = 0


@dataclass(frozen=True)
class PricedInstanceType:
    """A machine and its list price in USD per minute."""

    machine: InstanceType
    usd_per_minute: float


def read_instance_type(row: Any) -> InstanceType:
    """Read a machine."""
    gpus = _number(row.get("gpu_count") or 0, "gpu_count")
    return InstanceType(
        id=shapes.word(row["id"], "id"),
        name=shapes.word(row.get("name") or row["id"], "name"),
        memory_mib=_number(row["memory_limit_mib"], "memory_limit_mib"),
        millicpu=_number(row["millicpu_limit"], "millicpu_limit"),
        gpu=shapes.word(row["gpu_type"], "gpu_type") if row.get("gpu_type") else "",
        gpus=gpus,
    )


def read_optional_instance_type(row: Any) -> InstanceType | None:
    """As `read_instance_type`, within an answer that is good without it: `None` for whatever it is not."""
    try:
        return read_instance_type(row)
    except (shapes.Unusable, KeyError, TypeError, AttributeError):
        return None


def read_price(row: Any) -> PricedInstanceType:
    """Read a machine with its price."""
    price = row["price"]
    if isinstance(price, bool) or not isinstance(price, int | float) or not 0 <= price < _MOST or math.isnan(price):
        raise shapes.Unusable("`price` is no price")
    return PricedInstanceType(read_instance_type(row["instance_type"]), float(price))


def _number(value: Any, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _MOST:
        raise shapes.Unusable(f"`{what}` is no amount")
    return int(value)
