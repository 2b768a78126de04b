"""Which instance type a config asks for, of those that there are. Pure.

As `truss` reads `resources`: an `instance_type` counts alone; else the service takes the cheapest that has the
accelerator, its number, the cores and the memory, where what is left out is 1 core and 2Gi.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from baseten_deploy.records import dataclass
from baseten_deploy.service.instance_types import InstanceType, PricedInstanceType

_MILLICPU = 1000
_MEMORY_BYTES = 2 * 1024**3
_UNITS: Mapping[str, int] = {
    "": 1,
    **{unit: 1000**power for power, unit in enumerate(("k", "M", "G", "T", "P", "E"), 1)},
    **{unit: 1024**power for power, unit in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), 1)},
}
_ASKED = ("instance_type", "accelerator", "cpu", "memory")


class Unknown(Exception):
    """Why something of the cost is not known, as the end of a sentence."""


@dataclass(frozen=True)
class Needs:
    """What a machine must have: accelerators of one kind (`""` for none), cores in thousandths, memory in bytes."""

    gpu: str
    gpus: int
    millicpu: int
    memory: int

    def are_met_by(self, machine: InstanceType) -> bool:
        """Whether the machine has all of it; one with an accelerator is none for a config without."""
        if _bare(machine.gpu) != _bare(self.gpu) or machine.gpus < self.gpus:
            return False
        return machine.millicpu >= self.millicpu and machine.memory_mib * 1024**2 >= self.memory

    def __str__(self) -> str:
        gpu = f"{self.gpu}:{self.gpus}, " if self.gpus > 1 else f"{self.gpu}, " if self.gpu else ""
        return f"{gpu}{self.millicpu / 1000:g} cores, {self.memory / 1024**3:.3g} GiB"


def asks_for_one(config: Mapping[str, Any]) -> bool:
    """Whether the config says anything about its machine."""
    resources = _resources(config)
    return any(resources.get(key) not in (None, "") for key in _ASKED)


def nodes(config: Mapping[str, Any]) -> int:
    """On how many machines each replica runs."""
    number = _resources(config).get("node_count")
    return number if isinstance(number, int) and not isinstance(number, bool) and number > 0 else 1


def needs_of(config: Mapping[str, Any]) -> Needs:
    """What `resources` ask for. Raises `Unknown`."""
    resources = _resources(config)
    gpu, gpus = _accelerator(resources.get("accelerator"))
    return Needs(gpu, gpus, _millicpu(resources.get("cpu")), _memory(resources.get("memory")))


def choose(config: Mapping[str, Any], prices: Sequence[PricedInstanceType]) -> PricedInstanceType:
    """The instance type of a config. Raises `Unknown`."""
    if name := _resources(config).get("instance_type"):
        return named(str(name), prices)
    needs = needs_of(config)
    fitting = [each for each in prices if needs.are_met_by(each.machine)]
    if not fitting:
        raise Unknown(f"no instance type with a price has what `resources` ask for ({needs})")
    return min(fitting, key=lambda each: (each.usd_per_minute, each.machine.memory_mib, each.machine.id))


def named(name: str, prices: Sequence[PricedInstanceType]) -> PricedInstanceType:
    """The instance type of that id, else of that name. Raises `Unknown`."""
    found = [each for each in prices if each.machine.id == name] or [
        each for each in prices if each.machine.name == name
    ]
    if not found:
        raise Unknown(f"the service names no price of the instance type `{name}`")
    return found[0]


def differs(config: Mapping[str, Any], kept: InstanceType, prices: Sequence[PricedInstanceType]) -> bool | None:
    """Whether the config asks for another machine than the one that is kept; `None` when that cannot be told."""
    if not asks_for_one(config):
        return False
    if name := _resources(config).get("instance_type"):
        return name not in (kept.id, kept.name)
    try:
        if not needs_of(config).are_met_by(kept):
            return True
        return choose(config, prices).machine.id != kept.id
    except Unknown:
        return None


def _resources(config: Mapping[str, Any]) -> Mapping[str, Any]:
    found = config.get("resources")
    return found if isinstance(found, Mapping) else {}


def _accelerator(written: Any) -> tuple[str, int]:
    if isinstance(written, Mapping):
        name, number = written.get("accelerator"), written.get("count", 1)
    else:
        name, _, number = str(written or "").strip().partition(":")
    if not name:
        return "", 0
    if not re.fullmatch(r"0*[1-9][0-9]{0,3}", str(number if number not in ("", None) else 1).strip()):
        raise Unknown(f"`accelerator: {written}` has no number of accelerators")
    return str(name).strip(), int(number or 1)


def _millicpu(written: Any) -> int:
    text = str(written).strip() if written not in (None, "") else ""
    found = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(m?)", text)
    if not text:
        return _MILLICPU
    if not found:
        raise Unknown(f"`cpu: {written}` is no number of cores")
    return math.ceil(float(found[1]) * (1 if found[2] else 1000))


def _memory(written: Any) -> int:
    text = str(written).strip() if written not in (None, "") else ""
    found = re.fullmatch(r"([0-9]{1,18}(?:\.[0-9]{1,9})?)([A-Za-z]*)", text)
    if not text:
        return _MEMORY_BYTES
    if not found or found[2] not in _UNITS:
        raise Unknown(f"`memory: {written}` is no size")
    return math.ceil(float(found[1]) * _UNITS[found[2]])


def _bare(gpu: str) -> str:
    """Services and configs write `A100_40GB`, `A100-40GB`, `a100-40gb`."""
    return re.sub(r"[^A-Z0-9]", "", gpu.upper())
