"""What is sent for one deployment: the payload that dry run, prepare and commit carry alike, and what is around it.

Pure: from settings, Truss and origin to JSON. Spec: the service's `DeploymentArchivePayload`.
"""

import copy
import os
from collections.abc import Mapping
from typing import Any

from baseten_deploy.ci.origin import Origin
from baseten_deploy.inputs.objects import merged
from baseten_deploy.inputs.settings import CONTENT_DIGEST_LABEL, DEPLOY_KEY_LABEL, TRIGGER_LABEL, Settings
from baseten_deploy.service.model_lookup import Destination
from baseten_deploy.truss.directory import Truss


def new_deploy_key(origin: Origin) -> str:
    """A label value that no other deployment has: readable run and attempt, and chance for the jobs within."""
    run = "-".join(filter(None, (origin.run_id, origin.run_attempt)))
    return "-".join(filter(None, (run, os.urandom(8).hex())))


def deployment_payload(
    settings: Settings, truss: Truss, origin: Origin, *, deploy_key: str, content_digest: str
) -> dict[str, Any]:
    """The deployment payload. Fields that only mean something together are sent only together."""
    extra = settings.deployment_settings or {}
    payload: dict[str, Any] = {
        "config": sent_config(merged(truss.config, extra.get("config", {})), settings.model_name),
        "labels": {
            **(origin.labels if settings.include_git_info else {}),
            **(settings.labels or {}),
            DEPLOY_KEY_LABEL: deploy_key,
            CONTENT_DIGEST_LABEL: content_digest,
            **({TRIGGER_LABEL: settings.trigger} if settings.trigger else {}),
        },
        "deploy_timeout_minutes": settings.deploy_timeout_minutes,
        "create_environment_if_missing": settings.create_environment,  # explicit: the service's default is to change
    }
    if truss.raw_config is not None:
        payload["raw_config"] = truss.raw_config
    if settings.include_git_info and origin.user_env:
        payload["user_env"] = origin.user_env
    if settings.development:
        payload["is_development"] = True
    elif name := deployment_name(settings, origin):
        payload["deployment_name"] = name
    if settings.environment:
        payload["environment_name"] = settings.environment
        payload["preserve_env_instance_type"] = settings.preserve_env_instance_type
    elif "instance_type_id" in extra and not settings.development:
        payload["preserve_env_instance_type"] = False  # the service's default, true, refuses an instance type
    return merged(payload, {key: value for key, value in extra.items() if key != "config"})


def deployment_name(settings: Settings, origin: Origin) -> str:
    """The deployment's name: what was asked for, else that of its commit; `""` for the development slot's, or none."""
    return "" if settings.development else settings.deployment_name or origin.deployment_name


def prepare_body(destination: Destination, payload: Mapping[str, Any], *, dry_run: bool) -> dict[str, Any]:
    """The body of a prepare, and of the dry run, for a model that is there or for one that is to be made."""
    body: dict[str, Any] = {"deployment": payload, "dry_run": dry_run}
    if destination.model:
        return {**body, "model_id": destination.model.id}
    return {**body, "name": destination.name, **({"team_id": destination.team_id} if destination.team_id else {})}


def sent_config(config: Mapping[str, Any], model_name: str = "") -> dict[str, Any]:
    """The config as the service takes it: the archived one with the name override and text environment variables.

    `external_package_dirs` is gone, because their content is in the archive.
    """
    sent = copy.deepcopy(dict(config))
    sent.pop("external_package_dirs", None)
    variables = sent.get("environment_variables")
    if isinstance(variables, dict):
        sent["environment_variables"] = {name: _variable(value) for name, value in variables.items()}
    if model_name:
        sent["model_name"] = model_name
    return sent


def _variable(value: Any) -> str:
    """An environment variable's text, as `truss push` writes it: YAML's true is `true`, not Python's `True`."""
    return str(value).lower() if isinstance(value, bool) else str(value)
