"""The management API, a method a call. Knows paths, bodies and shapes; no files, no policy, no words for people.

Every answer is checked for the fields that the run relies on; unknown fields and enum values are left alone, since
the API grows. Spec: the management API reference, as DESIGN section 3 sums it up.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import quote

from .http import Http, HttpError
from .retry import Failure, Fault
from .upload import Credentials, Target

JsonObject = dict[str, Any]
T = TypeVar("T")


@dataclass(frozen=True)
class Team:
    """A team of the organization; new models go into the `default` one when none is named."""

    id: str
    name: str
    default: bool = False


@dataclass(frozen=True)
class Model:
    """A model, as far as this action looks at it."""

    id: str
    name: str
    team: str = ""
    production_deployment_id: str = ""
    development_deployment_id: str = ""


@dataclass(frozen=True)
class Deployment:
    """A deployment. `status` may be one that this version does not know; `environment` is `""` for none.

    `says_labels` is false where the answer has no `labels`: within other objects they may be left out.
    """

    id: str
    name: str
    status: str
    environment: str = ""
    labels: JsonObject = field(default_factory=dict)
    is_development: bool = False
    created_at: str = ""
    says_labels: bool = field(default=True, compare=False)


@dataclass(frozen=True)
class StoredConfig:
    """What a deployment was built from: the `config` that was sent, and the text that somebody wrote.

    Either may be missing (`None` and `""`), but not both.
    """

    config: JsonObject | None
    raw: str = ""


@dataclass(frozen=True)
class Promotion:
    """A promotion that an environment is going through, or went through last; `percent` of the traffic is on it."""

    status: str
    percent: int = 0
    error: str = ""


@dataclass(frozen=True)
class Environment:
    """An environment: the deployment that it serves, the one being promoted into it, and its settings."""

    name: str
    current: Deployment | None = None
    candidate: Deployment | None = None
    promotion: Promotion | None = None
    settings: JsonObject = field(default_factory=dict)


@dataclass(frozen=True)
class LogLine:
    """One line of a deployment's log; `nanoseconds` since 1970."""

    nanoseconds: int
    message: str
    replica: str = ""
    level: str = ""


class Api:
    """The calls of the management API. All raise `HttpError`."""

    def __init__(self, http: Http) -> None:
        self.http = http

    def teams(self, *, retry: bool = True) -> list[Team]:
        """All teams that the key can see."""
        return self._list("/v1/teams", "teams", _team, retry=retry)

    def models_named(self, name: str, team_id: str = "") -> list[Model]:
        """The models of that name, in one team or in all. The server's filter is new, so it is applied here as well."""
        path = f"/v1/teams/{quote(team_id, safe='')}/models" if team_id else "/v1/models"
        models = self._list(path, "models", _model, {"name": name})
        return [model for model in models if model.name == name]

    def model(self, model_id: str) -> Model:
        """One model; 404 is an `HttpError`."""
        return self._parse(_model, self._get(_model_path(model_id)), _model_path(model_id))

    def prepare(self, body: JsonObject) -> Target | None:
        """Validate a payload and get an upload target; `None` on a dry run and where no archive is needed.

        Safe to try again: it makes nothing but credentials.
        """
        answer = self.http.request("POST", "/v1/prepare_model_upload", body=body, retry=True)
        return self._parse(_target, answer, "/v1/prepare_model_upload") if not body.get("dry_run") else None

    def create_model(self, source: JsonObject, team_id: str = "") -> tuple[Model, Deployment]:
        """Create a model with its first deployment. Sent once: the caller decides what a failure means."""
        path = f"/v1/teams/{quote(team_id, safe='')}/models" if team_id else "/v1/models"
        return self._commit(path, source)

    def create_deployment(self, model_id: str, source: JsonObject) -> tuple[Model, Deployment]:
        """Add a deployment to a model. Sent once: the caller decides what a failure means."""
        return self._commit(f"{_model_path(model_id)}/deployments", source)

    def deployment(self, model_id: str, deployment_id: str, *, retry: bool = True) -> Deployment:
        """One deployment; 404 is an `HttpError`, also while a fresh one is not visible yet."""
        path = _deployment_path(model_id, deployment_id)
        return self._parse(_deployment, self._get(path, retry=retry), path)

    def deployments(self, model_id: str) -> list[Deployment]:
        """All deployments of a model."""
        return self._list(f"{_model_path(model_id)}/deployments", "deployments", _deployment)

    def stored_config(self, model_id: str, deployment_id: str) -> StoredConfig:
        """What a deployment was built from, parsed and as text."""
        path = f"{_deployment_path(model_id, deployment_id)}/config"
        return _stored_config(self._get(path, {"output_format": "both"}), path)

    def download_url(self, model_id: str, deployment_id: str) -> str:
        """A presigned URL of a deployment's archive: whoever has it can read the archive."""
        path = f"{_deployment_path(model_id, deployment_id)}/download"
        url = _optional(self._get(path), "download_url")
        if not url:
            raise HttpError(Failure(Fault.BAD_ANSWER), "the answer has no `download_url`", path)
        return url

    def environments(self, model_id: str) -> list[Environment]:
        """All environments of a model."""
        return self._list(f"{_model_path(model_id)}/environments", "environments", _environment)

    def environment(self, model_id: str, name: str, *, retry: bool = True) -> Environment:
        """One environment; 404 is an `HttpError`."""
        path = _environment_path(model_id, name)
        return self._parse(_environment, self._get(path, retry=retry), path)

    def create_environment(self, model_id: str, name: str, settings: JsonObject) -> None:
        """Create an environment. Sent once: the caller looks before it sends again."""
        body = {"name": name, **settings}
        self.http.request("POST", f"{_model_path(model_id)}/environments", body=body, retry=False)

    def update_environment(self, model_id: str, name: str, settings: JsonObject) -> None:
        """Change an environment's settings. The service applies them later; doing it twice is harmless."""
        self.http.request("PATCH", _environment_path(model_id, name), body=settings, retry=True)

    def promote(self, model_id: str, name: str, body: JsonObject) -> Deployment:
        """Promote a deployment. The answer's id may be new. Sent once: the caller looks before it sends again."""
        path = f"{_environment_path(model_id, name)}/promote"
        return self._parse(_deployment, self.http.request("POST", path, body=body, retry=False), path)

    def logs(self, model_id: str, deployment_id: str, start_millis: int, limit: int) -> list[LogLine]:
        """At most `limit` (up to 1000) log lines from `start_millis` on, oldest first. Not tried again."""
        path = f"{_deployment_path(model_id, deployment_id)}/logs"
        params: dict[str, str | int] = {"start_epoch_millis": start_millis, "direction": "asc", "limit": limit}
        answer = self.http.request("GET", path, params=params, retry=False, seconds=10)
        return self._parse(lambda body: [_log_line(row) for row in _rows(body, "logs")], answer, path)

    def deactivate(self, model_id: str, deployment_id: str) -> None:
        """Take a deployment out of service; doing it twice is harmless."""
        self.http.request("POST", f"{_deployment_path(model_id, deployment_id)}/deactivate", retry=True)

    def delete_deployment(self, model_id: str, deployment_id: str) -> None:
        """Delete a deployment; one that is gone already is fine."""
        try:
            self.http.request("DELETE", _deployment_path(model_id, deployment_id), retry=True)
        except HttpError as error:
            if error.status != 404:
                raise

    def _get(self, path: str, params: dict[str, str | int] | None = None, *, retry: bool = True) -> JsonObject:
        return self.http.request("GET", path, params=params, retry=retry)

    def _list(
        self, path: str, key: str, parse: Callable[[JsonObject], T], params: Any = None, *, retry: bool = True
    ) -> list[T]:
        answer = self._get(path, params, retry=retry)
        return self._parse(lambda body: [parse(row) for row in _rows(body, key)], answer, path)

    def _commit(self, path: str, source: JsonObject) -> tuple[Model, Deployment]:
        answer = self.http.request("POST", path, body={"source": source}, retry=False, seconds=120)
        return self._parse(lambda body: (_model(body["model"]), _deployment(body["deployment"])), answer, path)

    @staticmethod
    def _parse(parse: Callable[[JsonObject], T], body: JsonObject, path: str) -> T:
        try:
            return parse(body)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            message = f"the answer lacks what this call answers ({type(error).__name__}: {error})"
            raise HttpError(Failure(Fault.BAD_ANSWER), message, path) from None


def _model_path(model_id: str) -> str:
    return f"/v1/models/{quote(model_id, safe='')}"


def _deployment_path(model_id: str, deployment_id: str) -> str:
    return f"{_model_path(model_id)}/deployments/{quote(deployment_id, safe='')}"


def _environment_path(model_id: str, name: str) -> str:
    return f"{_model_path(model_id)}/environments/{quote(name, safe='')}"


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{type(value).__name__} where a text is due")  # not its value: it may be half a secret
    return value


def _rows(body: JsonObject, key: str) -> list[JsonObject]:
    rows = body[key]
    if not isinstance(rows, list):  # an empty object would pass for an empty list: "there is none, make one"
        raise TypeError(f"{key} is no array")
    return rows


def _optional(row: JsonObject, key: str) -> str:
    """A text that the run can do without: `""` when it is missing, or something else."""
    value = row.get(key)
    return value if isinstance(value, str) else ""


def _team(row: JsonObject) -> Team:
    return Team(_text(row["id"]), _optional(row, "name"), default=row.get("default") is True)


def _model(row: JsonObject) -> Model:
    return Model(
        id=_text(row["id"]),
        name=_text(row["name"]),
        team=_optional(row, "team_name"),
        production_deployment_id=_optional(row, "production_deployment_id"),
        development_deployment_id=_optional(row, "development_deployment_id"),
    )


def _deployment(row: JsonObject) -> Deployment:
    return Deployment(
        id=_text(row["id"]),
        name=_optional(row, "name"),
        status=_text(row["status"]),
        environment=_optional(row, "environment"),
        labels=dict(row.get("labels") or {}),
        is_development=bool(row.get("is_development")),
        created_at=_optional(row, "created_at"),
        says_labels=row.get("labels") is not None,
    )


def _stored_config(body: JsonObject, path: str) -> StoredConfig:
    config, raw = body.get("config"), _optional(body, "raw_config")
    if config is None and not raw:
        raise HttpError(Failure(Fault.BAD_ANSWER), "the answer has none", path)
    if config is not None and not isinstance(config, dict):
        raise HttpError(Failure(Fault.BAD_ANSWER), "what it answers instead is no object", path)
    return StoredConfig(config, raw)


def _environment(row: JsonObject) -> Environment:
    current, candidate, promotion = (
        row.get(key) for key in ("current_deployment", "candidate_deployment", "in_progress_promotion")
    )
    return Environment(
        name=_text(row["name"]),
        current=_deployment(current) if current else None,
        candidate=_deployment(candidate) if candidate else None,
        promotion=_promotion(promotion) if promotion else None,
        settings={key: row.get(key) or {} for key in ("autoscaling_settings", "promotion_settings")},
    )


def _promotion(row: JsonObject) -> Promotion:
    return Promotion(
        _text(row["status"]), int(row.get("percent_traffic_to_new_version") or 0), _optional(row, "error_message")
    )


def _log_line(row: JsonObject) -> LogLine:
    message = row["message"]
    text = "" if message is None else str(message)
    return LogLine(int(row["timestamp"]), text, _optional(row, "replica"), _optional(row, "level"))


def _target(body: JsonObject) -> Target | None:
    if body["s3_key"] is None:  # null, not missing: an answer that says nothing does not say "no archive"
        return None
    creds = body["creds"]
    credentials = Credentials(
        _text(creds["aws_access_key_id"]), _text(creds["aws_secret_access_key"]), _text(creds["aws_session_token"])
    )
    return Target(_text(body["s3_bucket"]), _text(body["s3_key"]), _optional(body, "s3_region"), credentials)
