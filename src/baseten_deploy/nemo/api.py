"""The calls to one workspace of a NeMo Platform, a method a call, and what its refusals say. No policy.

Spec: the service's `/openapi.json` (nemo-platform 0.3.0). What is sent is `entity`.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import quote, unquote

import httpx

from baseten_deploy.ci.redaction import Redactor
from baseten_deploy.clock import Clock
from baseten_deploy.expressions import expression
from baseten_deploy.service import shapes
from baseten_deploy.service.http import MESSAGE_CHARACTERS, Http, HttpError
from baseten_deploy.service.retry import Failure, Fault

from .entity import JsonObject

# The store's refusals are a list of errors that Python printed into a text: their places and messages.
_PRINTED = expression(r"""'loc': \[([^\]]*)\], 'msg': (?:"([^"]*)"|'([^']*)')""")


class Registry:
    """The calls. All raise `HttpError`; a `find_*` answers `None` for 404."""

    def __init__(
        self, url: str, workspace: str, token: str = "", *, client: httpx.Client, clock: Clock, redactor: Redactor
    ) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.workspace = workspace
        self.authenticated = bool(token)
        self.clock = clock
        self.http = Http(url, headers, client=client, clock=clock, redact=redactor.redact_foreign)
        self._redactor = redactor
        self._models = f"/apis/models/v2/workspaces/{quote(workspace, safe='')}"

    def find_workspace(self) -> JsonObject | None:
        """The workspace itself."""
        return self._find(f"/apis/entities/v2/workspaces/{quote(self.workspace, safe='')}")

    def find_secret(self, name: str) -> JsonObject | None:
        """What is known of a secret; its value is not."""
        workspace = quote(self.workspace, safe="")
        return self._find(f"/apis/secrets/v2/workspaces/{workspace}/secrets/{quote(name, safe='')}")

    def find_entity(self, name: str) -> JsonObject | None:
        """A model entity."""
        return self._find(self._entity_path(name))

    def create_entity(self, body: JsonObject) -> JsonObject:
        """Create a model entity; 409 when it exists. Sent once: the caller decides what a failure means."""
        return self._entity("POST", f"{self._models}/models", body, retry=False)

    def update_entity(self, name: str, body: JsonObject) -> JsonObject:
        """Replace those fields of a model entity that the body has; sending it twice changes nothing more."""
        return self._entity("PATCH", self._entity_path(name), body, retry=True)

    def find_provider(self, name: str) -> JsonObject | None:
        """A provider."""
        return self._find(self._provider_path(name))

    def put_provider(self, name: str, body: JsonObject) -> JsonObject:
        """Create or replace a provider."""
        return self.http.request("PUT", self._provider_path(name), body=body, retry=True)

    def said(self, error: HttpError) -> str:
        """What a refusal says, in one line, without secrets and without the values that it quotes.

        `detail` is a list of errors with their places, or a text, or a text that is such a list as Python prints it.
        """
        detail = error.body.get("detail") if isinstance(error.body, Mapping) else None
        try:
            shapes.shallow(detail, "detail")
        except shapes.Unusable:
            return error.message
        said = ""
        if isinstance(detail, list):
            with suppress(RecursionError):  # nested deeper than it can be written
                said = "; ".join(_located(item) for item in detail)
        elif isinstance(detail, str) and detail.startswith("[{"):
            found = _PRINTED.findall(detail)
            said = "; ".join(_at(re.findall(r"[\w.-]+", place), double or single) for place, double, single in found)
        if not said:
            return error.message
        return f"{error.status}: {' '.join(self._redactor.redact_foreign(said).split())[:MESSAGE_CHARACTERS]}"

    def _entity_path(self, name: str) -> str:
        return f"{self._models}/models/{quote(name, safe='')}"

    def _provider_path(self, name: str) -> str:
        return f"{self._models}/providers/{quote(name, safe='')}"

    def _entity(self, method: str, path: str, body: JsonObject, *, retry: bool) -> JsonObject:
        answer = self.http.request(method, path, body=body, retry=retry)
        asked = body.get("name") or unquote(path.rpartition("/")[2])
        if answer.get("name") != asked:  # one about something else than was asked for is none
            raise HttpError(Failure(Fault.BAD_ANSWER), "the answer is not a model entity", f"{method} {path}")
        return answer

    def _find(self, path: str) -> JsonObject | None:
        try:
            found = self.http.request("GET", path, retry=True)
            shapes.shallow(found, "the answer")  # it is merged with what is sent
        except HttpError as error:
            if error.status == 404 and not is_no_route(error):
                return None
            raise
        except shapes.Unusable as error:
            raise HttpError(Failure(Fault.BAD_ANSWER), str(error), f"GET {path}") from None
        return found


def is_no_route(error: HttpError) -> bool:
    """A 404 of the web framework or of something else rather than of the service: there is no such call at this URL."""
    detail = error.body.get("detail") if isinstance(error.body, Mapping) else None
    return error.status == 404 and (not isinstance(detail, str) or detail == "Not Found")


def _located(item: Any) -> str:
    """One validation error, without its `input`, which may be long or not for a log."""
    if not isinstance(item, Mapping):
        return str(item)
    place = item.get("loc")
    return _at(list(map(str, place)) if isinstance(place, list) else [], str(item.get("msg", "refused")))


def _at(place: list[str], message: str) -> str:
    where = ".".join(part for part in place if part != "body")
    message = message.removeprefix("Value error, ").replace("\\\\", "\\")
    return f"{where}: {message}" if where else message
