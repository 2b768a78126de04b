"""The management API, a method a call. Knows paths and bodies; no files, no policy, no words for people.

What an answer holds, and what of it is checked, is `answers`. Spec: the management API reference, and its models in
the official SDK.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from . import shapes
from .answers import (
    Deployment,
    Environment,
    JsonObject,
    LogLine,
    Model,
    Promoted,
    Retry,
    Secret,
    StoredConfig,
    Team,
    UploadTarget,
    optional_text,
    read_deployment,
    read_environment,
    read_log_line,
    read_model,
    read_promoted,
    read_retry,
    read_secret,
    read_stored_config,
    read_team,
    read_upload_target,
    rows,
)
from .http import READ_SECONDS, Http, HttpError, Params
from .instance_types import PricedInstanceType, read_price
from .retry import Failure, Fault

if TYPE_CHECKING:
    from .metrics import Metrics
    from .startups import Medians, Startup

T = TypeVar("T")


class Api:
    """The calls of the management API. All raise `HttpError`."""

    def __init__(self, http: Http) -> None:
        self.http = http

    def teams(self, *, retry: bool = True) -> list[Team]:
        """All teams that the key can see."""
        return self._list("/v1/teams", "teams", read_team, retry=retry)

    def instance_type_prices(self, *, retry: bool = True) -> list[PricedInstanceType]:
        """What each instance type costs."""
        return self._list("/v1/instance_type_prices", "instance_types", read_price, retry=retry)

    def secrets(self, team_id: str = "", *, retry: bool = True) -> list[Secret]:
        """The names of the secrets of one team, or of those that the key can see."""
        path = f"/v1/teams/{quote(team_id, safe='')}/secrets" if team_id else "/v1/secrets"
        return self._list(path, "secrets", read_secret, retry=retry)

    def models(self, team_id: str = "") -> list[Model]:
        """All models of one team, or all that the key can see."""
        return self._list(_models_path(team_id), "models", read_model)

    def models_named(self, name: str, team_id: str = "") -> list[Model]:
        """The models of that name, in one team or in all. The server's filter is new, so it is applied here as well."""
        path = _models_path(team_id)
        models = self._list(path, "models", read_model, {"name": name})
        return [model for model in models if model.name == name]

    def model(self, model_id: str) -> Model:
        """One model; 404 is an `HttpError`."""
        path = _model_path(model_id)
        return self._parse(lambda row: _the_model(read_model(row), model_id), self._get(path), path)

    def prepare(self, body: JsonObject) -> UploadTarget | None:
        """Validate a payload and get an upload target; `None` on a dry run and where no archive is needed.

        Safe to try again: it makes nothing but credentials.
        """
        answer = self.http.request("POST", "/v1/prepare_model_upload", body=body, retry=True)
        return self._parse(read_upload_target, answer, "/v1/prepare_model_upload") if not body.get("dry_run") else None

    def create_model(self, source: JsonObject, team_id: str = "") -> tuple[Model, Deployment]:
        """Create a model with its first deployment. Sent once: the caller decides what a failure means."""
        path = _models_path(team_id)
        return self._commit(path, source)

    def create_deployment(self, model_id: str, source: JsonObject) -> tuple[Model, Deployment]:
        """Add a deployment to a model. Sent once: the caller decides what a failure means."""
        return self._commit(f"{_model_path(model_id)}/deployments", source, model_id)

    def deployment(
        self, model_id: str, deployment_id: str, *, retry: bool = True, seconds: float = READ_SECONDS
    ) -> Deployment:
        """One deployment; 404 is an `HttpError`, also while a fresh one is not visible yet. `seconds` bounds a try."""
        path = _deployment_path(model_id, deployment_id)
        answer = self._get(path, retry=retry, seconds=seconds)
        return self._part(read_deployment, answer, path, model_id, lambda it: (it.id, deployment_id, "deployment"))

    def deployments(self, model_id: str) -> list[Deployment]:
        """All deployments of a model."""
        path = f"{_model_path(model_id)}/deployments"
        return self._list(path, "deployments", lambda row: read_deployment(_of_model(row, model_id)))

    def stored_config(self, model_id: str, deployment_id: str) -> StoredConfig:
        """What a deployment was built from, parsed and as text."""
        path = f"{_deployment_path(model_id, deployment_id)}/config"
        return read_stored_config(self._get(path, {"output_format": "both"}), path)

    def download_url(self, model_id: str, deployment_id: str) -> str:
        """A presigned URL of a deployment's archive: whoever has it can read the archive."""
        path = f"{_deployment_path(model_id, deployment_id)}/download"
        url = optional_text(self._get(path), "download_url")
        if not url:
            raise HttpError(Failure(Fault.BAD_ANSWER), "the answer has no `download_url`", path)
        return url

    def environments(self, model_id: str, *, retry: bool = True, seconds: float = READ_SECONDS) -> list[Environment]:
        """All environments of a model. `seconds` bounds a try."""
        path = f"{_model_path(model_id)}/environments"
        return self._list(path, "environments", read_environment, retry=retry, seconds=seconds)

    def environment(
        self, model_id: str, name: str, *, retry: bool = True, seconds: float = READ_SECONDS
    ) -> Environment:
        """One environment; 404 is an `HttpError`. `seconds` bounds a try."""
        path = _environment_path(model_id, name)
        answer = self._get(path, retry=retry, seconds=seconds)
        return self._part(read_environment, answer, path, model_id, lambda it: (it.name, name, "environment"))

    def create_environment(self, model_id: str, name: str, settings: JsonObject) -> None:
        """Create an environment. Sent once: the caller looks before it sends again."""
        body = {"name": name, **settings}
        self.http.request("POST", f"{_model_path(model_id)}/environments", body=body, retry=False)

    def update_environment(self, model_id: str, name: str, settings: JsonObject) -> None:
        """Change an environment's settings, which the service applies later. Sent once: a rule may be added twice."""
        self.http.request("PATCH", _environment_path(model_id, name), body=settings, retry=False)

    def promote(self, model_id: str, name: str, body: JsonObject) -> Deployment:
        """Promote a deployment. The answer's id may be new. Sent once: the caller looks before it sends again."""
        path = f"{_environment_path(model_id, name)}/promote"
        answer = self.http.request("POST", path, body=body, retry=False)
        return self._parse(lambda row: read_deployment(_of_model(row, model_id)), answer, path)

    def cancel_promotion(self, model_id: str, name: str) -> None:
        """Cancel the promotion into an environment. Sent once: whose it is may change between two tries."""
        self.http.request("POST", f"{_environment_path(model_id, name)}/cancel_promotion", retry=False)

    def promotions(self, model_id: str, name: str, cursor: str = "") -> tuple[list[Promoted], str]:
        """A page of the promotions into an environment, newest first, and the cursor of the next (`""`: the last)."""
        params: dict[str, str | int] = {"event_type_groups": "PROMOTED", "environment_names": name, "limit": 100}
        if cursor:
            params["cursor"] = cursor
        path = f"{_model_path(model_id)}/audit_logs"
        return self._parse(read_promoted, self._get(path, params), path)

    def logs(
        self, model_id: str, deployment_id: str, start_millis: int, limit: int, *, request_id: str = ""
    ) -> list[LogLine]:
        """At most `limit` (up to 1000) log lines from `start_millis` on, oldest first. Not tried again.

        With `request_id` only those of that inference request.
        """
        path = f"{_deployment_path(model_id, deployment_id)}/logs"
        params: dict[str, str | int] = {"start_epoch_millis": start_millis, "direction": "asc", "limit": limit}
        if request_id:
            params["request_id"] = request_id
        answer = self.http.request("GET", path, params=params, retry=False, seconds=10)
        return self._parse(lambda body: [read_log_line(row) for row in rows(body, "logs")], answer, path)

    def metrics(
        self,
        model_id: str,
        *,
        environment: str = "",
        deployment: str = "",
        start: int,
        end: int,
        retry: bool = False,
    ) -> "Metrics":
        """What was measured of an environment, else of a deployment, from `start` to `end` (ms since 1970)."""
        from .metrics import NAMES, read_metrics  # noqa: PLC0415 - only a watch needs it

        of = _environment_path(model_id, environment) if environment else _deployment_path(model_id, deployment)
        params: Params = {"mode": "SUMMARY", "start_epoch_millis": start, "end_epoch_millis": end, "metrics": NAMES}
        answer = self._get(f"{of}/metrics", params, retry=retry, seconds=10)
        return self._parse(lambda body: read_metrics(body, seconds=(end - start) / 1000), answer, f"{of}/metrics")

    def startups(self, model_id: str, deployment_id: str, start: int, end: int) -> "list[Startup]":
        """How replicas of a deployment started in a window (ms since 1970). Sent once."""
        from .startups import read_startups  # noqa: PLC0415 - after the wait

        path = f"{_deployment_path(model_id, deployment_id)}/startups"
        params: Params = {"start_epoch_millis": start, "end_epoch_millis": end, "limit": 100}
        return self._parse(read_startups, self._get(path, params, retry=False, seconds=10), path)

    def startup_medians(self, model_id: str, deployment_id: str, start: int, end: int) -> "Medians":
        """How long the starts in a window took. Sent once."""
        from .startups import read_medians  # noqa: PLC0415 - after the wait

        path = f"{_deployment_path(model_id, deployment_id)}/startups/summary"
        params: Params = {"start_epoch_millis": start, "end_epoch_millis": end}
        return self._parse(read_medians, self._get(path, params, retry=False, seconds=10), path)

    def activate(self, model_id: str, deployment_id: str) -> None:
        """Bring an inactive deployment back; doing it twice is harmless."""
        self.http.request("POST", f"{_deployment_path(model_id, deployment_id)}/activate", retry=True)

    def retry_deployment(self, model_id: str, deployment_id: str) -> Retry:
        """Have the service try a failed deployment again. Sent once: the caller looks before it sends again."""
        path = f"{_deployment_path(model_id, deployment_id)}/retry"
        return self._parse(read_retry, self.http.request("POST", path, retry=False), path)

    def update_autoscaling(self, model_id: str, deployment_id: str, settings: JsonObject) -> None:
        """Change the autoscaling of one deployment; doing it twice is harmless."""
        path = f"{_deployment_path(model_id, deployment_id)}/autoscaling_settings"
        self.http.request("PATCH", path, body=settings, retry=True)

    def deactivate(self, model_id: str, deployment_id: str) -> bool:
        """Take a deployment out of service; doing it twice is harmless. Whether the answer says that it was done."""
        path = f"{_deployment_path(model_id, deployment_id)}/deactivate"
        return self.http.request("POST", path, retry=True).get("success") is True

    def delete_deployment(self, model_id: str, deployment_id: str) -> bool:
        """Delete a deployment; one that is gone already is fine. Whether the answer says that this one is gone."""
        try:
            answer = self.http.request("DELETE", _deployment_path(model_id, deployment_id), retry=True)
        except HttpError as error:
            if error.status != 404:
                raise
            return True
        return answer.get("deleted") is True and answer.get("id") == deployment_id

    def _get(
        self,
        path: str,
        params: Params | None = None,
        *,
        retry: bool = True,
        seconds: float = READ_SECONDS,
    ) -> JsonObject:
        return self.http.request("GET", path, params=params, retry=retry, seconds=seconds)

    def _list(
        self,
        path: str,
        key: str,
        parse: Callable[[JsonObject], T],
        params: Any = None,
        *,
        retry: bool = True,
        seconds: float = READ_SECONDS,
    ) -> list[T]:
        answer = self._get(path, params, retry=retry, seconds=seconds)
        return self._parse(lambda body: [parse(row) for row in rows(body, key)], answer, path)

    def _part(
        self,
        parse: Callable[[JsonObject], T],
        answer: JsonObject,
        path: str,
        model_id: str,
        named: Callable[[T], tuple[str, str, str]],
    ) -> T:
        """One part of a model; `named` gives what it is called, what was asked for, and what that is."""

        def read(row: JsonObject) -> T:
            found = parse(_of_model(row, model_id))
            shapes.same(*named(found))
            return found

        return self._parse(read, answer, path)

    def _commit(self, path: str, source: JsonObject, model_id: str = "") -> tuple[Model, Deployment]:
        def read(body: JsonObject) -> tuple[Model, Deployment]:
            model = read_model(body["model"])
            _the_model(model, model_id or model.id)
            return model, read_deployment(_of_model(body["deployment"], model.id))

        answer = self.http.request("POST", path, body={"source": source}, retry=False, seconds=120)
        return self._parse(read, answer, path)

    @staticmethod
    def _parse(parse: Callable[[JsonObject], T], body: JsonObject, path: str) -> T:
        try:
            return parse(body)
        except shapes.Unusable as error:
            raise HttpError(Failure(Fault.BAD_ANSWER), f"the answer cannot be used: {error}", path) from None
        except KeyError as error:
            why = f"{type(error).__name__}: {error}"
        except (TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
            why = type(error).__name__  # its text may hold what the answer does
        raise HttpError(Failure(Fault.BAD_ANSWER), f"the answer lacks what this call answers ({why})", path)


def _the_model(model: Model, model_id: str) -> Model:
    shapes.same(model.id, model_id, "model")
    return model


def _of_model(row: JsonObject, model_id: str) -> JsonObject:
    """`row`, a part of a model, which says of which one it is."""
    if row.get("model_id") is not None:
        shapes.same(row["model_id"], model_id, "model")
    return row


def _models_path(team_id: str) -> str:
    return f"/v1/teams/{quote(team_id, safe='')}/models" if team_id else "/v1/models"


def _model_path(model_id: str) -> str:
    return f"/v1/models/{quote(model_id, safe='')}"


def _deployment_path(model_id: str, deployment_id: str) -> str:
    return f"{_model_path(model_id)}/deployments/{quote(deployment_id, safe='')}"


def _environment_path(model_id: str, name: str) -> str:
    return f"{_model_path(model_id)}/environments/{quote(name, safe='')}"
