"""The call that reads a model's audit log, page by page."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from baseten.client import managementapi as sdk
from pydantic import BaseModel
from werkzeug.wrappers import Request

from baseten_sandbox.errors import invalid
from baseten_sandbox.state.audit import Event
from baseten_sandbox.state.state import State
from baseten_sandbox.web import Handler

from . import contract

# Which kinds of events a group has; groups of which nothing is played are empty.
_GROUPS = {
    "PROMOTED": ("MODEL_DEPLOYMENT_PROMOTED", "MODEL_PROMOTION_CONTROL_ACTION", "CHAIN_DEPLOYMENT_PROMOTED"),
    "DEPLOYED": ("MODEL_DEPLOYED", "MODEL_DEPLOYMENT_RETRIED"),
    "ACTIVATED_DEACTIVATED": ("MODEL_DEPLOYMENT_ACTIVATED", "MODEL_DEPLOYMENT_DEACTIVATED"),
}
_NOTHING = {
    "MODEL_DEPLOYMENT_PROMOTED": (
        "region_update",
        "instance_type_id_update",
        "promotion_settings_override",
        "autoscaling_settings_update",
        "request_backpressure_settings_update",
        "autoscaling_schedule_settings_update",
    )
}


class AuditLogs:
    """Who wanted what."""

    def __init__(self, *, state: State) -> None:
        self._state = state

    def handlers(self) -> dict[str, Handler]:
        """The call by route."""
        return {"GET /v1/models/<model_id>/audit_logs": self.list}

    def list(self, request: Request, model_id: str) -> BaseModel:
        """GET .../audit_logs: newest first unless asked otherwise; the cursor is opaque."""
        return page(self._state, model_id, contract.query(sdk.GetModelsAuditLogsParams, request.args), model_entry)


def page(
    state: State,
    model_id: str,
    query: sdk.GetModelsAuditLogsParams | sdk.GetChainsAuditLogsParams,
    entry: Callable[[Event, str], dict[str, Any]],
) -> sdk.ListAuditLogsResponse:
    """A page of the log of a model, or of a Chain; `entry` gives an event's own fields."""
    name = state.model(model_id).model.name
    kinds = None
    if query.event_type_groups is not None:
        kinds = {kind for group in query.event_type_groups for kind in _GROUPS.get(str(group), ())}
    found = state.audit.of(model_id, kinds, query.environment_names)
    if query.direction == "ASC":
        found.reverse()
    start = _offset(query.cursor)
    more = start + query.limit < len(found)
    cursor = f"c{start + query.limit}" if more else None
    return sdk.ListAuditLogsResponse(
        items=[_entry(event, entry(event, name)) for event in found[start : start + query.limit]],
        pagination=sdk.PaginationResponse(has_more=more, cursor=cursor),
    )


def _offset(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not (cursor.startswith("c") and cursor[1:].isdigit()):
        raise invalid("cursor: not one of this service")
    return int(cursor[1:])


def model_entry(event: Event, name: str) -> dict[str, Any]:
    """The fields of an event of a model."""
    return {
        "model_id": event.model_id,
        "model_name": name,
        "deployment_id": event.deployment_id,
        "deployment_name": event.deployment_name,
    }


def chain_entry(event: Event, name: str) -> dict[str, Any]:
    """The fields of an event of a Chain."""
    return {
        "chain_id": event.model_id,
        "chain_name": name,
        "chain_deployment_id": event.deployment_id,
        "chain_deployment_name": event.deployment_name,
    }


def _entry(event: Event, fields: dict[str, Any]) -> sdk.AuditLogEntry:
    data: dict[str, Any] = {
        "event_type": event.kind,
        **fields,
        **dict.fromkeys(_NOTHING.get(event.kind, ())),
        **event.details,
    }
    if event.environment is not None:
        data |= {"environment_name": event.environment, "environment_id": None}
    return sdk.AuditLogEntry.model_validate(
        {
            "id": event.id,
            "created": datetime.fromtimestamp(event.created, UTC),
            "event_type": event.kind,
            "event_data": data,
            "source": "API",
            "actor": {"type": "API_KEY", "api_key_prefix": "sandbox", "api_key_name": "sandbox"},
        }
    )
