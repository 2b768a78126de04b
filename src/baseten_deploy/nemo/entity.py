"""The model entity and the provider that describe a deployed model to a NeMo Platform: names and bodies. Pure.

What the `nemo-*` inputs may say is `inputs.nemo`; the calls are `api`, and what their answers mean is `upsert`. Spec:
the service's `/openapi.json` (nemo-platform 0.3.0).
"""

from collections.abc import Mapping
from typing import Any

from baseten_deploy.errors import Problem
from baseten_deploy.inputs.nemo import AUTH_HEADER_FORMAT, NO_KEY, default_entity_name
from baseten_deploy.inputs.settings import Settings
from baseten_deploy.records import dataclass

JsonObject = dict[str, Any]

# The keys of `custom_fields` that belong to this action; all others are somebody else's and stay as they are.
OURS = (
    "baseten_model_id",
    "baseten_model_name",
    "baseten_deployment_id",
    "baseten_environment",
    "baseten_git_sha",
    "baseten_content_digest",
)


@dataclass(frozen=True)
class DeployedModel:
    """What is registered: a deployed model, `""` where a fact is not known.

    `endpoint_url` is OpenAI-compatible (see `service.model_urls`): the environment's when the deployment was pushed or
    promoted into one, since that stays the same over the next deployment; else the deployment's.
    """

    model_id: str
    model_name: str
    deployment_id: str
    endpoint_url: str
    environment: str = ""
    git_sha: str = ""
    content_digest: str = ""


@dataclass(frozen=True)
class Registration:
    """What is asked for: `entity` and `provider` are the objects of `nemo-entity` and `nemo-provider`, checked."""

    workspace: str
    name: str
    entity: JsonObject
    provider: JsonObject | None = None

    @property
    def reference(self) -> str:
        """The entity as the platform refers to it."""
        return f"{self.workspace}/{self.name}"

    @property
    def provider_name(self) -> str:
        """The provider's name, `""` for none."""
        return str((self.provider or {}).get("name", ""))

    @property
    def provider_reference(self) -> str:
        """The provider as the platform refers to it, `""` for none."""
        return f"{self.workspace}/{self.provider_name}" if self.provider_name else ""


def wanted_registration(settings: Settings, model_name: str) -> Registration:
    """The registration that checked settings ask for. `model_name` is the Baseten model's, the default's source."""
    name = settings.nemo_model_name or default_entity_name(model_name)
    return Registration(settings.nemo_workspace, name, settings.nemo_entity or {}, settings.nemo_provider)


def custom_fields(model: DeployedModel) -> dict[str, str]:
    """What this action writes into `custom_fields`: flat and prefixed, so that it is told apart from what others do."""
    values = (
        model.model_id,
        model.model_name,
        model.deployment_id,
        model.environment,
        model.git_sha,
        model.content_digest,
    )
    return {key: value for key, value in zip(OURS, values, strict=True) if value}


def create_body(model: DeployedModel, registration: Registration) -> JsonObject:
    """The create call's body: ours, and over it `nemo-entity`. Null means what leaving out means, and is left out."""
    extra = dict(registration.entity)
    known = {"url": model.endpoint_url, "model_id": model.model_id, "format": "openai"}
    endpoint = {key: value for key, value in known.items() if value}
    body: JsonObject = {"backend_format": "OPENAI_CHAT", **extra}
    if "api_endpoint" not in extra:
        body["api_endpoint"] = endpoint
    elif extra["api_endpoint"] is not None:
        body["api_endpoint"] = {**endpoint, **extra["api_endpoint"]}
    body["custom_fields"] = {**custom_fields(model), **(extra.get("custom_fields") or {})}
    return {"name": registration.name} | {key: value for key, value in body.items() if value is not None}


def update_body(body: JsonObject, existing: Mapping[str, Any], registration: Registration) -> JsonObject:
    """The update call's body: what the create call says, without what an update ignores, others' custom fields kept.

    Of ours, those that this run does not know are dropped: they are about the deployment before. An explicit null of
    `backend_format` is the one that an update understands.
    """
    update = {key: value for key, value in body.items() if key not in ("name", "project")}
    if "backend_format" in registration.entity:
        update["backend_format"] = registration.entity["backend_format"]
    there = existing.get("custom_fields")
    others = {key: value for key, value in there.items() if key not in OURS} if isinstance(there, Mapping) else {}
    update["custom_fields"] = {**others, **body["custom_fields"]}
    return update


def update_warnings(existing: Mapping[str, Any], model: DeployedModel, registration: Registration) -> list[Problem]:
    """What an update cannot do, or undoes."""
    warnings = []
    entity = f"The model entity `{registration.reference}`"
    project = registration.entity.get("project")
    if project is not None and project != existing.get("project"):
        stays = f"stays in {existing['project']!r}" if existing.get("project") else "stays outside of every project"
        warnings.append(
            Problem(
                f"{entity} exists and {stays}: the platform does not move an entity into {project!r}",
                "Delete the entity so that the next run creates it there, or remove `project` from `nemo-entity`.",
            )
        )
    there = existing.get("custom_fields")
    before = there.get("baseten_model_id") if isinstance(there, Mapping) else None
    if before and before != model.model_id:
        warnings.append(
            Problem(
                f"{entity} was registered for another Baseten model, {before!r}, and now describes {model.model_id!r}",
                "If both models are in use, give each an entity of its own with `nemo-model-name`.",
            )
        )
    endpoint = existing.get("api_endpoint")
    if isinstance(endpoint, Mapping) and endpoint.get("api_key"):
        warnings.append(
            Problem(f"{entity} held an API key in `api_endpoint`, readable by all; it is there no more", NO_KEY)
        )
    return warnings


def provider_body(model: DeployedModel, registration: Registration) -> JsonObject:
    """The body of the provider's put, which replaces all of it. The secret is named, never sent."""
    body = {"host_url": model.endpoint_url, "auth_header_format": AUTH_HEADER_FORMAT, **(registration.provider or {})}
    return {key: value for key, value in body.items() if value is not None and key != "name"}
