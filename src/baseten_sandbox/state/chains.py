"""Chains, kept as models are: a Chain's deployment has its chainlets in its config. What is different is here. Pure.

One chainlet can be told by its environment variables to fail or to lag behind; the deployment then goes its way by the
same timeline as any other.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from . import lifecycle
from .entities import SCRIPT, Deployment

# A chainlet that comes up so many seconds (at speed 1) after its Chain says that it is active.
LAG = "SANDBOX_LAG"


class Part(NamedTuple):
    """A chainlet of a deployment, as it is at one moment."""

    id: str
    name: str
    status: str
    config: Mapping[str, Any]
    entrypoint: bool


def config_of(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A Chain's deployment: its chainlets (`id`, `name`, `config`, the entry point first), and their script."""
    script: dict[str, str] = {}
    for part in parts:
        variables = part["config"].get("environment_variables") or {}
        script |= {name: str(value) for name, value in variables.items() if name in SCRIPT}
    return {"chainlets": list(parts), "environment_variables": script}


def parts_at(deployment: Deployment, now: float, second: float) -> list[Part]:
    """The chainlets at `now`; `second` is how long one of the timing's seconds takes.

    The one with a script goes as the deployment does; where none has one, all do. A failure is that of the scripted one
    alone: the others come up.
    """
    found = []
    rows = deployment.config.get("chainlets", ())
    scripted = [row for row in rows if set(_variables(row)) & set(SCRIPT)] or list(rows)
    for number, row in enumerate(rows):
        status = lifecycle.status_at(deployment.timeline, now - float(_variables(row).get(LAG, 0)) * second)
        if row not in scripted and status in {"BUILD_FAILED", "BUILD_STOPPED", "DEPLOY_FAILED", "FAILED", "UNHEALTHY"}:
            status = "ACTIVE"
        found.append(Part(row["id"], row["name"], status, row["config"], number == 0))
    return found


def _variables(row: Mapping[str, Any]) -> Mapping[str, Any]:
    return row["config"].get("environment_variables") or {}
