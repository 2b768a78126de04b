"""What the calls of the management API answer: records, and how each is read off the JSON.

Every answer is checked for the fields that the run relies on, and those for their `shapes`; unknown fields and enum
values are left alone, since the API grows. The calls are `api`.
"""

from dataclasses import field
from typing import Any

from baseten_deploy.records import dataclass

from . import shapes
from .http import HttpError
from .instance_types import InstanceType, read_optional_instance_type
from .retry import Failure, Fault

JsonObject = dict[str, Any]


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
class Chainlet:
    """A part of a Chain's deployment: a model of its own. `autoscaling` is empty until it was deployed once."""

    id: str
    name: str
    status: str
    replicas: int = 0
    instance_type: str = ""
    autoscaling: JsonObject = field(default_factory=dict)


@dataclass(frozen=True)
class Deployment:
    """A deployment. `status` may be one that this version does not know; `environment` is `""` for none.

    `says_labels` is false where the answer has no `labels`: within other objects they may be left out. `chainlets` are
    those of a Chain; a model has none.
    """

    id: str
    name: str
    status: str
    environment: str = ""
    labels: JsonObject = field(default_factory=dict)
    is_development: bool = False
    created_at: str = ""
    says_labels: bool = field(default=True, compare=False)
    chainlets: tuple[Chainlet, ...] = field(default=(), compare=False)


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
    """An environment: the deployment that it serves, the one being promoted into it, its settings and its machine."""

    name: str
    current: Deployment | None = None
    candidate: Deployment | None = None
    promotion: Promotion | None = None
    settings: JsonObject = field(default_factory=dict)
    instance_type: InstanceType | None = None


@dataclass(frozen=True)
class Secret:
    """A secret of the workspace, by name; `team` is the name of the team that has it, `""` for unknown."""

    name: str
    team: str = ""


@dataclass(frozen=True)
class Promoted:
    """An entry of the audit log: this deployment was to be promoted into that environment, or that was `cancelled`."""

    deployment_id: str
    environment: str
    cancelled: bool = False


@dataclass(frozen=True)
class Retry:
    """What the service made of a wish to try a deployment again; `reason` says why not."""

    retried: bool
    reason: str
    deployment: Deployment


@dataclass(frozen=True)
class LogLine:
    """One line of a deployment's log; `nanoseconds` since 1970."""

    nanoseconds: int
    message: str
    replica: str = ""
    level: str = ""


@dataclass(frozen=True)
class Credentials:
    """Temporary S3 credentials, scoped to one key."""

    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)


@dataclass(frozen=True)
class UploadTarget:
    """Where one prepare lets us upload. An empty `region` is unknown."""

    bucket: str
    key: str
    region: str
    credentials: Credentials


def rows(body: JsonObject, key: str) -> list[JsonObject]:
    """The objects of the array `key`."""
    rows = body[key]
    if not isinstance(rows, list):  # an empty object would pass for an empty list: "there is none, make one"
        raise shapes.Unusable(f"`{key}` is no array")
    return rows


def optional_text(row: JsonObject, key: str) -> str:
    """A text that the run can do without: `""` when it is missing, or something else."""
    value = row.get(key)
    return value if isinstance(value, str) else ""


def read_team(row: JsonObject) -> Team:
    """Read a team."""
    return Team(shapes.identifier(row["id"]), optional_text(row, "name"), default=row.get("default") is True)


def read_secret(row: JsonObject) -> Secret:
    """Read a secret's name."""
    return Secret(shapes.text(row["name"], "name"), optional_text(row, "team_name"))


def read_model(row: JsonObject) -> Model:
    """Read a model."""
    return Model(
        id=shapes.identifier(row["id"]),
        name=shapes.text(row["name"], "name"),
        team=optional_text(row, "team_name"),
        production_deployment_id=shapes.optional_identifier(
            row.get("production_deployment_id"), "production_deployment_id"
        ),
        development_deployment_id=shapes.optional_identifier(
            row.get("development_deployment_id"), "development_deployment_id"
        ),
    )


def read_deployment(row: JsonObject) -> Deployment:
    """Read a deployment."""
    return Deployment(
        id=shapes.identifier(row["id"]),
        name=optional_text(row, "name"),
        status=shapes.word(row["status"], "status"),
        environment=shapes.optional_environment_name(row.get("environment"), "environment"),
        labels=dict(shapes.mapping(row.get("labels"), "labels")),
        is_development=bool(row.get("is_development")),
        created_at=optional_text(row, "created_at"),
        says_labels=row.get("labels") is not None,
    )


def read_stored_config(body: JsonObject, path: str) -> StoredConfig:
    """Read what a deployment was built from; `path` is the call, for the error."""
    config, raw = body.get("config"), optional_text(body, "raw_config")
    if config is None and not raw:
        raise HttpError(Failure(Fault.BAD_ANSWER), "the answer has none", path)
    if config is not None and not isinstance(config, dict):
        raise HttpError(Failure(Fault.BAD_ANSWER), "what it answers instead is no object", path)
    return StoredConfig(config, raw)


# The groups of `environment-settings`, and under which name an environment answers each.
_SETTINGS = {
    "autoscaling_settings": "autoscaling_settings",
    "promotion_settings": "promotion_settings",
    "request_backpressure_settings": "request_backpressure_settings",
    "autoscaling_schedule_settings": "autoscaling_schedules",
    "traffic_routing_settings": "traffic_routing",
}


def read_environment(row: JsonObject) -> Environment:
    """Read an environment."""
    current, candidate, promotion = (
        row.get(key) for key in ("current_deployment", "candidate_deployment", "in_progress_promotion")
    )
    return Environment(
        name=shapes.environment_name(row["name"]),
        current=read_deployment(current) if current else None,
        candidate=read_deployment(candidate) if candidate else None,
        promotion=read_promotion(promotion) if promotion else None,
        settings={name: _settings(row.get(key), key) for name, key in _SETTINGS.items()},
        instance_type=read_optional_instance_type(row.get("instance_type")),
    )


def _settings(value: Any, what: str) -> Any:
    """A group of settings: an object, or a list of rules; `{}` for none."""
    if not isinstance(value, list):
        return shapes.mapping(value, what)
    shapes.shallow(value, what)
    return value


def read_promotion(row: JsonObject) -> Promotion:
    """Read a promotion."""
    percent = shapes.percent(row.get("percent_traffic_to_new_version"))
    return Promotion(shapes.word(row["status"], "status"), percent, optional_text(row, "error_message"))


def read_promoted(body: JsonObject) -> tuple[list[Promoted], str]:
    """Read a page of the audit log: its promotions, and the cursor of the next page. Other events are left out."""
    found = []
    for row in rows(body, "items"):
        event = row["event_data"]
        kind = event.get("event_type") or row.get("event_type") or "MODEL_DEPLOYMENT_PROMOTED"
        cancelled = optional_text(event, "action").endswith("CANCEL")
        if kind == "MODEL_DEPLOYMENT_PROMOTED" or cancelled:
            environment = shapes.optional_environment_name(event.get("environment_name"), "environment_name")
            found.append(Promoted(shapes.identifier(event["deployment_id"], "deployment_id"), environment, cancelled))
    pagination = body.get("pagination") or {}
    more = pagination.get("has_more") is not False
    return found, optional_text(pagination, "cursor") if more else ""


def read_retry(body: JsonObject) -> Retry:
    """Read what became of a wish to try again."""
    retried = body["retried"]
    if not isinstance(retried, bool):
        raise TypeError("retried is neither true nor false")
    return Retry(retried, optional_text(body, "reason"), read_deployment(body["deployment"]))


def read_log_line(row: JsonObject) -> LogLine:
    """Read a line of a log."""
    message = row["message"]
    text = "" if message is None else str(message)
    time = shapes.nanoseconds(row["timestamp"])
    return LogLine(time, text, optional_text(row, "replica"), optional_text(row, "level"))


def read_upload_target(body: JsonObject) -> UploadTarget | None:
    """Where to upload; `None` where the service says that no archive is needed."""
    if body["s3_key"] is None:  # null, not missing: an answer that says nothing does not say "no archive"
        return None
    creds = body["creds"]
    access_key_id, secret_access_key, session_token = (
        shapes.credential(creds[key], key)
        for key in ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
    )
    credentials = Credentials(access_key_id, secret_access_key, session_token)
    region = shapes.region(body.get("s3_region"))
    return UploadTarget(shapes.bucket(body["s3_bucket"]), shapes.s3_key(body["s3_key"]), region, credentials)
