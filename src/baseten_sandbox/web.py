"""Routes to methods: the small part of a web framework that the stand-in's two JSON APIs share."""

import json
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from baseten_sandbox.errors import Refused

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

Handler = Callable[..., BaseModel | Response]


class Routes:
    """`{"GET /v1/models/<model_id>": handler}` as a WSGI application; `guard` sees each request and its route first.

    A route has several methods as `GET,POST`; that of a websocket is `WEBSOCKET`.
    """

    def __init__(self, handlers: Mapping[str, Handler], guard: Callable[[Request, str], None]) -> None:
        self._map = _url_map(tuple(handlers))
        self._handlers = handlers
        self._guard = guard

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer the request, or say in JSON why not."""
        return self._answer(Request(environ))(environ, start_response)

    def _answer(self, request: Request) -> Response:
        try:
            route, arguments = self._map.bind_to_environ(request.environ).match()
            self._guard(request, route)
            answer = self._handlers[route](request, **arguments)
        except Refused as refused:
            return refusal(refused)
        except HTTPException as error:
            status = HTTPStatus(error.code or 500)
            return refusal(Refused(status, status.name, f"{request.method} {request.path}: {status.phrase}"))
        if isinstance(answer, Response):
            return answer
        return Response(answer.model_dump_json(), content_type="application/json")


@cache
def _url_map(routes: tuple[str, ...]) -> Map:
    """The same for each sandbox of a process: to compile it takes longer than all the rest of a sandbox's start."""
    rules = []
    for route in routes:
        method, path = route.split(" ")
        if method == "WEBSOCKET":
            rules.append(Rule(path, endpoint=route, websocket=True))
        else:
            rules.append(Rule(path, methods=method.split(","), endpoint=route))
    made = Map(rules, strict_slashes=False, merge_slashes=False)
    made.update()
    return made


def refusal(refused: Refused) -> Response:
    """`{"code", "message"}`, and for a limit the hint when to come again."""
    content: dict[str, Any] = {"code": refused.code, "message": refused.message}
    answer = json_response(content, refused.status)
    if refused.retry_after is not None:
        answer = json_response({"error": refused.message, "retry_after": refused.retry_after}, refused.status)
        answer.headers["Retry-After"] = str(max(1, round(refused.retry_after)))
    return answer


def json_response(content: object, status: int = 200) -> Response:
    """Any JSON."""
    return Response(json.dumps(content), status, content_type="application/json")


def credentials(request: Request) -> tuple[str, str]:
    """Scheme and key of the `Authorization` header, both empty when there is none."""
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    return scheme, key.strip()
