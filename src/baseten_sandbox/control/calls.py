"""A small API of the stand-in's own, for rehearsals and tests in another process: faults, plans, what happened.

Calls are under `/_sandbox`, with the same key as the rest. They are neither recorded nor hit by faults.
"""

from dataclasses import asdict, fields
from typing import Any

from werkzeug.wrappers import Request, Response

from baseten_sandbox.api import views
from baseten_sandbox.errors import invalid, unauthorized
from baseten_sandbox.state.state import State
from baseten_sandbox.storage.bucket import Storage
from baseten_sandbox.web import Handler, Routes, credentials, json_response

from .faults import Fault, Faults, Kind
from .faults import parse as parse_fault
from .recorder import Recorder

PREFIX = "/_sandbox"


class Control:
    """The control calls; each is one line of Python in the same process."""

    def __init__(self, *, api_key: str, state: State, faults: Faults, recorder: Recorder, storage: Storage) -> None:
        self._api_key = api_key
        self._state = state
        self._faults = faults
        self._recorder = recorder
        self._storage = storage

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
            f"POST {PREFIX}/plans/traffic": self.plan_traffic,
            f"POST {PREFIX}/credentials/<how>": self.end_credentials,
        }
        return Routes(handlers, self._guard)

    def _guard(self, request: Request, route: str) -> None:  # noqa: ARG002 - one rule for all routes
        if credentials(request)[1] != self._api_key:
            raise unauthorized()

    def requests(self, _request: Request) -> Response:
        """The request log."""
        rows = []
        for item in self._recorder.requests():
            row = asdict(item)
            del row["body"]
            rows.append({**row, "json": item.json})
        return json_response({"requests": rows})

    def clear_requests(self, _request: Request) -> Response:
        """Forget the request log."""
        self._recorder.clear()
        return json_response({})

    def state(self, _request: Request) -> Response:
        """Models with their deployments and environments, objects, dangling uploads."""
        state = self._state
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
        uploads = [upload._asdict() for upload in self._storage.multipart_uploads()]
        return json_response({"models": models, "objects": self._storage.objects(), "multipart_uploads": uploads})

    def faults(self, _request: Request) -> Response:
        """The faults that can still strike."""
        return json_response({"faults": [asdict(fault) for fault in self._faults.active()]})

    def add_fault(self, request: Request) -> Response:
        """`{"fault": "POST /v1/models reset acts=true"}`, the fields of a `Fault`, or `{"random": 0.1}`."""
        wanted = _object(request)
        try:
            if "random" in wanted:
                self._faults.add_random(float(wanted["random"]))
            elif "fault" in wanted:
                self._faults.add(parse_fault(str(wanted["fault"])))
            else:
                unknown = set(wanted) - {item.name for item in fields(Fault)}
                if unknown:
                    raise invalid(f"unknown: {', '.join(sorted(unknown))}")
                self._faults.add(Fault(**{**wanted, "kind": Kind(wanted.get("kind", ""))}))
        except ValueError as error:
            raise invalid(str(error)) from error
        return self.faults(request)

    def clear_faults(self, request: Request) -> Response:
        """Switch all faults off."""
        self._faults.clear()
        return self.faults(request)

    def plan_deployment(self, request: Request) -> Response:
        """`{"statuses": ["BUILDING", ["DEPLOYING", 3.5], "DEPLOY_FAILED"]}`."""
        wanted = _object(request)
        statuses = [item if isinstance(item, str) else (item[0], float(item[1])) for item in wanted["statuses"]]
        self._state.plan_next_deployment(statuses)
        return json_response({})

    def plan_promotion(self, request: Request) -> Response:
        """`{"end", "error_message", "paused", "pause"}`, as `State.plan_next_promotion`."""
        self._state.plan_next_promotion(**_object(request))
        return json_response({})

    def plan_traffic(self, request: Request) -> Response:
        """`{"traffic": "leak"}`: the requests that the next deployment gets, one of `traffic.SCRIPTS`."""
        self._state.plans.add_traffic(str(_object(request).get("traffic")))
        return json_response({})

    def end_credentials(self, _request: Request, how: str) -> Response:
        """`revoke` or `expire` the S3 credentials issued so far."""
        if how not in {"revoke", "expire"}:
            raise invalid("revoke or expire")
        keyring = self._storage.keyring
        (keyring.revoke if how == "revoke" else keyring.expire)()
        return json_response({})


def _object(request: Request) -> dict[str, Any]:
    wanted = request.get_json(force=True, silent=True)
    if not isinstance(wanted, dict):
        raise invalid("the body must be a JSON object")
    return wanted
