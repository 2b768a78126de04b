"""The management API as one application: who may call, how often, and the calls about what exists.

The calls that push are `pushes`', those about environments `environments`', those that change a deployment `upkeep`'.
"""

from baseten.client import managementapi as sdk
from pydantic import BaseModel
from werkzeug.wrappers import Request

from baseten_sandbox.errors import invalid, malformed, missing, too_many, unauthorized
from baseten_sandbox.state.entities import INSTANCE_TYPES, PRODUCTION, Deployment
from baseten_sandbox.state.state import State
from baseten_sandbox.storage.bucket import Storage
from baseten_sandbox.web import Handler, Routes, credentials

from . import contract, views
from .audit_logs import AuditLogs
from .environments import Environments
from .limits import Limit, Limiter
from .logs import LogQuery, Logs
from .metrics import Metrics
from .pushes import Pushes
from .startups import Startups
from .upkeep import PER_MINUTE, Upkeep

_PER_SECOND = 100

_MODEL = "/v1/models/<model_id>"
_DEPLOYMENT = f"{_MODEL}/deployments/<deployment_id>"


class Management:
    """The calls of the management API that a deploy step needs."""

    def __init__(
        self,
        *,
        state: State,
        storage: Storage,
        logs: Logs,
        limiter: Limiter | None,
        api_key: str,
        filters_by_name: bool,
    ) -> None:
        self._state = state
        self._storage = storage
        self._logs = logs
        self._limiter = limiter
        self._api_key = api_key
        self._filters_by_name = filters_by_name

    def routes(self) -> Routes:
        """The calls as a WSGI application."""
        handlers: dict[str, Handler] = {
            "GET /v1/teams": self.teams,
            "GET /v1/instance_types": self.instance_types,
            "GET /v1/instance_type_prices": self.instance_type_prices,
            "GET /v1/secrets": self.secrets,
            "GET /v1/teams/<team_id>/secrets": self.secrets,
            "GET /v1/models": self.models,
            "GET /v1/teams/<team_id>/models": self.models,
            f"GET {_MODEL}": self.model,
            f"GET {_MODEL}/deployments": self.deployments,
            f"GET {_DEPLOYMENT}": self.deployment,
            f"DELETE {_DEPLOYMENT}": self.delete_deployment,
            f"GET {_DEPLOYMENT}/logs": self.logs,
            f"POST {_DEPLOYMENT}/logs": self.logs,
            f"GET {_DEPLOYMENT}/config": self.config,
            f"GET {_DEPLOYMENT}/download": self.download,
            **Upkeep(state=self._state).handlers(),
            **AuditLogs(state=self._state).handlers(),
            **Pushes(state=self._state, storage=self._storage).handlers(),
            **Environments(state=self._state).handlers(),
            **Metrics(state=self._state).handlers(),
            **Startups(state=self._state).handlers(),
        }
        return Routes(handlers, self._guard)

    def _guard(self, request: Request, route: str) -> None:
        if credentials(request) != ("Bearer", self._api_key):
            raise unauthorized()
        if self._limiter is None:
            return
        per_minute = PER_MINUTE.get(route.rpartition("/")[2])
        limit = Limit(per_minute, self._state.timing.minute) if per_minute else Limit(_PER_SECOND, 1.0)
        wait = self._limiter.wait(route, limit)
        if wait > 0:
            raise too_many(round(wait, 3))

    def teams(self, request: Request) -> BaseModel:
        """GET /v1/teams."""
        query = contract.query(sdk.GetTeamsParams, request.args)
        found = [team for team in self._state.teams() if query.name in {None, team.name}]
        return sdk.Teams(teams=[views.team(team) for team in found])

    def instance_types(self, request: Request) -> BaseModel:
        """GET /v1/instance_types."""
        contract.no_query(request)
        return sdk.InstanceTypes(instance_types=[views.instance_type(item) for item in INSTANCE_TYPES.values()])

    def instance_type_prices(self, request: Request) -> BaseModel:
        """GET /v1/instance_type_prices."""
        contract.no_query(request)
        return sdk.InstanceTypePrices(instance_types=[views.priced(item) for item in INSTANCE_TYPES.values()])

    def secrets(self, request: Request, team_id: str | None = None) -> BaseModel:
        """GET /v1/secrets, and those of one team: names, no values."""
        contract.no_query(request)
        if team_id is not None:
            self._state.team(team_id)
        return sdk.Secrets(secrets=[views.secret(*each) for each in self._state.secrets.of(team_id)])

    def models(self, request: Request, team_id: str | None = None) -> BaseModel:
        """GET /v1/models, and those of one team."""
        query = contract.query(sdk.GetModelsParams, request.args)
        if team_id is not None:
            self._state.team(team_id)
        found = self._state.models(team_id)
        if query.name is not None and self._filters_by_name:
            found = [facts for facts in found if facts.model.name == query.name]
        return sdk.Models(models=[views.model(facts) for facts in found])

    def model(self, request: Request, model_id: str) -> BaseModel:
        """GET /v1/models/{id}."""
        contract.no_query(request)
        return views.model(self._state.model(model_id))

    def deployments(self, request: Request, model_id: str) -> BaseModel:
        """GET .../deployments."""
        query = contract.query(sdk.GetModelsDeploymentsParams, request.args)
        found = self._state.deployments(model_id)
        if query.name is not None and self._filters_by_name:
            found = [item for item in found if item.name == query.name]
        return sdk.Deployments(deployments=[self._view(item) for item in found])

    def deployment(self, request: Request, model_id: str, deployment_id: str) -> BaseModel:
        """GET .../deployments/{id}; `development` and `production` name what is in these slots."""
        contract.no_query(request)
        if deployment_id in {"development", PRODUCTION}:
            return self._view(self._state.slot(model_id, deployment_id))
        return self._view(self._state.deployment(model_id, deployment_id, fresh=False))

    def delete_deployment(self, request: Request, model_id: str, deployment_id: str) -> BaseModel:
        """DELETE .../deployments/{id}."""
        contract.no_query(request)
        self._state.delete_deployment(model_id, deployment_id)
        return sdk.DeploymentTombstone(id=deployment_id, deleted=True, model_id=model_id)

    def logs(self, request: Request, model_id: str, deployment_id: str) -> BaseModel:
        """GET .../logs, and the older POST."""
        query: LogQuery
        if request.method == "POST":
            query = contract.body(sdk.GetDeploymentLogsRequest, request.get_data())
        else:
            query = contract.query(sdk.GetModelsDeploymentsLogsParams, request.args)
        found = self._state.deployment(model_id, deployment_id, fresh=False)
        return sdk.GetLogsResponse(logs=self._logs.page(found, query, self._state.now()))

    def config(self, request: Request, model_id: str, deployment_id: str) -> BaseModel:
        """GET .../config."""
        wanted = contract.query(sdk.GetModelsDeploymentsConfigParams, request.args).output_format
        if wanted not in {"raw", "parsed", "both"}:
            raise malformed("output_format: raw, parsed or both")
        found = self._state.deployment(model_id, deployment_id)
        return sdk.DeploymentConfigResponse(
            config=None if wanted == "raw" else dict(found.config),
            raw_config=None if wanted == "parsed" else found.raw_config,
        )

    def download(self, request: Request, model_id: str, deployment_id: str) -> BaseModel:
        """GET .../download."""
        contract.no_query(request)
        found = self._state.deployment(model_id, deployment_id)
        if self._state.model(model_id).model.archive_locked:
            raise invalid("Archive download is disabled for this model")
        if found.s3_key is None:
            raise missing(f"An archive of deployment {deployment_id}")
        return sdk.DownloadDeploymentResponse(download_url=self._storage.download_url(found.s3_key))

    def _view(self, found: Deployment) -> sdk.Deployment:
        return views.deployment(found, self._state.now())
