"""A price list, and environments that run on what is in it."""

from baseten_deploy.service.answers import Environment, read_environment
from baseten_deploy.service.instance_types import PricedInstanceType, read_price

ROWS = [
    ("1x2", "1x2", 1000, 2048, None, 0, 0.00058),
    ("4x16", "4x16", 4000, 16384, None, 0, 0.00288),
    ("T4x4x16", "T4:4x16", 4000, 16384, "T4", 1, 0.01052),
    ("A10Gx4x16", "A10G:4x16", 4000, 16384, "A10G", 1, 0.02),
    ("A10Gx8x32", "A10G:8x32", 8000, 32768, "A10G", 1, 0.025),
    ("A10G:2x24x96", "A10G:2x24x96", 24000, 98304, "A10G", 2, 0.05),
    ("H100MIG", "H100MIG:13x117", 13000, 119808, "H100-40GB", 1, 0.0625),
    ("H100:26x234", "H100:26x234", 26000, 239616, "H100", 1, 0.1),
]


def machine(name, title, millicpu, memory, gpu, gpus):
    """A row as the service answers it."""
    return {
        "id": name,
        "name": title,
        "millicpu_limit": millicpu,
        "memory_limit_mib": memory,
        "gpu_type": gpu,
        "gpu_count": gpus,
        "gpu_memory_limit_mib": None,
    }


ANSWER = {"instance_types": [{"instance_type": machine(*row[:-1]), "price": row[-1]} for row in ROWS]}
PRICES: list[PricedInstanceType] = [read_price(row) for row in ANSWER["instance_types"]]


def environment(name="production", on="A10Gx4x16", low=1, high=3, serves=True, **fields) -> Environment:
    """An environment on the machine `on`."""
    current = {"id": "dep1", "name": "d", "status": "ACTIVE", "labels": {}} if serves else None
    row = next((machine(*row[:-1]) for row in ROWS if row[0] == on), None)
    scale = {"min_replica": low, "max_replica": high}
    answer = {"name": name, "current_deployment": current, "instance_type": row, "autoscaling_settings": scale}
    return read_environment({**answer, **fields})
