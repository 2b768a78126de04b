"""A small NeMo Platform: as much of nemo-platform 0.3.0 as a registration meets, with recorded answers.

What it refuses, with which status and words, is `nemo_answers.json`, recorded by `record_nemo.py`. The rest (what a
create, an update and a put do to a record, what is missing, who may do what) was seen on the real service and is
written out here. `tests/integration/test_nemo_real.py` runs the same tests against both, and asks the real one for
every recorded answer again.
"""

import contextlib
import http.server
import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

ROWS = json.loads(Path(__file__).with_name("nemo_answers.json").read_text(encoding="utf-8"))
# What is refused for its value, whatever there is: (call, field, value as JSON) to status and detail. The service looks
# at the types first (422), then at the rest.
REFUSALS = {
    (row["call"], row["field"], json.dumps(row["value"])): (row["status"], row["answer"]["detail"])
    for row in sorted(ROWS, key=lambda row: -row["status"])
    if row["kind"] != "accepted" and not re.search("not found|does not exist", str(row["answer"]))
}
ENTITY = {
    **dict.fromkeys(("project", "description", "spec", "finetuning_type", "fileset", "base_model", "api_endpoint")),
    **dict.fromkeys(("backend_format", "prompt", "ownership")),
    "trust_remote_code": False,
    "custom_fields": {},
    "model_providers": [],
}
PROVIDER = {
    **dict.fromkeys(("project", "description", "host_url", "api_key_secret_name", "enabled_models")),
    **dict.fromkeys(("default_extra_body", "default_extra_headers", "required_extra_body", "required_extra_headers")),
    **dict.fromkeys(("model_deployment_id", "auth_header_format")),
}


@dataclass
class Fault:
    """What happens instead of an answer, `times` times, to requests whose `METHOD path` matches.

    With `acts` the request takes effect all the same. `error` makes the exception that the transport raises.
    """

    pattern: str
    response: httpx.Response | None = None
    error: Callable[[httpx.Request], Exception] | None = None
    acts: bool = False
    times: int = 1


class Refused(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, detail: Any) -> None:
        self.status = status
        self.detail = detail
        super().__init__(str(detail))


@dataclass
class FakeNemo:
    """The platform. `tokens` turns authentication on: each token with `Editor` or `Viewer` of all workspaces it has."""

    tokens: dict[str, str] | None = None
    faults: list[Fault] = field(default_factory=list)
    requests: list[httpx.Request] = field(default_factory=list)
    workspaces: dict[str, dict[str, Any]] = field(default_factory=dict)
    _now: int = 0

    def __post_init__(self) -> None:
        self.add_workspace("default")

    def add_workspace(self, name: str) -> None:
        """Create a workspace."""
        kinds = ("models", "providers", "projects", "secrets", "filesets")
        self.workspaces[name] = {"name": name} | {kind: {} for kind in kinds}

    def transport(self) -> httpx.MockTransport:
        """The platform as a transport: no network."""
        return httpx.MockTransport(self.handle)

    @contextlib.contextmanager
    def serving(self) -> Iterator[str]:
        """The platform on a port of loopback; gives its URL."""
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self) -> None:
                content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                request = httpx.Request(
                    self.command, f"http://nemo{self.path}", headers=dict(self.headers), content=content
                )
                response = fake.handle(request)
                self.send_response(response.status_code)
                self.send_header("Content-Type", response.headers["Content-Type"])
                self.send_header("Content-Length", str(len(response.content)))
                self.end_headers()
                self.wfile.write(response.content)

            do_GET = do_POST = do_PUT = do_PATCH = answer  # noqa: N815 - names of the base class

            def log_message(self, *_: object) -> None:
                pass

        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            try:
                yield f"http://127.0.0.1:{server.server_address[1]}"
            finally:
                server.shutdown()
                thread.join()

    def calls(self, start: int = 0) -> list[str]:
        """`METHOD last-part-of-the-path` of the requests so far, for tests that look at the order."""
        return [f"{request.method} {request.url.path.split('/workspaces/')[-1]}" for request in self.requests[start:]]

    def handle(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        self.requests.append(request)
        line = f"{request.method} {request.url.path}"
        fault = next((one for one in self.faults if one.times > 0 and re.search(one.pattern, line)), None)
        if fault:
            fault.times -= 1
            if fault.acts:
                self._answer(request)
            if fault.error:
                raise fault.error(request)
            assert fault.response is not None
            return fault.response
        return self._answer(request)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        try:
            self._authorize(request)
            status, answer = self._route(request)
        except Refused as refused:
            return httpx.Response(refused.status, json={"detail": refused.detail})
        return httpx.Response(status, json=answer)

    def _authorize(self, request: httpx.Request) -> None:
        if self.tokens is None:
            return
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not token:
            raise Refused(401, "Unauthorized")
        if token not in self.tokens:
            raise Refused(401, "Invalid or expired token")
        found = re.search(r"/workspaces/([^/]+)", request.url.path)
        known = not found or found[1] in self.workspaces  # the real one keeps secret that there is none
        if not known or (request.method != "GET" and self.tokens[token] != "Editor"):
            raise Refused(403, "Forbidden")

    def _route(self, request: httpx.Request) -> tuple[int, dict[str, Any]]:
        path = request.url.path
        body = json.loads(request.content) if request.content else {}
        if match := re.fullmatch(r"/apis/models/v2/workspaces/([^/]+)/(models|providers)(?:/([^/]+))?", path):
            return self._models(request.method, match[1], match[2], match[3] or "", body)
        if match := re.fullmatch(r"/apis/entities/v2/workspaces(?:/([^/]+))?", path):
            if request.method == "POST":
                self.add_workspace(body["name"])
                return 201, body
            if match[1] not in self.workspaces:
                raise Refused(404, f"Workspace '{match[1]}' not found")
            return 200, {"name": match[1]}
        kind_of = r"/apis/(?:entities|secrets|files)/v2/workspaces/([^/]+)/(projects|secrets|filesets)(?:/([^/]+))?"
        if (match := re.fullmatch(kind_of, path)) and match[1] in self.workspaces:
            records = self.workspaces[match[1]][match[2]]
            if request.method == "POST":
                records[body["name"]] = {"name": body["name"], "workspace": match[1]}
                return 201, records[body["name"]]
            if match[3] in records:
                return 200, records[match[3]]
            raise Refused(404, f"Secret {match[1]}/{match[3]} not found")
        raise Refused(404, "Not Found")

    def _models(
        self, method: str, workspace: str, kind: str, name: str, body: dict[str, Any]
    ) -> tuple[int, dict[str, Any]]:
        if (method, kind, bool(name)) == ("POST", "models", False):
            return 201, self._create_model(workspace, body)
        if (method, kind) == ("PUT", "providers"):
            return 200, self._put_provider(workspace, name, body)
        records = self.workspaces.get(workspace, {}).get(kind, {})
        if name not in records:
            model = f"Model with workspace '{workspace}' and name '{name}' not found"
            raise Refused(404, model if kind == "models" else f"Model provider not found: {workspace}/{name}")
        if method == "GET":
            return 200, records[name]
        if (method, kind) == ("PATCH", "models"):
            return 200, self._update_model(workspace, name, body)
        raise Refused(405, "Method Not Allowed")

    def _create_model(self, workspace: str, body: dict[str, Any]) -> dict[str, Any]:
        self._refuse("create", workspace, body)
        name = body["name"]
        if name in self.workspaces.get(workspace, {}).get("models", {}):
            raise Refused(409, f"Model with workspace '{workspace}' and name '{name}' already exists")
        self._check_place(workspace, body)
        return self._store("models", workspace, name, {**ENTITY, **_given(body, ENTITY)})

    def _update_model(self, workspace: str, name: str, body: dict[str, Any]) -> dict[str, Any]:
        """Replace what is given; an update knows no project, and only `backend_format` can be taken back by a null."""
        self._refuse("create", workspace, body)
        fields = {key: value for key, value in _given(body, ENTITY).items() if key != "project"}
        if "backend_format" in body:
            fields["backend_format"] = body["backend_format"]
        return self._store("models", workspace, name, fields)

    def _put_provider(self, workspace: str, name: str, body: dict[str, Any]) -> dict[str, Any]:
        """Replace all but the status, which stays unless it is given."""
        self._refuse("provider", workspace, {**body, "name": name})
        self._check_place(workspace, body)
        there = self.workspaces[workspace]["providers"].get(name)
        if body.get("status"):
            status = {"status": body["status"], "status_message": body.get("status_message") or ""}
        elif there:
            status = {}
        else:
            status = {"status": "CREATED", "status_message": "Model provider created"}
        fields = {"served_models": [], **PROVIDER, **_given(body, PROVIDER), **status}
        return self._store("providers", workspace, name, fields)

    def _refuse(self, call: str, workspace: str, body: dict[str, Any]) -> None:
        """Answer as recorded when a field has a value that was refused; then refuse what is not there."""
        for (recorded_call, key, value), (status, detail) in REFUSALS.items():
            if recorded_call == call and key in body and value == json.dumps(body[key]):
                raise Refused(status, detail)
        there = self.workspaces.get(workspace, {})
        for kind, reference in (("Secret", body.get("api_key_secret_name")), ("Fileset", body.get("fileset"))):
            if reference and reference.split("/")[-1] not in there.get(f"{kind.lower()}s", {}):
                raise Refused(400, f"{kind} '{reference}' not found in workspace '{workspace}'")
        if self.tokens is not None and body.get("trust_remote_code"):
            raise Refused(403, "Insufficient permissions to set the trust_remote_code field")

    def _check_place(self, workspace: str, body: dict[str, Any]) -> None:
        """What the store behind the service looks at last."""
        if workspace not in self.workspaces:
            raise Refused(422, f"Workspace '{workspace}' does not exist. Please create the workspace first.")
        project = body.get("project")
        if project and project not in self.workspaces[workspace]["projects"]:
            text = f"Project '{project}' does not exist in workspace '{workspace}'. Please create the project first."
            raise Refused(422, text)

    def _store(self, kind: str, workspace: str, name: str, fields: dict[str, Any]) -> dict[str, Any]:
        self._now += 1
        now = f"2026-11-21T04:00:{self._now:02d}.000000"
        old = self.workspaces[workspace][kind].get(name) or {"name": name, "workspace": workspace, "created_at": now}
        record = json.loads(json.dumps({**old, **fields, "updated_at": now}))
        if kind == "models" and record["api_endpoint"]:
            record["api_endpoint"] = {"url": None, "model_id": None, "api_key": None, "format": None} | record[
                "api_endpoint"
            ]
        self.workspaces[workspace][kind][name] = record
        return record


def _given(body: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
    """What a body says; the service ignores keys that it does not know, and null."""
    return {key: value for key, value in body.items() if key in known and value is not None}
