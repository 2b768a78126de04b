"""The calls that push: prepare, and the commits that create a model or add a deployment.

A commit must carry exactly the payload of its prepare, and a key that was issued and really uploaded.
"""

import json
from typing import Any

from baseten.client import managementapi as sdk
from pydantic import BaseModel
from werkzeug.wrappers import Request

from baseten_sandbox.errors import invalid
from baseten_sandbox.state.entities import INSTANCE_TYPES, PRODUCTION, Deployment, Settings, Team, Upload
from baseten_sandbox.state.state import State
from baseten_sandbox.storage import archive
from baseten_sandbox.storage.bucket import REGION, Storage
from baseten_sandbox.web import Handler

from . import collections, contract, rules, views


class Pushes:
    """Prepare and commit."""

    def __init__(self, *, state: State, storage: Storage) -> None:
        self._state = state
        self._storage = storage

    def handlers(self) -> dict[str, Handler]:
        """The calls by route."""
        return {
            "POST /v1/prepare_model_upload": self.prepare,
            "POST /v1/models": self.create_model,
            "POST /v1/teams/<team_id>/models": self.create_model,
            "POST /v1/models/<model_id>/deployments": self.create_deployment,
        }

    def prepare(self, request: Request) -> BaseModel:
        """POST /v1/prepare_model_upload: nulls for a dry run and for formats without an archive."""
        wanted = contract.body(sdk.PrepareModelUploadRequest, request.get_data())
        if (wanted.name is None) == (wanted.model_id is None):
            raise invalid("exactly one of name and model_id is required")
        if wanted.model_id is None:
            team = self._state.team(wanted.team_id)
            self._check_new_model(wanted.name or "", team)
        elif wanted.team_id is not None:
            raise invalid("team_id: only valid with name")
        else:
            team = self._state.model(wanted.model_id).team
        self._check_payload(wanted.deployment, wanted.model_id)
        if wanted.dry_run or not rules.needs_archive(wanted.deployment.config):
            return sdk.PrepareModelUploadResponse()
        s3_key, grant = self._storage.issue()
        payload = json.loads(request.get_data())["deployment"]
        self._state.add_upload(Upload(s3_key, payload, team.id, wanted.name, wanted.model_id))
        creds = sdk.AWSCredentials(
            aws_access_key_id=grant.access_key_id,
            aws_secret_access_key=grant.secret_access_key,
            aws_session_token=grant.session_token or "",
        )
        return sdk.PrepareModelUploadResponse(creds=creds, s3_bucket=grant.bucket, s3_key=s3_key, s3_region=REGION)

    def create_model(self, request: Request, team_id: str | None = None) -> BaseModel:
        """POST /v1/models, and into one team."""
        source = contract.model_source(request.get_data())
        team = self._state.team(team_id)
        if isinstance(source, sdk.LibraryListingSource):
            return self._create_from_listing(source, team)
        self._check_new_model(source.name, team)
        self._check_payload(source.deployment, None)
        upload = (team.id, source.name, None)
        self._check_upload(source.s3_key, _sent(request), upload)
        build_error = self._build_error(source.s3_key)
        with self._state.transaction():
            model = self._state.create_model(source.name, team.id, archive_locked=source.disable_archive_download)
            return self._created(self._deploy(model.id, source.s3_key, source.deployment, build_error))

    def create_deployment(self, request: Request, model_id: str) -> BaseModel:
        """POST /v1/models/{id}/deployments."""
        source = contract.deployment_source(request.get_data())
        upload = (self._state.model(model_id).team.id, None, model_id)
        self._check_payload(source.deployment, model_id)
        self._check_upload(source.s3_key, _sent(request), upload)
        build_error = self._build_error(source.s3_key)
        with self._state.transaction():
            return self._created(self._deploy(model_id, source.s3_key, source.deployment, build_error))

    def _create_from_listing(self, source: sdk.LibraryListingSource, team: Team) -> BaseModel:
        name = source.deployed_model_name or source.user_defined_listing_id
        self._check_new_model(name, team)
        with self._state.transaction():
            model = self._state.create_model(name, team.id)
            created = self._state.add_deployment(model.id, config={"model_name": name}, settings=Settings())
            return self._created(created)

    def _check_new_model(self, name: str, team: Team) -> None:
        if not name.strip():
            raise invalid("name: must not be empty")
        if self._state.has_model(name, team.id):
            raise invalid(f"A model with the name {name!r} already exists in team {team.name!r}")

    def _check_payload(self, payload: sdk.DeploymentArchivePayload, model_id: str | None) -> None:
        rules.check_payload(payload)
        rules.changed(Settings(), payload.autoscaling_settings, None, payload.request_backpressure_settings)
        rules.promotion(Settings().promotion, payload.promotion_settings_override)
        name = payload.environment_name
        if name is None or name == PRODUCTION or payload.create_environment_if_missing:
            return
        if model_id is None or not self._state.has_environment(model_id, name):
            raise invalid(f"Environment {name!r} does not exist; create it or set create_environment_if_missing")

    def _check_upload(
        self, s3_key: str | None, sent: dict[str, Any], wanted: tuple[str, str | None, str | None]
    ) -> None:
        if not rules.needs_archive(sent["config"]):
            if s3_key is not None:
                raise invalid("s3_key: a model of this format has no archive")
            return
        upload = self._state.upload(s3_key) if s3_key is not None else None
        if upload is None:
            raise invalid(f"s3_key: {s3_key!r} was not issued by prepare_model_upload")
        if (upload.team_id, upload.model_name, upload.model_id) != wanted:
            raise invalid("s3_key: was issued for another model or team")
        if sent != upload.payload:
            names = sorted(name for name in {*sent, *upload.payload} if sent.get(name) != upload.payload.get(name))
            raise invalid(f"deployment: not the payload that was prepared; it differs in {', '.join(names) or 'nulls'}")
        if self._storage.size(upload.s3_key) is None:
            raise invalid(f"s3_key: {s3_key!r} was not uploaded")

    def _build_error(self, s3_key: str | None) -> str:
        return archive.problem(self._storage, s3_key) if s3_key is not None else ""

    def _deploy(
        self, model_id: str, s3_key: str | None, payload: sdk.DeploymentArchivePayload, build_error: str
    ) -> Deployment:
        settings = self._settings(model_id, payload)
        created = self._state.add_deployment(
            model_id,
            config=payload.config,
            settings=settings,
            name=payload.deployment_name,
            raw_config=payload.raw_config,
            labels=payload.labels,
            region=payload.region,
            s3_key=s3_key,
            is_development=payload.is_development,
            build_error=build_error,
        )
        if payload.environment_name is not None:
            how = rules.promotion(settings.promotion, payload.promotion_settings_override)
            self._state.promote(
                created,
                payload.environment_name,
                settings=settings,
                redeploy=bool(how.redeploy_on_promotion),
                rolling=bool(how.rolling_deploy),
                cleanup=how.promotion_cleanup_strategy or "KEEP",
                at_once=False,
            )
            self._state.audit.add("MODEL_DEPLOYMENT_PROMOTED", created, payload.environment_name)
        return created

    def _settings(self, model_id: str, payload: sdk.DeploymentArchivePayload) -> Settings:
        """The settings of the new deployment: its environment's (created when it is missing), with its own changes."""
        base = Settings(instance_type=rules.machine_of(payload.config))
        name = payload.environment_name
        if name is not None:
            if not self._state.has_environment(model_id, name):
                self._state.create_environment(model_id, name, rules.new_environment())
            self._state.check_idle(model_id, name)
            environment = self._state.environment(model_id, name).environment
            keeps = payload.preserve_env_instance_type and environment.current_id is not None
            base = environment.settings if keeps else environment.settings.but(instance_type=base.instance_type)
        if payload.instance_type_id is not None:
            base = base.but(instance_type=INSTANCE_TYPES[payload.instance_type_id])
        base = rules.changed(base, payload.autoscaling_settings, None, payload.request_backpressure_settings)
        return collections.scheduled(base, payload.autoscaling_schedule_settings)

    def _created(self, created: Deployment) -> sdk.CreatedModelDeployment:
        return sdk.CreatedModelDeployment(
            model=views.model(self._state.model(created.model_id)),
            deployment=views.deployment(created, self._state.now()),
        )


def _sent(request: Request) -> dict[str, Any]:
    sent: dict[str, Any] = json.loads(request.get_data())["source"]["deployment"]
    return sent
