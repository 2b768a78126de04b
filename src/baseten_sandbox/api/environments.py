"""The calls about environments: list, create, change, promote into, cancel."""

from baseten.client import managementapi as sdk
from pydantic import BaseModel
from werkzeug.wrappers import Request

from baseten_sandbox.errors import invalid
from baseten_sandbox.state import lifecycle
from baseten_sandbox.state.entities import INSTANCE_TYPES
from baseten_sandbox.state.state import State
from baseten_sandbox.web import Handler

from . import collections, contract, rules, views

_ALL = "/v1/models/<model_id>/environments"
_ONE = f"{_ALL}/<name>"


class Environments:
    """The environments of a model."""

    def __init__(self, *, state: State) -> None:
        self._state = state

    def handlers(self) -> dict[str, Handler]:
        """The calls by route."""
        return {
            f"GET {_ALL}": self.list,
            f"POST {_ALL}": self.create,
            f"GET {_ONE}": self.get,
            f"PATCH {_ONE}": self.change,
            f"POST {_ONE}/promote": self.promote,
            f"POST {_ONE}/cancel_promotion": self.cancel_promotion,
        }

    def list(self, request: Request, model_id: str) -> BaseModel:
        """GET .../environments."""
        contract.no_query(request)
        now = self._state.now()
        return sdk.Environments(environments=[views.environment(it, now) for it in self._state.environments(model_id)])

    def get(self, request: Request, model_id: str, name: str) -> BaseModel:
        """GET .../environments/{name}."""
        contract.no_query(request)
        return views.environment(self._state.environment(model_id, name), self._state.now())

    def create(self, request: Request, model_id: str) -> BaseModel:
        """POST .../environments."""
        wanted = contract.body(sdk.CreateEnvironmentRequest, request.get_data())
        rules.check_environment_name(wanted.name)
        settings = rules.changed(
            rules.new_environment(),
            wanted.autoscaling_settings,
            wanted.promotion_settings,
            wanted.request_backpressure_settings,
        )
        created = self._state.create_environment(model_id, wanted.name, settings)
        return views.environment(created, self._state.now())

    def change(self, request: Request, model_id: str, name: str) -> BaseModel:
        """PATCH .../environments/{name}: accepted now, seen later; what schedules and routing do is not played."""
        wanted = contract.body(sdk.UpdateEnvironmentRequest, request.get_data())
        rules.check_schedules(wanted.autoscaling_schedule_settings)
        with self._state.transaction():
            before = self._state.wanted_settings(model_id, name)
            after = rules.changed(
                before, wanted.autoscaling_settings, wanted.promotion_settings, wanted.request_backpressure_settings
            )
            after = collections.scheduled(after, wanted.autoscaling_schedule_settings)
            after = collections.routed(after, wanted.traffic_routing_settings, model_id)
            if after == before:
                status, facts = "UNCHANGED", self._state.environment(model_id, name)
            else:
                status, facts = "ACCEPTED", self._state.change_environment(model_id, name, after)
        return sdk.UpdateEnvironmentResponse(
            environment=views.environment(facts, self._state.now()), status=status, message=f"Update {status.lower()}"
        )

    def promote(self, request: Request, model_id: str, name: str) -> BaseModel:
        """POST .../promote."""
        wanted = contract.body(sdk.PromoteToEnvironmentRequest, request.get_data())
        update = wanted.environment_settings_update or sdk.PromotionEnvironmentSettingsUpdate()
        rules.check_instance_type(update.instance_type_id, preserve=wanted.preserve_env_instance_type)
        rules.check_schedules(update.autoscaling_schedule_settings)
        with self._state.transaction() as now:
            environment = self._state.environment(model_id, name).environment
            found = self._state.deployment(model_id, wanted.deployment_id)
            status = lifecycle.status_at(found.timeline, now)
            if status in lifecycle.FAILED:
                advice = "; activate it first" if status in {"INACTIVE", "DEACTIVATING"} else ""
                raise invalid(f"Deployment {found.id} is {status} and cannot be promoted{advice}")
            settings = rules.changed(
                environment.settings,
                update.autoscaling_settings,
                update.promotion_settings,
                update.request_backpressure_settings,
            )
            settings = collections.scheduled(settings, update.autoscaling_schedule_settings)
            if update.instance_type_id is not None:
                settings = settings.but(instance_type=INSTANCE_TYPES[update.instance_type_id])
            elif not wanted.preserve_env_instance_type or environment.current_id is None:
                settings = settings.but(instance_type=found.settings.instance_type)
            how = rules.promotion(settings.promotion, wanted.promotion_settings_override)
            cleanup = how.promotion_cleanup_strategy if wanted.scale_down_previous_deployment else None
            promoted = self._state.promote(
                found,
                name,
                settings=settings,
                redeploy=bool(how.redeploy_on_promotion) or found.is_development,
                rolling=bool(how.rolling_deploy),
                cleanup=cleanup or "KEEP",
                at_once=True,
            )
            self._state.audit.add("MODEL_DEPLOYMENT_PROMOTED", found, name)
        return views.deployment(promoted, self._state.now())

    def cancel_promotion(self, request: Request, model_id: str, name: str) -> BaseModel:
        """POST .../cancel_promotion."""
        contract.no_body(request)
        with self._state.transaction():
            candidate = self._state.environment(model_id, name).candidate
            status = self._state.cancel_promotion(model_id, name)
            if candidate is not None:
                self._state.audit.add("MODEL_PROMOTION_CONTROL_ACTION", candidate, name, action="GRACEFUL_CANCEL")
        return sdk.CancelPromotionResponse(status=status, message=f"The promotion into {name} is {status}")
