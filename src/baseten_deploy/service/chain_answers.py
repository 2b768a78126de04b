"""What the calls about Chains answer, read into the records of `answers`: a Chain counts as a model, with chainlets.

Spec: `ChainDeployment`, `ChainEnvironment` and `AuditLogEventChainDeploymentPromoted` of the management API.
"""

from typing import Any

from . import shapes
from .answers import (
    Chainlet,
    Deployment,
    Environment,
    JsonObject,
    Model,
    Promoted,
    optional_text,
    read_promotion,
    rows,
)
from .statuses import FAILED, LIVE, UNHEALTHY


def read_chain(row: JsonObject) -> Model:
    """Read a Chain."""
    return Model(shapes.identifier(row["id"]), shapes.text(row["name"], "name"), optional_text(row, "team_name"))


def read_whole_deployment(row: JsonObject) -> Deployment:
    """Read a Chain's deployment, with its chainlets. Its status is `together`: it is live when each chainlet is."""
    return _read_deployment(row, tuple(map(read_chainlet, rows(row, "chainlets"))))


def read_chain_deployment(row: JsonObject) -> Deployment:
    """The same within other answers, where the chainlets may be left out."""
    return read_whole_deployment(row) if row.get("chainlets") is not None else _read_deployment(row, ())


def _read_deployment(row: JsonObject, chainlets: tuple[Chainlet, ...]) -> Deployment:
    return Deployment(
        id=shapes.identifier(row["id"]),
        name="",
        status=together(shapes.word(row["status"], "status"), chainlets),
        environment=shapes.optional_environment_name(row.get("environment"), "environment"),
        created_at=optional_text(row, "created_at"),
        chainlets=chainlets,
    )


def read_chainlet(row: JsonObject) -> Chainlet:
    """Read a chainlet."""
    count = row.get("active_replica_count")
    return Chainlet(
        id=shapes.identifier(row["id"]),
        name=shapes.word(row["name"], "name"),
        status=shapes.word(row["status"], "status"),
        replicas=count if isinstance(count, int) and not isinstance(count, bool) and 0 <= count < 2**31 else 0,
        instance_type=optional_text(row, "instance_type_name"),
        autoscaling=dict(shapes.mapping(row.get("autoscaling_settings"), "autoscaling_settings")),
    )


def together(own: str, chainlets: tuple[Chainlet, ...]) -> str:
    """The status of a Chain's deployment, from its own and those of its chainlets: what keeps it from being live.

    A failure comes first, then what is unhealthy, then what is still on its way; else it is the Chain's own. Pure.
    """
    statuses = [own, *(chainlet.status for chainlet in chainlets)]
    for tells in (lambda status: status in FAILED, lambda status: status == UNHEALTHY):
        if found := next(filter(tells, statuses), None):
            return found
    return next((status for status in statuses if status not in LIVE), own)


def read_chain_environment(row: JsonObject) -> Environment:
    """Read an environment. An instance type is known by its id, as it is asked for."""
    current, candidate, promotion = (
        row.get(key) for key in ("current_deployment", "candidate_deployment", "in_progress_promotion")
    )
    return Environment(
        name=shapes.environment_name(row["name"]),
        current=read_chain_deployment(current) if current else None,
        candidate=read_chain_deployment(candidate) if candidate else None,
        promotion=read_promotion(promotion) if promotion else None,
        settings={
            "promotion_settings": shapes.mapping(row.get("promotion_settings"), "promotion_settings"),
            "chainlet_settings": [_chainlet_settings(each) for each in row.get("chainlet_settings") or ()],
        },
    )


def _chainlet_settings(row: Any) -> JsonObject:
    shapes.shallow(row, "chainlet_settings")
    settings = dict(row)
    instance_type = settings.pop("instance_type", None)
    return {**settings, "instance_type_id": (instance_type or {}).get("id")}


def read_promoted_chains(body: JsonObject) -> tuple[list[Promoted], str]:
    """Read a page of the audit log: its promotions, and the cursor of the next page. Other events are left out."""
    found = []
    for row in rows(body, "items"):
        event = row["event_data"]
        kind = event.get("event_type") or row.get("event_type") or "CHAIN_DEPLOYMENT_PROMOTED"
        if kind == "CHAIN_DEPLOYMENT_PROMOTED":
            environment = shapes.optional_environment_name(event.get("environment_name"), "environment_name")
            deployment_id = event.get("chain_deployment_id", event.get("deployment_id"))
            found.append(Promoted(shapes.identifier(deployment_id, "chain_deployment_id"), environment))
    pagination = body.get("pagination") or {}
    more = pagination.get("has_more") is not False
    return found, optional_text(pagination, "cursor") if more else ""
