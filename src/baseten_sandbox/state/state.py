"""What exists, who may change it and what follows, behind one lock: the service's side of every call.

Every method first lets happen what is due by the clock, so no thread works in the background. Requests are checked
elsewhere (`contract`, `rules`); records are kept by `store`; `lifecycle` and `promotions` know how they move.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from baseten_sandbox.errors import invalid, missing

from . import lifecycle, promotions
from .audit import Audit
from .entities import (
    PRODUCTION,
    Deployment,
    Environment,
    EnvironmentFacts,
    Model,
    ModelFacts,
    Promotion,
    Settings,
    Team,
    Timing,
    Upload,
)
from .plans import Plans, PromotionPlan
from .secrets import Secrets
from .store import Store, new_id


class State:
    """Teams, models, deployments, environments and uploads of one organization."""

    def __init__(self, *, clock: Callable[[], float], timing: Timing, teams: Sequence[str]) -> None:
        self.timing = timing
        self._clock = clock
        self._store = Store(now=clock(), timing=timing, teams=teams)
        self.plans = Plans()
        self.audit = Audit(clock)
        self.secrets = Secrets(self._store)

    def now(self) -> float:
        """The moment, in seconds since the epoch."""
        return self._clock()

    @contextmanager
    def transaction(self) -> Iterator[float]:
        """While inside, nobody else changes anything; what is due has happened. Gives the moment."""
        with self._store.lock:
            now = self._clock()
            promotions.settle(self._store, self.plans, now)
            yield now

    # What a test or a rehearsal decides beforehand

    def plan_next_deployment(self, statuses: Sequence[str | tuple[str, float]]) -> None:
        """The next deployment walks through `statuses`: names, or names with seconds; it stays in the last."""
        self.plans.add_deployment(statuses)

    def plan_next_promotion(
        self,
        end: str = "SUCCEEDED",
        *,
        error_message: str | None = None,
        paused: bool = False,
        pause: float | None = None,
    ) -> None:
        """The next promotion ends so, and is PAUSED on its way: for `pause` seconds, or for good."""
        self.plans.add_promotion(PromotionPlan(end, error_message, paused, pause))

    # Teams and models

    def teams(self) -> list[Team]:
        """All teams, the default one first."""
        return list(self._store.teams.values())

    def team(self, team_id: str | None) -> Team:
        """The team of that id, or the default team."""
        return self._store.team(team_id)

    def models(self, team_id: str | None = None) -> list[ModelFacts]:
        """The models of a team, or of the organization, oldest first."""
        with self.transaction() as now:
            return [
                self._facts(model)
                for model in self._store.models.values()
                if team_id in {None, model.team_id} and model.created_at + self.timing.unlisted <= now
            ]

    def model(self, model_id: str) -> ModelFacts:
        """The model of that id."""
        with self.transaction():
            return self._facts(self._store.model(model_id))

    def has_model(self, name: str, team_id: str) -> bool:
        """Whether the team has a model of that name."""
        with self._store.lock:
            return any((model.name, model.team_id) == (name, team_id) for model in self._store.models.values())

    def create_model(self, name: str, team_id: str, *, archive_locked: bool = False) -> Model:
        """A new model with its production environment."""
        with self.transaction() as now:
            if self.has_model(name, team_id):
                raise invalid(f"A model with the name {name!r} already exists in this team")
            model = Model(new_id(8), name, team_id, now, archive_locked)
            self._store.models[model.id] = model
            self._store.keep(Environment(PRODUCTION, model.id, now, Settings()))
            return model

    def delete_model(self, model_id: str) -> None:
        """Delete a model with all that belongs to it, as another user might."""
        with self.transaction():
            model = self._store.model(model_id)
            for deployment in self._store.deployments_of(model.id):
                del self._store.deployments[deployment.id]
            for environment in self._store.environments_of(model.id):
                del self._store.environments[model.id, environment.name]
            del self._store.models[model.id]

    # Uploads

    def add_upload(self, upload: Upload) -> None:
        """Remember what a prepare issued."""
        with self._store.lock:
            self._store.uploads[upload.s3_key] = upload

    def upload(self, s3_key: str) -> Upload | None:
        """What the prepare that issued this key was asked for."""
        with self._store.lock:
            return self._store.uploads.get(s3_key)

    # Deployments

    def deployments(self, model_id: str) -> list[Deployment]:
        """The deployments of a model, oldest first."""
        with self.transaction() as now:
            found = self._store.deployments_of(self._store.model(model_id).id)
            return [item for item in found if item.created_at + self.timing.unlisted <= now]

    def deployment(self, model_id: str, deployment_id: str, *, fresh: bool = True) -> Deployment:
        """A deployment of a model; with `fresh` false, one that is too new is not found."""
        with self.transaction() as now:
            found = self._store.deployment(model_id, deployment_id)
            if not fresh and now < found.created_at + self.timing.not_found:
                raise missing(f"Deployment {deployment_id}")
            return found

    def slot(self, model_id: str, slot: str) -> Deployment:
        """The `development` deployment of a model, or the one that `production` serves."""
        facts = self.model(model_id)
        deployment_id = facts.development_id if slot == "development" else facts.production_id
        if deployment_id is None:
            raise missing(f"The {slot} deployment of model {model_id}")
        return self.deployment(model_id, deployment_id)

    def add_deployment(
        self,
        model_id: str,
        *,
        config: Mapping[str, Any],
        settings: Settings,
        name: str | None = None,
        raw_config: str | None = None,
        labels: Mapping[str, Any] | None = None,
        region: str | None = None,
        s3_key: str | None = None,
        is_development: bool = False,
        build_error: str = "",
    ) -> Deployment:
        """A new deployment, or, for the development slot, what overwrites the old one in place."""
        with self.transaction() as now:
            number = self._store.counts[model_id] = self._store.counts.get(model_id, 0) + 1
            draft = Deployment(
                id=new_id(7),
                model_id=self._store.model(model_id).id,
                name="development" if is_development else name or f"deployment-{number}",
                created_at=now,
                timeline=(),
                config=config,
                settings=settings,
                replica=new_id(5),
                raw_config=raw_config,
                labels=labels,
                region=region,
                s3_key=s3_key,
                is_development=is_development,
                build_error=build_error,
            )
            draft = self.plans.scripted(draft, now, self.timing)
            old = next((item for item in self._store.deployments_of(model_id) if item.is_development), None)
            if old is not None and is_development:
                past = lifecycle.until(old.timeline, now)
                draft = replace(draft, id=old.id, created_at=old.created_at, timeline=past + draft.timeline)
            self._store.keep(draft)
            return draft

    def deactivate(self, model_id: str, deployment_id: str) -> None:
        """Deactivate it, if it is not already."""
        with self.transaction() as now:
            found = self._store.deployment(model_id, deployment_id)
            if lifecycle.status_at(found.timeline, now) in {"DEACTIVATING", "INACTIVE"}:
                return
            self._store.keep(replace(found, timeline=lifecycle.deactivated(found.timeline, now, self.timing)))
            promotions.fail_those_of(self._store, found.id, f"deployment {found.id} was deactivated", now)

    def activate(self, model_id: str, deployment_id: str) -> bool:
        """Activate it; False when it is active or on its way."""
        with self.transaction() as now:
            found = self._store.deployment(model_id, deployment_id)
            status = lifecycle.status_at(found.timeline, now)
            if status not in {"INACTIVE", "DEACTIVATING", "SCALED_TO_ZERO"}:
                if status in lifecycle.FAILED:
                    raise invalid(f"Deployment {deployment_id} is {status} and cannot be activated")
                return False
            start = lifecycle.woken if status == "SCALED_TO_ZERO" else lifecycle.activated
            self._store.keep(replace(found, timeline=start(found.timeline, now, self.timing)))
            return True

    def retry(self, model_id: str, deployment_id: str) -> str:
        """Try a deployment again that did not come up, and the promotion that it failed; why not, or `""`."""
        with self.transaction() as now:
            found = self._store.deployment(model_id, deployment_id)
            status = lifecycle.status_at(found.timeline, now)
            if status not in {"DEPLOY_FAILED", "FAILED"}:
                return f"Deployment {deployment_id} is {status}; only one that failed to deploy can be retried"
            self._store.keep(lifecycle.retried(found, now, self.plans.statuses(found), self.timing))
            promotions.retry_those_of(self._store, self.plans, found.id, now)
            return ""

    def scale(self, deployment: Deployment, settings: Settings) -> None:
        """Let it run with these settings; what may be without replicas, and nothing serves, goes to sleep."""
        with self.transaction() as now:
            timeline = deployment.timeline
            idle = settings.autoscaling.min_replica == 0 and deployment.environment is None
            if idle and lifecycle.status_at(timeline, now) == "ACTIVE":
                timeline = lifecycle.scaled_to_zero(timeline, now)
            self._store.keep(replace(deployment, settings=settings, timeline=timeline))

    def wake(self, model_id: str, deployment_id: str) -> Deployment:
        """What a request does to a deployment that was scaled to zero; to any other it does nothing."""
        with self.transaction() as now:
            found = self._store.deployment(model_id, deployment_id)
            if lifecycle.status_at(found.timeline, now) == "SCALED_TO_ZERO":
                found = replace(found, timeline=lifecycle.woken(found.timeline, now, self.timing))
                self._store.keep(found)
            return found

    def delete_deployment(self, model_id: str, deployment_id: str) -> None:
        """Delete it, unless an environment serves it or it is being promoted into one."""
        with self.transaction():
            found = self._store.deployment(model_id, deployment_id)
            for facts in self.environments(model_id):
                if found in (facts.current, facts.candidate):
                    raise invalid(f"Deployment {deployment_id} belongs to environment {facts.environment.name!r}")
            del self._store.deployments[found.id]

    # Environments

    def environments(self, model_id: str) -> list[EnvironmentFacts]:
        """The environments of a model, `production` first."""
        with self.transaction() as now:
            return [promotions.facts(self._store, item, now) for item in self._store.environments_of(model_id)]

    def environment(self, model_id: str, name: str) -> EnvironmentFacts:
        """One environment of a model."""
        with self.transaction() as now:
            return promotions.facts(self._store, self._store.environment(model_id, name), now)

    def has_environment(self, model_id: str, name: str) -> bool:
        """Whether the model has an environment of that name."""
        with self._store.lock:
            return (model_id, name) in self._store.environments

    def create_environment(self, model_id: str, name: str, settings: Settings) -> EnvironmentFacts:
        """A new environment that serves nothing yet."""
        with self.transaction() as now:
            model = self._store.model(model_id)
            if name == PRODUCTION:
                raise invalid("The production environment always exists and cannot be created")
            if self.has_environment(model.id, name):
                raise invalid(f"Environment {name!r} already exists")
            self._store.keep(Environment(name, model.id, now, settings))
            return self.environment(model.id, name)

    def change_environment(self, model_id: str, name: str, settings: Settings) -> EnvironmentFacts:
        """Accept new settings; they are seen after a while. The answer already has them, as the service's has."""
        with self.transaction() as now:
            found = self._store.environment(model_id, name)
            self._store.keep(replace(found, pending=(*found.pending, (now + self.timing.settings, settings))))
            return promotions.facts(self._store, replace(found, settings=settings), now)

    def wanted_settings(self, model_id: str, name: str) -> Settings:
        """The settings that an environment has once all accepted changes are applied."""
        with self.transaction():
            found = self._store.environment(model_id, name)
            return found.pending[-1][1] if found.pending else found.settings

    # Promotion

    def check_idle(self, model_id: str, name: str) -> None:
        """Refuse when a promotion into the environment is under way."""
        with self.transaction() as now:
            promotions.check_idle(self._store.environment(model_id, name), now)

    def promote(
        self,
        deployment: Deployment,
        name: str,
        *,
        settings: Settings,
        redeploy: bool,
        rolling: bool,
        cleanup: str,
        at_once: bool,
    ) -> Deployment:
        """Begin to promote `deployment`; the answer is the deployment that is promoted, which may be a copy of it.

        With `at_once` a copy is made now (a promotion that was asked for); without, when the deployment is live (a push
        into an environment). `settings` are what the environment keeps when the promotion succeeds.
        """
        with self.transaction() as now:
            environment = self._store.environment(deployment.model_id, name)
            promotions.check_idle(environment, now)
            if environment.current_id == deployment.id and not redeploy:
                return deployment
            copies = redeploy and at_once
            candidate = promotions.copy(self._store, self.plans, deployment, now) if copies else deployment
            begun = Promotion(candidate.id, (), settings, rolling, cleanup, redeploys=redeploy and not at_once)
            promotions.begin(self._store, self.plans, environment, begun, now)
            return candidate

    def cancel_promotion(self, model_id: str, name: str) -> str:
        """Cancel the promotion under way: CANCELED, or RAMPING_DOWN when traffic has to move back first."""
        with self.transaction() as now:
            return promotions.cancel(self._store, self._store.environment(model_id, name), now)

    def _facts(self, model: Model) -> ModelFacts:
        deployments = self._store.deployments_of(model.id)
        production = self._store.environments[model.id, PRODUCTION]
        return ModelFacts(
            model,
            self._store.teams[model.team_id],
            len(deployments),
            production.current_id,
            next((item.id for item in deployments if item.is_development), None),
            production.settings.instance_type,
        )
