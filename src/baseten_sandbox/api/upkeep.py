"""The calls that change a deployment that is there: activate, deactivate, retry, autoscaling."""

from baseten.client import managementapi as sdk
from pydantic import BaseModel
from werkzeug.wrappers import Request

from baseten_sandbox.state.state import State
from baseten_sandbox.web import Handler

from . import contract, rules, views

_DEPLOYMENT = "/v1/models/<model_id>/deployments/<deployment_id>"
# By the last part of the path: how many requests a minute the service takes.
PER_MINUTE = {"activate": 20, "deactivate": 20, "retry": 10}


class Upkeep:
    """What happens to a deployment after its push."""

    def __init__(self, *, state: State) -> None:
        self._state = state

    def handlers(self) -> dict[str, Handler]:
        """The calls by route."""
        return {
            f"POST {_DEPLOYMENT}/activate": self.activate,
            f"POST {_DEPLOYMENT}/deactivate": self.deactivate,
            f"POST {_DEPLOYMENT}/retry": self.retry,
            f"PATCH {_DEPLOYMENT}/autoscaling_settings": self.autoscaling,
        }

    def activate(self, request: Request, model_id: str, deployment_id: str) -> BaseModel:
        """POST .../activate."""
        contract.no_body(request)
        changed = self._state.activate(model_id, deployment_id)
        self._note("MODEL_DEPLOYMENT_ACTIVATED", model_id, deployment_id)
        return sdk.ActivateResponse(no_op=not changed)

    def deactivate(self, request: Request, model_id: str, deployment_id: str) -> BaseModel:
        """POST .../deactivate."""
        contract.no_body(request)
        self._state.deactivate(model_id, deployment_id)
        self._note("MODEL_DEPLOYMENT_DEACTIVATED", model_id, deployment_id)
        return sdk.DeactivateResponse()

    def retry(self, request: Request, model_id: str, deployment_id: str) -> BaseModel:
        """POST .../retry: not every deployment can be tried again, which is an answer and no refusal."""
        contract.no_body(request)
        reason = self._state.retry(model_id, deployment_id)
        self._note("MODEL_DEPLOYMENT_RETRIED", model_id, deployment_id, retried=not reason)
        found = self._state.deployment(model_id, deployment_id)
        return sdk.RetryDeploymentResponse(
            retried=not reason, reason=reason or None, deployment=views.deployment(found, self._state.now())
        )

    def autoscaling(self, request: Request, model_id: str, deployment_id: str) -> BaseModel:
        """PATCH .../autoscaling_settings: without a smallest number of replicas, what nobody asks goes to sleep."""
        wanted = contract.body(sdk.UpdateAutoscalingSettings, request.get_data())
        with self._state.transaction():
            found = self._state.deployment(model_id, deployment_id)
            settings = rules.changed(found.settings, wanted, None, None)
            changed = settings != found.settings or settings.autoscaling.min_replica == 0
            self._state.scale(found, settings)
        status = "ACCEPTED" if changed else "UNCHANGED"
        return sdk.UpdateAutoscalingSettingsResponse(status=status, message=f"Update {status.lower()}")

    def _note(self, kind: str, model_id: str, deployment_id: str, **details: bool) -> None:
        self._state.audit.add(kind, self._state.deployment(model_id, deployment_id), None, **details)
