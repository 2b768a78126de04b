"""The GraphQL operations that `truss` 0.18 sends when it pushes a Chain, recorded from it: nothing else is answered.

An operation is read, carried out, and answered with what its selection asks for. A refusal is 200 with `errors`, as
GraphQL has it; only a missing or wrong key is 401.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from werkzeug.wrappers import Request, Response

from baseten_sandbox.errors import Refused, invalid, malformed, missing, unauthorized
from baseten_sandbox.graphql_document import Field, read
from baseten_sandbox.state import chains, lifecycle
from baseten_sandbox.state.entities import PRODUCTION, Deployment
from baseten_sandbox.state.state import State
from baseten_sandbox.state.store import new_id
from baseten_sandbox.storage.bucket import Storage
from baseten_sandbox.web import Handler, Routes, credentials, json_response

PATH = "/graphql"
# How the service's own machinery calls the statuses, as `truss` translates them back.
_INTERNAL = {
    "BUILDING": "BUILDING_MODEL",
    "DEPLOYING": "DEPLOYING_MODEL",
    "DEPLOY_FAILED": "MODEL_DEPLOY_FAILED",
    "LOADING_MODEL": "MODEL_LOADING",
    "ACTIVE": "MODEL_READY",
    "UNHEALTHY": "MODEL_UNHEALTHY",
    "BUILD_FAILED": "BUILDING_MODEL_FAILED",
    "BUILD_STOPPED": "BUILDING_MODEL_STOPPED",
    "DEACTIVATING": "DEACTIVATING_MODEL",
    "INACTIVE": "DEACTIVATED_MODEL",
    "FAILED": "MODEL_DNE_ERROR",
    "WAKING_UP": "SCALING_FROM_ZERO",
}
_ORACLE = {"model_name", "s3_key", "encoded_config_str", "semver_bump", "version_name"}
_DEPLOY = {
    *("chain_name", "chain_id", "environment", "original_source_artifact_s3_key", "team_id", "is_draft"),
    *("allow_truss_download", "deployment_name", "entrypoint", "dependencies", "truss_user_env"),
}


class GraphQL:
    """The endpoint. `models` has the teams and models, `chains` is the state where a model stands for a Chain."""

    def __init__(self, *, models: State, chain_state: State, storage: Storage, api_key: str) -> None:
        self._models = models
        self._chains = chain_state
        self._storage = storage
        self._api_key = api_key

    def routes(self) -> Routes:
        """The endpoint as a WSGI application."""
        handlers: dict[str, Handler] = {f"POST {PATH}": self.answer}
        return Routes(handlers, self._guard)

    def _guard(self, request: Request, route: str) -> None:  # noqa: ARG002 - one rule for all routes
        if credentials(request) not in {("Api-Key", self._api_key), ("Bearer", self._api_key)}:
            raise unauthorized()

    def answer(self, request: Request) -> Response:
        """POST /graphql/."""
        try:
            body = json.loads(request.get_data())
            kind, fields = read(body["query"], body.get("variables") or {})
        except (ValueError, KeyError, TypeError) as error:
            raise malformed("the body has no `query`") from error
        calls = {
            "query": {
                "teams": self._teams,
                "chains": self._list_chains,
                "models": self._list_models,
                "truss_validation": self._validation,
                "model_s3_upload_credentials": self._credentials,
                "chain_s3_upload_credentials": self._credentials,
                "chain_deployment": self._chain_deployment,
            },
            "mutation": {"deploy_chain_atomic": self._deploy},
        }[kind]
        try:
            data = {}
            for field in fields:
                if field.name not in calls:
                    raise malformed(f"Cannot query field '{field.name}' on type '{kind.title()}'")
                data[field.name] = _selected(calls[field.name](field.arguments), field)
        except Refused as refused:
            code = "RESOURCE_NOT_FOUND" if refused.status is HTTPStatus.NOT_FOUND else refused.code
            return json_response({"errors": [{"message": refused.message, "extensions": {"code": code}}], "data": None})
        return json_response({"data": data})

    def _teams(self, arguments: Mapping[str, Any]) -> Any:
        _only(arguments, set())
        return [{"id": team.id, "name": team.name, "default": team.default} for team in self._models.teams()]

    def _list_chains(self, arguments: Mapping[str, Any]) -> Any:
        return self._listed(self._chains, arguments)

    def _list_models(self, arguments: Mapping[str, Any]) -> Any:
        return self._listed(self._models, arguments)

    def _listed(self, state: State, arguments: Mapping[str, Any]) -> Any:
        _only(arguments, {"all", "team_id"})
        team_id = arguments.get("team_id")
        if team_id is not None:
            state.team(team_id)
        return [
            {"id": it.model.id, "name": it.model.name, "team": {"id": it.team.id, "name": it.team.name}}
            for it in state.models(team_id)
        ]

    def _validation(self, arguments: Mapping[str, Any]) -> Any:
        _only(arguments, {"truss_user_env", "config"})
        _config(arguments["config"])
        return {"success": True, "details": "{}"}

    def _credentials(self, arguments: Mapping[str, Any]) -> Any:
        _only(arguments, set())
        s3_key, grant = self._storage.issue()
        return {
            "s3_bucket": self._storage.bucket,
            "s3_key": s3_key,
            "aws_access_key_id": grant.access_key_id,
            "aws_secret_access_key": grant.secret_access_key,
            "aws_session_token": grant.session_token,
        }

    def _chain_deployment(self, arguments: Mapping[str, Any]) -> Any:
        _only(arguments, {"id"})
        for facts in self._chains.models():
            for found in self._chains.deployments(facts.model.id):
                if found.id == arguments.get("id"):
                    return self._shown(found)
        raise missing(f"Chain deployment {arguments.get('id')}")

    def _deploy(self, arguments: Mapping[str, Any]) -> Any:
        _only(arguments, _DEPLOY)
        parts = [self._part(each) for each in (arguments["entrypoint"], *arguments["dependencies"])]
        if (source := arguments.get("original_source_artifact_s3_key")) and self._storage.size(source) is None:
            raise invalid(f"original_source_artifact_s3_key: nothing was uploaded to {source}")
        if not json.loads(arguments.get("truss_user_env") or "null"):
            raise invalid("truss_user_env: required")
        with self._chains.transaction():
            chain_id, name = arguments.get("chain_id"), str(arguments.get("chain_name") or "")
            if (chain_id is None) == (name == ""):
                raise invalid("one of chain_id and chain_name")
            environment = arguments.get("environment")
            if chain_id is None:
                team = self._chains.team(arguments.get("team_id"))
                if environment not in {None, PRODUCTION}:
                    raise missing(f"Environment {environment!r}")
                chain_id, environment = self._chains.create_model(name, team.id).id, PRODUCTION
            elif environment is not None:
                self._chains.environment(chain_id, environment)
                self._chains.check_idle(chain_id, environment)
            settings = self._chains.environment(chain_id, environment or PRODUCTION).environment.settings
            made = self._chains.add_deployment(
                chain_id,
                config=chains.config_of(parts),
                settings=settings,
                name=arguments.get("deployment_name"),
            )
            if environment:
                how = settings.promotion
                self._chains.promote(
                    made,
                    environment,
                    settings=settings,
                    redeploy=bool(how.redeploy_on_promotion),
                    rolling=bool(how.rolling_deploy),
                    cleanup=how.promotion_cleanup_strategy or "SCALE_TO_ZERO",
                    at_once=False,
                )
        return {"chain_deployment": self._shown(made)}

    def _part(self, given: Mapping[str, Any]) -> dict[str, Any]:
        _only(given, {"name", "oracle"})
        oracle = given["oracle"]
        _only(oracle, _ORACLE)
        if self._storage.size(str(oracle.get("s3_key"))) is None:
            raise invalid(f"{given['name']}: nothing was uploaded to {oracle.get('s3_key')}")
        return {"id": new_id(8), "name": given["name"], "config": _config(oracle["encoded_config_str"])}

    def _shown(self, found: Deployment) -> dict[str, Any]:
        now = self._chains.now()
        parts = chains.parts_at(found, now, self._chains.timing.minute / 60)
        return {
            "id": found.id,
            "chain": {"id": found.model_id, "hostname": f"https://chain-{found.model_id}.api.baseten.co"},
            "status": lifecycle.status_at(found.timeline, now),
            "chainlets": [
                {
                    "id": part.id,
                    "name": part.name,
                    "is_entrypoint": part.entrypoint,
                    "oracle": {"id": part.id, "name": part.name, "hostname": f"https://model-{part.id}.api.baseten.co"},
                    "oracle_version": {
                        "id": part.id,
                        "is_draft": False,
                        "current_model_deployment_status": {"status": _INTERNAL.get(part.status, part.status)},
                    },
                }
                for part in parts
            ],
        }


def _selected(value: Any, field: Field) -> Any:
    """What the selection asks for of a value. Refuses a field that it does not have."""
    if isinstance(value, list):
        return [_selected(item, field) for item in value]
    if not isinstance(value, dict):
        return value
    if unknown := [each.name for each in field.selection if each.name not in value]:
        raise malformed(f"Cannot query field '{unknown[0]}' on '{field.name}'")
    return {each.name: _selected(value[each.name], each) for each in field.selection}


def _config(encoded: str) -> dict[str, Any]:
    try:
        config = json.loads(base64.b64decode(encoded, validate=True))
    except (binascii.Error, ValueError) as error:
        raise invalid("encoded_config_str: base64 of JSON") from error
    if not isinstance(config, dict) or not config.get("model_name"):
        raise invalid("encoded_config_str: a config with a model_name")
    return config


def _only(arguments: Mapping[str, Any], known: set[str]) -> None:
    if unknown := sorted(set(arguments) - known):
        raise malformed(f"Unknown argument '{unknown[0]}'")
