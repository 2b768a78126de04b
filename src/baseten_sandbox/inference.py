"""The inference endpoint: finds the deployment that a URL names and answers as it is told, or echoes.

A URL is that of a model, `{base}/model-{id}/...`, of a Chain, `{base}/chain-{id}/...`, or of a regional environment,
`{base}/model-{id}-{environment}/...`, where the real service has the first part in the host name. What the answer is,
in this order: the payload's `sandbox` object, what `Answers` was told, the Truss's `SANDBOX_PREDICT_*` variables, an
echo.
"""

import json
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from werkzeug.wrappers import Request, Response

from baseten_sandbox.api.logs import Logs
from baseten_sandbox.errors import Refused, invalid, missing, unauthorized
from baseten_sandbox.state import lifecycle
from baseten_sandbox.state.entities import PRODUCTION, Deployment
from baseten_sandbox.state.state import State
from baseten_sandbox.web import Handler, Routes, credentials, json_response
from baseten_sandbox.websocket import converse
from baseten_sandbox.wishes import Answer, Wishes, streamed

__all__ = ["PREFIX", "Answer", "Answers", "Inference"]

PREFIX = "/inference"
_REQUEST_ID = "X-Baseten-Request-Id"
_HOST = re.compile(r"(model|chain)-(?P<model_id>[a-z0-9]+)(-(?P<environment>[a-z0-9-]+))?")
_MODEL = f"{PREFIX}/<host>"
_ANY = "GET,POST,PUT,PATCH,DELETE,OPTIONS"


class Answers:
    """Answers that a test prepared: by path, for so many requests (None: all)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._prepared: list[tuple[str, Answer, int | None]] = []

    def add(self, answer: Answer, *, path: str = "", times: int | None = None) -> None:
        """Give this answer to requests whose path matches the regular expression; the first that matches wins."""
        with self._lock:
            self._prepared.append((path, answer, times))

    def clear(self) -> None:
        """Forget all prepared answers."""
        with self._lock:
            self._prepared.clear()

    def take(self, path: str) -> Answer | None:
        """The answer to this request, counted."""
        with self._lock:
            for number, (pattern, answer, times) in enumerate(self._prepared):
                if times != 0 and re.search(pattern, path):
                    self._prepared[number] = (pattern, answer, None if times is None else times - 1)
                    return answer
            return None


class Inference:
    """Predict and OpenAI-compatible calls on deployments that are live."""

    def __init__(
        self,
        *,
        state: State,
        answers: Answers,
        logs: Logs,
        api_key: str,
        sleep: Callable[[float], object],
        chains: bool = False,
    ) -> None:
        self._state = state
        self._answers = answers
        self._logs = logs
        self._wishes = Wishes()
        self._api_key = api_key
        self._sleep = sleep
        self._chains = chains

    def routes(self) -> Routes:
        """The endpoint as a WSGI application."""
        targets: dict[str, Handler] = {
            "": self.regional,
            "/production": self.production,
            "/development": self.development,
            "/deployment/<deployment_id>": self.deployment,
            "/environments/<environment>": self.environment,
        }
        handlers: dict[str, Handler] = {}
        for target, handler in targets.items():
            handlers[f"WEBSOCKET {_MODEL}{target}/websocket"] = handler
            if self._chains:
                handlers[f"POST {_MODEL}{target}/run_remote"] = handler
                continue
            handlers[f"POST {_MODEL}{target}/predict"] = handler
            handlers[f"{_ANY} {_MODEL}{target}/sync/<path:path>"] = handler
        return Routes(handlers, self._guard)

    def _guard(self, request: Request, route: str) -> None:  # noqa: ARG002 - one rule for all routes
        scheme, key = credentials(request)
        if scheme not in {"Api-Key", "Bearer"} or key != self._api_key:
            raise unauthorized()

    def regional(self, request: Request, host: str, path: str = "predict") -> Response:
        """The regional host of an environment; that of a model means `production`."""
        model_id, environment = _parts(host)
        return self._in_environment(request, model_id, environment or PRODUCTION, path)

    def production(self, request: Request, host: str, path: str = "predict") -> Response:
        """What `production` serves."""
        return self._in_environment(request, _parts(host)[0], PRODUCTION, path)

    def environment(self, request: Request, host: str, environment: str, path: str = "predict") -> Response:
        """What an environment serves."""
        return self._in_environment(request, _parts(host)[0], environment, path)

    def development(self, request: Request, host: str, path: str = "predict") -> Response:
        """The development deployment."""
        return self._answer(request, self._state.slot(_parts(host)[0], "development"), path)

    def deployment(self, request: Request, host: str, deployment_id: str, path: str = "predict") -> Response:
        """One deployment."""
        return self._answer(request, self._state.deployment(_parts(host)[0], deployment_id), path)

    def _in_environment(self, request: Request, model_id: str, name: str, path: str) -> Response:
        facts = self._state.environment(model_id, name)
        if facts.current is None:
            raise missing(f"A deployment in environment {name!r}")
        return self._answer(request, facts.current, path)

    def _answer(self, request: Request, found: Deployment, path: str) -> Response:
        request_id = secrets.token_hex(16)
        if request.environ.get("HTTP_UPGRADE", "").lower() == "websocket":
            self._make_ready(found)
            converse(request, {_REQUEST_ID: request_id}, lambda message: self._message(message, found))
        response = self._response(request, found, path)
        response.headers[_REQUEST_ID] = request_id
        if response.status_code >= 400:
            said = f"Answered {response.status_code} to {request.method} {request.path}"
            self._logs.add(found.id, said, level="ERROR", replica=found.replica, request_id=request_id)
        return response

    def _message(self, message: str | bytes, found: Deployment) -> str | bytes | None:
        """The answer to a message of a websocket: what it wishes for, else an echo; bytes come back as they are."""
        if isinstance(message, bytes):
            return message
        try:
            payload = json.loads(message)
        except ValueError:
            payload = message
        answer = self._wishes.answer(payload)
        if answer is None:
            return json.dumps({"echo": payload, "deployment_id": found.id, "environment": found.environment})
        self._sleep(answer.delay)
        if answer.status >= 400:
            return None
        if answer.content is not None:
            return answer.content
        return answer.text if answer.text is not None else json.dumps(answer.body)

    def _response(self, request: Request, found: Deployment, path: str) -> Response:
        payload = _payload(request, path)
        if "/sync/" not in request.path and not _has_predict_route(found.config):
            raise missing(f"A predict route of the deployment {found.id}")
        self._make_ready(found)
        answer = self._wishes.answer(payload) or self._answers.take(request.path) or _configured(found)
        self._sleep(answer.delay)
        if answer.stream:
            return streamed(answer, _head(payload, found, "chat.completion.chunk"), self._sleep)
        if answer.content is None and isinstance(payload, bytes) and answer.text is None and answer.body is None:
            answer = replace(answer, content=payload, content_type=request.content_type or "application/octet-stream")
        if answer.content is not None:
            return _with(Response(answer.content, answer.status, content_type=answer.content_type), answer)
        if answer.text is not None:
            return _with(Response(answer.text, answer.status, content_type="text/plain"), answer)
        if answer.body is not None:
            return _with(json_response(answer.body, answer.status), answer)
        if isinstance(payload, dict) and payload.get("stream") is True:
            return _stream(payload, found)
        if isinstance(payload, dict) and path.endswith("chat/completions"):
            return _chat(payload, found)
        echo = {
            "echo": payload,
            "model_id": found.model_id,
            "deployment_id": found.id,
            "environment": found.environment,
        }
        return _with(json_response(echo, answer.status), answer)

    def _make_ready(self, found: Deployment) -> None:
        found = self._state.wake(found.model_id, found.id)
        now = self._state.now()
        status = lifecycle.status_at(found.timeline, now)
        if status == "WAKING_UP":
            live = next((step.at for step in found.timeline if step.at > now and step.status == "ACTIVE"), now)
            self._sleep(live - now)
            status = "ACTIVE"
        if status in {"INACTIVE", "DEACTIVATING"}:
            raise missing(f"Deployment {found.id} is {status}: an active deployment")
        if status == "UNHEALTHY":
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "UNAVAILABLE", f"Deployment {found.id} is unhealthy")
        if status not in {"ACTIVE", "UPDATING"}:
            raise invalid(f"Deployment {found.id} is not ready, its status is {status}")


def _parts(host: str) -> tuple[str, str | None]:
    match = _HOST.fullmatch(host)
    if match is None:
        raise missing(f"{host}: a model")
    return match["model_id"], match["environment"]


def _has_predict_route(config: Any) -> bool:
    """A server that is taken as it is, or that speaks something else than http, has only its own routes."""
    runtime, server = config.get("runtime") or {}, config.get("docker_server") or {}
    kind = (runtime.get("transport") or {}).get("kind", "http")
    return kind == "http" and not runtime.get("is_websocket_endpoint") and not server.get("no_build")


def _payload(request: Request, path: str) -> Any:
    """The body as JSON; a route of the model's own takes any: bytes that are no JSON, `None` without a body."""
    body = request.get_data()
    try:
        return json.loads(body) if body or path == "predict" else None
    except ValueError as error:
        if path == "predict":
            raise invalid(f"the body is not JSON: {error}") from error
        return body


def _configured(found: Deployment) -> Answer:
    answer = Answer(
        int(found.variable("SANDBOX_PREDICT_STATUS", "200")), delay=float(found.variable("SANDBOX_PREDICT_DELAY", "0"))
    )
    body = found.variable("SANDBOX_PREDICT_BODY")
    if not body:
        return answer
    try:
        return replace(answer, body=json.loads(body))
    except ValueError:
        return replace(answer, text=body)


def _with(response: Response, answer: Answer) -> Response:
    response.headers.update(answer.headers)
    return response


def _chat(payload: Mapping[str, Any], found: Deployment) -> Response:
    message = {"role": "assistant", "content": _reply(payload)}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    return json_response({**_head(payload, found, "chat.completion"), "choices": [choice], "usage": usage})


def _stream(payload: Mapping[str, Any], found: Deployment) -> Response:
    head = _head(payload, found, "chat.completion.chunk")

    def events() -> Iterator[str]:
        for word in _reply(payload).split(" "):
            choice = {"index": 0, "delta": {"content": f"{word} "}, "finish_reason": None}
            yield f"data: {json.dumps({**head, 'choices': [choice]})}\n\n"
        last = {"index": 0, "delta": {}, "finish_reason": "stop"}
        yield f"data: {json.dumps({**head, 'choices': [last]})}\n\n"
        yield "data: [DONE]\n\n"

    return Response(events(), content_type="text/event-stream")


def _head(payload: Mapping[str, Any], found: Deployment, kind: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{found.id}",
        "object": kind,
        "created": int(time.time()),
        "model": payload.get("model", found.model_id),
    }


def _reply(payload: Mapping[str, Any]) -> str:
    messages = payload.get("messages") or [{}]
    said = messages[-1].get("content") if isinstance(messages[-1], dict) else None
    return f"You said: {said if said is not None else payload.get('prompt', 'nothing')}"
