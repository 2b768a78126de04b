"""A small API of the stand-in's own, for rehearsals and tests in another process: faults, plans, what happened.

Calls are under `/_sandbox`, with the same key as the rest. They are neither recorded nor hit by faults.
"""

from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from werkzeug.wrappers import Request, Response

from . import views
from .errors import invalid, unauthorized
from .faults import Fault, Kind
from .faults import parse as parse_fault
from .web import Handler, Routes, credentials, json_response

if TYPE_CHECKING:
    from .sandbox import Sandbox

PREFIX = "/_sandbox"


class Control:
    """The control calls; each is one line of Python in the same process."""

    def __init__(self, sandbox: "Sandbox") -> None:
        self._sandbox = sandbox

    def routes(self) -> Routes:
        """The calls as a WSGI application."""
        handlers: dict[str, Handler] = {
            f"GET {PREFIX}/requests": self.requests,
            f"DELETE {PREFIX}/requests": self.clear_requests,
            f"GET {PREFIX}/state": self.state,
            f"GET {PREFIX}/faults": self.faults,
            f"POST {PREFIX}/faults": self.add_fault,
            f"DELETE {PREFIX}/faults": self.clear_faults,
            f"POST {PREFIX}/plans/deployment": self.plan_deployment,
            f"POST {PREFIX}/plans/promotion": self.plan_promotion,
            f"POST {PREFIX}/credentials/<how>": self.end_credentials,
        }
        return Routes(handlers, self._guard)

    def _guard(self, request: Request, route: str) -> None:  # noqa: ARG002 - one rule for all routes
        if credentials(request)[1] != self._sandbox.api_key:
            raise unauthorized()

    def requests(self, _request: Request) -> Response:
        """The request log."""
        rows = []
        for item in self._sandbox.requests:
            row = asdict(item)
            del row["body"]
            rows.append({**row, "json": item.json})
        return json_response({"requests": rows})

    def clear_requests(self, _request: Request) -> Response:
        """Forget the request log."""
        self._sandbox.clear_requests()
        return json_response({})

    def state(self, _request: Request) -> Response:
        """Models with their deployments and environments, objects, dangling uploads."""
        state = self._sandbox.state
        now = state.now()
        models = []
        for facts in state.models():
            row: dict[str, Any] = views.model(facts).model_dump(mode="json")
            row["deployments"] = [
                views.deployment(item, now).model_dump(mode="json") for item in state.deployments(facts.model.id)
            ]
            row["environments"] = [
                views.environment(item, now).model_dump(mode="json") for item in state.environments(facts.model.id)
            ]
            models.append(row)
        uploads = [upload._asdict() for upload in self._sandbox.multipart_uploads()]
        return json_response({"models": models, "objects": self._sandbox.objects(), "multipart_uploads": uploads})

    def faults(self, _request: Request) -> Response:
        """The faults that can still strike."""
        return json_response({"faults": [asdict(fault) for fault in self._sandbox.faults.active()]})

    def add_fault(self, request: Request) -> Response:
        """`{"fault": "POST /v1/models reset acts=true"}`, the fields of a `Fault`, or `{"random": 0.1}`."""
        wanted = _object(request)
        try:
            if "random" in wanted:
                self._sandbox.faults.add_random(float(wanted["random"]))
            elif "fault" in wanted:
                self._sandbox.faults.add(parse_fault(str(wanted["fault"])))
            else:
                unknown = set(wanted) - {item.name for item in fields(Fault)}
                if unknown:
                    raise invalid(f"unknown: {', '.join(sorted(unknown))}")
                self._sandbox.faults.add(Fault(**{**wanted, "kind": Kind(wanted.get("kind", ""))}))
        except ValueError as error:
            raise invalid(str(error)) from error
        return self.faults(request)

    def clear_faults(self, request: Request) -> Response:
        """Switch all faults off."""
        self._sandbox.faults.clear()
        return self.faults(request)

    def plan_deployment(self, request: Request) -> Response:
        """`{"statuses": ["BUILDING", ["DEPLOYING", 3.5], "DEPLOY_FAILED"]}`."""
        wanted = _object(request)
        statuses = [item if isinstance(item, str) else (item[0], float(item[1])) for item in wanted["statuses"]]
        self._sandbox.state.plan_next_deployment(statuses)
        return json_response({})

    def plan_promotion(self, request: Request) -> Response:
        """`{"end", "error_message", "paused", "pause"}`, as `State.plan_next_promotion`."""
        self._sandbox.state.plan_next_promotion(**_object(request))
        return json_response({})

    def end_credentials(self, _request: Request, how: str) -> Response:
        """`revoke` or `expire` the S3 credentials issued so far."""
        if how not in {"revoke", "expire"}:
            raise invalid("revoke or expire")
        (self._sandbox.revoke_credentials if how == "revoke" else self._sandbox.expire_credentials)()
        return json_response({})


def _object(request: Request) -> dict[str, Any]:
    wanted = request.get_json(force=True, silent=True)
    if not isinstance(wanted, dict):
        raise invalid("the body must be a JSON object")
    return wanted
