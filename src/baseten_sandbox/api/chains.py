"""The management API's calls about Chains: all but making one, which is `graphql`'s."""

import threading
from typing import Any

from baseten.client import managementapi as sdk
from pydantic import BaseModel
from werkzeug.wrappers import Request, Response

from baseten_sandbox.errors import invalid, missing
from baseten_sandbox.state import lifecycle
from baseten_sandbox.state.chains import parts_at
from baseten_sandbox.state.entities import INSTANCE_TYPES, Deployment
from baseten_sandbox.state.state import State
from baseten_sandbox.web import Handler, json_response

from . import audit_logs, chain_views, contract, rules
from .logs import Logs

_CHAIN = "/v1/chains/<chain_id>"
_DEPLOYMENT = f"{_CHAIN}/deployments/<deployment_id>"
_ENVIRONMENT = f"{_CHAIN}/environments/<name>"


class Chains:
    """Chains, their deployments and environments. `state` is one of their own, where a model stands for a Chain."""

    def __init__(self, *, state: State, logs: Logs) -> None:
        self._state = state
        self._logs = logs
        self._lock = threading.Lock()
        self._settings: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}  # of chainlets, by environment

    def handlers(self) -> dict[str, Handler]:
        """The calls by route."""
        return {
            "GET /v1/chains": self.list,
            f"GET {_CHAIN}": self.get,
            f"GET {_CHAIN}/audit_logs": self.audit_logs,
            f"GET {_CHAIN}/deployments": self.deployments,
            f"GET {_DEPLOYMENT}": self.deployment,
            f"DELETE {_DEPLOYMENT}": self.delete,
            f"POST {_DEPLOYMENT}/deactivate": self.deactivate,
            f"GET {_DEPLOYMENT}/chainlets/<chainlet_id>/logs": self.logs,
            f"GET {_CHAIN}/environments": self.environments,
            f"POST {_CHAIN}/environments": self.create_environment,
            f"GET {_ENVIRONMENT}": self.environment,
            f"PATCH {_ENVIRONMENT}": self.change_environment,
            f"PATCH {_ENVIRONMENT}/chainlet_settings/autoscaling_settings": self.scale,
            f"POST {_ENVIRONMENT}/chainlet_settings/instance_types/update": self.change_machines,
            f"POST {_ENVIRONMENT}/promote": self.promote,
        }

    def list(self, request: Request) -> BaseModel:
        """GET /v1/chains: all of them, without a filter."""
        contract.no_query(request)
        return sdk.Chains(chains=[chain_views.chain(facts) for facts in self._state.models()])

    def get(self, request: Request, chain_id: str) -> BaseModel:
        """GET /v1/chains/{id}."""
        contract.no_query(request)
        return chain_views.chain(self._state.model(chain_id))

    def audit_logs(self, request: Request, chain_id: str) -> BaseModel:
        """GET .../audit_logs."""
        query = contract.query(sdk.GetChainsAuditLogsParams, request.args)
        return audit_logs.page(self._state, chain_id, query, audit_logs.chain_entry)

    def deployments(self, request: Request, chain_id: str) -> BaseModel:
        """GET .../deployments."""
        contract.no_query(request)
        return sdk.ChainDeployments(deployments=[self._view(it) for it in self._state.deployments(chain_id)])

    def deployment(self, request: Request, chain_id: str, deployment_id: str) -> BaseModel:
        """GET .../deployments/{id}."""
        contract.no_query(request)
        return self._view(self._state.deployment(chain_id, deployment_id, fresh=False))

    def delete(self, request: Request, chain_id: str, deployment_id: str) -> BaseModel:
        """DELETE .../deployments/{id}."""
        contract.no_query(request)
        self._state.delete_deployment(chain_id, deployment_id)
        return sdk.ChainDeploymentTombstone(id=deployment_id, deleted=True, chain_id=chain_id)

    def deactivate(self, request: Request, chain_id: str, deployment_id: str) -> BaseModel:
        """POST .../deactivate."""
        contract.no_body(request)
        self._state.deactivate(chain_id, deployment_id)
        return sdk.DeactivateResponse(success=True)

    def logs(self, request: Request, chain_id: str, deployment_id: str, chainlet_id: str) -> BaseModel:
        """GET .../chainlets/{id}/logs: the generated lines are every chainlet's, those added are by its id."""
        query = contract.query(sdk.GetChainsDeploymentsChainletsLogsParams, request.args)
        found = self._state.deployment(chain_id, deployment_id, fresh=False)
        if chainlet_id not in {part.id for part in self._parts(found)}:
            raise missing(f"Chainlet {chainlet_id}")
        return sdk.GetLogsResponse(logs=self._logs.page(found, query, self._state.now(), source=chainlet_id))

    def environments(self, request: Request, chain_id: str) -> Response:
        """GET .../environments: the SDK has no model of its own for this list, only that of models."""
        contract.no_query(request)
        found = [self._environment(chain_id, it.environment.name) for it in self._state.environments(chain_id)]
        return json_response({"environments": [it.model_dump(mode="json") for it in found]})

    def environment(self, request: Request, chain_id: str, name: str) -> BaseModel:
        """GET .../environments/{name}."""
        contract.no_query(request)
        return self._environment(chain_id, name)

    def create_environment(self, request: Request, chain_id: str) -> BaseModel:
        """POST .../environments."""
        wanted = contract.body(sdk.CreateChainEnvironmentRequest, request.get_data())
        rules.check_environment_name(wanted.name)
        settings = rules.changed(rules.new_environment(), None, wanted.promotion_settings, None)
        self._state.create_environment(chain_id, wanted.name, settings)
        for row in wanted.chainlet_settings or ():
            self._set(chain_id, wanted.name, row.chainlet_name, row.model_dump(exclude_unset=True))
        return self._environment(chain_id, wanted.name)

    def change_environment(self, request: Request, chain_id: str, name: str) -> BaseModel:
        """PATCH .../environments/{name}: promotion settings alone; accepted now, seen later."""
        wanted = contract.body(sdk.UpdateChainEnvironmentRequest, request.get_data())
        with self._state.transaction():
            before = self._state.wanted_settings(chain_id, name)
            self._state.change_environment(chain_id, name, rules.changed(before, None, wanted.promotion_settings, None))
        return sdk.UpdateChainEnvironmentResponse(ok=True)

    def scale(self, request: Request, chain_id: str, name: str) -> BaseModel:
        """PATCH .../chainlet_settings/autoscaling_settings."""
        wanted = contract.body(sdk.UpdateChainletEnvironmentAutoscalingSettingsRequest, request.get_data())
        for row in wanted.updates:
            self._known(chain_id, name, row.chainlet_name)
            self._set(chain_id, name, row.chainlet_name, row.model_dump(exclude_unset=True))
        return sdk.UpdateAutoscalingSettingsResponse(status="ACCEPTED", message="Update accepted")

    def change_machines(self, request: Request, chain_id: str, name: str) -> BaseModel:
        """POST .../chainlet_settings/instance_types/update."""
        wanted = contract.body(sdk.UpdateChainletEnvironmentInstanceTypeRequest, request.get_data())
        for row in wanted.updates:
            self._known(chain_id, name, row.chainlet_name)
            self._set(chain_id, name, row.chainlet_name, row.model_dump(exclude_unset=True))
        settings = self._environment(chain_id, name).chainlet_settings
        return sdk.UpdateChainletEnvironmentInstanceTypeResponse(
            requires_redeployment=False, chain_deployment=None, chainlet_environment_settings=settings
        )

    def promote(self, request: Request, chain_id: str, name: str) -> BaseModel:
        """POST .../promote."""
        wanted = contract.body(sdk.PromoteToChainEnvironmentRequest, request.get_data())
        with self._state.transaction() as now:
            environment = self._state.environment(chain_id, name).environment
            found = self._state.deployment(chain_id, wanted.deployment_id)
            status = lifecycle.status_at(found.timeline, now)
            if status in lifecycle.FAILED:
                raise invalid(f"Deployment {found.id} is {status} and cannot be promoted")
            how = environment.settings.promotion
            cleanup = how.promotion_cleanup_strategy if wanted.scale_down_previous_deployment else None
            promoted = self._state.promote(
                found,
                name,
                settings=environment.settings,
                redeploy=bool(how.redeploy_on_promotion),
                rolling=bool(how.rolling_deploy),
                cleanup=cleanup or "KEEP",
                at_once=True,
            )
            self._state.audit.add("CHAIN_DEPLOYMENT_PROMOTED", found, name)
        return self._view(promoted)

    def _view(self, record: Deployment) -> sdk.ChainDeployment:
        return chain_views.deployment(record, self._state.now(), self._second)

    def _environment(self, chain_id: str, name: str) -> sdk.ChainEnvironment:
        with self._lock:
            own = dict(self._settings.get((chain_id, name), {}))
        facts = self._state.environment(chain_id, name)
        return chain_views.environment(facts, own, self._state.now(), self._second)

    def _parts(self, record: Deployment) -> Any:
        return parts_at(record, self._state.now(), self._second)

    @property
    def _second(self) -> float:
        """How long a second of the timing takes at this speed."""
        return self._state.timing.minute / 60

    def _known(self, chain_id: str, name: str, chainlet: str) -> None:
        current = self._state.environment(chain_id, name).current
        if current is None or chainlet not in {part.name for part in self._parts(current)}:
            raise invalid(f"Environment {name!r} has no chainlet {chainlet!r}")

    def _set(self, chain_id: str, name: str, chainlet: str, wanted: dict[str, Any]) -> None:
        machine = wanted.get("instance_type_id")
        if machine is not None and machine not in INSTANCE_TYPES:
            raise invalid(f"instance_type_id: {machine!r} is unknown; see GET /v1/instance_types")
        with self._lock:
            own = self._settings.setdefault((chain_id, name), {}).setdefault(chainlet, {})
            own |= {key: value for key, value in wanted.items() if key != "chainlet_name" and value is not None}
